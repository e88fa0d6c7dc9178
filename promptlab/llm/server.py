"""One request to one server: to it alone, within its time, and no more of the reply than is sane."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock, Timer, local
from typing import Any
from urllib.parse import urlsplit

from promptlab import keys
from promptlab.display import safe
from promptlab.protocols import Endpoint

LARGEST = 1_000_000  # bytes of a reply: a thousand times what a description needs
# Nothing else that the environment may want to add goes out; the last one is how the client knows later what it was asked for.
SENT = ("host", "content-length", "content-type", "user-agent", "x-stainless-raw-response")


SECRET = 8  # characters: shorter keys are words for servers that want some key and look at none; taking them out would harm replies


class RefusedError(Exception):
    """An HTTP status other than 200."""

    def __init__(self, status: int, message: str, complaint: str, code: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status, self.headers, self.code = status, headers, code
        self.message, self.complaint = message, complaint  # what can be shown of it, and all of it


class BrokenError(Exception):
    """No whole reply came."""

    def __init__(self, reason: str, sent: bool, again: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.sent, self.again = reason, sent, again


@dataclass(frozen=True, slots=True)
class Body:
    """What came back."""

    text: str
    """The body; what is no UTF-8 in it is replaced."""
    kind: str
    """Its content type."""


class Server:
    """Sends requests; threads share it. Close it at the end."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        import httpx2
        import openai

        self.host = keys.host_of(endpoint.base_url)
        keys.check_way(endpoint.base_url, endpoint.key)
        self._key, self._timeout, self._here = endpoint.key, timeout, local()
        self._http = openai.DefaultHttpxClient(
            timeout=timeout,
            follow_redirects=False,
            trust_env=not keys.is_loopback(self.host),  # a proxy for the world outside has no business here
            # A connection for each: one that was kept may be closed by the server just when it is used again.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0),
            event_hooks={"request": [self._pare], "response": [_capped(httpx2.SyncByteStream)]},
        )
        # What is given here is not looked for in the environment.
        self._client = openai.OpenAI(
            base_url=endpoint.base_url,
            api_key=endpoint.key or "none",
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            timeout=timeout,
            max_retries=0,
            http_client=self._http,
        )

    def close(self) -> None:
        """Ends every connection."""
        self._client.close()

    def send(self, body: dict[str, Any]) -> Body:
        """The reply to a request. Raises RefusedError and BrokenError."""
        import openai

        self._here.watch = watch = _Watch(self._timeout)
        try:
            response = self._client.chat.completions.with_raw_response.create(**body).http_response
        except openai.APIStatusError as error:
            raise self._refused(error.status_code, error.response.text, error.response.headers) from None
        except (openai.OpenAIError, _OversizeError) as error:
            raise self._broken(error, watch) from None
        finally:
            watch.end()
        return Body(self._without_key(response.content.decode("utf-8", "replace")), safe(response.headers.get("content-type", ""), 60))

    def safe(self, text: str) -> str:
        """What a server said, fit to be shown; a key that it repeats is left out."""
        return safe(self._without_key(text))

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "***") if len(self._key) >= SECRET else text

    def _refused(self, status: int, body: str, headers: Mapping[str, str]) -> RefusedError:
        message, code = complaint(body)
        return RefusedError(status, self.safe(message), message, code, headers)

    def _broken(self, error: Exception, watch: "_Watch") -> BrokenError:
        import httpx2
        import openai

        if isinstance(error, _OversizeError):
            return BrokenError(str(error), sent=True, again=False)
        cause = error.__cause__
        unsent = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.UnsupportedProtocol | httpx2.ProxyError)
        if watch.late or isinstance(error, openai.APITimeoutError):
            return BrokenError(f"{self.host} did not answer within {self._timeout:g} s", sent=not unsent)
        said = self.safe(str(cause or error))
        return BrokenError(f"{self.host} cannot be reached ({said})" if unsent else f"{self.host} broke off ({said})", sent=not unsent)

    def _pare(self, request: Any) -> None:
        """Leaves of a request's headers what the server needs. The key goes to its own host, or nowhere."""
        kept = {name: value for name, value in request.headers.items() if name in SENT}
        request.headers.clear()
        # Unpacked, a small reply can be a huge one.
        request.headers.update({**kept, "accept": "application/json", "accept-encoding": "identity"})
        if self._key and keys.host_of(str(request.url)) == self.host:
            request.headers["authorization"] = f"Bearer {self._key}"
        request.extensions["trace"] = self._here.watch.trace


class _OversizeError(Exception):
    pass


def _capped(stream: type) -> Callable[[Any], None]:
    """A hook that ends a reply beyond its largest size; `stream` is what the client demands as the kind of a body."""

    class Capped(stream):  # type: ignore[misc]
        def __init__(self, body: Any) -> None:
            self._body = body

        def __iter__(self) -> Any:
            size = 0
            for part in self._body:
                size += len(part)
                if size > LARGEST:
                    raise _OversizeError(f"the reply is larger than {LARGEST:,} bytes")
                yield part

        def close(self) -> None:
            self._body.close()

    def hook(response: Any) -> None:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _OversizeError("the reply is packed, which nobody asked for")
        response.stream = Capped(response.stream)

    return hook


class _Watch:
    """Ends a request's connection when its time is over: a socket's own time-out begins anew with every byte that drips in."""

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._connection: Any = None
        self._lock = Lock()
        self._timer = Timer(seconds, self._strike)
        self._timer.daemon = True
        self._timer.start()

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Told by the client of every step; new connections are remembered."""
        if name.endswith((".connect_tcp.complete", ".start_tls.complete")):
            with self._lock:
                self._connection = info["return_value"].get_extra_info("socket")
                if self.late:
                    self._cut()

    def end(self) -> None:
        """The request is over."""
        self._timer.cancel()

    def _strike(self) -> None:
        with self._lock:
            self.late = True
            self._cut()

    def _cut(self) -> None:
        if self._connection is not None:
            try:
                # The plain socket's own: that of a TLS socket would first say goodbye to a server that does not listen.
                socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
            except OSError:
                return  # closed already


def complaint(body: str) -> tuple[str, str]:
    """(what a server's error says, its code) of the shapes in which servers say it; the first words of anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return " ".join(body.split())[:200], ""
    error = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(error, dict):
        return str(error)[:2000], ""
    said = next((error[name] for name in ("message", "detail", "error") if error.get(name)), "")
    param, code = (value if isinstance(value := error.get(name), str) else "" for name in ("param", "code"))
    text = said if isinstance(said, str) else json.dumps(said)
    return f"{param}: {text}"[:2000] if param and param not in text else text[:2000], code


def place_of(location: str, base_url: str) -> str:
    """The host that a redirect leads to."""
    return safe(urlsplit(location).netloc or urlsplit(base_url).netloc, 100)
