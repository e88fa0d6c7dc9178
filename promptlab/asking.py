"""Whom to ask, within which limits: the language model of the settings. Over the wording."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from promptlab.errors import UsageError
from promptlab.llm.cache import Replies
from promptlab.llm.question import Estimate, Failure, Limits, Question, Reply
from promptlab.protocols import Endpoint
from promptlab.wording import Wording


class Asker(Wording):
    """Finds the language model of the settings, and asks it."""

    @contextmanager
    def _endpoint(self, to_ask: bool = True) -> Iterator[Endpoint]:
        """Where the language model of the settings is asked. Raises UsageError when there is none, or no key for its host."""
        from promptlab.plugins import guarded, nonsense

        name, _, rest = self.settings.llm.partition(":")
        if not name:
            raise UsageError("No language model was named.", "Name one with --llm, or bring descriptions: --descriptions FILE.")
        if name in self.chats:
            brought = self.chats[name]
            with ExitStack() as stack:
                endpoint = guarded(brought.plugin, "open", lambda: stack.enter_context(brought.thing.open(rest)))
                if not isinstance(endpoint, Endpoint):
                    raise nonsense(brought.plugin, "open", f"an object of type {type(endpoint).__name__}", "an Endpoint")
                yield endpoint
        else:
            yield self._server(to_ask)

    def _server(self, to_ask: bool = True) -> Endpoint:
        """The server of the settings, with the key of its host. Raises UsageError when there is none, or no server."""
        from promptlab import keys

        s = self.settings
        host, (key, _) = keys.host_of(s.base_url or keys.OPENAI_URL), keys.key_for(s.base_url)
        if not s.base_url and not key and (to_ask or s.llm.isidentifier()):
            raise (
                self._plugins.missing("promptlab_chats", "language model", s.llm, self.chats)
                if s.llm.isidentifier()
                else UsageError(
                    f"There is no key for {host}, where {s.llm!r} would be asked.",
                    f"Set one: promptlab keys set {host}; or name another server with --base-url, e.g. http://localhost:11434/v1.",
                )
            )
        return Endpoint(host, s.llm, s.base_url or keys.OPENAI_URL, key)

    def _replies(self, endpoint: Endpoint) -> Replies:
        """The replies that are kept, and those that came with the endpoint."""
        return Replies(self.cache.replies(), [Path(endpoint.replies)] if endpoint.replies else [])

    def limits(self, endpoint: Endpoint) -> Limits:
        """The limits of the settings for one language model."""
        from promptlab.llm.budget import price_of

        s = self.settings
        price = price_of(s.prices, endpoint.model)
        return Limits(s.llm_timeout, s.llm_parallel, s.llm_rate, s.llm_tokens, s.max_cost, price, s.offline)

    def _answers(self, asked: Sequence[Question]) -> tuple[Endpoint, list[Reply | Failure]]:
        """What the language model says; what it said before comes from the cache."""
        from promptlab.llm.chat import ask

        with self._endpoint() as endpoint:
            return endpoint, ask(asked, endpoint, self._replies(endpoint), self.limits(endpoint), self._tell)

    def _estimate(self, asked: Sequence[Question]) -> tuple[Endpoint, Estimate]:
        """What asking would take; nothing is sent."""
        from promptlab.llm.chat import estimate

        with self._endpoint(to_ask=False) as endpoint:
            return endpoint, estimate(asked, endpoint, self._replies(endpoint), self.limits(endpoint))
