"""The image tower of an open_clip model: pictures prepared by its own transform, and batches of them turned into vectors on every device
that it was given."""

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from promptlab.encode.pictures import prepare
from promptlab.encode.pipeline import Full, Pace, Pipeline, Runner
from promptlab.events import Listener, Noted
from promptlab.types import Array, Images, unit

if TYPE_CHECKING:
    from promptlab.encode.openclip import Loading

# Pictures in one batch: enough to fill the device; on a CPU few, so that what a layer makes stays in its cache (and 16, from which on
# torch gives 1 x 1 convolutions to oneDNN: ViT-B-32 and EfficientNet are slowest with 8 and with 64).
AT_ONCE = {"cpu": 16, "cuda": 256, "mps": 64}
# Batches at work side by side on a CPU, each on its own threads: they never wait for each other, as the threads of one batch do.
MOST_LANES = 8
# On a GPU the next batch is stacked and copied while one is at work.
PER_GPU = 2
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
FULL = re.compile(r"out of memory|can't allocate memory|cannot allocate memory|not enough memory", re.I)


class ImageTower:
    """Runs an open_clip model's image tower: on all GPUs for `cuda`, on that one for `cuda:1`, in lanes of a batch each on a CPU."""

    def __init__(self, model: Any, transform: Any, precision: str, how: "Loading") -> None:
        self._transform, self._workers = transform, how.workers
        self._kind = torch.device(how.device).type
        self._dtype = DTYPES.get(precision)
        self._line = Pipeline(how.batch or AT_ONCE[self._kind])
        self._compiled, self._fault = how.compile, ""
        self._pace = Pace()
        if self._kind != "mps":
            model.to(memory_format=torch.channels_last)  # convolutions need not turn their input round
        if self._kind == "cuda" and self._dtype is None:
            torch.backends.cudnn.allow_tf32 = False  # fp32 was asked for: TF32 keeps 10 bits
        places = _gpus(how.device) if self._kind == "cuda" else [how.device]
        self._towers = [_Tower(model if n == 0 else deepcopy(model).to(place), place) for n, place in enumerate(places)]

    def pixels(self, images: Images, i: int) -> Array | str:
        """Picture i as the model wants it, (3, H, W) f4, or why it cannot be read."""
        made = prepare(images, i, self._transform)
        return made if isinstance(made, str) else np.asarray(made.numpy())

    def vectors(self, pixels: Sequence[Array]) -> Array:
        """(B, D) unit vectors of prepared pictures, one batch; f4 for fp32, else f2 (numpy has no bf16, and unit rows lose nothing that
        bf16 had). Raises Full."""
        return self._runner(self._towers[0]).run(pixels)

    def encode(self, images: Images, rows: Sequence[int], listen: Listener) -> tuple[Array, dict[int, str]]:
        """As `Encoder.encode_images`; what it took is added up for `paced`."""
        threads = torch.get_num_threads()
        lanes = min(threads, MOST_LANES, math.ceil(len(rows) / self._line.batch)) if self._kind == "cpu" else 1
        runners = self._runners(max(1, lanes))
        workers = self._workers or (threads if self._kind == "cpu" else _cores())
        with _threads(max(1, threads // len(runners)) if self._kind == "cpu" else 1):
            z, bad, pace = self._line.encode(rows, lambda i: self.pixels(images, i), runners, workers, listen)
        self._pace += pace
        if self._fault:
            listen(Noted(f"The model could not be compiled and runs as it is: {self._fault}"))
            self._fault = ""
        return z, bad

    def paced(self) -> Pace:
        """The pace since it was last asked."""
        found, self._pace = self._pace, Pace()
        return found

    def _runners(self, lanes: int) -> list[Runner]:
        if self._kind == "cpu":
            return [self._runner(self._towers[0], f"lane {n}") for n in range(lanes)]
        return [self._runner(tower) for _ in range(PER_GPU if self._kind == "cuda" else 1) for tower in self._towers]

    def _runner(self, tower: "_Tower", place: str = "") -> Runner:
        stream = torch.cuda.Stream(tower.device) if self._kind == "cuda" else None  # type: ignore[no-untyped-call]

        def run(pixels: Sequence[Array]) -> Array:
            try:
                with torch.inference_mode(), ExitStack() as stack:
                    if stream is not None:
                        stack.enter_context(torch.cuda.stream(stream))
                    stack.enter_context(torch.autocast(self._kind, self._dtype, enabled=self._dtype is not None))
                    z = self._forward(tower, self._stacked(pixels, tower.device))
                    return np.asarray(unit(z.float()).cpu().numpy(), np.float32 if self._dtype is None else np.float16)
            except (MemoryError, RuntimeError) as error:
                if not is_full(error):
                    raise
            # Only here is the memory free again: the error held on to what was made.
            if stream is not None:
                torch.cuda.empty_cache()
            raise Full

        return Runner(place or tower.device, run)

    def _stacked(self, pixels: Sequence[Array], device: str) -> Tensor:
        """(B, 3, H, W) f4 on the device, channels last. From pinned memory the copy does not keep this thread, nor the GPU's other work."""
        pinned, kind = self._kind == "cuda", torch.contiguous_format if self._kind == "mps" else torch.channels_last
        x = torch.empty((len(pixels), *pixels[0].shape), memory_format=kind, pin_memory=pinned)
        torch.stack([torch.from_numpy(one) for one in pixels], out=x)
        return x.to(device, non_blocking=pinned)

    def _forward(self, tower: "_Tower", x: Tensor) -> Tensor:
        """(B, D). Compiled where that was asked for and can be done, for whole batches: a last one would be compiled for its size alone."""
        if self._compiled and len(x) == self._line.batch:
            try:
                return tower.compiled(x)
            except Exception as error:  # dynamo, inductor and the C++ compiler raise many kinds
                if is_full(error):
                    raise
                self._fault, self._compiled = (str(error).strip().splitlines() or [type(error).__name__])[0], False
        return tower.plain(x)


class _Tower:
    """One copy of the model, on its device."""

    def __init__(self, model: Any, device: str) -> None:
        self.device = device
        self.plain: Callable[[Tensor], Tensor] = model.encode_image
        self.compiled: Callable[[Tensor], Tensor] = torch.compile(model.encode_image)
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)  # its weights are read by other streams than the one that wrote them


def is_full(error: BaseException) -> bool:
    """Whether an error says that memory ran out."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(FULL.search(str(error)))


def _gpus(device: str) -> list[str]:
    """All that this process sees for `cuda`, the one that is meant for `cuda:1`."""
    return [device] if ":" in device else [f"cuda:{n}" for n in range(torch.cuda.device_count())]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads for one operation, in every thread that is started meanwhile: batches side by side, and decoding, share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
