"""An encoder that a plugin makes, with its answers checked: what it gives is kept for good, so nonsense must not get that far."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from promptlab.errors import PluginError
from promptlab.events import Listener, ignore
from promptlab.plugins import guarded
from promptlab.protocols import Encoder
from promptlab.store import fingerprint
from promptlab.types import Array, Images, unit

PRECISIONS = ("fp32", "fp16", "bf16")
OFF = 5e-3  # how far from 1 the norm of a row may be: unit rows in fp16 are off by 5e-4, rows that nobody normalised by far more


class OutsideEncoder:
    """What a plugin's `open(device)` makes. See `promptlab.protocols.Encoder` for what each method gives.

    Raises PluginError, naming the plugin, for what it raises and for answers that cannot be used.
    """

    def __init__(self, make: Callable[[str], Encoder], plugin: str, name: str, device: str) -> None:
        self.name, self._plugin, self._make = name, plugin, make
        self._inner = self._asked("open", lambda: make(device))
        said = self._asked("fingerprint", lambda: self._inner.fingerprint)
        if not isinstance(said, str) or not said:
            raise self._wrong("fingerprint", f"{said!r}", "a text that changes when any vector would was expected")
        self.fingerprint = fingerprint("plugin", plugin, name, said)
        self.precision: str = self._asked("precision", lambda: self._inner.precision)
        if self.precision not in PRECISIONS:
            raise self._wrong("precision", f"{self.precision!r}", f"one of {', '.join(PRECISIONS)} was expected")

    def elsewhere(self) -> "Callable[[str], OutsideEncoder]":
        """Makes the same encoder in another process, given its device."""
        return partial(OutsideEncoder, self._make, self._plugin, self.name)

    @cached_property
    def scale(self) -> float:
        found: float = self._asked("scale", lambda: float(self._inner.scale))
        if not 0 < found < math.inf:
            raise self._wrong("scale", f"{found:g}", "what cosines are multiplied by, for CLIP about 100, was expected")
        return found

    @cached_property
    def logit_bias(self) -> float | None:
        found = self._asked("logit_bias", lambda: self._inner.logit_bias)
        if found is not None and not math.isfinite(float(found)):
            raise self._wrong("logit_bias", f"{found!r}", "a finite number was expected, or None for softmax models")
        return None if found is None else float(found)

    @cached_property
    def context_length(self) -> int:
        found: int = self._asked("context_length", lambda: int(self._inner.context_length))
        return found

    def clean(self, text: str) -> str:
        return str(self._asked("clean", lambda: self._inner.clean(text)))

    def tokens(self, text: str) -> int:
        found: int = self._asked("tokens", lambda: int(self._inner.tokens(text)))
        return found

    def encode_texts(self, texts: Sequence[str], listen: Listener = ignore) -> Array:
        found = self._asked("encode_texts", lambda: self._inner.encode_texts(texts, listen))
        return self._rows("encode_texts", found, len(texts)).astype(np.float32)

    def encode_images(self, images: Images, rows: Sequence[int], listen: Listener = ignore) -> tuple[Array, dict[int, str]]:
        found = self._asked("encode_images", lambda: self._inner.encode_images(images, rows, listen))
        if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], dict):
            raise self._wrong(
                "encode_images", f"an object of type {type(found).__name__}", "(vectors, {row: why it cannot be read}) was expected"
            )
        vectors, bad = found
        strange = sorted(set(bad) - set(rows))
        if strange:
            raise self._wrong("encode_images", f"the row {strange[0]}", "only rows that it was asked for were expected")
        told = {int(i): str(reason) for i, reason in bad.items()}
        return (self._rows("encode_images", vectors, len(rows) - len(bad)) if len(bad) < len(rows) else np.zeros((0, 1), np.float32)), told

    def _rows(self, doing: str, found: Any, count: int) -> Array:
        """The vectors, unit to the last bit. Raises PluginError unless they are `count` finite unit rows."""
        z = np.asarray(found)
        if z.ndim != 2 or len(z) != count or z.dtype.kind != "f":
            raise self._wrong(doing, f"{z.dtype} of shape {z.shape}", f"floats of shape ({count}, D) were expected")
        norms = np.sqrt((z.astype(np.float64) ** 2).sum(1))
        if not np.isfinite(norms).all() or (abs(norms - 1) > OFF).any():
            span = f"rows with norms from {norms.min():.3g} to {norms.max():.3g}"
            raise self._wrong(doing, span, "unit rows were expected: divide each by its norm")
        return np.asarray(unit(z.astype(np.float32)), np.float16 if z.dtype == np.float16 else np.float32)

    def _asked(self, doing: str, work: Callable[[], Any]) -> Any:
        return guarded(self._plugin, f"{doing} of the model {self.name!r}", work)

    def _wrong(self, doing: str, found: str, wanted: str) -> PluginError:
        return PluginError(f"The plugin {self._plugin!r} gave {found} back from {doing} of the model {self.name!r}; {wanted}.")
