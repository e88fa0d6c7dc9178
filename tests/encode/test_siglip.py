"""A small model of SigLIP's make: sigmoid loss with a bias, no causal mask, the last token pooled, a tokenizer from transformers."""

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from promptlab.encode.openclip import Loading, OpenClipEncoder
from promptlab.encode.text import encode_grid
from promptlab.encode.tower import TextTower
from promptlab.errors import EncoderError
from promptlab.events import ignore
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import template
from promptlab.runs import load_classifier, save_classifier
from promptlab.score.classifier import guesses
from promptlab.score.ensemble import uniform
from promptlab.store import Cache
from promptlab.types import Classes, Features

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


def test_its_bias_is_in_the_classifier_and_its_shares_are_sigmoids(tmp_path: Path) -> None:
    encoder = encoder_of(saved(tmp_path / "model"), tmp_path)
    assert encoder.logit_bias == -10.0
    assert encoder_of(tmp_path / "model", tmp_path).logit_bias == -10.0  # from the cache
    classes = Classes.of(["cat", "dog", "owl"])
    bank, _ = encode_grid(compose(classes, [template("a {}")]), encoder, Cache(tmp_path / "cache"), ignore)
    made = uniform(bank)
    save_classifier(tmp_path / "c.safetensors", made)
    with safe_open(tmp_path / "c.safetensors", "np") as file:
        weight, bias = file.get_tensor("weight"), file.get_tensor("bias")
    assert bias.tolist() == [-10.0] * 3
    again = load_classifier(tmp_path / "c.safetensors")
    assert again.logit_bias == -10.0
    assert not again.bias.any()
    x = bank.z[0, :1] + 0.5 * bank.z[0, 1:2]
    x = x / np.linalg.norm(x)
    (guess,) = guesses(again, Features(x, ("a.jpg",), None, "given", ""), "cpu", 3)
    logits = made.scale * x[0] @ weight.T + bias
    wanted = {name: 1 / (1 + math.exp(-logit)) for name, logit in zip(classes.titles, logits, strict=True)}
    assert dict(guess.top) == pytest.approx(wanted, abs=1e-6)


def test_a_softmax_model_has_no_bias(tmp_path: Path) -> None:
    model = open_clip.CLIP(32, CONFIG["vision_cfg"], {"context_length": 16, "width": 32, "heads": 2, "layers": 1})
    (tmp_path / "clip").mkdir()
    save_file(model.state_dict(), tmp_path / "clip" / "open_clip_model.safetensors")
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = {"model_cfg": {"embed_dim": 32, "vision_cfg": CONFIG["vision_cfg"], "text_cfg": text}, "preprocess_cfg": {}}
    (tmp_path / "clip" / "open_clip_config.json").write_text(json.dumps(config))
    assert encoder_of(tmp_path / "clip", tmp_path).logit_bias is None
