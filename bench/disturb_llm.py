"""Kill a process while it asks, run it again, and count at the server what was asked twice.

    python bench/disturb_llm.py [--kills 25] [--pairs 5] [--questions 60] [--parallel 4] [--seed 0]

Each time with an empty cache of its own, against a slow server on this machine that also fails now and then. *kills*: SIGKILL at a random
moment; the next run may ask again what was in flight then, and nothing else. *pairs*: two processes at once on one cold cache ask each
question once.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from promptlab.store import read_json

CHILD = """
import sys
from pathlib import Path
from promptlab.events import ignore
from promptlab.llm.cache import Replies
from promptlab.llm.chat import ask
from promptlab.llm.question import Limits, Question, Reply
from promptlab.protocols import Endpoint
url, folder, n, parallel = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
asked = [Question(f"{i}", "", f"What does thing {i} look like?", {"type": "object"}, 50, 0.0, lambda text: "") for i in range(n)]
found = ask(asked, Endpoint("bench", "tiny", url), Replies(folder), Limits(parallel=parallel, retries=5), ignore)
assert all(isinstance(reply, Reply) for reply in found), [reply for reply in found if not isinstance(reply, Reply)][:3]
print(sum(reply.requests for reply in found))
"""
BUSY = 0.05  # share of requests that the server turns away once


class Slow(ThreadingHTTPServer):
    """Answers after a random while, or turns away; notes what it answers."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, seconds: float, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seconds, self.rng, self.lock = seconds, random.Random(seed), threading.Lock()
        self.answered: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """The address that clients are given."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        """A killed client went away in the middle; that is the point."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Slow

    def do_POST(self) -> None:
        """A completion, or a 503."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question, server = body["messages"][-1]["content"], self.server
        with server.lock:
            busy = server.rng.random() < BUSY
            pause = server.rng.uniform(0.2, 1.8) * server.seconds
            if not busy:
                server.answered[question] += 1
        time.sleep(pause)
        message = {"role": "assistant", "content": '{"thing": "red"}'}
        usage = {"prompt_tokens": 20, "completion_tokens": 5}
        done = json.dumps({"model": "tiny", "usage": usage, "choices": [{"finish_reason": "stop", "message": message}]}).encode()
        with suppress(ConnectionError):
            self.send_response(503 if busy else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(done)))
            self.end_headers()
            self.wfile.write(done)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@contextmanager
def serving(seconds: float, seed: int) -> Iterator[Slow]:
    """A server that ends with the block."""
    server = Slow(seconds, seed)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Killed:
    """What one kill left, and what the next run did."""

    on_disk: int
    """Replies when the process was dead."""
    in_flight: int
    """Questions that the server was answering then, or had answered without their replies reaching the disk."""
    repeats: int
    """Questions that the server answered more than once."""
    requests: int
    """In all, without those that were turned away."""
    damaged: int
    """Files of replies that cannot be read."""


def child(server: Slow, folder: Path, given: argparse.Namespace) -> "subprocess.Popen[str]":
    """A process that asks."""
    command = [sys.executable, "-c", CHILD, server.url, str(folder), str(given.questions), str(given.parallel)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kept(folder: Path) -> list[Path]:
    """Files of whole replies."""
    return [path for path in folder.rglob("*.json") if isinstance(read_json(path), dict)]


def killed(given: argparse.Namespace, seed: int) -> Killed:
    """One kill, at a random moment of the time that asking takes."""
    rng = random.Random(seed)
    with serving(given.seconds, seed) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "llm"
        first = child(server, folder, given)
        while not server.answered and first.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, given.seconds * given.questions / given.parallel))
        first.send_signal(signal.SIGKILL)
        first.communicate()
        time.sleep(0.1)  # what it sent last may still be on its way
        on_disk = len(kept(folder))
        with server.lock:
            in_flight = sum(server.answered.values()) - on_disk
        second = child(server, folder, given)
        _, err = second.communicate()
        assert second.returncode == 0, err
        repeats = sum(times - 1 for times in server.answered.values())
        there = kept(folder)
        damaged = len(list(folder.rglob("*.json"))) - len(there)
        assert len(there) == given.questions == len(server.answered)
        assert repeats <= in_flight <= given.parallel, (repeats, in_flight)
        return Killed(on_disk, in_flight, repeats, sum(server.answered.values()), damaged)


def paired(given: argparse.Namespace, seed: int) -> int:
    """Two processes at once on one cold cache; gives back how many questions were asked twice."""
    with serving(given.seconds, seed) as server, tempfile.TemporaryDirectory() as name:
        both = [child(server, Path(name) / "llm", given) for _ in range(2)]
        for process in both:
            _, err = process.communicate()
            assert process.returncode == 0, err
        assert len(server.answered) == given.questions
        return sum(times - 1 for times in server.answered.values())


def main() -> int:
    """Disturb, ask again, count; gives back 1 if anything was asked again that was on disk."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.1, help="What a reply takes on average.")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rounds = []
    for n in range(given.kills):
        rounds.append(killed(given, given.seed + n))
        print(f"kill {n + 1}: {rounds[-1]}", flush=True)
    twice = [paired(given, given.seed + n) for n in range(given.pairs)]
    worst = max((found.repeats for found in rounds), default=0)
    print(
        f"{given.kills} kills while {given.questions} questions were asked, {given.parallel} at once: "
        f"{sum(found.requests for found in rounds)} requests answered, {sum(found.on_disk for found in rounds)} replies on disk at the "
        f"kills, {sum(found.in_flight for found in rounds)} in flight, {sum(found.repeats for found in rounds)} repeats (at most {worst} "
        f"after one kill), {sum(found.damaged for found in rounds)} damaged files; {given.pairs} pairs of processes on one cold cache: "
        f"{sum(twice)} questions asked twice"
    )
    return int(any(found.damaged for found in rounds) or any(twice))


if __name__ == "__main__":
    sys.exit(main())
