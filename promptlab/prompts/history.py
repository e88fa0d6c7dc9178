"""Edits of one run's prompts as values: done, undone, done again, and kept in the run's folder as they happen."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from promptlab.errors import PromptlabError, UsageError, unknown_name
from promptlab.prompts import descriptions, edits
from promptlab.prompts.compose import own_text
from promptlab.prompts.edits import Prompts, textual
from promptlab.runs import Run
from promptlab.store import explained, written
from promptlab.types import Classes, Description, Edit, EditKind, Place

JOURNAL = "edits.jsonl"
LONGEST_TOLD = 60
SOME = "Name at least one."


def applied(edit: Edit, prompts: Prompts, classes: Classes) -> Prompts:
    """The prompts after an edit. Of the classes only the ids count. Raises UsageError for a class, a template or a description that is not
    there, and for words that cannot be used."""
    kind, words = edit.kind, edit.words
    if kind in (EditKind.ADD, EditKind.REMOVE):
        if not words:
            raise UsageError("No template was given.", SOME)
        return prompts.with_templates(words) if kind is EditKind.ADD else prompts.without(words)
    if kind is EditKind.TOGGLE:
        return prompts.toggled(edit.of)
    if kind is EditKind.IMPORT:
        return edits.of_import(words)
    if edit.class_id not in classes.ids:
        raise unknown_name("class", edit.class_id, classes.ids)
    if kind is EditKind.RENAME:
        return prompts.renamed(classes, edit.class_id, words)
    if kind is EditKind.TEXT:
        return prompts.saying(edit.class_id, edit.of, _only(words))
    if kind is EditKind.DESCRIBE:
        return replace(prompts, descriptions=_described(prompts.descriptions, edit.class_id, edit.of, _only(words)))
    return replace(prompts, descriptions=_chosen(prompts.descriptions, edit.class_id, words, kind is EditKind.USE))


def _only(words: Sequence[str]) -> str | None:
    """The one text among the words, None for none. Raises UsageError for several."""
    if len(words) > 1:
        raise UsageError(f"{len(words)} texts were given; one was expected.", "Put quotes around a text of several words.")
    return words[0] if words else None


def _known(said: Sequence[Description], class_id: str, texts: Sequence[str]) -> None:
    """Raises UsageError for a text that does not describe the class."""
    there = {d.text for d in said if d.class_id == class_id}
    for text in texts:
        if text not in there:
            raise unknown_name(f"description of {class_id!r}", text, there)


def _described(said: Sequence[Description], class_id: str, of: str, text: str | None) -> tuple[Description, ...]:
    """What is said with one description changed (`of`), new (no `of`) or gone (no text). Words of a person are in use."""
    if of or text is None:
        _known(said, class_id, [of])
    if text is None:
        return tuple(d for d in said if (d.class_id, d.text) != (class_id, of))
    new = own_text(textual(text))
    there = next((d for d in said if d.class_id == class_id and d.text == (of or new)), None)
    if there is None:
        made = Description(class_id, new, descriptions.form_of(new), _place(said, class_id), True)
        return (*said, made)
    made = Description(class_id, new, there.form, there.place, True)
    rest = [d for d in said if d is there or d.class_id != class_id or d.text not in (of, new)]  # said twice, it would only be in the way
    return tuple(made if d is there else d for d in rest)


def _place(said: Sequence[Description], class_id: str) -> Place:
    """Where a class's descriptions go, so that a new one can be joined to them."""
    return next((d.place for d in said if d.use and d.class_id == class_id and d.place is not Place.REPLACE), Place.INSIDE)


def _chosen(said: Sequence[Description], class_id: str, texts: Sequence[str], use: bool) -> tuple[Description, ...]:
    """What is said with some descriptions of a class accepted or rejected; all of them when none is named."""
    _known(said, class_id, texts)
    if not any(d.class_id == class_id for d in said):
        raise UsageError(f"Nothing describes the class {class_id!r}.", "Say something: promptlab prompts describe CLASS TEXT")
    return tuple(replace(d, use=use) if d.class_id == class_id and (not texts or d.text in texts) else d for d in said)


