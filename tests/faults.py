"""A server on this machine that speaks Chat Completions, well or badly, as it is told for each request."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = '{"phrases": ["with a red roof"]}'
USAGE = {"prompt_tokens": 40, "completion_tokens": 10}
DRIPS = 0.05  # seconds between two bytes of a slow reply


@dataclass
class Received:
    """One request."""

    headers: dict[str, str]
    body: dict[str, Any]
    when: float = field(default_factory=time.monotonic)

    @property
    def question(self) -> str:
        """The last message that is no repair."""
        return next(m["content"] for m in self.body["messages"] if m["role"] == "user")


Act = Callable[["Handler", Received], None]


class Faults(ThreadingHTTPServer):
    """Does for the n-th request what the n-th act says, and the last act for all that follow."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *acts: Act) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acts = acts
        self.received: list[Received] = []
        self.flying = self.most_flying = 0
        self.lock = threading.Lock()
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


@contextmanager
def serving(*acts: Act) -> Iterator[Faults]:
    server = Faults(*(acts or (reply(),)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def listening(hello: bytes) -> Iterator[int]:
    """The port of a server below HTTP: it drips these bytes, then says nothing more."""
    ending = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = place.accept()
            with connection:
                for byte in hello:
                    ending.wait(DRIPS)
                    connection.send(bytes([byte]))
                ending.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as place:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield place.getsockname()[1]
        finally:
            ending.set()
            thread.join(5)


class Handler(BaseHTTPRequestHandler):
    server: Faults

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or "{}")
        received = Received({name.lower(): value for name, value in self.headers.items()}, body)
        with self.server.lock:
            n = len(self.server.received)
            self.server.received.append(received)
            self.server.flying += 1
            self.server.most_flying = max(self.server.most_flying, self.server.flying)
        try:
            with suppress(ConnectionError):
                self.server.acts[min(n, len(self.server.acts) - 1)](self, received)
        finally:
            with self.server.lock:
                self.server.flying -= 1

    def do_GET(self) -> None:
        self.do_POST()

    def say(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, data: bytes) -> None:
        for n in range(len(data)):
            if self.server.ending.wait(DRIPS):
                return
            self.wfile.write(data[n : n + 1])
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence."""


def completion(content: Any = GOOD, finish: str = "stop", usage: Any = USAGE, **message: Any) -> bytes:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    found = {"id": "x", "object": "chat.completion", "created": 1, "model": "tiny-2026", "choices": [choice]}
    return json.dumps(found | ({"usage": usage} if usage is not None else {})).encode()


def reply(content: Any = GOOD, finish: str = "stop", usage: Any = USAGE, seconds: float = 0.0, **message: Any) -> Act:
    def act(handler: Handler, received: Received) -> None:
        handler.server.ending.wait(seconds)
        handler.say(200, completion(content, finish, usage, **message))

    return act


def status(code: int, message: str = "", kind: str = "", **headers: str) -> Act:
    body = json.dumps({"error": {"message": message, "code": kind, "param": None}}).encode() if message else b""
    return lambda handler, received: handler.say(code, body, **headers)


def raw(body: bytes, kind: str = "application/json", **headers: str) -> Act:
    return lambda handler, received: handler.say(200, body, kind, **headers)


def reset(handler: Handler, received: Received) -> None:
    """The connection is cut, without a word."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.wfile = open("/dev/null", "wb", buffering=0)  # noqa: SIM115  # the handler flushes and closes it


def slow_body(handler: Handler, received: Received) -> None:
    body = completion()
    handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    handler.drip(body)


def slow_headers(handler: Handler, received: Received) -> None:
    handler.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: x\r\n" * 100)


def endless(handler: Handler, received: Received) -> None:
    """A body without end, as fast as it is taken."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    while not handler.server.ending.is_set():
        handler.wfile.write(b" " * 65536)


def picky(*refused: tuple[str, str]) -> Act:
    """Refuses bodies that hold one of these words, with the message that goes with it; answers others."""

    def act(handler: Handler, received: Received) -> None:
        text = json.dumps(received.body)
        message = next((said for word, said in refused if word in text), "")
        (status(400, message) if message else reply())(handler, received)

    return act
