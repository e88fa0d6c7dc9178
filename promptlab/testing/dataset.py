"""Whether a source of data keeps its promises."""

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from promptlab.data.imagefolder import ImageFolder
from promptlab.encode.pictures import read_rgb
from promptlab.errors import DataError, MismatchError, PromptlabError, UsageError
from promptlab.protocols import DataOptions, DatasetSource
from promptlab.testing.found import Found, check_has
from promptlab.testing.watch import taking_turns, watching
from promptlab.types import Array, Dataset, Features, Images

# What no source should take for its own: nothing, a word, a place that is not there, and what makes functions of the disk raise.
NOBODYS = ("", "no-such-data-5f1c", "/no/such/place", "a\0b", "x" * 5000)
LOOKED_AT = 12  # pictures that are read
READERS, READS = 6, 4  # threads at once, and how many pictures each of them reads
MOST_FOLDERS = 32  # that `claims` may list
MOST_BYTES = 16 << 20  # of a folder that is copied, to change a picture of the copy
TEXTS = ("captions", "distractors")  # of pictures
OFF = 5e-3  # how far from 1 the norm of a row may be: unit rows in fp16 are off by 5e-4


def check_dataset(source: DatasetSource, where: str | Path, options: DataOptions | None = None) -> Dataset:
    """The dataset that the source opens at `where`, a place of a few pictures with known answers. Raises AssertionError that lists every
    fault: of `claims`, of `open`, of the classes, keys, stamps and labels, of `read`, or of features and texts.

    Nothing at `where` is changed. Files that a C library opens by itself are not seen when it looks for eager reads.
    """
    __tracebackhide__ = True  # pytest shows the line of the test instead
    check_has("check_dataset", source, ("claims", "open"), "a source of data")
    found, place, said = Found("check_dataset", f"the source {getattr(source, 'name', source)!r}"), str(where), options or DataOptions()
    for name in ("name", "about", "example"):
        if not isinstance(getattr(source, name, None), str) or not getattr(source, name).strip():
            found.add(f"`{name}` is {getattr(source, name, None)!r}; a line of text was expected.")
    _check_claims(source, place, found)
    with watching() as seen:
        dataset = _opened(source, place, said, found)
    if dataset is None:
        found.tell()
    assert dataset is not None
    again = _opened(source, place, said, found)
    if again is not None:
        _check_same(dataset, again, found)
    for split, part in dataset.splits.items():
        if isinstance(part, Images):
            _check_images(split, part, len(dataset.classes), found)
            _check_texts(split, part, len(dataset.classes), found)
            files = _check_reads(split, part, seen.files(), found)
            _check_stamps(source, place, said, split, files, found)
        else:
            _check_features(split, part, dataset, found)
    _check_bank(dataset, found)
    found.tell()
    return dataset


def _check_claims(source: DatasetSource, place: str, found: Found) -> None:
    with watching() as seen, found.during("claims()", "it says yes or no to any word."):
        if not source.claims(place):
            found.add(f"claims({place!r}) said no; the source opens it, so yes was expected.")
    for word in NOBODYS:
        shown = repr(word if len(word) < 40 else f"{word[:3]}... of {len(word)} letters")
        advice = "it is asked for every word, so it says no to what it doesn't know; os.path.isfile says no where Path.is_file raises."
        with found.during(f"claims({shown})", advice, "claims raises"):
            if source.claims(word):
                advice = "other sources would never be asked. Look at what is on disk."
                found.add(f"claims({shown}) said yes, though nothing is there: {advice}", "claims all")
    with tempfile.TemporaryDirectory() as folder, found.during("claims() of a folder", "it says yes or no to any word."):
        Path(folder, "notes.txt").write_text("nothing of anybody's")
        if source.claims(folder) and not isinstance(source, ImageFolder):  # which is asked when nobody else wanted the folder
            found.add("claims() said yes to a folder with a text file alone; look for what makes a folder yours, e.g. a file in it.")
    pictures = sorted(file for file in seen.files() if _is_picture(file))
    if pictures:
        found.add(f"claims() opened the picture {pictures[0]!r}; it is asked for every word, so it may look at names alone.")
    if seen.listed > MOST_FOLDERS:
        found.add(f"claims() listed {seen.listed} folders; it is asked for every word, so it may look into a few ({MOST_FOLDERS}) at most.")
    for what in sorted(seen.waited):
        found.add(f"claims() {what}; it is asked for every word, so it must be quick.")


