"""check_encoder: sound encoders pass, and each planted fault is named."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from promptlab import DataError, ModelAlias, unit
from promptlab.events import Cancelled, ignore
from promptlab.testing import FakeEncoder, check_encoder


def changed(**given: Any) -> FakeEncoder:
    """A sound encoder with something changed: an attribute, or a method, which is given the encoder first."""
    made = type("Changed", (FakeEncoder,), {n: v for n, v in given.items() if callable(v) or isinstance(v, property)})()
    for name, value in given.items():
        if name not in vars(type(made)):
            setattr(made, name, value)
    return made


def texts_times(factor: float) -> Any:
    return lambda self, texts, listen=ignore: FakeEncoder.encode_texts(self, texts, listen) * np.float32(factor)


def centred(self: Any, texts: Sequence[str], listen: Any = ignore) -> Any:
    z = FakeEncoder.encode_texts(self, texts, listen)
    return unit(z - 0.5 * z.mean(0))


def sorted_texts(self: Any, texts: Sequence[str], listen: Any = ignore) -> Any:
    return FakeEncoder.encode_texts(self, sorted(texts), listen)


def raw_texts(self: Any, texts: Sequence[str], listen: Any = ignore) -> Any:
    listen_to = FakeEncoder.encode_texts(self, texts, listen)
    return np.stack([self._vector(text.encode()) for text in texts]) if len(listen_to) else listen_to


def swallows(self: Any, texts: Sequence[str], listen: Any = ignore) -> Any:
    try:
        return FakeEncoder.encode_texts(self, texts, listen)
    except Cancelled:
        return FakeEncoder.encode_texts(self, texts, ignore)


def silent(self: Any, images: Any, rows: Sequence[int], listen: Any = ignore) -> Any:
    return FakeEncoder.encode_images(self, images, rows, ignore)


def sorted_rows(self: Any, images: Any, rows: Sequence[int], listen: Any = ignore) -> Any:
    return FakeEncoder.encode_images(self, images, sorted(rows), listen)


def raising(self: Any, images: Any, rows: Sequence[int], listen: Any = ignore) -> Any:
    z, bad = FakeEncoder.encode_images(self, images, rows, listen)
    if bad:
        raise DataError(next(iter(bad.values())))
    return z, bad


def forgiving(self: Any, images: Any, rows: Sequence[int], listen: Any = ignore) -> Any:
    z, bad = FakeEncoder.encode_images(self, images, rows, listen)
    zero = np.zeros((1, self.width), np.float32)
    kept = iter(z)
    return np.concatenate([zero if i in bad else next(kept)[None] for i in rows]), {}


def untold(self: Any, images: Any, rows: Sequence[int], listen: Any = ignore) -> Any:
    z, bad = FakeEncoder.encode_images(self, images, rows, listen)
    return z, {i: said.replace("cannot be opened", "errno 5") for i, said in bad.items()}


def rounded(self: Any, images: Any, rows: Sequence[int], listen: Any = ignore) -> Any:
    z, bad = FakeEncoder.encode_images(self, images, rows, listen)
    return np.rint(z).astype(int), bad


class Numbered(FakeEncoder):
    """Another fingerprint every time."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        Numbered.made += 1
        self.fingerprint += str(Numbered.made)


