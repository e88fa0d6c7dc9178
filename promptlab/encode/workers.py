"""What the processes of a Ray cluster do: decode pictures, hold a model, encode. They are sent values, and give values back.

What goes from one to the next is packed by pickle: Ray would else make columns of it, which know no float16 beside text and no reasons.
"""

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from promptlab import memory
from promptlab.encode.features import Piece
from promptlab.encode.openclip import OpenClipEncoder
from promptlab.encode.pictures import prepare
from promptlab.encode.pipeline import Full
from promptlab.errors import EncoderError, PromptlabError
from promptlab.events import ignore
from promptlab.protocols import Encoder
from promptlab.types import Array, Images

AT_ONCE = 64  # decoded pictures in one value: 40 MB of those that most models want

Batch = dict[str, Array]


class Parcel(NamedTuple):
    """What every worker needs; it is sent to a process once."""

    images: Images
    """Keys, and how they are read; no more."""
    make: Callable[[str], Encoder]
    """Makes the encoder, given the device."""
    fingerprint: str
    """What that encoder's must be."""
    tasks: tuple[Array, ...]
    """Of each task the rows that are wanted of it; what passes from one process to the next is a task's number."""
    transform: Callable[[Any], Any] | None
    """What makes pixels of a picture; None where those who hold the model decode, too."""


class Pixels(NamedTuple):
    """Decoded pictures."""

    rows: Array
    """(n,) int: which ones."""
    good: list[Array]
    """(3, H, W) f4 each: those that could be read, in their order."""
    bad: dict[int, str]
    """{picture: why it could not be read}"""


class Worker:
    """Holds the model. `reference`: where Ray keeps the parcel."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference
        memory.keep()

    def __call__(self, batch: Batch) -> Batch:
        """Pieces of tasks. An error is a value, too: one that is raised would come wrapped in Ray's."""
        return packed(self._told(given) for given in self._given(batch))

    @cached_property
    def _encoder(self) -> Encoder:
        parcel = _opened(self._reference)
        encoder = parcel.make(_device())
        if encoder.fingerprint != parcel.fingerprint:
            raise EncoderError(f"The model {encoder.name!r} is another one on a worker than here.", "Every machine needs the same files.")
        return encoder

    def _told(self, given: Any) -> Piece | PromptlabError:
        try:
            return self._piece(given)
        except PromptlabError as error:
            return error
        except OSError as error:  # what the disk says of pictures is a reason of theirs
            return EncoderError(f"A worker cannot read the model: {error}.", "Every machine needs it under the same path.")

    def _given(self, batch: Batch) -> Iterable[Any]:
        return [_opened(self._reference).tasks[number] for number in batch["item"]]

    def _piece(self, given: Any) -> Piece:
        return Piece(given, *self._encoder.encode_images(_opened(self._reference).images, given.tolist(), ignore))


class Forwarder(Worker):
    """A worker with a GPU, whose pictures others decode."""

    def _given(self, batch: Batch) -> Iterable[Any]:
        return unpacked(batch)

    def _piece(self, given: Any) -> Piece:
        return Piece(given.rows, self._vectors(given.good) if given.good else np.zeros((0, 1), np.float32), given.bad)

    def _vectors(self, pixels: list[Array]) -> Array:
        encoder, half = self._encoder, len(pixels) // 2
        assert isinstance(encoder, OpenClipEncoder)  # of others nobody knows how they decode
        try:
            return encoder.vectors(pixels)
        except Full:
            if not half:
                raise EncoderError("A single picture does not fit the memory beside the model.", "Use a smaller model.") from None
        return np.concatenate([self._vectors(pixels[:half]), self._vectors(pixels[half:])])


def decoded(batch: Batch, held: list[Any]) -> Iterator[Batch]:
    """The pixels of tasks, some pictures at a time. held: the parcel's reference in a list, else Ray would unpack it for each task."""
    parcel = _opened(held[0])
    assert parcel.transform is not None
    wanted = np.concatenate([parcel.tasks[number] for number in batch["item"]])
    for i in range(0, len(wanted), AT_ONCE):
        rows = wanted[i : i + AT_ONCE]
        made = {row: prepare(parcel.images, row, parcel.transform) for row in rows.tolist()}
        bad = {row: one for row, one in made.items() if isinstance(one, str)}
        yield packed([Pixels(rows, [one.numpy() for row, one in made.items() if row not in bad], bad)])


def packed(values: Iterable[Any]) -> Batch:
    """Values as a batch of Ray's."""
    return {"value": np.array([pickle.dumps(value) for value in values], object)}


def unpacked(batch: Batch) -> Iterator[Any]:
    """The values of a batch."""
    return map(pickle.loads, batch["value"])


@lru_cache(1)
def _opened(reference: Any) -> Parcel:
    import ray

    found: Parcel = ray.get(reference)
    return found


def _device() -> str:
    """`cuda` in a process that Ray gave a GPU, and that sees it."""
    import ray
    import torch

    return "cuda" if ray.get_gpu_ids() and torch.cuda.is_available() else "cpu"
