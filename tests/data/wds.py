"""Folders of shards as CLIP_benchmark lays them out."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

Member = tuple[str, bytes]


def tar(members: Sequence[Member], kind: int = tarfile.GNU_FORMAT) -> bytes:
    """A tar of these members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as file:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            file.addfile(about, io.BytesIO(content))
    return out.getvalue()


def sample(number: int, picture: bytes, label: int, ending: str = "webp") -> list[Member]:
    """The members of one sample."""
    return [(f"s{number:07d}.{ending}", picture), (f"s{number:07d}.cls", str(label).encode())]


def write_wds(
    root: Path,
    splits: Mapping[str, Sequence[tuple[bytes, int]]],
    names: Sequence[str] = (),
    templates: Sequence[str] = (),
    shards: int = 2,
    ending: str = "webp",
) -> Path:
    """Writes (picture, label) pairs of each split into so many shards, with the files beside them."""
    for split, pairs in splits.items():
        folder = root / split
        folder.mkdir(parents=True)
        each = -(-len(pairs) // shards)
        for shard in range(shards):
            some = range(shard * each, min((shard + 1) * each, len(pairs)))
            (folder / f"{shard}.tar").write_bytes(tar([member for i in some for member in sample(i, *pairs[i], ending)]))
        (folder / "nshards.txt").write_text(f"{shards}")
    for name, lines in (("classnames.txt", names), ("zeroshot_classification_templates.txt", templates)):
        if lines:
            (root / name).write_text("\n".join(lines))
    (root / "dataset_type.txt").write_text("classification\n")
    return root
