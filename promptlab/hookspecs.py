"""The hooks: what a plugin may add to promptlab. Their docstrings are the manual.

A plugin is a module with functions of these names, each marked with `promptlab.hookimpl`, and an entry point in the group `promptlab` that
names the module. promptlab's own sources and rules go through the same hooks.
"""

from collections.abc import Iterable

import pluggy

from promptlab.events import Event
from promptlab.protocols import Analysis, ChatAlias, DatasetSource, ModelAlias, Rule

API = 1  # grows when a plugin that was written for these hooks would no longer work

hookspec = pluggy.HookspecMarker("promptlab")
hookimpl = pluggy.HookimplMarker("promptlab")


@hookspec
def promptlab_datasets() -> Iterable[DatasetSource]:  # type: ignore[empty-body]
    """Sources of data: what DATA on the command line may be.

    Each is an object with `name`, `about`, `example`, `claims(where)` and `open(where, options)`. `claims` says whether a word that the
    user typed is this source's; it is asked for every word, so it must be quick and read no picture. `open` gives a `Dataset`: its
    classes in label order, and one split `all` or the two `tune` and `eval`, each as `Images` that are read when they are needed, or as
    `Features`. Plugins are asked before promptlab's own sources. Raise `DataError` for what the user can mend: its message is shown as
    it is.

    Called once, when a command first looks for data. Test it with `promptlab.testing.check_dataset`.
    """


@hookspec
def promptlab_rules() -> Iterable[Rule]:  # type: ignore[empty-body]
    """Scoring rules: what `score --rule` and `--weights` take.

    `Rule("cmm", lambda contest: contest.true - contest.rival)` is a whole one: it gives one value for each picture and family, (B, K),
    and promptlab averages over the pictures of each class. `reducer` says how classes are joined, `unit` what the values are, and
    `lower_is_better` whether less is better. A rule that is no mean over pictures has a `start` instead, which gives a `State`. Values
    must not depend on how pictures are cut into batches, nor on the order of the classes.

    Called once, when a command first needs a rule. Test it with `promptlab.testing.check_rule`.
    """


@hookspec
def promptlab_analyses() -> Iterable[Analysis]:  # type: ignore[empty-body]
    """Analyses: questions to a finished run, whose answers become a part of its report.

    `Analysis("swaps", find)`, where `find` is given a `Judged` (the pictures that were judged, the classifier, and how it and the
    baseline do on them) and gives a `Finding` (a sentence and, if there is more to tell, a table), or None where it has nothing to say,
    e.g. for data without labels. It must change nothing: what it is given is what the report tells.

    Called at the end of every run. Test it with `promptlab.testing.check_analysis`.
    """


@hookspec
def promptlab_encoders() -> Iterable[ModelAlias]:  # type: ignore[empty-body]
    """Models: what `--model` takes by a short name.

    `ModelAlias("mini", "local-dir:/where/it/lies", "a small model")` names a model that open_clip can load. `ModelAlias("mine",
    open=make)` is an encoder of your own: `make(device)` gives an object with what `promptlab.Encoder` lists. Its rows must
    be unit, and its `fingerprint` must change when any vector would: everything that is kept goes by it.

    Called once, when a command first needs a model. Test it with `promptlab.testing.check_encoder`.
    """


@hookspec
def promptlab_chats() -> Iterable[ChatAlias]:  # type: ignore[empty-body]
    """Language models: what `--llm` takes by a short name.

    `ChatAlias("mine", open, "a server of ours")`, where `open(rest)` is a context manager that gives an `Endpoint`: where the model is
    asked. `rest` is what the user typed after a colon. promptlab asks, checks, pays attention to limits and keeps the replies; a plugin
    only says where, and may start a server and stop it again.

    Called once, when a command first needs a language model. `promptlab.testing.FakeChat` is a server to test with.
    """


@hookspec
def promptlab_event(event: Event, run: str) -> None:
    """Told every event of long work: `Started`, `Progressed`, `Noted`, `Saved`, `Finished`, `Answered`.

    `run` is the run folder. It is called often and waited for, so it must be quick. What it raises is told once and ignored; nothing
    that it does can stop a run.
    """