def _is_picture(file: str) -> bool:
    try:
        return bool(read_rgb(Path(file).read_bytes()))
    except Exception:  # Pillow raises many kinds on what is no picture
        return False


def _opened(source: DatasetSource, place: str, options: DataOptions, found: Found) -> Dataset | None:
    try:
        made: object = source.open(place, options)
    except (DataError, UsageError, MismatchError) as error:
        found.cause = found.cause or error
        found.add(f"open() raised {type(error).__name__}: {error.message} {error.hint}".rstrip())
    except Exception as error:  # a plugin can raise anything
        found.raised("open()", error, "mend the fault there. What the user can mend, and that alone, is a promptlab.DataError.")
    else:
        if isinstance(made, Dataset):
            return made
        found.add(f"open() gave a {type(made).__name__}; a promptlab.Dataset was expected.")
    return None


def _check_same(first: Dataset, second: Dataset, found: Found) -> None:
    """Two opens must agree: halves, caches and runs go by the order."""
    advice = "two opens of the same data must agree, so sort what the disk lists."
    if first.classes != second.classes:
        found.add(f"The classes are others when the data is opened again, or in another order; {advice}")
    if set(first.splits) != set(second.splits):
        found.add(f"The splits are others when the data is opened again; {advice}")
        return
    for split, one in first.splits.items():
        other = second.splits[split]
        if one.keys != other.keys:
            found.add(f"The keys of {split!r} are others when the data is opened again, or in another order; {advice}")
        elif not np.array_equal(_labels(one), _labels(other)):
            found.add(f"The labels of {split!r} are others when the data is opened again; {advice}")
        elif any(getattr(one, name, None) != getattr(other, name, None) for name in TEXTS):
            found.add(f"The captions or distractors of {split!r} are others when the data is opened again; {advice}")
        elif isinstance(one, Images) and isinstance(other, Images) and one.stamps != other.stamps:
            found.add(
                f"The stamps of {split!r} are others when the data is opened again, though no file changed: all would be encoded anew."
            )


def _labels(part: Images | Features) -> Array:
    return np.zeros(0) if part.labels is None else np.asarray(part.labels)


def _check_labels(split: str, part: Images | Features, classes: int, found: Found) -> None:
    if part.labels is None:
        return
    labels = np.asarray(part.labels)
    if labels.dtype == bool and labels.ndim == 2:
        if labels.shape != (len(part.keys), classes):
            wanted = (len(part.keys), classes)
            found.add(f"The labels of {split!r} have shape {labels.shape}; {wanted} was expected, pictures times classes.")
    elif labels.dtype.kind not in "iu":
        found.add(f"The labels of {split!r} are {labels.dtype}; whole numbers were expected: np.array(labels, np.int64).")
    elif labels.shape != (len(part.keys),):
        found.add(f"The labels of {split!r} have shape {labels.shape}; {(len(part.keys),)} was expected, one for each key.")
    elif len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        found.add(f"The labels of {split!r} run from {labels.min()} to {labels.max()}; 0 to {classes - 1} was expected: class indices.")


def _check_keys(split: str, keys: Sequence[str], found: Found, ordered: bool) -> None:
    strange = next((key for key in keys if not isinstance(key, str) or not key), None)
    if strange is not None:
        found.add(f"A key of {split!r} is {strange!r}; a text that names the picture was expected, e.g. its path below the folder.")
        return
    twice = [key for key, n in Counter(keys).items() if n > 1]
    if twice:
        found.add(f"The key {twice[0]!r} of {split!r} occurs {keys.count(twice[0])} times; keys must be distinct.")
    if ordered and list(keys) != sorted(keys):
        after = next(b for a, b in pairwise(keys) if b < a)
        found.add(f"The keys of {split!r} are not sorted: {after!r} comes too late. Sort keys, stamps and labels together.")