FAULTS = {
    "long texts": (changed(encode_texts=texts_times(2)), "encode_texts.. gave rows with norms from 2 to 2; unit rows"),
    "no numbers": (changed(encode_texts=texts_times(float("nan"))), "encode_texts.. gave rows with norms from nan to nan"),
    "half texts": (
        changed(encode_texts=lambda s, t, li=ignore: FakeEncoder.encode_texts(s, t, li).astype("f2")),
        "gave float16; float32 was",
    ),
    "other width": (
        changed(encode_texts=lambda s, t, li=ignore: unit(FakeEncoder.encode_texts(s, t, li)[:, :8])),
        "Texts have 8 numbers and pictures 16",
    ),
    "tokens at the length": (
        changed(tokens=lambda s, t: min(FakeEncoder.tokens(s, t), s.context_length)),
        "tokens before any cut were expected",
    ),
    "too few": (changed(encode_texts=lambda s, t, li=ignore: FakeEncoder.encode_texts(s, t, li)[1:]), r"gave float32 of shape \(5, 16\)"),
    "centred": (changed(encode_texts=centred), "encode_texts.. gives a text another vector when it comes alone .off by"),
    "order": (changed(encode_texts=sorted_texts), "encode_texts.. depends on the order of the texts"),
    "not cleaned": (changed(encode_texts=raw_texts), "encode_texts.. gives a text another vector than after clean"),
    "swallows": (changed(encode_texts=swallows), "encode_texts.. went on when its listener raised Cancelled"),
    "silent": (
        changed(encode_images=silent),
        r"encode_images.. told its listener nothing; listen\(Progressed\('encode pictures', done\)\)",
    ),
    "row order": (changed(encode_images=sorted_rows), "encode_images.. gives a picture another vector when it comes alone"),
    "raising": (changed(encode_images=raising), "encode_images.. raised DataError"),
    "forgiving": (changed(encode_images=forgiving), r"encode_images.. told {} of what cannot be read; a reason for each of \[3, 5, 7\]"),
    "untold": (changed(encode_images=untold), "of a picture that the disk refused; begin such a reason with 'cannot be opened'"),
    "whole numbers": (changed(encode_images=rounded), r"encode_images.. gave int64 of shape \(5, 16\); floats of shape \(5, D\)"),
    "no pair": (
        changed(encode_images=lambda s, i, r, li=ignore: FakeEncoder.encode_images(s, i, r, li)[0]),
        "gave a ndarray; .vectors, {row: re",
    ),
    "no fingerprint": (changed(fingerprint=""), "`fingerprint` is ''; a text"),
    "no precision": (changed(precision="float32"), "`precision` is 'float32'; one of fp32, fp16, bf16"),
    "no scale": (changed(scale=0.0), "`scale` is 0.0; what cosines are multiplied by"),
    "no bias": (changed(logit_bias=float("inf")), "`logit_bias` is inf; a finite number"),
    "unclean": (changed(clean=lambda self, text: text + "!"), "clean.. of what is clean already gives something else"),
    "no words": (changed(clean=lambda self, text: [text]), "clean.. gave a list"),
    "cut tokens": (changed(tokens=lambda self, text: min(12, len(text.split()))), "tokens.. gave 12 for 300 words; tokens before any cut"),
    "no length": (changed(context_length=None), "context_length is None; whole numbers"),
    "two fingerprints": (ModelAlias("x", open=lambda device: Numbered()), "Two that are made alike have different fingerprints"),
    "not made": (ModelAlias("x", open=lambda device: 1 / 0), r"Making it raised ZeroDivisionError: .* \(test_check_encoder.py, line \d+\)"),  # type: ignore[arg-type,return-value]
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str) -> None:
    encoder, said = FAULTS[fault]
    with pytest.raises(AssertionError, match=said):
        check_encoder(encoder)


def test_the_fake_is_sound() -> None:
    check_encoder(FakeEncoder())
    check_encoder(ModelAlias("fake", open=lambda device: FakeEncoder()))


def test_rows_that_are_taken_when_it_is_used_are_taken_here() -> None:
    check_encoder(changed(encode_texts=lambda s, t, li=ignore: FakeEncoder.encode_texts(s, t, li).tolist()))


def test_what_is_no_encoder_is_told() -> None:
    with pytest.raises(AssertionError, match=r"was given the class FakeEncoder; an encoder .* give FakeEncoder\(\)"):
        check_encoder(FakeEncoder)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=r"an object of type dict without `name`, `fingerprint`, .*`encode_images`"):
        check_encoder({})  # type: ignore[arg-type]
