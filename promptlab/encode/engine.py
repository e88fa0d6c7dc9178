"""Ray as the engine: pictures are encoded by the workers of a cluster, and what they make comes back to this process as values.

Workers need the pictures and the model under the same names as here, and no shared cache: this process alone writes the store. What a lost
worker had in hand Ray gives to another one. Where workers have GPUs all CPUs decode; else each decodes what it encodes.
"""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from promptlab.encode.features import Piece, at_once
from promptlab.encode.openclip import OpenClipEncoder
from promptlab.encode.outside import OutsideEncoder
from promptlab.encode.workers import Forwarder, Parcel, Worker, decoded, unpacked
from promptlab.errors import DataError, EncoderError, PromptlabError, UsageError
from promptlab.events import Listener, Progressed
from promptlab.plugins.sources import OF_FOLDER
from promptlab.protocols import Encoder
from promptlab.types import Array, Images

SMALLEST, LARGEST = 16, 256  # pictures of a task: enough of them for all workers, few enough that a lost one costs little
TASKS = 8  # of each worker, at least, where there are pictures enough
CPUS = 4  # of one worker without a GPU: each holds the model
PATIENCE = 10  # seconds until a cluster must have answered
STORE = 1 << 30  # bytes of shared memory of a cluster of our own
# Ray reads these when it is imported. It prints of lost workers to stdout, which is data here, and may tell its makers that it is used.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "^", "RAY_BACKEND_LOG_LEVEL": "fatal"}
# Else Ray warns that it will one day stop to hide GPUs from those who asked for none.
QUIET |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


def on_ray(images: Images, rows: Array, encoder: Encoder, listen: Listener) -> Iterator[Piece]:
    """Finished pieces of the wanted rows, each row once, in any order: an `Engine`.

    The cluster of RAY_ADDRESS, or the one that runs on this machine, is used; without one, this machine becomes one until the end. Raises
    UsageError without Ray or where no cluster answers, DataError for pictures that cannot be sent, EncoderError where Ray gives up.
    """
    with _cluster() as ray:
        try:
            yield from gathered(_once(_tasks(ray, images, rows, encoder), len(images), rows, listen))
        except ray.exceptions.RayError as error:
            said = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)  # the first cause
            raise EncoderError(f"Ray gave up: {said}", "What was finished is kept; the same command goes on from there.") from error


