"""The layout of clip-retrieval: `img_emb/img_emb_0.npy`, `metadata/metadata_0.parquet`, and so on."""

import os
import re
from pathlib import Path

import numpy as np

from promptlab.data import names
from promptlab.errors import DataError
from promptlab.protocols import DataOptions
from promptlab.types import Array, Dataset, Features, Shards

KEYS = ("image_path", "key", "url")


class ClipRetrieval:
    """Vectors as clip-retrieval's inference writes them; without labels."""

    name = "clip-retrieval"
    about = "img_emb/*.npy and metadata/*.parquet, as clip-retrieval writes them; needs --classes and --model"
    example = "promptlab run embeddings/ --classes names.txt --model ViT-B-32,laion2b_s34b_b79k"

    def claims(self, where: str) -> bool:
        """A folder with img_emb/ and .npy files in it."""
        return bool(_numbered(Path(where) / "img_emb", ".npy"))

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset; rows are read when they are needed. Raises DataError for a part that is no (N, D) array, or without --classes."""
        root = Path(where)
        if not options.names:
            raise DataError(f"{where!r} names no classes.", "Add --classes names.txt, one name per line.")
        parts = [_rows(path) for path in _numbered(root / "img_emb", ".npy")]
        if len({part.shape[1] for part in parts}) > 1:
            raise DataError(f"The parts of {where!r} have vectors of different widths: {sorted({p.shape[1] for p in parts})}.")
        keys = tuple(key for i, part in enumerate(parts) for key in _keys(root, i, len(part)))
        features = Features(Shards(parts), keys, None, "all", "")
        return Dataset(root.resolve().name, names.bare_list(options.names), {"all": features})


def _numbered(folder: Path, suffix: str) -> list[Path]:
    found = list(folder.glob(f"*{suffix}")) if os.path.isdir(folder) else []
    return sorted(found, key=lambda p: [int(n) for n in re.findall(r"\d+", p.name)])


def _rows(path: Path) -> Array:
    try:
        rows: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {error}.") from error
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise DataError(f"{str(path)!r} is {rows.dtype} {rows.shape}; floats of shape (N, D) were expected.")
    return rows


def _keys(root: Path, part: int, count: int) -> list[str]:
    """What names each row: a column of the metadata where it can be read and fits, else its number."""
    files = _numbered(root / "metadata", ".parquet")
    numbers = [f"{part}-{i:07d}" for i in range(count)]
    if part >= len(files):
        return numbers
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        return numbers
    try:
        table = parquet.read_table(files[part])
    except (OSError, ArrowException) as error:
        raise DataError(f"{str(files[part])!r} is no parquet file: {error}.", "Without metadata/ rows go by their numbers.") from error
    column = next((name for name in KEYS if name in table.column_names), None)
    if column is None:
        return numbers
    if table.num_rows != count:
        raise DataError(f"{str(files[part])!r} has {table.num_rows} rows, but its vectors are {count}.", "Are the two of one run?")
    return [str(key) for key in table.column(column).to_pylist()]
