"""The stages, by name: what to make, the encoded material to make it of. Over the catalogue, under the lab's verbs."""

import base64
import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from promptlab.catalogue import Catalogue
from promptlab.config import Settings
from promptlab.data import shots, splits
from promptlab.data.imagefolder import some_pictures
from promptlab.data.listing import SUFFIXES
from promptlab.data.names import read_mix
from promptlab.data.shots import Shots
from promptlab.display import many
from promptlab.errors import DataError, UsageError
from promptlab.events import Event, Listener, Noted, ignore
from promptlab.plugins import BUILT_IN, Plugins
from promptlab.prompts import templates as template_sets
from promptlab.prompts.compose import compose, own_text
from promptlab.prompts.edits import Prompts
from promptlab.prompts.lint import lint, lint_templates
from promptlab.protocols import Encoder
from promptlab.score.ensemble import build
from promptlab.types import (
    Array,
    Check,
    Classes,
    Classifier,
    Combine,
    Dataset,
    Features,
    Guess,
    Images,
    Material,
    PromptGrid,
    Template,
    TextBank,
)

if TYPE_CHECKING:
    from promptlab.encode.features import Engine
    from promptlab.encode.parts import EncodedPart
    from promptlab.loops import run as loop
    from promptlab.score.kept import KeptScores

ONE_TEMPLATE = "a photo of a {}."
LARGE = 768  # pixels of the longer side of a picture that is shown alone