def _check_images(split: str, images: Images, classes: int, found: Found) -> None:
    if not images.keys:
        found.add(f"The split {split!r} holds no picture; raise promptlab.DataError that says what was looked for.")
    _check_keys(split, images.keys, found, ordered=True)
    _check_labels(split, images, classes, found)
    if len(images.stamps) != len(images.keys):
        found.add(f"There are {len(images.stamps)} stamps of {split!r} and {len(images.keys)} keys; one for each picture was expected.")
    elif not all(isinstance(stamp, str) and stamp for stamp in images.stamps):
        found.add(f"A stamp of {split!r} is no text; e.g. size and time of the file were expected: f'{{size}}-{{mtime_ns}}'.")


def _check_texts(split: str, images: Images, classes: int, found: Found) -> None:
    if not classes and images.captions is None:
        found.add(f"There are neither classes nor captions of {split!r}; one of the two was expected.")
    if images.captions is None and images.distractors is not None:
        found.add(f"There are distractors of {split!r} and no captions; captions say what is right.")
    for what in TEXTS:
        rows = getattr(images, what)
        if rows is None:
            continue
        if not isinstance(rows, tuple) or len(rows) != len(images.keys) or not all(isinstance(row, tuple) for row in rows):
            found.add(
                f"The {what} of {split!r} are no tuple of {len(images.keys)} tuples, one for each key: (('a cat', 'a black cat'), ...)."
            )
            continue
        odd = next((i for i, row in enumerate(rows) if not all(isinstance(text, str) and text.strip() for text in row)), None)
        if odd is not None:
            found.add(f"The {what} of {images.keys[odd]!r} are {rows[odd]!r}; texts were expected.")
        bare = next((i for i, row in enumerate(rows) if not row), None)
        if what == "captions" and bare is not None:
            found.add(f"{images.keys[bare]!r} has no caption; leave out the few that have none, and say so in `notes`.")


def _check_reads(split: str, images: Images, opened: set[str], found: Found) -> dict[int, str]:
    """{picture: the file that it alone is read from} of some pictures. `opened`: the files that `open` opened."""
    some = sorted({int(i) for i in np.linspace(0, len(images) - 1, LOOKED_AT)}) if len(images) else []
    data: dict[int, bytes] = {}
    own: dict[int, set[str]] = {}
    for i in some:
        what = f"read({i}) of {split!r} ({images.keys[i]!r})"
        with watching() as seen, found.during(what, "the bytes of that picture were expected.", "read"):
            made: object = images.read(i)
            if not isinstance(made, bytes):
                found.add(f"read() of {split!r} gave a {type(made).__name__}; bytes were expected, e.g. Path(...).read_bytes().")
                return {}
            data[i], own[i] = made, seen.files()
        if i not in data:
            continue
        with found.during(what, "a picture that Pillow can decode was expected.", "no picture"):
            read_rgb(data[i])
    count = Counter(file for files in own.values() for file in files)
    alone = {i: file for i, files in own.items() for file in files if count[file] == 1 and len(own) > 1}
    contents = set(data.values())
    eager = [file for file in sorted(opened) if file in alone.values() or _holds(file, contents)]
    if eager:
        found.add(f"open() opened pictures, {len(eager)} of {len(some)} that were looked at, e.g. {eager[0]!r}; only read() may.")
    _check_again(split, images, data, found)
    return alone


def _holds(file: str, contents: set[bytes]) -> bool:
    try:
        return os.path.getsize(file) in map(len, contents) and Path(file).read_bytes() in contents
    except OSError:
        return False


