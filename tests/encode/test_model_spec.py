import json
import pickle
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from open_clip.coca_model import MultimodalCfg
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from open_clip.transform import PreprocessCfg
from safetensors.torch import load_file, save_file

from promptlab.encode import guards
from promptlab.encode.openclip import Loading, OpenClipEncoder, parse_spec
from promptlab.errors import EncoderError, OfflineError, PromptlabError, UsageError
from promptlab.lab import Lab
from promptlab.store import Cache

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"


def made(spec: str, cache: Cache, **how: Any) -> OpenClipEncoder:
    return OpenClipEncoder(spec, cache, Loading(**how))


@pytest.fixture
def model(tmp_path: Path, mini_folder: Path) -> Path:
    """A model folder of the test's own; its weights are linked."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / CONFIG).write_bytes((mini_folder / CONFIG).read_bytes())
    (folder / WEIGHTS).symlink_to(mini_folder / WEIGHTS)
    return folder


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / CONFIG).read_text())
    change(config)
    (folder / CONFIG).write_text(json.dumps(config))


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B/16", "RN50"])
def test_a_name_without_weights_is_refused(name: str) -> None:
    with pytest.raises(EncoderError, match="says no weights") as caught:
        parse_spec(name)
    assert f"{name},TAG" in caught.value.hint


def test_a_name_and_a_tag_are_two_parts() -> None:
    assert parse_spec("ViT-B-32,openai") == ("ViT-B-32", "openai")
    assert parse_spec("ViT-B/32,openai") == ("ViT-B-32", "openai")


def test_a_model_folder_may_be_named_bare_or_in_full(mini_folder: Path) -> None:
    assert parse_spec(str(mini_folder)) == parse_spec(f"local-dir:{mini_folder}") == (f"local-dir:{mini_folder}", None)


def test_an_unknown_model_lists_the_nearest(cache: Cache) -> None:
    with pytest.raises(UsageError, match="ViT-B-23") as caught:
        _ = made("ViT-B-23,openai", cache).scale
    assert "ViT-B-32" in caught.value.hint


def test_an_unknown_tag_lists_the_nearest(cache: Cache) -> None:
    with pytest.raises(UsageError, match="opennai") as caught:
        _ = made("ViT-B-32,opennai", cache).scale
    assert "Did you mean 'openai'?" in caught.value.hint


def test_an_unknown_alias_lists_the_known_ones(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no model named 'minni'") as caught:
        lab.encoder("minni")
    assert "Did you mean 'mini'?" in caught.value.hint


@pytest.mark.parametrize("spec", ["local-dir:/nowhere/at/all", "local-dir:"])
def test_a_missing_folder_is_explained(spec: str) -> None:
    with pytest.raises(EncoderError, match="open_clip_config") as caught:
        parse_spec(spec)
    assert "model folder holds" in caught.value.hint


def test_a_missing_config_is_explained(model: Path, cache: Cache) -> None:
    (model / CONFIG).unlink()
    with pytest.raises(EncoderError, match=CONFIG):
        made(str(model), cache)


def test_missing_weights_are_explained(model: Path, cache: Cache) -> None:
    (model / WEIGHTS).unlink()
    with pytest.raises(EncoderError, match="no weights") as caught:
        made(str(model), cache)
    assert WEIGHTS in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"not json", b"[]", b"{}", b'{"model_cfg": 5}', b"\xff\xfe", b'{"model_cfg": {"text_cfg": 1, "vision_cfg": 2}}']
)
def test_a_broken_config_is_explained(model: Path, cache: Cache, content: bytes) -> None:
    (model / CONFIG).write_bytes(content)
    with pytest.raises(EncoderError, match=CONFIG):
        made(str(model), cache)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, None], ids=["empty", "garbage", "cut"])
def test_broken_weights_are_explained(model: Path, cache: Cache, content: bytes | None) -> None:
    whole = (model / WEIGHTS).read_bytes()
    (model / WEIGHTS).unlink()
    (model / WEIGHTS).write_bytes(whole[:100_000] if content is None else content)
    with pytest.raises(EncoderError, match="could not be loaded"):
        made(str(model), cache).encode_texts(["cat"])


def test_weights_of_another_architecture_are_explained(model: Path, cache: Cache) -> None:
    changed(model, lambda config: config["model_cfg"]["text_cfg"].update(width=128))
    with pytest.raises(EncoderError, match="could not be loaded"):
        made(str(model), cache).encode_texts(["cat"])


HOSTILE: dict[str, Callable[[dict[str, Any]], object]] = {
    "remote code": lambda c: c["model_cfg"]["text_cfg"].update(tokenizer_kwargs={"trust_remote_code": True}),
    "tokenizer file": lambda c: c["model_cfg"]["text_cfg"].update(tokenizer_kwargs={"bpe_path": "/etc/passwd"}),
    "unknown key": lambda c: c["model_cfg"].update(run="me"),
    "huge vocabulary": lambda c: c["model_cfg"]["text_cfg"].update(vocab_size=10**10),
    "huge picture": lambda c: c["model_cfg"]["vision_cfg"].update(image_size=10**6),
    "huge width": lambda c: c["model_cfg"].update(embed_dim=10**9),
    "wide and deep": lambda c: c["model_cfg"]["text_cfg"].update(width=65536, layers=256),
    "wide words": lambda c: c["model_cfg"]["text_cfg"].update(width=65536, vocab_size=2_000_000),
    "fine patches": lambda c: c["model_cfg"].update(vision_cfg={"image_size": 4096, "patch_size": 1, "width": 4096, "layers": 1}),
    "huge decoder": lambda c: c["model_cfg"].update(multimodal_cfg={"width": 65536, "layers": 256}),
    "huge input": lambda c: c["preprocess_cfg"].update(size=10**6),
    "unknown vision key": lambda c: c["model_cfg"]["vision_cfg"].update(run="me"),
    "unknown text key": lambda c: c["model_cfg"]["text_cfg"].update(run="me"),
    "unknown picture key": lambda c: c["preprocess_cfg"].update(run="me"),
    "a decoder that is none": lambda c: c["model_cfg"].update(multimodal_cfg=[1]),
    "another's tower": lambda c: c["model_cfg"]["vision_cfg"].update(timm_model_name="hf-hub:evil/model"),
    "another's folder": lambda c: c["model_cfg"]["vision_cfg"].update(timm_model_name="local-dir:/tmp"),
    "another's picture weights": lambda c: c["model_cfg"]["vision_cfg"].update(timm_model_pretrained=True),
    "another's text weights": lambda c: c["model_cfg"]["text_cfg"].update(hf_model_name="roberta-base", hf_model_pretrained=True),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_config_is_refused_before_anything_is_loaded(model: Path, cache: Cache, case: str) -> None:
    changed(model, HOSTILE[case])
    with pytest.raises(EncoderError, match=CONFIG):
        made(str(model), cache)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize("file", ["weights.pt", "weights.bin", "weights.pth"])
def test_pickled_weights_run_no_code(tmp_path: Path, cache: Cache, file: str, allow: bool) -> None:
    (tmp_path / file).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(EncoderError):
        made(f"RN50,{tmp_path / file}", cache, allow_pickle=allow).encode_texts(["cat"])
    assert not (tmp_path / "ran").exists()


def test_a_folder_with_pickled_weights_alone_is_refused(model: Path, cache: Cache) -> None:
    (model / WEIGHTS).unlink()
    (model / "open_clip_pytorch_model.bin").write_bytes(pickle.dumps(Bomb(model / "ran")))
    with pytest.raises(EncoderError, match="pickl") as caught:
        made(str(model), cache)
    assert "--allow-pickle-weights" in caught.value.hint


def test_a_missing_weights_file_is_named(cache: Cache) -> None:
    with pytest.raises(EncoderError, match=r"gone\.safetensors"):
        made("ViT-B-32,gone.safetensors", cache)


def test_a_name_and_a_file_give_the_model_of_the_folder(big: OpenClipEncoder, big_folder: Path, cache: Cache) -> None:
    other = made(f"ViT-B-32,{big_folder / WEIGHTS}", cache)
    np.testing.assert_array_equal(other.encode_texts(["a photo of a cat."]), big.encode_texts(["a photo of a cat."]))
    assert other.scale == big.scale


def test_what_is_not_in_the_cache_is_not_fetched_while_offline(cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", constants.HF_HUB_OFFLINE)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(OfflineError, match="ViT-B-32") as caught:
        made("ViT-B-32,laion2b_s34b_b79k", cache, offline=True).encode_texts(["cat"])
    assert "--offline" in caught.value.hint


@pytest.mark.parametrize(
    ("spec", "right"), [("ViT-B-32,openai", "ViT-B-32-quickgelu,openai"), ("ViT-B-16,metaclip_400m", "ViT-B-16-quickgelu,")]
)
def test_weights_of_the_other_activation_are_refused(cache: Cache, spec: str, right: str) -> None:
    with pytest.raises(EncoderError, match="QuickGELU") as caught:
        _ = made(spec, cache).scale
    assert right in caught.value.hint


def test_no_published_model_is_refused_for_its_config(tmp_path: Path) -> None:
    for name in open_clip.list_models():
        config = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": {"size": 224, "mean": [0.5] * 3, "std": [0.5] * 3}}
        (tmp_path / CONFIG).write_text(json.dumps(config))
        guards.check_config(tmp_path)


def test_the_keys_that_are_allowed_are_those_of_open_clip() -> None:
    parts = {"vision_cfg": CLIPVisionCfg, "text_cfg": CLIPTextCfg, "multimodal_cfg": MultimodalCfg, "preprocess_cfg": PreprocessCfg}
    for name, part in parts.items():
        assert guards.PART_KEYS[name] <= {field.name for field in fields(part)}


def test_every_published_model_can_be_had_under_some_name() -> None:
    for name, tag in open_clip.list_pretrained():
        try:
            guards.check_published(name, tag)
        except EncoderError as error:
            right = error.hint.removeprefix("Use ").removesuffix(".")
            guards.check_published(*right.split(","))


@pytest.mark.parametrize(("beside", "refused"), [({"quick_gelu": True}, True), ({}, False), (None, False)])
def test_a_weights_file_is_held_against_the_config_beside_it(tmp_path: Path, beside: dict[str, bool] | None, refused: bool) -> None:
    file = tmp_path / WEIGHTS
    if beside is not None:
        (tmp_path / CONFIG).write_text(json.dumps({"model_cfg": beside}))
    if not refused:
        guards.check_file("ViT-B-32", file)
        return
    with pytest.raises(EncoderError, match="QuickGELU") as caught:
        guards.check_file("ViT-B-32", file)
    assert f"Use ViT-B-32-quickgelu,{file}" in caught.value.hint
    guards.check_file("ViT-B-32-quickgelu", file)


def test_the_fingerprint_is_known_without_loading(mini: OpenClipEncoder, mini_folder: Path, cache: Cache) -> None:
    other = made(f"local-dir:{mini_folder}", cache)
    assert other.fingerprint == mini.fingerprint
    assert "_loaded" not in vars(other)


def test_the_fingerprint_does_not_depend_on_where_the_model_lies(mini: OpenClipEncoder, model: Path, cache: Cache) -> None:
    assert made(str(model), cache).fingerprint == mini.fingerprint


def test_the_fingerprint_changes_with_config_and_weights(mini: OpenClipEncoder, model: Path, cache: Cache) -> None:
    changed(model, lambda config: config["preprocess_cfg"].update(interpolation="bilinear"))
    config_changed = made(str(model), cache).fingerprint
    (model / WEIGHTS).unlink()
    (model / WEIGHTS).write_bytes(b"other")
    assert len({mini.fingerprint, config_changed, made(str(model), cache).fingerprint}) == 3


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.txt", "spiece.model", "preprocessor_config.json"])
def test_the_fingerprint_changes_with_the_tokenizer(mini: OpenClipEncoder, model: Path, cache: Cache, name: str) -> None:
    (model / name).write_text("one")
    first = made(str(model), cache).fingerprint
    (model / name).write_text("two")
    assert len({mini.fingerprint, first, made(str(model), cache).fingerprint}) == 3


def test_a_readme_beside_the_model_changes_nothing(mini: OpenClipEncoder, model: Path, cache: Cache) -> None:
    (model / "README.md").write_text("hello")
    assert made(str(model), cache).fingerprint == mini.fingerprint


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 50.0, -1000.0])
def test_an_impossible_scale_is_refused(model: Path, cache: Cache, value: float) -> None:
    weights = load_file(model / WEIGHTS) | {"logit_scale": torch.tensor(value)}
    (model / WEIGHTS).unlink()
    save_file(weights, model / WEIGHTS)
    with pytest.raises(EncoderError, match="logit scale"):
        _ = made(str(model), cache).scale
    assert not (cache.root / "scales").exists()


@pytest.mark.parametrize("kept", ["null", '"abc"', "-5", "-5.0", "NaN", "Infinity", "true", "[]"])
def test_a_damaged_scale_is_made_again(mini: OpenClipEncoder, model: Path, cache: Cache, kept: str) -> None:
    right = made(str(model), cache).scale
    (path,) = (cache.root / "scales").iterdir()
    path.write_text(json.dumps({"key": mini.fingerprint, "value": "?"}).replace('"?"', kept))
    assert made(str(model), cache).scale == right == json.loads(path.read_text())["value"]


def test_a_broken_model_leaves_no_scale_in_the_cache(model: Path, cache: Cache) -> None:
    (model / WEIGHTS).unlink()
    (model / WEIGHTS).write_bytes(b"garbage")
    with pytest.raises(PromptlabError):
        _ = made(str(model), cache).scale
    assert not (cache.root / "scales").exists()