class Stages(Catalogue):
    """What every verb goes through: encode, halve, choose."""

    def __init__(self, settings: Settings | None = None, listen: Listener = ignore, *, plugins: bool | Plugins = True) -> None:
        super().__init__(settings, listen, plugins=plugins)
        self._recorders: tuple[Listener, ...] = ()  # of the run at work: its stopwatch, its log, plugins
        self._plugins = self._plugins.heard_by(self._tell)

    def _tell(self, event: Event) -> None:
        for listener in (*self._recorders, self._listen):
            listener(event)

    @cached_property
    def kept(self) -> "KeptScores":
        """What families scored before, by everything that it depends on."""
        from promptlab.score.kept import KeptScores

        return KeptScores(self.cache.scores())

    def choice(self, dataset: Dataset) -> "loop.Choice":
        """How the settings want the classifier of this data made. Raises UsageError for what cannot be done with it."""
        from promptlab.loops import run as loop
        from promptlab.score.evidence import check_question
        from promptlab.score.weighting import weighting

        s, classes = self.settings, dataset.classes
        ways = {name: getattr(s, name) for name in ("labels", "scope", "combine", "tau", "drop", "evidence", "k")}
        how = weighting(s.weights, self.rules, len(classes), **ways)
        check_question([], self.rules, how.labels, is_labelled(dataset), len(classes))
        mix = read_mix(s.mix, classes) if s.mix else None
        return loop.Choice(how, s.debias, mix, s.k, s.seed, self.device, self.kept)

    @property
    def engine(self) -> "Engine":
        """Who encodes pictures, as the settings say."""
        from promptlab.encode.engine import on_ray
        from promptlab.encode.features import local

        return on_ray if self.settings.engine == "ray" else local

    def encode_part(self, where: str, shard: str) -> "EncodedPart":
        """Encodes one part of the pictures of each split, as `3/10` says which, and no text; others may encode theirs at the same time.

        Raises UsageError for what is no part, and for data that brings vectors.
        """
        from promptlab.encode.features import fill
        from promptlab.encode.parts import EncodedPart, Part

        part, dataset = Part.parse(shard), self.open(where)
        known = [self._known_by(dataset, split) for split in dataset.splits.values() if isinstance(split, Images)]
        if not known:
            raise UsageError(f"{dataset.name!r} brings vectors of its pictures, so there is nothing to encode.", "Leave --shard out.")
        encoder, rows = self.encoder(self.model_for(dataset)), [np.array(part.rows(len(one)), np.int64) for one, _ in known]
        found = [fill(one, some, encoder, name, self.cache, self._tell, self.engine) for (one, name), some in zip(known, rows, strict=True)]
        self._tell_pace(encoder)
        lost = [(one.keys[i], reason) for (one, _), filled in zip(known, found, strict=True) for i, reason in filled.unread.items()]
        if lost:
            self._tell(Noted(f"{many(len(lost), 'picture')} could not be opened, e.g. {lost[0][0]}: {lost[0][1]}."))
        return EncodedPart(dataset.name, part, sum(map(len, rows)), sum(filled.new for filled in found))

    @staticmethod
    def _known_by(dataset: Dataset, images: Images) -> tuple[Images, str]:
        """Pictures, and the name that they are known by: what a plugin makes of a file nobody else shares."""
        plugin = dataset.by.rpartition(" ")[0]
        return (images, dataset.name) if plugin in ("", BUILT_IN) else (replace(images, files=False), f"{plugin} {dataset.name}")

    def _tell_pace(self, encoder: Encoder | None) -> None:
        """How fast pictures were encoded, if any were."""
        from promptlab.encode.openclip import OpenClipEncoder

        if isinstance(encoder, OpenClipEncoder) and (pace := encoder.pace()).pictures:
            self._tell(pace.note())

    def features(self, dataset: Dataset, encoder: Encoder | None) -> tuple[dict[str, Features], int]:
        """Features of every split, or of the halves that a split file says, and how many pictures were encoded anew. `encoder` may be None
        where all splits are features already."""
        from promptlab.encode.features import encode_images

        out, new = {}, 0
        for split, part in dataset.splits.items():
            if isinstance(part, Features):
                out[split] = part
                continue
            if encoder is None:
                raise UsageError("Pictures need a model to encode them.", "Name it with --model.")
            images, name = self._known_by(dataset, part)
            out[split], made = encode_images(images, encoder, name, self.cache, self._tell, self.engine)
            new += made
        self._tell_pace(encoder)
        skipped = [s for part in out.values() for s in part.skipped]
        if skipped:
            self._tell(Noted(f"Left out: {many(len(skipped), 'picture')} that could not be read, e.g. {skipped[0][0]}: {skipped[0][1]}."))
        return out if dataset.halves is None else splits.taken(out, dataset.halves), new

    def _brings_templates(self, dataset: Dataset) -> bool:
        """Whether the templates that came with the data are used: nobody chose any."""
        return bool(dataset.templates) and dataset.bank is None and "templates" not in self.settings.origin

    def prompts_for(self, dataset: Dataset) -> Prompts:
        """Those of the settings; the templates that came with the data, which is said, where nobody chose any.

        Raises DataError for a template of the data's that cannot be used.
        """
        if not self._brings_templates(dataset):
            return Prompts(template_sets.load(self.settings.templates))
        try:
            made = tuple(dict.fromkeys(map(template_sets.template, dataset.templates)))
        except UsageError as error:
            raise DataError(f"A template that came with {dataset.name!r}: {error.message}", "Choose others with --templates.") from error
        used = f"{many(len(made), 'template')} came with the data and {'is' if len(made) == 1 else 'are'} used"
        self._tell(Noted(f"{used}; --templates takes others.", "info"))
        return Prompts(made)

    def grid(self, classes: Classes, prompts: Prompts) -> PromptGrid:
        """The grid of texts that prompts make with classes."""
        return compose(classes, prompts.templates, prompts.descriptions, self.settings.describe_weight, own=prompts.texts)

    def texts(self, classes: Classes, prompts: Prompts, encoder: Encoder) -> tuple[TextBank, int]:
        """The text bank of prompts, and how many texts were encoded anew."""
        from promptlab.encode.text import encode_grid

        return encode_grid(self.grid(classes, prompts), encoder, self.cache, self._tell)

    def prepare(self, dataset: Dataset, prompts: Prompts | None = None) -> Material:
        """Everything that the main loop needs, encoded or taken from the cache. Prompts: the templates of the settings by default."""
        model = self.model_for(dataset)
        encoder = self.encoder(model) if model else None
        features, images = self.features(dataset, encoder)
        bank, single, texts, found = dataset.bank, None, 0, list[Check]()
        bare = bank
        if bank is None:
            assert encoder is not None  # `model_for` names a model whenever texts are to be encoded
            said = prompts or self.prompts_for(dataset)
            found = lint_templates(said.templates, dataset.classes)
            bare, texts = self.texts(dataset.classes, replace(said, descriptions=()), encoder)
            single, more = self.texts(dataset.classes, Prompts((template_sets.template(ONE_TEMPLATE),)), encoder)
            bank, described = bare, 0
            if any(one.use for one in said.descriptions):
                bank, described = self.texts(dataset.classes, said, encoder)
            texts += more + described
        assert bare is not None  # made above, or with the data
        tune, judged = self.halves(features)
        rows = tune.rows()
        skipped = tuple(s for part in features.values() for s in part.skipped)
        found = [*lint(dataset.classes, bank), *found]
        told = rows if tune is judged else judged.rows()
        return Material(dataset, rows, told, bank, bare, single, model, {"texts": texts, "images": images}, skipped, tuple(found))

    def halves(self, features: dict[str, Features]) -> tuple[Features, Features]:
        """The pictures to tune on and those to judge: the data's own parts, else halves by the seed; twice the same object when
        transductive. Whoever classifies them asks for their rows."""
        from promptlab.score.halves import halves

        if "all" not in features:
            if self.settings.transductive and self.settings.split:
                raise UsageError("--split says which pictures are to tune and which to judge, so --transductive cannot be used with it.")
            if self.settings.transductive:
                raise UsageError("This data brings its own tune and eval parts, so --transductive cannot be used.")
            return features["tune"], features["eval"]
        whole = features["all"]
        if self.settings.transductive:
            return whole, whole
        first, second = halves(whole.labels, len(whole), self.settings.seed)
        return whole.take(first, "tune"), whole.take(second, "eval")

    def guesses(
        self,
        pictures: Sequence[str],
        encoder: Encoder,
        classifiers: Sequence[Classifier],
        top: int,
        most: int | None = None,
        listen: Listener = ignore,
    ) -> list[list[Guess]]:
        """What each classifier says of picture files and of folders of them, of the first `most` where that is given; one Guess a picture,
        in order."""
        from promptlab.score.classifier import guesses

        images = some_pictures(pictures)
        rows = range(len(images) if most is None else min(len(images), most))
        x, bad = encoder.encode_images(images, rows, listen)
        good = tuple(images.keys[i] for i in rows if i not in bad)
        broken = {images.keys[i]: Guess(images.keys[i], (), 0.0, reason) for i, reason in bad.items()}

        def said(classifier: Classifier) -> list[Guess]:
            found = guesses(classifier, Features(x, good, None, "given", ""), self.device, top) if good else []
            known = broken | {one.key: one for one in found}
            return [known[images.keys[i]] for i in rows]

        return [said(one) for one in classifiers]

    def chosen_from(
        self, texts: Sequence[str], encoder: Encoder, templates: Sequence[Template] = (), weights: Array | None = None
    ) -> Classifier:
        """A classifier whose classes are some texts, as they are written, or within templates of these weights (K,).

        Raises UsageError for a text of which nothing is left once it is cleaned, and for fewer than two.
        """
        classes = Classes.of(tuple(dict.fromkeys(map(own_text, texts))))
        if len(classes) < 2:
            raise UsageError("One text alone cannot be chosen from.", "Give at least two that differ.")
        families = tuple(templates) or (template_sets.template("{}"),)
        bank, _ = self.texts(classes, Prompts(families), encoder)
        return build(bank, np.full(len(families), 1 / len(families)) if weights is None else weights, Combine.EMBEDDING)

    def shots(
        self,
        where: str,
        ks: Sequence[int] = (1, 2, 4, 8, 16),
        *,
        seeds: int = 1,
        val: int = 0,
        short: bool = False,
        output: Path,
        form: str = "csv",
    ) -> list[Shots]:
        """Few-shot splits of a dataset, each a file of the folder `output`: for each seed, from that of the settings on, and each k so many
        pictures of each class to train, `val` to validate, and the same rest to test. form: `csv`, or `coop` for the JSON of CoOp.

        short: classes with too few pictures give what they have; else DataError names them.
        """
        source = shots.source_of(self.classified(where), where)
        first = self.settings.seed
        made = [one for seed in range(first, first + seeds) for one in shots.draw(source, ks, seed, val, short)]
        for note in shots.notes(source, max(ks), val):
            self._tell(Noted(note))
        return [shots.save(one, source, output, form) for one in made]

    def thumbnails(self, where: str, keys: Collection[str]) -> dict[str, str]:
        """{key: small JPEG in base64} of pictures of a dataset; those that cannot be read, or are vectors, are left out."""
        from promptlab.encode.pictures import thumbnail

        made: dict[str, str] = {}
        for part in self.open(where).splits.values():
            if isinstance(part, Images):
                made |= {key: thumbnail(part, i) for i, key in enumerate(part.keys) if key in keys}
        return {key: small for key, small in made.items() if small}

    @staticmethod
    def is_picture(name: str) -> bool:
        """Whether a file of that name is taken for a picture."""
        return name.lower().endswith(SUFFIXES) and not name.startswith(".")

    @staticmethod
    def picture(path: str) -> bytes:
        """A small JPEG of a picture file. Raises DataError for what cannot be read."""
        from promptlab.encode.pictures import thumbnail

        made = thumbnail(some_pictures([path]), 0, side=LARGE) if not os.path.isdir(path) else ""
        if not made:
            raise DataError(f"{path!r} cannot be read as a picture.")
        return base64.b64decode(made)


def is_labelled(dataset: Dataset) -> bool:
    """Whether its pictures have labels."""
    return next(iter(dataset.splits.values())).labels is not None
