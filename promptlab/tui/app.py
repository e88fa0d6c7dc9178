"""The app: which run is open, what works in the background, what every key does."""

import asyncio
import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rich.text import Text
from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.worker import Worker

from promptlab import config, runs
from promptlab.display import safe
from promptlab.errors import PromptlabError
from promptlab.events import Cancelled, Event, Listener, Noted
from promptlab.lab import Lab
from promptlab.tui.bridge import Bridge, Told
from promptlab.tui.commands import EVERYWHERE, Command, bindings
from promptlab.tui.page import Page
from promptlab.tui.widgets.line import Confirm, Line
from promptlab.tui.widgets.work import WorkLine
from promptlab.types import Edit
from promptlab.workbench import Workbench

T = TypeVar("T")
STOPPED = object()  # what work gives back that was cancelled


class PromptlabApp(App[None]):
    """`promptlab tui`."""

    TITLE = "promptlab"
    CSS_PATH = "app.tcss"
    BINDINGS = bindings(EVERYWHERE)
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, lab: Lab, run: str = "", keys: Mapping[str, str] | None = None) -> None:
        """run: the run to open; empty is the newest. keys: {command: keys} instead of the usual ones."""
        super().__init__()
        self.bench: Workbench | None = None
        self.version, self.opening = 0, ""
        self._run, self._keys = run, dict(keys or {})
        self._editing = asyncio.Lock()
        self._bridge: Bridge | None = None
        self._line: WorkLine | None = None
        self._leaving = False
        self.lab = lab.but(listen=Bridge(self.post_message))
