"""From what a file says to the prompts of a run, with counts of what is odd. Nothing is put in another order or dropped unsaid."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from promptlab.display import many
from promptlab.errors import UsageError
from promptlab.prompts.compose import clean
from promptlab.prompts.edits import Prompts, textual
from promptlab.prompts.exchange.imported import Imported, Kind
from promptlab.prompts.exchange.matching import SAFE_WAY, Known, Matches, fold
from promptlab.prompts.exchange.texts import which
from promptlab.prompts.templates import LONGEST_TEXT, SLOT, template
from promptlab.types import Classes, Description, Form, Place, Template

LONG = 320  # characters: about the 77 tokens that CLIP reads
SHOWN = 24  # examples of each count
IN_ERROR = 6  # in a message
CHANCE = 0.05  # the share of names in label order that may be spelt like another class's without the order being another; one may always


@dataclass(frozen=True, slots=True)
class How:
    """How a file is to be taken over."""

    place: str = ""
    """Where descriptions go, one of `Place`; empty: where their format means them to be."""
    replacing: bool = False
    """Whether what is there already of that kind goes: templates, new names or descriptions."""
    allow_missing: bool = False
    """Whether classes that the data does not have, and templates that cannot be used, are left out; else they are errors."""
    by_id: bool = False
    """Whether the file calls classes by their ids; else by ids or names, whichever fits all of it."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of something odd or telling a file has."""

    name: str
    """Short, stable, e.g. `unknown-classes`."""
    count: int
    """How many."""
    about: str
    """What it means."""
    examples: tuple[str, ...] = ()
    """The first of them; empty where none are needed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a file makes of a run's prompts."""

    format: str
    """The format that it was read as."""
    kind: Kind
    """What it holds."""
    prompts: Prompts
    """The prompts then."""
    counts: tuple[Counted, ...]
    """What was found."""
    notes: tuple[str, ...]
    """What was decided on the way."""


def taken(imported: Imported, prompts: Prompts, classes: Classes, how: How, source: str) -> Taken:
    """The prompts after an import. classes: those of the data, under its names; source: what descriptions say that they come from.

    Raises UsageError for classes that the data does not have or that are ambiguous, for names in another order, for what cannot be used.
    """
    now = prompts.apply(classes)
    # The data's names count beside the run's; one that is no more than the id is found as that.
    more = [[name for name in those if fold(name) != fold(i)] for i, those in zip(classes.ids, classes.names, strict=True)]
    both = replace(classes, names=tuple(tuple(dict.fromkeys([*a, *b])) for a, b in zip(now.names, more, strict=True)))
    if imported.kind is Kind.TEMPLATES:
        made, counts = _templates(imported.templates, prompts, how)
    elif imported.kind is Kind.NAMES:
        made, counts = _names(imported, prompts, classes, Known(both), how)
    else:
        made, counts = _descriptions(imported, prompts, classes, Known(both), how, source)
    return Taken(imported.format, imported.kind, made, tuple(one for one in counts if one.count), imported.notes)


def _counted(name: str, those: Iterable[str], about: str) -> Counted:
    found = list(those)
    return Counted(name, len(found), about, tuple(one[:80] for one in found[:SHOWN]))


# -- templates --------------------------------------------------------------------------------------------------------------------------


def _templates(written: Sequence[str], prompts: Prompts, how: How) -> tuple[Prompts, list[Counted]]:
    made, wrong = dict[str, Template](), dict[str, str]()
    for text in written:
        try:
            one = template(textual(text))
            made[one.source] = one
        except UsageError as error:
            wrong[text] = error.message
    if not made or (wrong and not how.allow_missing):
        raise UsageError(
            f"{many(len(wrong), 'template')} of {len(written)} cannot be used. {next(iter(wrong.values()), 'There is none.')}",
            "--allow-missing leaves those out." if made else "Is it a file of class names, or of finished prompts? Say it: --as FORMAT",
        )
    here = {one.source for one in (*prompts.templates, *prompts.off)}
    counts = [
        Counted("templates", len(made), "are read"),
        _counted("templates-there", (one.name for one in made.values() if one.source in here), "the run has already"),
        _counted("templates-left-out", wrong, "have no place for the class name, or cannot be read"),
        _counted("duplicates", (text for text, n in Counter(written).items() if n > 1), "occur more than once"),
        _counted(
            "literal-braces", (t.name for t in made.values() if set("{}") & set(SLOT.sub("", t.name))), "hold braces, kept as they are"
        ),
        _counted(
            "unclean", (t.name for t in made.values() if _unclean(t.name)), "hold special tokens or control signs, which are left out"
        ),
    ]
    if not how.replacing:
        return prompts.with_templates([one.source for one in made.values()]), counts
    texts = {i: {source: text for source, text in own.items() if source in made} for i, own in prompts.texts.items()}
    return replace(prompts, templates=tuple(made.values()), off=(), texts={i: own for i, own in texts.items() if own}), counts


