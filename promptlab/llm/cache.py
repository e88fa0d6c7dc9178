"""Replies that are kept: one readable file each, answered from before anything is asked."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promptlab.llm.question import Question, Reply, key_of
from promptlab.protocols import Endpoint
from promptlab.store import fingerprint, locked, read_json, slug, write_json

STRIPE = 3  # digits of a key that name its lock: 4,096 files at most, and questions in flight at once hardly ever share one
KINDS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "model": (str,),
    "time": (str,),
    "tokens_in": (int, type(None)),
    "tokens_out": (int, type(None)),
    "cost": (int, float, type(None)),
    "seconds": (int, float),
}


class Replies:
    """A folder of kept replies, `<provider>/<key>.json`, and further ones that are only read."""

    def __init__(self, root: Path, shipped: Sequence[Path] = ()) -> None:
        self._root, self._shipped = root, tuple(shipped)

    def get(self, key: str, provider: str) -> Reply | None:
        """The reply to the question of that key; None when it was never kept, or its file is damaged."""
        for n, root in enumerate((self._root, *self._shipped)):
            found = _whole(read_json(_place(root, provider, key)), key, sealed=n == 0)
            if found is not None:
                return Reply(key, **found, requests=0, kept=True)
        return None

    def put(self, question: Question, endpoint: Endpoint, reply: Reply) -> None:
        """Keeps a reply: when this returns, it is on disk."""
        entry = {
            "key": reply.key,
            "provider": endpoint.provider,
            "model": endpoint.model,
            "question": question.asked(),
            "reply": {name: getattr(reply, name) for name in KINDS},
        }
        entry["seal"] = seal(entry)
        write_json(_place(self._root, endpoint.provider, reply.key), entry)

    @contextmanager
    def lock(self, key: str, provider: str, waiting: Callable[[int], None]) -> Iterator[None]:
        """Only one process or thread at a time asks the question of that key; the second finds the first's reply.

        While it waits it calls `waiting` twice a second; what that raises ends the wait.
        """
        with locked(_place(self._root, provider, key).parent / ".locks" / key[:STRIPE], waiting):
            yield


def _place(root: Path, provider: str, key: str) -> Path:
    return root / slug(provider) / f"{key}.json"


def seal(entry: dict[str, Any]) -> str:
    """sha256 (hex) of an entry's content."""
    return fingerprint("seal", {name: value for name, value in entry.items() if name != "seal"})


def _whole(entry: Any, key: str, sealed: bool) -> dict[str, Any] | None:
    """The reply's fields, when the entry answers the question of that key and nobody has changed it; ours must carry a seal."""
    if not isinstance(entry, dict) or entry.get("key") != key:
        return None
    provider, model, reply = entry.get("provider"), entry.get("model"), entry.get("reply")
    if not isinstance(provider, str) or not isinstance(model, str) or key_of(provider, model, entry.get("question")) != key:
        return None
    if (sealed or "seal" in entry) and entry.get("seal") != seal(entry):
        return None
    if not isinstance(reply, dict) or not all(isinstance(reply.get(name), kinds) for name, kinds in KINDS.items()):
        return None
    return {name: reply[name] for name in KINDS}
