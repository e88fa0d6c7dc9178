"""What there is: data sources, models, rules, templates and questions, built in or from plugins, found by name."""

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from promptlab.config import Settings
from promptlab.data.places import is_far
from promptlab.errors import DataError, MismatchError, OfflineError, UsageError, unknown_name
from promptlab.events import Listener, ignore
from promptlab.plugins import Plugins, guarded
from promptlab.prompts import questions as packs
from promptlab.prompts import templates as template_sets
from promptlab.prompts.questions import Pack
from promptlab.prompts.templates import TemplateSet
from promptlab.protocols import ChatAlias, DataOptions, DatasetSource, ModelAlias, Rule
from promptlab.store import Cache
from promptlab.types import Dataset, Features

if TYPE_CHECKING:
    from promptlab.encode.openclip import OpenClipEncoder

DEFAULT_MODEL = "mini"


class Catalogue:
    """Resolves names. `plugins=False` leaves third-party plugins out; a fresh plugin manager each time, no module global."""

    def __init__(self, settings: Settings | None = None, listen: Listener = ignore, *, plugins: bool = True) -> None:
        self.settings = settings or Settings.load({})
        self.cache = Cache(self.settings.cache_folder)
        self._listen = listen
        self._third_party = plugins
        self._plugins = Plugins(listen, plugins)

    def but(self, listen: Listener | None = None, **given: Any) -> Self:
        """The same with some settings given anew, or with somebody else who listens."""
        return type(self)(self.settings.but(**given), listen or self._listen, plugins=self._third_party)

    @cached_property
    def sources(self) -> dict[str, tuple[DatasetSource, str]]:
        """{name: (source, plugin)}."""
        return self._plugins.collect("promptlab_datasets", ["promptlab.data"])

    @cached_property
    def models(self) -> dict[str, tuple[ModelAlias, str]]:
        """{alias: (model, plugin)}."""
        return self._plugins.collect("promptlab_encoders", [])

    @cached_property
    def chats(self) -> dict[str, tuple[ChatAlias, str]]:
        """{alias: (language model, plugin)}."""
        return self._plugins.collect("promptlab_chats", [])

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """{name: rule}."""
        return {name: rule for name, (rule, _) in self._plugins.collect("promptlab_rules", ["promptlab.score.rules"]).items()}

    def plugin_list(self) -> list[dict[str, Any]]:
        """Name, version, state and additions of every installed plugin."""
        return [
            {"name": name, "version": version, "state": state, "adds": self._plugins.adds(name) if state == "works" else []}
            for name, (version, state) in self._plugins.installed.items()
        ]

    @staticmethod
    def templates(name: str = "") -> list[TemplateSet]:
        """The template sets that can be asked for by name; with a name or a file, that one alone."""
        return [template_sets.one(name)] if name else template_sets.shipped()

    @staticmethod
    def questions(name: str = "") -> list[Pack]:
        """The question packs that can be asked for by name; with a name or a file, that one alone."""
        return [packs.one(name)] if name else packs.shipped()

    @staticmethod
    def example_question(pack: Pack) -> tuple[str, str]:
        """(what the model is told first, the question) of a pack for an example class."""
        return packs.example(pack)

    @staticmethod
    def published(search: str) -> list[tuple[str, str]]:
        """(name, tag) of every published open_clip model whose name or tag holds `search`."""
        from promptlab.encode.openclip import published

        return published(search)

    @cached_property
    def device(self) -> str:
        """Where products run: `cpu`, `cuda`, `mps`."""
        from promptlab.encode.device import resolve

        return resolve(self.settings.device)

    def open(self, where: str) -> Dataset:
        """The dataset that `where` names or points to. Raises UsageError or DataError that lists what would work."""
        if self.settings.offline and is_far(where):
            raise OfflineError(f"{where!r} is not on this machine.", "Leave --offline out to fetch it.")
        found = self._plugins.first(self.sources, lambda source: source.claims(where))
        if found is not None:
            source, plugin = found
            return guarded(plugin, "open", lambda: source.open(where, DataOptions(names=self.settings.classes)))
        if os.path.exists(where):  # Path.exists raises for a name that is too long
            raise DataError(f"{where!r} is nothing that a dataset source understands.", "`promptlab datasets` shows what they read.")
        raise unknown_name("dataset or folder", where, [name for name, (source, _) in self.sources.items() if source.claims(name)])

    def encoder(self, model: str = "") -> "OpenClipEncoder":
        """The encoder for an alias or a model as `--model` takes it; nothing is loaded yet."""
        from promptlab.encode.openclip import Loading, OpenClipEncoder

        name = model or self.settings.model or DEFAULT_MODEL
        alias = self.models.get(name)
        if alias is None and name.isidentifier() and not os.path.exists(name):
            raise unknown_name("model", name, self.models)
        s = self.settings
        how = Loading(self.device, s.precision, s.allow_pickle_weights, s.offline)
        made = OpenClipEncoder(alias[0].target if alias else name, self.cache, how, name)
        self.cache.remembered("names", made.fingerprint, lambda: name)  # `promptlab cache` shows it
        return made

    def model_for(self, dataset: Dataset) -> str:
        """The model as `--model` takes it; empty when the data brings pictures and texts as vectors."""
        encoded = all(isinstance(part, Features) for part in dataset.splits.values())
        if encoded and dataset.bank is not None:
            return ""
        if encoded and not self.settings.model and not dataset.encoder:
            raise UsageError(f"The features of {dataset.name!r} do not say which model made them.", "Name it with --model.")
        unknown = any(not part.encoder for part in dataset.splits.values() if isinstance(part, Features))
        if encoded and unknown and dataset.encoder and self.settings.model not in ("", dataset.encoder):
            raise MismatchError(f"The features of {dataset.name!r} were made by {dataset.encoder!r}, not by {self.settings.model!r}.")
        return self.settings.model or dataset.encoder or DEFAULT_MODEL
