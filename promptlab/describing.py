"""Enrichment over run folders: which classes, what is asked about them, what becomes of it. Over asking, under the lab's verbs."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from promptlab.asking import Asker
from promptlab.display import many
from promptlab.errors import UsageError, unknown_name
from promptlab.events import Noted
from promptlab.llm.question import Failure, Question, Reply
from promptlab.prompts import describe, questions, renames, replies
from promptlab.prompts.babble import Babble
from promptlab.prompts.compose import described
from promptlab.prompts.edits import Prompts
from promptlab.prompts.exchange import reading
from promptlab.prompts.exchange.imported import Asked
from promptlab.prompts.questions import Pack
from promptlab.prompts.renames import SOURCES as NAME_SOURCES
from promptlab.protocols import Encoder, Endpoint
from promptlab.sessions import Session
from promptlab.store import fingerprint
from promptlab.types import Array, Classes, Classifier, Dataset, Description, Form, Material, Place, TextBank, Weights

if TYPE_CHECKING:
    from promptlab.loops import enrich as loop
    from promptlab.loops import run as main

PLACES = ("auto", *Place)
KEEPS = ("better", "all", "ask")
BARS = 4  # bundles of random words that a bundle must beat where there are no labels
BAR_TEXTS = 2  # texts in each of them


def _fault(text: str, pack: Pack, own: Sequence[str], rivals: Sequence[str]) -> str:
    """What is wrong with a reply; empty when any of its texts can be used."""
    if found := replies.fault(text, pack):
        return found
    made = describe.clean(replies.read(text, pack), pack.form, own=own, rivals=rivals, others=(), encoder=None)
    return "" if made.texts else f"none of its {pack.list_of} can be used: each {made.dropped[0][1]}"


def _draw(name: str, n: int) -> str:
    return name if n == 0 else f"{name} {n + 1}"


def _content(path: str) -> bytes:
    """What is in a file, nothing for a pipe, which can be read but once. Raises UsageError when it cannot be read."""
    try:
        return b"" if os.path.exists(path) and not os.path.isfile(path) else Path(path).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path!r} cannot be read: {error.strerror}.", "A flag names it: --descriptions, --class-names or --synonyms."
        ) from error


@dataclass(frozen=True, slots=True)
class Wanted:
    """What enrichment is asked to do. Raises UsageError for a value that means nothing."""

    worst: int = 10
    """How many of the worst classes."""
    classes: tuple[str, ...] = ()
    """These classes instead, by id or name; empty: the worst."""
    pack: str = "contrast"
    """The question pack, by name or file."""
    count: int = 4
    """How many texts to ask for."""
    rivals: int = 3
    """How many rivals the question names."""
    place: str = "auto"
    """`inside`, `replace`, `beside`; `auto` tries the first two."""
    keep: str = "better"
    """`better` keeps what helps, `all` keeps everything, `ask` asks."""
    descriptions: str = ""
    """A file of descriptions; then no language model is asked."""
    file_as: str = ""
    """The format of that file; empty: it is told by its shape."""
    file_key: str = ""
    """The data set that is meant in it; empty: the only one."""
    class_names: str = ""
    """The list of names that its numbers count; empty where it has none."""
    synonyms: str = ""
    """A file of other names."""
    renames: bool = True
    """Whether better names are tried first."""
    control_draws: int = 1
    """How many times random words are drawn."""

    def __post_init__(self) -> None:
        for what, value, known in (("place", self.place, PLACES), ("keep", self.keep, KEEPS)):
            if value not in known:
                raise unknown_name(f"value of `{what}`", value, known)
        if min(self.worst, self.count, self.control_draws) < 1 or self.rivals < 0:
            raise UsageError("worst, count and control draws are numbers from 1, rivals from 0.")

    @property
    def file(self) -> Asked:
        """What is said of the file of descriptions."""
        return Asked(self.file_as, self.file_key, self.class_names)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where descriptions are tried."""
        return (Place.INSIDE, Place.REPLACE) if self.place == "auto" else (Place(self.place),)


class Case(NamedTuple):
    """A class that is to be described."""

    c: int
    rivals: tuple[int, ...]  # strongest first


class Said(NamedTuple):
    """What was said of one class."""

    texts: tuple[tuple[str, Form], ...] = ()
    source: str = ""
    reply: Reply | Failure | None = None
    dropped: tuple[tuple[str, str], ...] = ()  # (text, why)
    noted: tuple[tuple[str, str], ...] = ()  # (text, what about it)


class Ground(NamedTuple):
    """What enrichment stands on: the classifier without it, and who does badly under it."""

    material: Material  # without descriptions
    choice: "main.Choice"
    weights: Weights  # held while descriptions are judged
    before: Classifier
    cases: tuple[Case, ...]  # worst first


