"""Pictures in tar shards, as webdataset writes them, and CLIP_benchmark's folders of such shards."""

from collections.abc import Sequence

import numpy as np

from promptlab.data import captions
from promptlab.data.listing import LARGEST
from promptlab.data.places import Place
from promptlab.data.rows import labelled, parted
from promptlab.data.samples import SAID, Kind, Sample, found_in
from promptlab.data.shardfolders import KIND, NAMES, TEMPLATES, Layout, holds_shards, layout_of, lines_of, names_of
from promptlab.errors import DataError, PromptlabError
from promptlab.protocols import DataOptions
from promptlab.types import Classes, Dataset, Images

KINDS = {name: kind for kind in Kind for name in (kind.value, f"zeroshot_{kind.value}")}


class WebDataset:
    """Tar shards: one, a pattern, a folder of them, or CLIP_benchmark's train/ and test/ with their class names and templates."""

    name = "webdataset"
    about = "tar shards: one .tar, shards-{000..012}.tar, a folder of them, or CLIP_benchmark's layout; local or s3://, https://, ..."
    example = "promptlab run 'shards-{000..012}.tar' --classes names.txt"

    def claims(self, where: str) -> bool:
        """A name that ends in .tar, or a folder that holds shards."""
        try:
            return holds_shards(where)
        except (OSError, PromptlabError):
            return False  # a place that cannot be looked at: ImageFolder says so

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; of shards headers, labels and captions are read. Raises DataError for shards that are damaged or missing."""
        layout = layout_of(where)
        kind = _kind(layout.about)
        stamps = [shard.place.status().stamp for shard in layout.shards]
        found = found_in(layout, kind or Kind.CLASSIFICATION)
        if kind is None and found.has_texts and all(one.label is None for one in found.samples):
            found = found_in(layout, Kind.RETRIEVAL)
        samples = found.samples
        if kind in (Kind.RETRIEVAL, Kind.MULTILABEL) and all(one.label is None and not one.captions for one in samples):
            raise DataError(f"{(layout.about / KIND).text!r} says {kind.value!r}, but no picture of the shards has a .{SAID[kind][0]}.")
        said, _ = captions.checked([(f"The sample {one.key!r}", one.captions, ()) for one in samples])
        own = names_of(layout.about / NAMES)
        given = Classes.of(own) if own else None
        classes, labels = labelled(where, [one.label for one in samples], options, given, captioned=said is not None)
        if found.width not in (0, len(classes)):
            raise DataError(
                f"Each .npy of {where!r} has {found.width} numbers; there are {len(classes)} classes.", "One for each was expected."
            )
        splits, notes = parted(
            f"The name of each shard of {where!r}, or its folder's,", [layout.shards[one.shard].split for one in samples]
        )
        parts = {
            name: _images(name, layout, [samples[row] for row in rows], None if labels is None else labels[rows], stamps)
            for name, rows in splits.items()
        }
        return Dataset(layout.name, classes, parts, notes=(*notes, *found.notes), templates=tuple(lines_of(layout.about / TEMPLATES)))


def _kind(about: Place) -> Kind | None:
    """What dataset_type.txt says; None where it says nothing. Raises DataError for a kind that nobody knows."""
    said = " ".join(lines_of(about / KIND)).lower()
    if said and said not in KINDS:
        raise DataError(f"{(about / KIND).text!r} says {said[:40]!r}; {', '.join(Kind)} are known.")
    return KINDS.get(said)


def _images(split: str, layout: Layout, some: Sequence[Sample], labels: np.ndarray | None, stamps: Sequence[str]) -> Images:
    """Samples as a split. stamps: of each shard; a changed one costs all its pictures."""

    def read(i: int) -> bytes:
        one = some[i]
        if one.size > LARGEST:
            raise DataError(f"it has more than {LARGEST:,} bytes")
        data = layout.shards[one.shard].place.read(one.offset, one.size)
        if len(data) < one.size:
            raise DataError("its shard was cut off after it was opened")
        layout.shards[one.shard].place.check(stamps[one.shard])
        return data

    marks = tuple(f"{stamps[one.shard]}-{one.offset}" for one in some)
    said = tuple(one.captions for one in some) if any(one.captions for one in some) else None
    return Images(split, tuple(one.key for one in some), marks, labels, read, layout.root, said)
