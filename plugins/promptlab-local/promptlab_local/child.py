"""The process that serves a model: started, waited for, always stopped."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from promptlab import Endpoint, PromptlabError
from promptlab_local.gguf import identity, located

SERVER = Path(__file__).with_name("server.py")
LONGEST_START = 300.0  # seconds; 40 GB from a slow disk take that long
LOG_SHOWN = 1500  # characters of the log's end in an error


@contextmanager
def opened(rest: str) -> Iterator[Endpoint]:
    """A server of the model file `rest` (of the installed one when it is empty), on loopback, under a key of its own.

    Raises PromptlabError when there is no such model, when it cannot be loaded, and in place of any other PromptlabError when the server
    died meanwhile.
    """
    path = located(rest)
    model, key = identity(path), secrets.token_urlsafe(32)
    with tempfile.TemporaryFile() as log, _started(log) as child:
        try:
            address = _address(child, {"path": str(path), "model": model, "key": key, "threads": _threads()})
            if not address:
                raise _died(child, path, log)
            try:
                yield Endpoint("local", model, f"{address}/v1", key)
            except PromptlabError as error:
                if child.poll() is None:
                    raise
                raise _died(child, path, log) from error
        finally:
            child.kill()  # it keeps nothing; what it writes just now nobody waits for


def _started(log: IO[bytes]) -> subprocess.Popen[str]:
    """The child, waiting for what to serve. In a session of its own: ctrl-C is for promptlab, which stops when replies are in."""
    # By its path and with -P: neither the current folder nor this one can lay a module of theirs before llama.cpp's.
    command = [sys.executable, "-P", str(SERVER)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)


def _address(child: subprocess.Popen[str], asked: dict[str, object]) -> str:
    """Where the child answers once its model is loaded; empty when it died or took too long. What is asked goes by a pipe, as the key in
    a command line could be read by everybody. The pipe stays open: its end tells the child that nobody is left."""
    assert child.stdin is not None
    assert child.stdout is not None
    late = threading.Timer(LONGEST_START, child.kill)
    late.start()
    try:
        child.stdin.write(json.dumps(asked) + "\n")
        child.stdin.flush()
        return child.stdout.readline().strip()
    except BrokenPipeError:
        return ""
    finally:
        late.cancel()


def _threads() -> int:
    """All cores but one. The threads wait for each other at every layer, so that one core shared with other work holds up all: on two
    busy cores one thread writes 90 tokens a second, two write 4 to 30; on two idle ones both write 90."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def _died(child: subprocess.Popen[str], path: Path, log: IO[bytes]) -> PromptlabError:
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=5)
    child.kill()
    code = child.wait()
    log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_SHOWN))
    said = log.read().decode("utf-8", "replace").strip()
    return PromptlabError(
        f"The server of the model {str(path)!r} ended with code {code}.", f"Its log ends: {said}" if said else "It wrote no log."
    )