class Enrichment(NamedTuple):
    """What was said, and what became of it."""

    ground: Ground
    said: dict[int, Said]
    endpoint: Endpoint | None  # who was asked; None for a file or nobody
    found: "loop.Found"
    held: tuple[Description, ...]  # what other classes had, in use
    unused: tuple[Description, ...]  # what other classes had, not in use

    @property
    def descriptions(self) -> tuple[Description, ...]:
        """What the run keeps: all that is in use; of each other class the texts of its best trial, unused; and all that a person wrote."""
        used = [replace(one, verdict=self._verdict(one)) if one not in self.held else one for one in self.found.settled]
        served = {one.class_id for one in used if one.source not in NAME_SOURCES}
        known, others = {(one.class_id, one.text) for one in used}, list[Description]()
        for trial in sorted(self.found.trials, key=lambda trial: -trial.change.value):
            for one in trial.bundle.descriptions:
                wanted = one.source not in NAME_SOURCES and trial.class_id not in served
                if (wanted or not one.source) and (one.class_id, one.text) not in known:
                    known.add((one.class_id, one.text))
                    others.append(replace(one, use=False, verdict=trial.verdict))
            served |= {trial.class_id} if trial.bundle.descriptions[0].source not in NAME_SOURCES else set()
        return (*used, *others, *self.unused)

    def _verdict(self, one: Description) -> str:
        trial = next((t for t in self.found.trials if t.kept and one in t.bundle.descriptions), None)
        return "" if trial is None else trial.verdict


