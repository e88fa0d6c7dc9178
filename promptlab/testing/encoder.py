"""Whether an encoder keeps its promises."""

import io
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptlab.encode.outside import OFF, PRECISIONS
from promptlab.encode.pictures import UNREAD
from promptlab.errors import DataError
from promptlab.events import Cancelled, Event, Listener, Progressed, ignore
from promptlab.protocols import Encoder, ModelAlias
from promptlab.testing.found import Found, check_has
from promptlab.types import Array, Images

TEXTS = (
    "a photo of a cat.",
    "A  photo of a CAT.",
    "a blue car",
    "the quick brown fox jumps over the lazy dog while nineteen other animals look on, one by one, in the rain",
    "écru, naïve, 日本",
    "word " * 300,
)
EQUAL = 1e-5  # largest difference of text vectors that count as equal
ALIKE = 5e-3  # of picture vectors, which may be fp16
BROKEN = (3, 5, 7)  # pictures that cannot be read: no picture, one that the disk refuses, one that its source refuses
PARTS = ("name", "fingerprint", "precision", "scale", "logit_bias", "context_length", "clean", "tokens", "encode_texts", "encode_images")
ROWS = (6, 0, 3, 4, 5, 1, 7, 2)


def check_encoder(encoder: Encoder | ModelAlias, device: str = "cpu") -> None:
    """Nothing where the encoder is sound. Raises AssertionError that lists every fault: rows that are not unit, of another dtype, shape or
    order, that depend on the other texts of a call; a fingerprint, scale, bias, precision, `clean`, `tokens` or `context_length` that
    cannot be used; unreadable pictures that are raised instead of told; a listener that is not told, or cannot cancel.

    Given an alias, it is made twice, to see whether the fingerprint is the same.
    """
    __tracebackhide__ = True  # pytest shows the line of the test instead
    if not isinstance(encoder, ModelAlias):
        check_has("check_encoder", encoder, PARTS, "an encoder or a promptlab.ModelAlias")
    found = Found("check_encoder", f"the model {getattr(encoder, 'name', encoder)!r}")
    with found.during("Making it", "an encoder was expected."), tempfile.TemporaryDirectory() as folder:
        made = _made(encoder, device, Path(folder))
        if isinstance(encoder, ModelAlias) and made.fingerprint != _made(encoder, device, Path(folder)).fingerprint:
            found.add(
                "Two that are made alike have different fingerprints, so nothing would be kept; make it from what decides the vectors."
            )
        _check_facts(made, found)
        _check_words(made, found)
        _check_texts(made, found)
        _check_pictures(made, found)
        _check_brake(made, found)
    found.tell()


def _made(encoder: Encoder | ModelAlias, device: str, folder: Path) -> Encoder:
    if not isinstance(encoder, ModelAlias):
        return encoder
    if encoder.open is not None:
        return encoder.open(device)
    from promptlab.encode.openclip import Loading, OpenClipEncoder
    from promptlab.store import Cache

    return OpenClipEncoder(encoder.target, Cache(folder), Loading(device), encoder.name)


def _check_facts(encoder: Encoder, found: Found) -> None:
    with found.during("Asking for its facts", "name, fingerprint, precision, scale and logit_bias were expected."):
        for name in ("name", "fingerprint"):
            said = getattr(encoder, name)
            if not isinstance(said, str) or not said:
                found.add(
                    f"`{name}` is {said!r}; a text was expected" + ("." if name == "name" else " that changes when any vector would.")
                )
        if encoder.fingerprint != encoder.fingerprint:
            found.add("`fingerprint` is another one each time it is asked for; it must stay.")
        if encoder.precision not in PRECISIONS:
            found.add(f"`precision` is {encoder.precision!r}; one of {', '.join(PRECISIONS)} was expected.")
        if not 0 < float(encoder.scale) < math.inf:
            found.add(f"`scale` is {encoder.scale!r}; what cosines are multiplied by to be logits was expected, for CLIP about 100.")
        if encoder.logit_bias is not None and not math.isfinite(float(encoder.logit_bias)):
            found.add(f"`logit_bias` is {encoder.logit_bias!r}; a finite number was expected, or None for softmax models.")


