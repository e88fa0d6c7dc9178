"""What there is: data sources, models, rules, templates and questions, built in or from plugins, found by name."""

import os
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Self

from promptlab.config import ADDED, Settings
from promptlab.data.places import is_far
from promptlab.data.splits import split_by
from promptlab.errors import DataError, MismatchError, OfflineError, UsageError, unknown_name
from promptlab.events import Listener, ignore
from promptlab.plugins import Brought, Plugins, Source, checked_rule, opened, reading
from promptlab.prompts import questions as packs
from promptlab.prompts import templates as template_sets
from promptlab.prompts.questions import Pack
from promptlab.prompts.templates import TemplateSet
from promptlab.protocols import DataOptions, DatasetSource, Encoder, ModelAlias, Rule
from promptlab.store import Cache
from promptlab.types import Dataset, Features

DEFAULT_MODEL = "mini"


class Catalogue:
    """Resolves names. `plugins=False` leaves third-party plugins out, else the settings say which are loaded; a fresh plugin manager each
    time, no module global."""

    def __init__(self, settings: Settings | None = None, listen: Listener = ignore, *, plugins: bool | Plugins = True) -> None:
        self.settings = s = settings or Settings.load({})
        self.cache = Cache(s.cache_folder)
        self._listen = listen
        if isinstance(plugins, Plugins):
            self._plugins = plugins.heard_by(listen)
        elif plugins:
            self._plugins = Plugins(listen, s.load_plugins, s.disable_plugins, s.plugins_dir, s.strict_plugins)
        else:
            self._plugins = Plugins(listen, only=())

    def but(self, listen: Listener | None = None, **given: Any) -> Self:
        """The same with some settings given anew, or with somebody else who listens. Its plugins are the same ones, unless it is said anew
        which take part."""
        plugins = True if given.keys() & set(ADDED) else self._plugins
        return type(self)(self.settings.but(**given), listen or self._listen, plugins=plugins)

    @cached_property
    def sources(self) -> dict[str, Brought]:
        """{name: source of data}."""
        return self._plugins.collect("promptlab_datasets", ["promptlab.data"])

    @cached_property
    def models(self) -> dict[str, Brought]:
        """{alias: model}."""
        return self._plugins.collect("promptlab_encoders")

    @cached_property
    def chats(self) -> dict[str, Brought]:
        """{alias: language model}."""
        return self._plugins.collect("promptlab_chats")

    @cached_property
    def rules(self) -> dict[str, Rule]:
        """{name: rule}; each says by whom it is."""
        found = self._plugins.collect("promptlab_rules", ["promptlab.score.rules"])
        return {name: replace(one.thing if one.built_in else checked_rule(one.thing, one.plugin), by=one.by) for name, one in found.items()}

    @cached_property
    def analyses(self) -> dict[str, Brought]:
        """{name: analysis}."""
        return self._plugins.collect("promptlab_analyses", ["promptlab.analysis"])

    @property
    def plugin_faults(self) -> tuple[str, ...]:
        """What is wrong with plugins, as far as it has come up, a sentence each."""
        return tuple(self._plugins.told)

    def plugin_list(self) -> list[dict[str, Any]]:
        """Name, version, state and additions of every plugin that there is."""
        return [self._plugin(source) for source in self._plugins.sources]

    def plugin(self, name: str) -> list[dict[str, Any]]:
        """What there is to say of the plugin of that name, or of those of a package, with the seconds it took. Raises UsageError when there
        is none."""
        _ = self.sources, self.rules, self.analyses, self.models, self.chats  # what clashes with promptlab's own comes up only now
        found = [source for source in self._plugins.sources if name in (source.name, source.package)]
        if not found:
            raise unknown_name("plugin", name, [source.name for source in self._plugins.sources])
        return [self._plugin(source) | {"seconds": round(self._plugins.seconds[source.name], 3)} for source in found]

    def _plugin(self, source: Source) -> dict[str, Any]:
        adds, faults = self._plugins.adds(source.name), self._plugins.faults[source.name]
        return {
            "name": source.name,
            "package": source.package or None,
            "version": source.version,
            "state": self._plugins.state(source).value,
            "faults": list(faults),
            "origin": source.origin,
            "about": source.about,
            "hooks": adds if self._plugins.loaded.get(source.name) is source else {},
        }

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
        """The dataset that `where` names or points to, halved as the settings' split file says. Raises UsageError or DataError that lists
        what would work."""
        dataset = self._opened(where)
        return split_by(dataset, self.settings.split) if self.settings.split else dataset

    def _opened(self, where: str) -> Dataset:
        if self.settings.offline and is_far(where):
            raise OfflineError(f"{where!r} is not on this machine.", "Leave --offline out to fetch it.")
        found = self._plugins.first(self.sources, lambda source: source.claims(where))
        if found is not None:
            source: DatasetSource = found.thing
            options = DataOptions(self.settings.classes, self.settings.offline)
            if found.built_in:
                return replace(reading(lambda: source.open(where, options)), by=found.by)
            return replace(opened(source, where, options, found.plugin), by=found.by)
        if os.path.exists(where):  # Path.exists raises for a name that is too long
            raise DataError(f"{where!r} is nothing that a dataset source understands.", "`promptlab datasets` shows what they read.")
        raise unknown_name("dataset or folder", where, self.named_datasets())

    def classified(self, where: str) -> Dataset:
        """The dataset, for whatever needs classes. Raises DataError where pictures have captions and no category."""
        dataset = self.open(where)
        if not len(dataset.classes):
            raise DataError(f"{where!r} has captions and no categories, so there are no classes to tell apart.", f"promptlab match {where}")
        return dataset

    def named_datasets(self) -> list[str]:
        """The sources of data that are a dataset themselves: those that claim their own name."""
        return [name for name in self.sources if self._plugins.first({name: self.sources[name]}, partial(_claims, name))]

    def encoder(self, model: str = "") -> Encoder:
        """The encoder for an alias or a model as `--model` takes it; nothing is loaded yet."""
        from promptlab.encode.openclip import Loading, OpenClipEncoder
        from promptlab.encode.outside import OutsideEncoder

        name = model or self.settings.model or DEFAULT_MODEL
        brought = self.models.get(name)
        if brought is None and name.isidentifier() and not os.path.exists(name):
            raise self._plugins.missing("promptlab_encoders", "model", name, self.models)
        alias: ModelAlias | None = brought.thing if brought else None
        made: Encoder
        if brought is not None and alias is not None and alias.open is not None:
            made = OutsideEncoder(alias.open, brought.plugin, name, self.device)
        else:
            s = self.settings
            how = Loading(self.device, s.precision, s.allow_pickle_weights, s.offline, s.batch, s.workers, s.compile)
            made = OpenClipEncoder(alias.target if alias else name, self.cache, how, name)
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


def _claims(name: str, source: DatasetSource) -> bool:
    return source.claims(name)