def _check_again(split: str, images: Images, data: dict[int, bytes], found: Found) -> None:
    """Reading again, and from several threads at once, as encoding does."""
    with found.during(f"read() of {split!r}, the second time,", "the same bytes were expected."):
        if any(images.read(i) != content for i, content in data.items()):
            found.add(f"read() of {split!r} gave other bytes the second time; the same ones were expected.")
            return

    def as_before(seed: int) -> bool:
        some = random.Random(seed).sample(sorted(data), min(READS, len(data)))
        return all(images.read(i) == data[i] for i in some)

    wrong = f"read() of {split!r} gave wrong bytes when several threads read at once; give each call a file handle of its own."
    with taking_turns(), ThreadPoolExecutor(READERS) as pool, found.during(f"read() of {split!r}, by several threads,", "it is read so."):
        if not all(pool.map(as_before, range(READERS))):
            found.add(wrong)


def _check_stamps(source: DatasetSource, place: str, options: DataOptions, split: str, files: dict[int, str], found: Found) -> None:
    """Changes a picture in a copy of a small folder, and looks at its stamp."""
    root = os.path.realpath(place)
    below = {i: os.path.relpath(file, root) for i, file in files.items() if file.startswith(root + os.sep)}
    if not below or not os.path.isdir(root):
        return
    i, path = next(iter(below.items()))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, os.path.basename(root))
        try:
            if sum(file.stat().st_size for file in Path(root).rglob("*") if file.is_file()) > MOST_BYTES:
                return
            shutil.copytree(root, copy)
            before = source.open(str(copy), options).splits[split]
            content, time = (copy / path).read_bytes(), (copy / path).stat().st_mtime
            (copy / path).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
            os.utime(copy / path, (time + 60, time + 60))
            after = source.open(str(copy), options).splits[split]
        except (PromptlabError, OSError):
            return  # data that cannot be copied, or a source that refuses what was changed
    if not isinstance(before, Images) or not isinstance(after, Images) or before.keys != after.keys:
        return  # told already
    if len(before.stamps) == len(after.stamps) == len(before.keys) and before.stamps[i] == after.stamps[i]:
        found.add(f"The stamp of {before.keys[i]!r} stayed when its file changed; put size and time, or a hash of the bytes, into it.")


def _check_features(split: str, features: Features, dataset: Dataset, found: Found) -> None:
    _check_keys(split, features.keys, found, ordered=False)
    _check_labels(split, features, len(dataset.classes), found)
    if features.x.dtype not in (np.float16, np.float32):
        found.add(f"The vectors of {split!r} are {features.x.dtype}; float32 or float16 was expected.")
    _check_rows(f"The vectors of {split!r}", np.asarray(features.x[:]), found)


def _check_rows(what: str, x: Array, found: Found) -> None:
    norms = np.sqrt((x.astype(np.float64) ** 2).sum(-1)).ravel()
    if not np.isfinite(norms).all():
        found.add(f"{what} hold {int((~np.isfinite(norms)).sum())} rows with NaN or infinity; leave those pictures out, as `skipped`.")
    elif (abs(norms - 1) > OFF).any():
        found.add(f"{what} have norms from {norms.min():.3g} to {norms.max():.3g}; unit rows were expected: promptlab.unit(x).")


def _check_bank(dataset: Dataset, found: Found) -> None:
    parts = {split: part for split, part in dataset.splits.items() if isinstance(part, Features)}
    widths = {split: part.x.shape[1] for split, part in parts.items()} | (
        {} if dataset.bank is None else {"texts": dataset.bank.z.shape[2]}
    )
    if len(set(widths.values())) > 1:
        found.add(f"The vectors have different widths, {widths}; one encoder makes one width.")
    if dataset.bank is None:
        return
    _check_rows("The text vectors", dataset.bank.z, found)
    if dataset.bank.grid.classes.ids != dataset.classes.ids:
        found.add("The text vectors are of other classes than the dataset's, or in another order; column c must be of class c.")
    if any(part.encoder and dataset.bank.encoder and part.encoder != dataset.bank.encoder for part in parts.values()):
        found.add("The text vectors are of another encoder than the pictures'; their cosines mean nothing.")