def told(edit: Edit) -> str:
    """The edit in a few words, as they are: whoever shows them makes them safe."""
    one, of, words = _short(edit.class_id), _quoted(edit.of), ", ".join(map(_quoted, edit.words))
    if edit.kind is EditKind.TEXT:
        return f"say {words} of {one} in {of}" if words else f"say of {one} what {of} says"
    if edit.kind is EditKind.TOGGLE:
        return f"set {of} aside or use it again"
    if edit.kind is EditKind.RENAME:
        return f"rename {one} to {_short(', '.join(edit.words))}" if words else f"call {one} what the data calls it"
    if edit.kind is EditKind.DESCRIBE:
        if not edit.of:
            return f"describe {one} as {words}"
        return f"describe {one} as {words} instead of {of}" if words else f"drop {of} from {one}"
    if edit.kind in (EditKind.USE, EditKind.LEAVE):
        return f"{'use' if edit.kind is EditKind.USE else 'leave out'} {_short(words) or 'all'} of {one}"
    if edit.kind is EditKind.IMPORT:
        return f"import {of}"
    return f"{edit.kind.value} {_short(words)}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else text[: LONGEST_TOLD - 3] + "..."


def _quoted(text: str) -> str:
    return f"'{_short(text)}'"


@dataclass(frozen=True, slots=True)
class Base:
    """The two files with a run's prompts, as they were at some moment."""

    prompts: str
    """The text of prompts.toml, or of prompts-edited.toml."""
    descriptions: str | None
    """The text of descriptions.jsonl; None when there is none."""

    @classmethod
    def of(cls, folder: Path) -> "Base":
        """What is there now. Raises UsageError for what is no text."""
        said = folder / descriptions.FILE
        return cls(_content(edits.file_of(folder)), _content(said) if said.is_file() else None)

    def read(self, folder: Path) -> Prompts:
        """The prompts that it says. Raises UsageError for what cannot be read."""
        found = edits.read(self.prompts, str(edits.file_of(folder)))
        return replace(found, descriptions=descriptions.read(self.descriptions or "", folder / descriptions.FILE))


def _content(path: Path) -> str:
    """A file's text, its line ends and all, so that it can be written again as it was. Raises UsageError for what is no text."""
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error}.", "Mend it, or remove it.") from error