def _unclean(text: str) -> bool:
    return clean(text) != " ".join(text.split())


# -- names ------------------------------------------------------------------------------------------------------------------------------


def _names(imported: Imported, prompts: Prompts, classes: Classes, known: Known, how: How) -> tuple[Prompts, list[Counted]]:
    counts = list[Counted]()
    if imported.at:
        counts = _in_order(imported, classes, known)
        places = dict(imported.at)
    else:
        found = known.matched((one for one, _ in imported.names), how.by_id)
        counts = _matched(found, found.place.values(), classes, how)
        places = {}
        for one, names in imported.names:
            if one in found.place:
                places[found.place[one]] = names
    given = {c: tuple(" ".join(textual(name).split()) for name in names) for c, names in places.items()}
    empty = next((classes.ids[c] for c, names in given.items() if not all(map(clean, names))), None)
    if empty is not None:
        raise UsageError(
            f"The name of {empty!r} in the file is empty.", "Give it a word, or leave it out: lines CLASS<TAB>NAME of the others, --as tsv."
        )
    other = {classes.ids[c]: names for c, names in sorted(given.items()) if names != classes.names[c]}
    same = {classes.ids[c] for c in given} - set(other)
    kept = {i: those for i, those in prompts.names.items() if i not in same and not how.replacing} | other
    firsts = Counter(those[0] for those in replace(prompts, names=kept).apply(classes).names)
    counts += [
        _counted("renamed", (f"{i}: {', '.join(those)}" for i, those in other.items()), "get other names than the data's"),
        Counted("same-names", len(same), "are named as the data names them"),
        _counted("equal-names", (name for name, n in firsts.items() if n > 1), "then stand for more than one class"),
        _counted("unclean", (n for those in given.values() for n in those if _unclean(n)), "hold special tokens or control signs"),
    ]
    return replace(prompts, names=kept), counts


def _in_order(imported: Imported, classes: Classes, known: Known) -> list[Counted]:
    """Raises UsageError when names in label order are not as many as the classes, or when the data has one of them at another place. Where
    each name comes with its number those are counted: in other languages a `baguette` is something else."""
    if imported.whole and len(imported.at) != len(classes):
        raise UsageError(f"The file has {len(imported.at)} class names, the data {len(classes)} classes.", SAFE_WAY)
    beyond = [i for i in imported.at if not 0 <= i < len(classes)]
    if beyond:
        raise UsageError(f"The file names class {beyond[0]}; the data has {len(classes)}, 0 to {len(classes) - 1}.", SAFE_WAY)
    moved = [
        f"{name!r} at {i}, which the data has at {min(those)}"
        for i, names in imported.at.items()
        for name in names
        if (those := known.any_like(name)) and i not in those
    ]
    if moved and imported.whole:
        raise UsageError(
            f"{many(len(moved), 'name')} of the file belong elsewhere: {'; '.join(moved[:3])}. Its order is another.",
            SAFE_WAY,
        )
    near = [
        f"{name!r} at {i}, near {classes.ids[other]!r} at {other}"
        for i, names in imported.at.items()
        if not any(map(known.any_like, names))
        for name in names[:1]
        if (other := known.nearer(name, i)) is not None
    ]
    if imported.whole and len(near) > max(1, CHANCE * len(imported.at)):
        raise UsageError(
            f"{many(len(near), 'name')} of the file look like those of other classes: {'; '.join(near[:3])}. Its order is another.",
            SAFE_WAY,
        )
    return [
        _counted("names-elsewhere", moved, "name another class of the data, too"),
        _counted("names-near-elsewhere", near, "are spelt more like another class of the data"),
    ]


# -- descriptions -----------------------------------------------------------------------------------------------------------------------


