"""For the tests of plugins: checks that find what would go wrong later, and stand-ins that need no model and no server.

A check raises one AssertionError that lists every fault it found: what was found, what was expected, what to do. Importing this imports no
torch; `check_rule`, `check_analysis` and `check_plugin` do, when they are called.
"""

from promptlab.testing.analysis import check_analysis
from promptlab.testing.chat import FakeChat
from promptlab.testing.dataset import check_dataset
from promptlab.testing.encoder import check_encoder
from promptlab.testing.fake import FakeEncoder
from promptlab.testing.plugin import check_plugin
from promptlab.testing.rule import check_rule
from promptlab.testing.tiny import tiny_features, tiny_pictures

__all__ = [
    "FakeChat",
    "FakeEncoder",
    "check_analysis",
    "check_dataset",
    "check_encoder",
    "check_plugin",
    "check_rule",
    "tiny_features",
    "tiny_pictures",
]