class History:
    """Edits of one run's prompts, done and undone; kept in its folder as they happen.

    Each edit changes one file, which appears whole; the journal is told last. So whatever is interrupted leaves prompts that can be read,
    and a journal that no longer leads to them starts anew from what is there.
    """

    def __init__(self, run: Run, classes: Classes, base: Base) -> None:
        """See `open`."""
        self._run, self._classes, self._base = run, classes, base
        self._first = base.read(run.path)
        self._edits: list[Edit] = []
        self._states = [self._first]
        self._at = 0
        self._size = 0  # bytes of the journal that were read or written; 0: it starts with the next edit
        self._seen = base  # what the files say after all that is known here

    @classmethod
    def open(cls, run: Run, classes: Classes) -> "History":
        """What was done to a run's prompts. classes: those of its data. Raises UsageError when the prompts cannot be read."""
        now = Base.of(run.path)
        return _replayed(run, classes, now) or cls(run, classes, now)

    @property
    def first(self) -> Prompts:
        """The prompts before the first edit."""
        return self._first

    @property
    def prompts(self) -> Prompts:
        """The prompts as they are now."""
        return self._states[self._at]

    @property
    def done(self) -> tuple[Edit, ...]:
        """The edits that hold, the oldest first."""
        return tuple(self._edits[: self._at])

    @property
    def undone(self) -> tuple[Edit, ...]:
        """The edits that were taken back, the one that `redo` does first."""
        return tuple(self._edits[self._at :])

    @property
    def stale(self) -> bool:
        """Whether somebody else changed the prompts since this was opened. Raises UsageError when they cannot be read."""
        journal = self._run.path / JOURNAL
        size = journal.stat().st_size if self._size and journal.is_file() else 0
        return size < self._size or Base.of(self._run.path) != self._seen

    def after(self, edit: Edit) -> Prompts:
        """What an edit would make of the prompts. Raises UsageError when it cannot be done."""
        return applied(edit, self.prompts, self._classes)

    def before(self) -> tuple[Edit, Prompts] | None:
        """The edit that `undo` would take back, and the prompts then; None when nothing was done."""
        return (self._edits[self._at - 1], self._states[self._at - 1]) if self._at else None

    def again(self) -> tuple[Edit, Prompts] | None:
        """The edit that `redo` would do again, and the prompts then; None when nothing was undone."""
        return (self._edits[self._at], self._states[self._at + 1]) if self._at < len(self._edits) else None

    def commit(self, edit: Edit) -> Path | None:
        """Do an edit, and keep it: the file that says it now, the run's folder where there is none any more; None when it changes nothing.

        Raises UsageError when it cannot be done, or when somebody else changed the prompts since this was opened.
        """
        made = self.after(edit)
        if made.fingerprint == self.prompts.fingerprint:
            return None
        path = self._keep(made, {"edit": {**asdict(edit), "kind": edit.kind.value}})
        self._push(edit, made)
        return path

    def undo(self) -> Edit | None:
        """Take back the last edit, and keep that; the edit, None when nothing was done. Raises UsageError as `commit` does."""
        if (found := self.before()) is None:
            return None
        self._keep(found[1], {"undo": True})
        self._at -= 1
        return found[0]

    def redo(self) -> Edit | None:
        """Do again what was undone last, and keep that; the edit, None when nothing was undone. Raises UsageError as `commit` does."""
        if (found := self.again()) is None:
            return None
        self._keep(found[1], {"redo": True})
        self._at += 1
        return found[0]

    def _push(self, edit: Edit, made: Prompts) -> None:
        self._edits[self._at :], self._states[self._at + 1 :] = [edit], [made]
        self._at += 1

    # -- on disk ------------------------------------------------------------------------------------------------------------------

    def _replay(self, line: dict[str, Any]) -> None:
        """What a line of the journal says. Raises an error of Python's or promptlab's for what makes no sense."""
        if "edit" in line:
            plain = line["edit"]
            edit = Edit(EditKind(plain["kind"]), str(plain["class_id"]), str(plain["of"]), tuple(map(str, plain["words"])))
            self._push(edit, self.after(edit))
            return
        step = -1 if line.get("undo") else 1
        if not 0 <= self._at + step < len(self._states):
            raise ValueError("nothing to undo, or to do again")
        self._at += step

    def _wanted(self, prompts: Prompts) -> Base:
        """What the files should say: where it means the same as what was there, or what the run was made with, that to the letter."""
        text, said = prompts.text(), descriptions.text(prompts.descriptions)
        made = self._run.path / edits.FILE
        if text == self._first.text():
            text = self._base.prompts
        elif self._run.result is not None and text == edits.load(made).text():
            text = _content(made)
        kept = self._base.descriptions if said == descriptions.text(self._first.descriptions) else _written(said)
        return Base(text, kept)

    def _keep(self, prompts: Prompts, line: dict[str, Any]) -> Path:
        """Write what differs, the journal last; the file that changed."""
        wanted = self._wanted(prompts)
        if self.stale:
            raise UsageError(f"The prompts of {self._run.name!r} were changed by something else meanwhile.", "Do it again.")
        path = self._run.path / descriptions.FILE
        if wanted.descriptions != self._seen.descriptions:
            _save_descriptions(self._run, wanted.descriptions)
        if wanted.prompts != self._seen.prompts:
            _save_prompts(self._run, wanted.prompts)
            path = edits.file_of(self._run.path)
        self._seen = wanted
        self._append(line)
        return path if path.is_file() else self._run.path

    def _append(self, line: dict[str, Any]) -> None:
        """One more line, after the last whole one; a journal that leads nowhere begins anew."""
        journal, text = self._run.path / JOURNAL, _line(line)
        if not self._size:
            text = _line({"base": asdict(self._base)}) + text
            with written(journal) as file:
                file.write(text)
        else:
            with explained(journal), open(journal, "r+b") as file:
                file.truncate(self._size)
                file.seek(self._size)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        self._size += len(text)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _written(text: str) -> str:
    """The text as a file has it: a lone surrogate becomes an escape, which is JSON too."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _save_prompts(run: Run, text: str) -> None:
    """Keep prompts in a run; what a finished run was made with stays beside them."""
    made, draft = run.path / edits.FILE, run.path / edits.DRAFT
    edits.read(text, made.name)  # what cannot be read back must not replace what can
    if run.result is None:
        _put(made, text)
    elif text == _content(made):
        draft.unlink(missing_ok=True)
    else:
        _put(draft, text)


def _save_descriptions(run: Run, text: str | None) -> None:
    """Keep descriptions in a run; None: it has none."""
    path = run.path / descriptions.FILE
    if text is None:
        path.unlink(missing_ok=True)
    else:
        descriptions.read(text, path)
        _put(path, text)


def _put(path: Path, text: str) -> None:
    with written(path) as file:
        file.write(text.encode("utf-8"))


def _journal(run: Run) -> tuple[list[dict[str, Any]], int]:
    """The lines of a run's journal, and how many bytes they are: without a last one that was torn. None where it cannot be read."""
    path = run.path / JOURNAL
    content = path.read_bytes() if path.is_file() else b""
    whole = content[: content.rfind(b"\n") + 1]
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
    except (ValueError, RecursionError):
        return [], 0
    return (lines, len(whole)) if all(isinstance(line, dict) for line in lines) else ([], 0)