class Describer(Asker):
    """Picks classes, asks about them, and makes bundles of what is said."""

    def _ground(self, dataset: Dataset, prompts: Prompts, wanted: Wanted) -> Ground:
        """The classifier of prompts without descriptions, and its worst classes. Raises UsageError for texts that came as vectors."""
        from promptlab.analysis.rivals import rivals
        from promptlab.loops import run as main
        from promptlab.score.evaluate import evaluate
        from promptlab.score.evidence import Evidence
        from promptlab.score.swaps import Swaps
        from promptlab.score.weighting import find

        if dataset.bank is not None:
            raise UsageError(f"The text vectors of {dataset.name!r} came with the data, so nothing can be said anew.")
        classes, choice = dataset.classes, self.choice(dataset)
        given = [classes.find(name) for name in wanted.classes]
        material = self.prepare(dataset, replace(prompts, descriptions=()))
        tune = material.tune
        weights, _ = find(choice.how, Evidence(tune, material.bank, self.rules, self.device, self._tell, kept=self.kept))
        before = main.make(tune, material.bank, weights, choice)
        judged = evaluate(before, tune, self.rules, fixed=None, k=choice.k or None, seed=choice.seed, device=self.device, told=False)
        place = {c: n for n, c in enumerate(judged.order)}  # a class without a picture on tune has none
        picked = sorted(set(given), key=lambda c: place.get(c, len(place))) if given else judged.order[: wanted.worst]
        now = Swaps(tune, before.weight, tune.labels).now
        found = (
            Case(c, tuple(rivals(c, wanted.rivals, now.image[now.of == c], judged.outcomes.winner, before.weight, classes))) for c in picked
        )
        return Ground(material, choice, weights, before, tuple(found))

    def _questions(self, cases: Sequence[Case], classes: Classes, wanted: Wanted) -> list[Question]:
        """One question a class."""
        pack, titles = questions.one(wanted.pack), classes.titles
        made = []
        for case in cases:
            rivals = [titles[j] for j in case.rivals]
            siblings = [*rivals, *(title for j, title in enumerate(titles) if j != case.c and j not in case.rivals)]
            system, text = questions.render(pack, titles[case.c], rivals=rivals, siblings=siblings, count=wanted.count)
            fault = partial(_fault, pack=pack, own=classes.names[case.c], rivals=rivals)
            made.append(Question(titles[case.c], system, text, pack.schema, pack.max_tokens, pack.temperature, fault))
        return made

    # -- from words to bundles ----------------------------------------------------------------------------------------------------

    def _said(self, ground: Ground, classes: Classes, wanted: Wanted, encoder: Encoder) -> tuple[dict[int, Said], Endpoint | None]:
        """{class: what was said of it}, cleaned; and who was asked, None for a file or nobody."""
        cases = {case.c: case for case in ground.cases}
        if wanted.descriptions:
            brought, strange = reading.brought(wanted.descriptions, classes, wanted.file)
            if strange:
                known = f"{many(len(strange), 'class', 'classes')} that the data does not have, e.g. {strange[0]!r}"
                self._tell(Noted(f"{wanted.descriptions!r} describes {known}."))
            if rest := len(brought.keys() - cases):
                self._tell(Noted(f"{many(rest, 'class', 'classes')} described there were not picked: see --worst, --class.", "info"))
            return {c: self._cleaned(cases[c], brought[c], "file", classes, encoder) for c in cases if c in brought}, None
        if not self.settings.llm:
            return {}, None
        pack = questions.one(wanted.pack)
        endpoint, answers = self._answers(self._questions(ground.cases, classes, wanted))
        failed = [(case, answer.reason) for case, answer in zip(cases, answers, strict=True) if isinstance(answer, Failure)]
        if failed:
            said = f"{len(failed)} of {many(len(answers), 'question')} got no reply that can be used; {classes.titles[failed[0][0]]}"
            self._tell(Noted(f"{said}: {failed[0][1].rstrip('.')}."))
        found = {}
        for c, answer in zip(cases, answers, strict=True):
            if isinstance(answer, Failure):
                found[c] = Said(reply=answer)
            else:
                texts = [(one, pack.form) for one in replies.read(answer.text, pack)]
                found[c] = self._cleaned(cases[c], texts, pack.id, classes, encoder)._replace(reply=answer)
        return found, endpoint

    @staticmethod
    def _cleaned(case: Case, texts: Sequence[tuple[str, Form]], source: str, classes: Classes, encoder: Encoder) -> Said:
        """Usable texts, and what became of the others."""
        own, rivals = classes.names[case.c], [name for j in case.rivals for name in classes.names[j]]
        others = [name for j, names in enumerate(classes.names) if j != case.c and j not in case.rivals for name in names]
        longest = f"a black and white photo of a {max(own, key=len)}"
        kept, dropped, noted = list[tuple[str, Form]](), list[tuple[str, str]](), list[tuple[str, str]]()
        for form in Form:
            mine = [text for text, its in texts if its is form]
            room = (lambda text: described(longest, text)) if form is Form.PHRASE else None
            made = describe.clean(mine, form, own=own, rivals=rivals, others=others, encoder=encoder, room=room, most=max(8, len(mine)))
            kept += [(text, form) for text in made.texts]
            dropped += made.dropped
            noted += [*((before, f"shortened to {after!r}") for before, after in made.shortened)]
            noted += [*((text, f"names another class, {other!r}") for text, other in made.names_others)]
        return Said(tuple(kept), source, None, tuple(dropped), tuple(noted))

    def _names(self, ground: Ground, session: Session, wanted: Wanted) -> dict[int, list["loop.Bundle"]]:
        """{class: bundles of better names}, each in place of its name; those that the run uses already among them."""
        from promptlab.loops.enrich import Bundle

        classes = session.dataset.classes
        others = renames.synonyms(wanted.synonyms, classes) if wanted.synonyms else {}
        found: dict[int, list[Bundle]] = {}
        for case in ground.cases:
            class_id, source = classes.ids[case.c], "synonyms" if case.c in others else "lint"
            sets = renames.candidates(classes.names[case.c], others.get(case.c, ()), wanted.renames)
            made = [tuple(Description(class_id, name, Form.PHRASE, Place.REPLACE, True, source) for name in names) for names in sets]
            there = (d for d in session.prompts.descriptions if d.use and d.class_id == class_id and d.source in NAME_SOURCES)
            made.append(tuple(replace(d, verdict="") for d in there))
            found[case.c] = [Bundle(said) for said in dict.fromkeys(filter(None, made))]
        return found

    def _bundles(
        self, said: Mapping[int, Said], session: Session, wanted: Wanted, bars: Sequence[Babble]
    ) -> dict[int, list["loop.Bundle"]]:
        """{class: what the run says of it already, which may be better, and what was said now, in every place that is tried}; each with a
        bundle of random words to beat from each of `bars`."""
        from promptlab.loops.enrich import Bundle

        classes, found = session.dataset.classes, dict[int, list[tuple[Description, ...]]]()
        for c, one in said.items():
            there = [d for d in session.prompts.descriptions if d.use and d.class_id == classes.ids[c] and d.source not in NAME_SOURCES]
            reply, model = (one.reply.key, one.reply.model) if isinstance(one.reply, Reply) else ("", "")
            apart = one.source.startswith("rename@")  # names are tried one by one, in place of the name, then all together
            texts = [*([[pair] for pair in one.texts] if apart else []), one.texts]
            sets = [
                tuple(Description(classes.ids[c], text, form, place, True, one.source, model, reply) for text, form in some)
                for some in texts
                for place in ((Place.REPLACE,) if apart else wanted.places)
            ]
            sets += [tuple(replace(d, verdict="") for d in there if d.place is place) for place in Place]
            # Said twice it is tried once, where it was first: asking again tries the same in the same order. Who said it first, said it.
            found[c] = list({tuple((d.text, d.form, d.place) for d in made): made for made in sets if made}.values())

        def bundle(made: tuple[Description, ...]) -> Bundle:
            lower = (tuple(replace(d, text=babble(n, d.text)) for n, d in enumerate(made[:BAR_TEXTS])) for babble in bars)
            return Bundle(made, tuple(lower))

        return {c: [bundle(made) for made in sets] for c, sets in found.items() if sets}

    def _spoken(self, ground: Ground, session: Session, encoder: Encoder) -> Callable[[Sequence[Description]], Array]:
        """(C, D) rows of the classifier with some descriptions, its weights held. Only classes that are described are composed anew."""
        from promptlab.score.ensemble import build

        classes, w = session.dataset.classes, ground.weights.w

        def rows(said: Sequence[Description]) -> Array:
            made, theirs = ground.before.weight.copy(), {one.class_id for one in said}
            where = [c for c, class_id in enumerate(classes.ids) if class_id in theirs]
            if where:
                bank, _ = self.texts(classes.take(where), replace(session.prompts, descriptions=tuple(said)), encoder)
                made[where] = build(bank, w if w.ndim == 1 else w[:, where], ground.choice.how.combine).weight
            return made

        return rows

    def _enriched(self, session: Session, wanted: Wanted, choose: "loop.Ask | None") -> "Enrichment":
        """What is said of the worst classes, and what of it is kept. Nothing is judged on eval here."""
        from promptlab.loops import enrich as loop

        classes, ground = session.dataset.classes, self._ground(session.dataset, session.prompts, wanted)
        encoder = self.encoder(ground.material.model)
        said, endpoint = self._said(ground, classes, wanted, encoder)
        said = {case.c: said.get(case.c, Said()) for case in ground.cases}
        labelled = ground.material.tune.labels is not None
        seed = self.settings.seed
        bars = [] if labelled else [Babble(seed + 1000 + n, encoder.tokens) for n in range(BARS)]
        bundles = self._bundles(said, session, wanted, bars)
        controls = {_draw("random words", n): loop.worded(bundles, Babble(seed + n, encoder.tokens)) for n in range(wanted.control_draws)}
        picked = {classes.ids[case.c] for case in ground.cases}
        held = [one for one in session.prompts.descriptions if one.use and one.class_id not in picked]
        found = loop.enrich(
            ground.material.tune,
            [case.c for case in ground.cases],
            held,
            self._names(ground, session, wanted),
            bundles,
            (controls | {"swapped": swapped} if (swapped := loop.swapped(bundles, seed)) else controls) if bundles else {},
            self._spoken(ground, session, encoder),
            choose or (loop.whatever if wanted.keep == "all" else loop.better),
        )
        # What a person wrote or changed stays in the file, whatever becomes of it.
        known = {(one.class_id, one.text) for trial in found.trials for one in trial.bundle.descriptions}
        unused = [one for one in session.prompts.descriptions if not one.use and (one.class_id, one.text) not in known]
        return Enrichment(ground, said, endpoint, found, tuple(held), tuple(unused))

    def _banks(self, session: Session, made: "Enrichment") -> tuple[TextBank, dict[str, TextBank]]:
        """The bank without what enrichment brought; those of better names alone, where any were kept, and of each control."""
        from promptlab.loops.enrich import NAMES

        encoder = self.encoder(made.ground.material.model)
        sets = {
            "": made.held,
            **({NAMES: made.found.named} if made.found.named not in (made.held, made.found.settled) else {}),
            **made.found.controls,
        }
        spoken = {name: replace(session.prompts, descriptions=tuple(said)) for name, said in sets.items()}
        banks = {name: self.texts(session.dataset.classes, prompts, encoder)[0] for name, prompts in spoken.items()}
        return banks.pop(""), banks

    def _plain(self, wanted: Wanted) -> dict[str, Any]:
        """What a run keeps of what was wanted, who was asked, and what was read. Raises UsageError for a file that cannot be read, and
        where nobody can be asked: before pictures are encoded."""
        asked, pack = "" if wanted.descriptions else self.settings.llm, questions.one(wanted.pack)
        if asked and asked.partition(":")[0] not in self.chats:
            self._server()
        files = filter(None, (wanted.descriptions, wanted.class_names, wanted.synonyms))
        read = fingerprint(pack.id, pack.system, pack.ask, *map(_content, files))
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(wanted).items()}
        return plain | {"llm": asked, "read": read}
