"""Captions at work: pictures and whole sentences, encoded. Over describing, under the lab's verbs."""

from dataclasses import replace

import numpy as np

from promptlab.describing import Describer
from promptlab.prompts import captions
from promptlab.prompts import templates as template_sets
from promptlab.prompts.edits import Prompts
from promptlab.types import Array, Captioned, Captions, Dataset, Features

PLAIN = "{}"  # the caption as it is


class Matcher(Describer):
    """Encodes captions, and has the verbs about them."""

    def caption_prompts(self) -> Prompts:
        """The templates around captions: those that were chosen, else the set for whole sentences; sets for names say `a photo of a`."""
        chosen = "templates" in self.settings.origin
        return Prompts(template_sets.load(self.settings.templates if chosen else (captions.DEFAULT,)))

    def captioned(self, dataset: Dataset, prompts: Prompts | None = None) -> Captioned:
        """Pictures and captions of a dataset, encoded or taken from the cache: each text under each template once.

        Raises DataError where there are no captions.
        """
        captions.require_captions(dataset)
        said = prompts or self.caption_prompts()
        model = self.model_for(dataset)
        encoder = self.encoder(model)
        features, images = self.features(dataset, encoder)
        found = captions.gather(dataset, features)
        texts = captions.as_classes(next(iter(found.values())))
        bank, new = self.texts(texts, replace(said, descriptions=()), encoder)
        plain, more = self.texts(texts, Prompts((template_sets.template(PLAIN),)), encoder)
        tune, judged = self.halves(features)
        mine = self._of(tune, "tune", features, found)
        theirs = mine if tune is judged else self._of(judged, "eval", features, found)
        skipped = tuple(one for part in features.values() for one in part.skipped)
        counts = {"texts": new + more, "images": images}
        return Captioned(dataset, tune, judged, mine, theirs, bank, plain, model, counts, skipped)

    @staticmethod
    def _of(half: Features, name: str, features: dict[str, Features], found: dict[str, Captions]) -> Captions:
        """The captions of one half, row by row."""
        split = name if name in found else "all"
        return found[split].take(_rows(half.keys, features[split].keys))


def _rows(keys: tuple[str, ...], among: tuple[str, ...]) -> Array:
    place = {key: i for i, key in enumerate(among)}
    return np.array([place[key] for key in keys], np.int64)
