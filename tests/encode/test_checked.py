"""What a plugin's encoder is checked for, our own keep, too."""

from pathlib import Path

from promptlab import ModelAlias
from promptlab.encode.outside import OutsideEncoder
from promptlab.testing import FakeEncoder, check_encoder


def test_the_embedded_model_is_sound(mini_folder: Path) -> None:
    check_encoder(ModelAlias("mini", f"local-dir:{mini_folder}"))


def test_an_encoder_of_a_plugin_is_sound_as_promptlab_uses_it() -> None:
    check_encoder(OutsideEncoder(lambda device: FakeEncoder(), "mine", "fake", "cpu"))