@contextmanager
def _cluster() -> Iterator[Any]:
    """The package, connected to a cluster. One that was there before is left as it was."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError("The engine `ray` needs the package ray.", "pip install 'promptlab-clip[ray]'") from error
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):  # the other one writes Ray's own log file
            handler.setLevel(logging.CRITICAL + 1)
    ray.data.DataContext.get_current().enable_progress_bars = False
    if ray.is_initialized():
        yield ray
        return
    _knock(os.environ.get("RAY_ADDRESS", ""))
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        with _hushed():
            try:
                ray.init(object_store_memory=STORE, include_dashboard=False, **quiet)
            except ValueError:  # there is a cluster, whose memory is not ours to say
                ray.init(**quiet)
    except ConnectionError as error:
        raise _nobody(str(error)) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises UsageError where nobody listens at HOST:PORT: Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or "/" in host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise _nobody(f"RAY_ADDRESS is {address!r}: {error}") from error


def _nobody(said: str) -> UsageError:
    return UsageError(f"No Ray cluster answers: {said}.", "Start it (`ray start --head`), or unset RAY_ADDRESS to use this machine.")


@contextmanager
def _hushed() -> Iterator[None]:
    """Nothing gets to stderr: Ray's core says there, beside Python, that it was told to be silent."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _tasks(ray: Any, images: Images, rows: Array, encoder: Encoder) -> Iterator[Piece]:
    """What workers give back, as it comes. Leaving it stops them."""
    count, each = _room(ray)
    size = min(max(len(rows) // (TASKS * count), SMALLEST), LARGEST)
    tasks = tuple(np.array(rows[i : i + size]) for i in range(0, len(rows), size))
    apart = "num_gpus" in each and isinstance(encoder, OpenClipEncoder)
    parcel = _sent(ray, images, tasks, encoder, apart)
    how: dict[str, Any] = {"batch_size": 1, "batch_format": "numpy"}
    work, kind = ray.data.from_items(list(range(len(tasks))), override_num_blocks=len(tasks)), Worker
    if apart:
        work, kind = work.map_batches(decoded, fn_args=([parcel],), num_cpus=1, **how), Forwarder
        each["num_cpus"] = 0  # else those who wait for pictures would keep the last CPU from those who decode them
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=min(count, len(tasks)))
    work = work.map_batches(kind, fn_constructor_args=(parcel,), compute=pool, **each, **how)
    for batch in work.iter_batches(batch_size=None, batch_format="numpy"):
        for made in unpacked(batch):
            if isinstance(made, PromptlabError):
                raise made
            yield made


def _sent(ray: Any, images: Images, tasks: tuple[Array, ...], encoder: Encoder, apart: bool) -> Any:
    """The reference of what workers need. apart: whether others decode than hold the model. Raises DataError for what cannot be sent."""
    few = Images(images.split, images.keys, (), None, images.read, images.root)
    assert isinstance(encoder, OpenClipEncoder | OutsideEncoder)
    transform = encoder.transform if apart and isinstance(encoder, OpenClipEncoder) else None
    for name, module in list(sys.modules.items()):
        if name.startswith(OF_FOLDER):
            ray.cloudpickle.register_pickle_by_value(module)
    try:
        return ray.put(Parcel(few, encoder.elsewhere(), encoder.fingerprint, tasks, transform))
    except Exception as error:  # whatever is in a closure of a plugin's may refuse
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DataError(
            f"The pictures of {images.root!r}, or the model, cannot be sent to Ray's workers: {said}",
            "Encode them on several machines without Ray: --shard 1/10 on the first, and so on.",
        ) from error


def _room(ray: Any) -> tuple[int, dict[str, float]]:
    """(how many workers the cluster has room for, what each one takes): a GPU each, else some CPUs."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    if gpus:
        return gpus, {"num_gpus": 1}
    cpus = [int(node.get("CPU", 0)) for node in nodes if node.get("CPU", 0) >= 1]
    each = min([CPUS, *cpus])
    return max(1, sum(here // each for here in cpus)), {"num_cpus": each}


def _once(pieces: Iterator[Piece], n: int, rows: Array, listen: Listener) -> Iterator[Piece]:
    """Each row once, whatever was done twice; says how far it is. Raises EncoderError where rows are missing at the end."""
    waiting, done = np.zeros(n, bool), 0
    waiting[rows] = True
    for piece in pieces:
        if not waiting[piece.rows].all():
            continue  # a task that was thought lost; tasks come whole
        waiting[piece.rows] = False
        done += len(piece.rows)
        yield piece
        listen(Progressed("encode pictures", done))
    if waiting.any():
        raise EncoderError(f"Ray gave back {done:,} of {len(rows):,} pictures.", "Run the same command again; it goes on from there.")


def gathered(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same in fewer pieces, each a file of the store, that grow with what was done, as those of one process do.

    What is in hand when the work stops is handed on, too.
    """
    held, done, size = list[Piece](), 0, 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece.rows)
            if size >= at_once(done):
                whole, held, done, size = _joined(held), [], done + size, 0
                yield whole
    except GeneratorExit:
        raise
    except BaseException:  # ctrl-C, too
        if held:
            yield _joined(held)
        raise
    if held:
        yield _joined(held)


def _joined(pieces: list[Piece]) -> Piece:
    vectors = [piece.z for piece in pieces if len(piece.z)] or [pieces[0].z]
    bad = {row: reason for piece in pieces for row, reason in piece.bad.items()}
    return Piece(np.concatenate([piece.rows for piece in pieces]), np.concatenate(vectors), bad)
