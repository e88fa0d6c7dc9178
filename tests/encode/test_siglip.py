"""A small model of SigLIP's make: sigmoid loss with a bias, no causal mask, the last token pooled, a tokenizer from transformers."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from promptlab.encode.openclip import Loading, OpenClipEncoder
from promptlab.encode.tower import TextTower
from promptlab.errors import EncoderError
from promptlab.store import Cache

CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {"image_size": 32, "patch_size": 16, "width": 32, "layers": 1, "head_width": 16},
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
    },
}


def saved(folder: Path, **text: Any) -> Path:
    torch.manual_seed(0)
    cfg = {name: value for name, value in CONFIG.items() if name != "custom_text"}
    model = open_clip.CustomTextCLIP(**cfg)
    folder.mkdir()
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    whole = CONFIG | {"text_cfg": CONFIG["text_cfg"] | text}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": whole, "preprocess_cfg": {}}))
    return folder


def encoder_of(folder: Path, tmp_path: Path) -> OpenClipEncoder:
    return OpenClipEncoder(str(folder), Cache(tmp_path / "cache"), Loading())


def test_its_texts_are_not_cut_and_equal_those_of_open_clip(tmp_path: Path) -> None:
    encoder = encoder_of(saved(tmp_path / "model"), tmp_path)
    texts = ["cat", "a photo of a dog.", "a much longer text about an owl in a tree"]
    model, _, tokenizer, tower = encoder._loaded
    assert isinstance(tower, TextTower)
    assert not tower.cut
    with torch.inference_mode():
        expected = model.encode_text(tokenizer(texts), normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(texts), expected, atol=1e-6)


def test_the_context_is_that_of_its_tokenizer(tmp_path: Path) -> None:
    encoder = encoder_of(saved(tmp_path / "model"), tmp_path)
    assert encoder.context_length == 16
    assert encoder.tokens("owl " * 40) > 16


def test_a_missing_tokenizer_package_is_explained(tmp_path: Path) -> None:
    if importlib.util.find_spec("transformers"):
        pytest.skip("transformers is installed here")
    encoder = encoder_of(saved(tmp_path / "model", hf_tokenizer_name="some/tokenizer"), tmp_path)
    with pytest.raises(EncoderError) as caught:
        encoder.encode_texts(["cat"])
    assert "pip install transformers" in caught.value.hint
