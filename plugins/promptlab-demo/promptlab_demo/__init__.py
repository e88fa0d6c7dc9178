"""The embedded default of promptlab: the model `mini`, the dataset `everyday`, words for its classes. A plugin like any other."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from promptlab import ChatAlias, Classes, DataOptions, Dataset, Endpoint, Features, ModelAlias, PromptlabError, hookimpl

HERE = Path(__file__).parent


class Everyday:
    """Features of 2,020 pictures of 101 everyday things (Caltech-101), computed with `mini`."""

    name = "everyday"
    about = "2,020 pictures of 101 everyday things (Caltech-101), as features of mini"
    example = "promptlab run everyday"

    def claims(self, where: str) -> bool:
        """Its name."""
        return where == self.name

    def open(self, where: str, options: DataOptions) -> Dataset:
        """The dataset, one split. Raises PromptlabError when other names are asked for: its own are part of it."""
        if options.names:
            raise PromptlabError(
                "everyday brings its own class names, so --classes cannot be used.", "Rename one: promptlab prompts rename"
            )
        with np.load(HERE / "everyday.npz", allow_pickle=False) as file:
            ids, names = (tuple(map(str, file[part])) for part in ("ids", "names"))
            keys = tuple(map(str, file["keys"]))
            features = Features(file["features"], keys, file["labels"].astype(np.int64), "all", str(file["fingerprint"]))
        return Dataset("everyday", Classes(ids, tuple((name,) for name in names)), {"all": features}, encoder="mini")


@contextmanager
def _replies(rest: str) -> Iterator[Endpoint]:
    """The replies that came with the demo; nobody can be asked anew."""
    yield Endpoint("demo", "Claude", replies=str(HERE / "replies"))


@hookimpl
def promptlab_chats() -> Iterable[ChatAlias]:
    """The alias `demo`."""
    about = "kept replies for everyday (--pack features --count 3), written by Claude from the class names alone; no server"
    return [ChatAlias("demo", _replies, about)]


@hookimpl
def promptlab_encoders() -> Iterable[ModelAlias]:
    """The alias `mini`."""
    return [ModelAlias("mini", f"local-dir:{HERE / 'mini'}", "a small open_clip model (40 MB) taught without pictures; not CLIP")]


@hookimpl
def promptlab_datasets() -> Iterable[Everyday]:
    """The dataset `everyday`."""
    return [Everyday()]