def _check_words(encoder: Encoder, found: Found) -> None:
    with found.during("clean(), tokens() or context_length", "a text and two whole numbers were expected."):
        for text in TEXTS:
            cleaned: object = encoder.clean(text)
            if not isinstance(cleaned, str):
                found.add(f"clean() gave a {type(cleaned).__name__}; the text as the tokenizer sees it was expected.", "clean")
            elif encoder.clean(cleaned) != cleaned:
                found.add(
                    f"clean() of what is clean already gives something else: {cleaned[:40]!r}; nothing more was expected to change.",
                    "clean",
                )
        counts = [encoder.tokens(text) for text in TEXTS]
        if not all(isinstance(n, int) and n >= 0 for n in (*counts, encoder.context_length)) or not encoder.context_length:
            found.add(f"tokens() gave {counts} and context_length is {encoder.context_length!r}; whole numbers were expected.")
        elif any(counts) and (counts[-1] <= max(counts[:-1]) or counts[-1] == encoder.context_length):
            found.add(f"tokens() gave {counts[-1]} for 300 words; tokens before any cut were expected, so that long texts can be told.")


def _check_texts(encoder: Encoder, found: Found) -> None:
    heard: list[Event] = []
    with found.during("encode_texts()", f"rows ({len(TEXTS)}, D) were expected."):
        z = _rows("encode_texts()", encoder.encode_texts(TEXTS, heard.append), len(TEXTS), found)
        if z is None:
            return
        if z.dtype == np.float16:
            found.add(
                "encode_texts() gave float16; float32 was expected: texts are few, and what rests on them is a difference of cosines."
            )
        _check_heard("encode_texts()", heard, "encode texts", len(TEXTS), found)
        alone = np.concatenate([encoder.encode_texts([text], ignore) for text in TEXTS])
        _same("encode_texts() gives a text another vector when it comes alone", z, alone, EQUAL, found, "a text's vector is its own.")
        turned = encoder.encode_texts(TEXTS[::-1], ignore)[::-1]
        _same("encode_texts() depends on the order of the texts", z, turned, EQUAL, found, "row i must be of text i.")
        cleaned = encoder.encode_texts([encoder.clean(text) for text in TEXTS], ignore)
        advice = "texts that are equal after it share one vector."
        _same("encode_texts() gives a text another vector than after clean()", z, cleaned, EQUAL, found, advice)


def _rows(what: str, made: Any, count: int, found: Found) -> Array | None:
    """What was given as an array, as it is taken when the encoder is used: `count` finite unit rows of floats; None for anything else."""
    z = np.asarray(made)
    if z.ndim != 2 or len(z) != count or z.dtype.kind != "f":
        found.add(f"{what} gave {z.dtype} of shape {z.shape}; floats of shape ({count}, D) were expected.")
        return None
    norms = np.sqrt((z.astype(np.float64) ** 2).sum(1))
    if not np.isfinite(norms).all() or (abs(norms - 1) > OFF).any():
        found.add(f"{what} gave rows with norms from {norms.min():.3g} to {norms.max():.3g}; unit rows were expected: promptlab.unit(z).")
    return z


def _same(what: str, wanted: Array, got: Any, most: float, found: Found, advice: str) -> None:
    gap = abs(wanted.astype(np.float64) - got).max() if np.shape(got) == wanted.shape else math.nan
    if not gap <= most:
        found.add(f"{what} (off by {gap:.2g}, at most {most:g} was expected): {advice}")


