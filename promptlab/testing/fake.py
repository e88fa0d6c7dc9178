"""An encoder that needs no model."""

from collections.abc import Sequence

import numpy as np

from promptlab.encode.pictures import UNREAD, read_rgb
from promptlab.errors import DataError
from promptlab.events import Listener, Progressed, ignore
from promptlab.store import fingerprint
from promptlab.types import Array, Images, unit


class FakeEncoder:
    """Unit vectors made from the words of a text, or from the bytes of a picture, alike in every process. Cosines between texts and
    pictures are chance: it is for tests of what goes around an encoder.

    As a model: `ModelAlias("fake", open=lambda device: FakeEncoder())`.
    """

    precision = "fp32"
    scale = 100.0
    logit_bias = None
    context_length = 77

    def __init__(self, name: str = "fake", width: int = 16) -> None:
        self.name, self.width = name, width
        self.fingerprint = fingerprint("fake", name, width)

    def clean(self, text: str) -> str:
        return " ".join(text.lower().split())

    def tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def encode_texts(self, texts: Sequence[str], listen: Listener = ignore) -> Array:
        rows = [self._vector(self.clean(text).encode()) for text in texts]
        listen(Progressed("encode texts", len(texts)))
        return np.stack(rows)

    def encode_images(self, images: Images, rows: Sequence[int], listen: Listener = ignore) -> tuple[Array, dict[int, str]]:
        good, bad = [], {}
        for n, i in enumerate(rows, 1):
            try:
                good.append(self._vector(_picture(images, i)))
            except DataError as error:
                bad[i] = error.message
            except Exception as error:  # Pillow raises many kinds on broken files
                bad[i] = f"{type(error).__name__}: {error}"
            listen(Progressed("encode pictures", n))
        return np.stack(good) if good else np.zeros((0, self.width), np.float32), bad

    def _vector(self, content: bytes) -> Array:
        seed = int(fingerprint(self.name, content)[:8], 16)
        return np.asarray(unit(np.random.default_rng(seed).normal(size=self.width)), np.float32)


def _picture(images: Images, i: int) -> bytes:
    """The bytes of a picture that can be decoded; raises DataError for what the disk says, Pillow's errors for broken ones."""
    try:
        data = images.read(i)
    except OSError as error:
        raise DataError(f"{UNREAD}: {error.strerror or error}") from error
    read_rgb(data)
    return data