def _descriptions(
    imported: Imported, prompts: Prompts, classes: Classes, known: Known, how: How, source: str
) -> tuple[Prompts, list[Counted]]:
    found = known.matched([*(one.class_id for one in imported.said), *imported.empty], how.by_id or imported.by_id)
    made, dropped, twice = dict[tuple[str, str], Description](), list[str](), list[str]()
    for one in imported.said:
        if one.class_id not in found.place:
            continue
        place = Place(how.place or one.place)
        text = clean(one.text)
        if not text.strip(" .") or len(text) > LONGEST_TEXT:
            dropped.append(one.text)
            continue
        text = which(text) if imported.which and place is not Place.REPLACE else text
        class_id = classes.ids[found.place[one.class_id]]
        if (class_id, text) in made:
            twice.append(f"{class_id}: {text}")
        made.setdefault((class_id, text), replace(one, class_id=class_id, text=text, place=place, source=one.source or source))
    spoken = {found.place[one] for one in found.place if one not in imported.empty}
    counts = _matched(found, spoken, classes, how)
    if not made:
        raise UsageError(
            f"The file says nothing of the {len(classes)} classes of the data.",
            f"It has {many(len(found.unknown), 'other class', 'other classes')}.",
        )
    before = () if how.replacing else prompts.descriptions
    said = {(one.class_id, one.text): one for one in before} | made
    _joined(list(said.values()))
    texts = [one.text for one in made.values()]
    counts += [
        Counted("texts", len(made), f"are read, {sum(one.form is Form.SENTENCE for one in made.values())} of them sentences"),
        _counted("empty-classes", imported.empty, "are in the file, but it says nothing of them"),
        _counted("duplicates", twice, "occur more than once in a class; said once"),
        _counted("left-out", dropped, "are empty once cleaned, or have more than 10,000 characters"),
        _counted("unclean", (one.text for one in imported.said if _unclean(one.text)), "had special tokens or control signs, now gone"),
        _counted("literal-braces", (text for text in texts if set("{}") & set(text)), "hold braces, kept as they are"),
        _counted("long", (text for text in texts if len(text) > LONG), f"have more than {LONG} characters: CLIP would cut them"),
    ]
    return replace(prompts, descriptions=tuple(said.values())), counts


def _joined(said: Sequence[Description]) -> None:
    """Raises UsageError where a class would have descriptions inside and others beside its texts: nobody can join those."""
    places: dict[str, set[Place]] = {}
    for one in said:
        if one.use:
            places.setdefault(one.class_id, set()).add(one.place)
    mixed = [i for i, those in places.items() if those >= {Place.INSIDE, Place.BESIDE}]
    if mixed:
        raise UsageError(
            f"{many(len(mixed), 'class', 'classes')}, e.g. {mixed[0]!r}, would have descriptions placed `inside` and others `beside`.",
            "--place says where those of the file go; --replace drops those that are there.",
        )


def _matched(found: Matches, spoken: Iterable[int], classes: Classes, how: How) -> list[Counted]:
    """How classes were found. Raises UsageError for one that the data does not have, unless those may be left out."""
    near = [_nearest(name, classes) for name in found.unknown[:SHOWN]]
    if not how.allow_missing:
        found.clear()
    if found.unknown and not how.allow_missing:
        total = len(found.place) + len(found.unknown)
        shown = ", ".join(near[:IN_ERROR]) + ", ..." * (len(found.unknown) > IN_ERROR)
        raise UsageError(
            f"{len(found.unknown)} of the file's {total} classes are not in the data: {shown}.",
            "Call them by the data's ids, or leave them out: --allow-missing",
        )
    missing = sorted(set(range(len(classes))) - set(spoken))
    return [
        Counted(
            "matched", len(found.place), f"classes of the file are in the data, {len(found.by_id)} by id, {len(found.by_name)} by name"
        ),
        _counted("folded", (f"{name} = {i}" for name, i in found.folded), "of them fit without case and underscores only"),
        _counted("ambiguous", (f"{one}: {', '.join(ids)}" for one, ids in found.ambiguous), "may mean several classes, and are left out"),
        _counted("shared", (f"{i}: {', '.join(those)}" for i, those in found.shared), "stand several times in the file, and are left out"),
        Counted("unknown-classes", len(found.unknown), "of the file are not in the data, and left out", tuple(near)),
        _counted("classes-without", (classes.ids[c] for c in missing), f"of the data's {len(classes)} classes are not in the file"),
    ]


def _nearest(name: str, classes: Classes) -> str:
    near = get_close_matches(name, [*classes.titles, *classes.ids], n=1)
    return f"{name[:60]!r}" + (f" ({near[0]!r}?)" if near else "")