def _check_heard(what: str, heard: Sequence[Event], work: str, count: int, found: Found) -> None:
    told = [event for event in heard if isinstance(event, Progressed)]
    if not told:
        found.add(f"{what} told its listener nothing; listen(Progressed({work!r}, done)) was expected after each batch.")
    elif {event.work for event in told} != {work}:
        found.add(f"{what} told progress of {told[0].work!r}; {work!r} was expected, as promptlab announced it.")
    elif [event.done for event in told] != sorted(event.done for event in told) or told[-1].done != count:
        found.add(f"{what} told {[event.done for event in told]} done; counts that grow to {count} were expected.")


def _pictures() -> Images:
    """Eight pictures, some of which cannot be read."""
    from PIL import Image

    def read(i: int) -> bytes:
        if i == BROKEN[0]:
            return b"no picture"
        if i == BROKEN[1]:
            raise OSError(5, "Input/output error")
        if i == BROKEN[2]:
            raise DataError("It is not there.")
        out = io.BytesIO()
        pixels = np.random.default_rng(i).integers(0, 255, (4, 5, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((50, 40), Image.Resampling.NEAREST).save(out, "PNG")
        return out.getvalue()

    keys = tuple(f"{i}.png" for i in range(8))
    return Images("all", keys, keys, None, read)


def _check_pictures(encoder: Encoder, found: Found) -> None:
    images, heard = _pictures(), list[Event]()
    good = [i for i in ROWS if i not in BROKEN]
    with found.during("encode_images()", "(rows, {row: reason}) was expected: pictures that cannot be read are told, not raised."):
        made: Any = encoder.encode_images(images, ROWS, heard.append)
        if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[1], dict):
            found.add(f"encode_images() gave a {type(made).__name__}; (vectors, {{row: reason}}) was expected.")
            return
        vectors, bad = made
        if set(bad) != set(BROKEN) or not all(isinstance(reason, str) and reason for reason in bad.values()):
            found.add(
                f"encode_images() told {bad!r} of what cannot be read; a reason for each of {list(BROKEN)} was expected, and no more."
            )
            return
        if not bad[BROKEN[1]].startswith(UNREAD):
            found.add(f"encode_images() told {bad[BROKEN[1]]!r} of a picture that the disk refused; begin such a reason with {UNREAD!r}.")
        z = _rows("encode_images()", vectors, len(good), found)
        if z is None:
            return
        texts = np.asarray(encoder.encode_texts(TEXTS[:1], ignore))
        if texts.ndim == 2 and texts.shape[1] != z.shape[1]:
            found.add(f"Texts have {texts.shape[1]} numbers and pictures {z.shape[1]}; vectors of one space have the same width.")
        _check_heard("encode_images()", heard, "encode pictures", len(ROWS), found)
        alone = np.concatenate([encoder.encode_images(images, [i], ignore)[0] for i in good])
        advice = "rows are in the order in which they were asked for, and each depends on its picture alone."
        _same("encode_images() gives a picture another vector when it comes alone", z, alone, ALIKE, found, advice)
        nothing, told = encoder.encode_images(images, [BROKEN[0]], ignore)
        if len(nothing) or set(told) != {BROKEN[0]}:
            found.add(
                f"encode_images() of a broken picture alone gave {len(nothing)} rows and told {told!r}; none, and a reason, were expected."
            )


def _check_brake(encoder: Encoder, found: Found) -> None:
    def brake(event: Event) -> None:
        raise Cancelled

    calls: dict[str, Callable[[Listener], object]] = {
        "encode_texts()": lambda listen: encoder.encode_texts(TEXTS, listen),
        "encode_images()": lambda listen: encoder.encode_images(_pictures(), [0, 1], listen),
    }
    for what, call in calls.items():
        with found.during(what, "promptlab.Cancelled, which the listener raises, must pass through."):
            try:
                call(brake)
            except Cancelled:
                continue
            found.add(f"{what} went on when its listener raised Cancelled; let it pass through, so that Ctrl-C stops the work.")
