"""A language model whose replies are given: a server on this machine, so that the client at work is the real one."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from promptlab.errors import UsageError
from promptlab.protocols import ChatAlias, Endpoint

Replies = Sequence[str] | Callable[[str], str]


class FakeChat:
    """Answers questions by Chat Completions on a free port of loopback: with the replies in turn, the last one over and over, or with what
    a function makes of the question; what that raises becomes a refusal, which is not asked again. `asked` has the questions that came.

    Use it where a language model is wanted, `with FakeChat(["..."]).open() as endpoint:`, or let a plugin give its `alias`.
    """

    def __init__(self, replies: Replies, name: str = "fake") -> None:
        if not callable(replies) and not replies:
            raise UsageError("A FakeChat without replies cannot answer.", "Give one reply at least, or a function.")
        self.name, self.asked = name, list[str]()
        self._replies, self._lock = replies, threading.Lock()

    @property
    def alias(self) -> ChatAlias:
        """What `promptlab_chats` gives."""
        return ChatAlias(self.name, self.open, "replies that were given; for tests")

    @contextmanager
    def open(self, rest: str = "") -> Iterator[Endpoint]:
        """Where it is asked, for as long as the context lasts. `rest`: what the user typed after a colon; it becomes the model's name."""
        server = _Server(("127.0.0.1", 0), _Handler)
        server.answer = self._answer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield Endpoint(self.name, rest or self.name, f"http://127.0.0.1:{server.server_address[1]}/v1")
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _answer(self, question: str) -> str:
        with self._lock:
            n = len(self.asked)
            self.asked.append(question)
            return self._replies(question) if callable(self._replies) else self._replies[min(n, len(self._replies) - 1)]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[str], str]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))) or "{}")
        if self.path.endswith("/chat/completions") and body.get("messages"):
            try:
                self._say(200, _completion(body, self.server.answer(body["messages"][-1]["content"])))
            except Exception as error:  # the test's own function can raise anything
                self._say(400, {"error": {"message": f"{type(error).__name__}: {error}"}})
        else:
            self._say(404, {"error": {"message": f"{self.path} is not served, or was asked nothing; POST /v1/chat/completions is."}})

    def _say(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, said in {"Content-Type": "application/json", "Content-Length": str(len(data)), "Connection": "close"}.items():
            self.send_header(name, said)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Silence."""


def _completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    """A whole reply, its tokens counted as words."""
    usage = {"prompt_tokens": sum(len(str(m["content"]).split()) for m in body["messages"]), "completion_tokens": len(text.split())}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return {"id": "fake", "object": "chat.completion", "created": 0, "model": body.get("model", ""), "choices": [choice], "usage": usage}
