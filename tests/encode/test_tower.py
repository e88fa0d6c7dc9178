from collections.abc import Callable
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from torch.nn import functional as F

from promptlab.encode.openclip import OpenClipEncoder
from promptlab.encode.text import encode_grid
from promptlab.encode.tower import TextTower
from promptlab.events import Progressed, ignore
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import load, render
from promptlab.score.ensemble import uniform
from promptlab.store import Cache
from promptlab.types import Classes, PromptGrid

NAMES = ["tench", "Old English sheepdog", "x", "a stop sign beside the road on a rainy day in late autumn", "cat"]
TEXTS = ["a", "a photo of a cat.", "two  Spaces & Capitals", "x " * 100, "🐟", "a photo of the small {}", ""]
VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
TEXT = {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
MULTIMODAL = {"width": 32, "heads": 2, "layers": 1, "context_length": 24}


@pytest.fixture(params=["mini", "big"])
def encoder(request: pytest.FixtureRequest) -> OpenClipEncoder:
    """Each of the two models of CLIP's kind."""
    made: OpenClipEncoder = request.getfixturevalue(request.param)
    return made


def padded(model: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    with torch.inference_mode():
        return F.normalize(model.encode_text(tokenizer(texts)), dim=-1).numpy()


def test_the_uniform_classifier_is_the_one_that_open_clip_builds(encoder: OpenClipEncoder, cache: Cache) -> None:
    classes, made = Classes.of(NAMES), load(["openai-7"])
    ours = uniform(encode_grid(compose(classes, made), encoder, cache, ignore)[0]).weight
    model, _, tokenizer, _ = encoder._loaded
    lines = [lambda name, t=t: render(t, name) for t in made]
    theirs = open_clip.build_zero_shot_classifier(model, tokenizer, NAMES, lines, num_classes_per_batch=None, device="cpu")
    assert np.abs(ours - theirs.T.numpy()).max() < 1e-5
    assert np.abs(ours[0] - ours[1]).max() > 1e-3


def test_texts_are_cut_for_causal_towers(encoder: OpenClipEncoder) -> None:
    assert encoder._loaded[3].cut


def test_a_cut_text_has_the_vector_of_a_padded_one(encoder: OpenClipEncoder) -> None:
    model, _, tokenizer, _ = encoder._loaded
    assert np.abs(encoder.encode_texts(TEXTS) - padded(model, tokenizer, TEXTS)).max() <= 2e-6


def test_a_vector_does_not_depend_on_the_texts_beside_it(encoder: OpenClipEncoder) -> None:
    together = encoder.encode_texts(TEXTS)
    assert all(np.abs(encoder.encode_texts([text])[0] - z).max() <= 2e-6 for text, z in zip(TEXTS, together, strict=True))


def test_text_vectors_are_unit_rows_in_order(mini: OpenClipEncoder) -> None:
    z = mini.encode_texts(["a dog", "a cat"])
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(mini.encode_texts(["a cat", "a dog"]), z[::-1], atol=2e-6)
    assert z.dtype == np.float32


def test_a_long_text_is_cut_where_open_clip_cuts_it(encoder: OpenClipEncoder) -> None:
    z = encoder.encode_texts(["cat " * 75, "cat " * 90])
    np.testing.assert_array_equal(z[0], z[1])


def test_the_scale_is_the_models_own(encoder: OpenClipEncoder) -> None:
    assert encoder.scale == pytest.approx(float(encoder._loaded[0].logit_scale.detach().exp()), rel=1e-6)


def test_tokens_count_start_and_end_before_any_cut(mini: OpenClipEncoder) -> None:
    assert [mini.tokens(text) for text in ("cat", "a photo of a cat.", "cat " * 100)] == [3, 8, 102]
    assert mini.context_length == 77


def test_progress_counts_up_to_all_texts(mini: OpenClipEncoder) -> None:
    events: list[Any] = []
    mini.encode_texts([f"a photo of number {i} among many" for i in range(150)], events.append)
    done = [event.done for event in events if isinstance(event, Progressed)]
    assert done == sorted(done)
    assert len(done) > 1
    assert done[-1] == 150


def tiny(**text: Any) -> Any:
    torch.manual_seed(0)
    return open_clip.CLIP(embed_dim=16, vision_cfg=VISION, text_cfg=TEXT | text).eval()


def tiny_custom(**text: Any) -> Any:
    torch.manual_seed(0)
    return open_clip.CustomTextCLIP(embed_dim=16, vision_cfg=VISION, text_cfg=TEXT | text).eval()


def tiny_coca() -> Any:
    torch.manual_seed(0)
    text = TEXT | {"context_length": 24, "embed_cls": True, "output_tokens": True}
    return open_clip.CoCa(embed_dim=16, multimodal_cfg=MULTIMODAL, text_cfg=text, vision_cfg=VISION | {"output_tokens": True}).eval()


def looking_behind() -> Any:
    """A causal tower by all its attributes, whose text vector yet depends on the padding."""
    model = tiny()
    inner = model.encode_text
    model.encode_text = lambda ids, normalize=False: inner(ids) + 0.5 * (ids == 0).float().mean(1, keepdim=True)
    return model


def altered_inside() -> Any:
    """A causal tower by all its attributes, that yet knows the length it is given."""
    model = tiny()
    wave = torch.arange(TEXT["width"]).float()
    model.transformer.resblocks[0].register_forward_hook(lambda _, __, out: out + 0.1 * torch.sin(wave * out.shape[1]))
    return model


CUT: dict[str, Callable[[], Any]] = {
    "clip": tiny,
    "custom": tiny_custom,
    "end token by id": lambda: tiny_custom(pool_type="eos", eos_id=49407),
    "linear projection": lambda: tiny_custom(proj_bias=True),
    "padding id": lambda: tiny_custom(pad_id=0),
}
PADDED: dict[str, Callable[[], Any]] = {
    "no causal mask": lambda: tiny(no_causal_mask=True),
    "custom without causal mask": lambda: tiny_custom(no_causal_mask=True),
    "pools the first": lambda: tiny_custom(pool_type="first"),
    "pools the last": lambda: tiny_custom(pool_type="last"),
    "class token": tiny_coca,
    "looks at the padding": looking_behind,
    "knows its length": altered_inside,
}


def encoded(tower: TextTower, ids: Any) -> Any:
    """(P, D) all vectors, in order."""
    z = torch.zeros(len(ids), 16)
    for rows, piece in tower.encode(ids):
        z[rows] = piece
    return z.numpy()


@pytest.fixture
def tokenizer() -> Any:
    """CLIP's, with the short context of the tiny models."""
    return open_clip.SimpleTokenizer(context_length=24)


@pytest.mark.parametrize("kind", CUT)
def test_towers_that_can_be_cut_are_cut_and_equal(kind: str, tokenizer: Any) -> None:
    model = CUT[kind]()
    tower = TextTower(model, tokenizer, "cpu")
    assert (tower.cut, tower.shares) == (True, True)
    assert np.abs(encoded(tower, tokenizer(TEXTS)) - padded(model, tokenizer, TEXTS)).max() <= 2e-6
    tower.shares = False
    assert np.abs(encoded(tower, tokenizer(TEXTS)) - padded(model, tokenizer, TEXTS)).max() <= 2e-6


def test_a_tower_with_a_mask_of_its_own_shares_no_beginnings(tokenizer: Any) -> None:
    """Causal and cut at any length, but whatever mask it is given it looks at all that is before: a pack would mix its texts."""
    model = tiny()
    for layer in model.transformer.resblocks:
        inner = layer.attention
        layer.attention = lambda q_x, inner=inner, **_: inner(q_x, attn_mask=model.attn_mask[: q_x.shape[1], : q_x.shape[1]])
    tower = TextTower(model, tokenizer, "cpu")
    assert (tower.cut, tower.shares) == (True, False)
    assert np.abs(encoded(tower, tokenizer(TEXTS)) - padded(model, tokenizer, TEXTS)).max() <= 2e-6


@pytest.mark.parametrize("kind", PADDED)
def test_other_towers_are_run_as_open_clip_runs_them(kind: str, tokenizer: Any) -> None:
    model = PADDED[kind]()
    tower = TextTower(model, tokenizer, "cpu")
    assert (tower.cut, tower.shares) == (False, False)
    assert np.abs(encoded(tower, tokenizer(TEXTS)) - padded(model, tokenizer, TEXTS)).max() <= 2e-6


@pytest.mark.parametrize(("kind", "shares"), [("clip", True), ("clip", False), ("no causal mask", False)])
def test_every_text_comes_once_and_not_all_at_once(kind: str, shares: bool, tokenizer: Any) -> None:
    tower = TextTower((CUT | PADDED)[kind](), tokenizer, "cpu")
    tower.shares = shares
    pieces = [rows for rows, _ in tower.encode(tokenizer([f"{text} {i}" for text in TEXTS for i in range(40)]))]
    assert sorted(int(i) for rows in pieces for i in rows) == list(range(40 * len(TEXTS)))
    assert len(pieces) > 1


def test_one_class_with_several_names_is_the_mean_of_its_texts(mini: OpenClipEncoder, cache: Cache) -> None:
    grid = compose(Classes(("a",), (("cat", "kitten"),)), load(["plain"]))
    bank, _ = encode_grid(grid, mini, cache, ignore)
    mean = mini.encode_texts(["a photo of a cat.", "a photo of a kitten."]).mean(0)
    np.testing.assert_allclose(bank.z[0, 0], mean / np.linalg.norm(mean), atol=1e-6)


def test_classes_with_equal_names_have_equal_rows_to_the_bit(mini: OpenClipEncoder, cache: Cache, grid: Callable[..., PromptGrid]) -> None:
    bank, _ = encode_grid(grid(["missile", "cat", "missile"], "a {}", "the {}"), mini, cache, ignore)
    np.testing.assert_array_equal(bank.z[:, 0], bank.z[:, 2])