def _first(run: Run, lines: Sequence[dict[str, Any]]) -> Base | None:
    """What the files said before the first edit; None when the journal does not say."""
    found = lines[0].get("base") if lines else None
    if not isinstance(found, dict) or not isinstance(found.get("prompts"), str):
        return None
    said = found.get("descriptions")
    return Base(found["prompts"], said) if said is None or isinstance(said, str) else None


def _replayed(run: Run, classes: Classes, now: Base) -> History | None:
    """The history that the journal tells; None when it does not lead to what the files say now."""
    lines, size = _journal(run)
    base = _first(run, lines)
    if base is None:
        return None
    try:
        made = History(run, classes, base)
        for line in lines[1:]:
            made._replay(line)
        if made._wanted(made.prompts) != now:
            return None
    except (PromptlabError, LookupError, TypeError, ValueError):
        return None
    made._seen, made._size = now, size
    return made


def reset(run: Run) -> bool:
    """Drop edits that wait for the next run; whether there were any. Descriptions changed by hand, of which no journal tells, stay."""
    before = _state(run)
    edits.reset(run.path)
    _return(run)
    return _state(run) != before


def taken(run: Run) -> None:
    """A new run has the edits: a finished run says again what it was made with."""
    (run.path / edits.DRAFT).unlink(missing_ok=True)
    if run.result is not None:
        _return(run)


def _state(run: Run) -> list[bytes]:
    names = (edits.FILE, edits.DRAFT, edits.SCRATCH, descriptions.FILE)
    return [(run.path / name).read_bytes() if (run.path / name).is_file() else b"" for name in names]


def _return(run: Run) -> None:
    """Give a run the descriptions from before the first edit, one that is not finished the prompts, too; then the journal goes."""
    if (base := _first(run, _journal(run)[0])) is not None:
        if run.result is None:
            _save_prompts(run, base.prompts)
        _save_descriptions(run, base.descriptions)
    (run.path / JOURNAL).unlink(missing_ok=True)
