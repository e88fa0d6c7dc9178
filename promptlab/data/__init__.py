"""Built-in dataset sources."""

from collections.abc import Iterable

from promptlab.data.features import FeatureFiles
from promptlab.data.imagefolder import ImageFolder
from promptlab.data.imageparquet import ImageParquet
from promptlab.data.retrieval import ClipRetrieval
from promptlab.data.table import Table
from promptlab.data.webdataset import WebDataset
from promptlab.hookspecs import hookimpl
from promptlab.protocols import DatasetSource


@hookimpl
def promptlab_datasets() -> Iterable[DatasetSource]:
    """The built-in sources."""
    return [ClipRetrieval(), FeatureFiles(), WebDataset(), ImageParquet(), Table(), ImageFolder()]
