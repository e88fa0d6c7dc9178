"""Pictures of screens, kept as SVG. Where one changed on purpose: look at snapshot_report.html, then `pytest --snapshot-update`."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from promptlab import config
from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.widgets.log import Log
from promptlab.tui.widgets.picture import graphics
from promptlab.types import Edit, EditKind

from .drawn import TEMPLATES, WORDS, Reader, Studio
from .stage import press, settled

SMALL, LARGE = (80, 24), (140, 45)
DARK, LIGHT = "textual-dark", "textual-light"
ASKING = {"llm": "some-model", "base_url": "https://api.example.com/v1", "prices": ("some-model=1/4",)}
Snap = Callable[..., bool]
Shot = Callable[..., bool]


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Runs that look alike everywhere."""
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is loaded, and the terminal is always the same."""
    monkeypatch.setattr(Lab, "encoder", lambda lab, model="": Reader())
    monkeypatch.setenv("PROMPTLAB_PICTURES", "blocks")
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    graphics.cache_clear()


@pytest.fixture
def shot(snap_compare: Snap, studio: Studio, tmp_path: Path) -> Shot:
    """Opens the newest run of a kind, does some edits, presses some keys, and compares the picture."""

    def compare(
        *keys: str, size: tuple[int, int] = SMALL, theme: str = DARK, kind: str = "things", edits: tuple[Edit, ...] = (), **flags: Any
    ) -> bool:
        lab = studio.copy(kind, tmp_path, **flags)
        config.remember_theme(theme)
        app = PromptlabApp(lab)
        app.animation_level = "none"
        app.logged = Log(now=lambda: datetime(2026, 1, 31, 12))

        async def play(pilot: Pilot[None]) -> None:
            await settled(app, pilot)
            for edit in edits:
                app.edit(edit)
                await settled(app, pilot)
            await press(app, pilot, *keys)
            app.clear_notifications()  # how long they stay is a matter of time
            await settled(app, pilot)

        return snap_compare(app, terminal_size=size, run_before=play)

    return compare


def test_classes_fit_a_small_terminal(shot: Shot) -> None:
    """Ten classes, worst first; every column can be read, and the cursor is on the first row."""
    assert shot()


def test_an_edit_shows_in_the_table_and_in_the_headline(shot: Shot) -> None:
    """crane is at 100 and up in green, ewer at 0 and down in red; the headline counts 2 edits, with an interval."""
    edits = (Edit(EditKind.DESCRIBE, "crane", "", (WORDS["crane"],)), Edit(EditKind.RENAME, "mouse", "", ("computer mouse",)))
    assert shot("up", size=LARGE, theme=LIGHT, edits=edits)


def test_a_class_fits_a_small_terminal(shot: Shot) -> None:
    """crane, whose pictures watch takes; four texts of one weight each."""
    assert shot("enter", theme=LIGHT)


def test_a_class_shows_texts_descriptions_and_pictures(shot: Shot) -> None:
    """A text of one's own has a star and, too long, a red !; the second description is left out; pictures are flat colours."""
    long = "a photo of a crane that goes on and on, for it has more words than the model reads, which are twenty tokens"
    edits = (
        Edit(EditKind.DESCRIBE, "crane", "", ("with long legs",)),
        Edit(EditKind.DESCRIBE, "crane", "", ("kept in a box",)),
        Edit(EditKind.LEAVE, "crane", "", ("kept in a box",)),
        Edit(EditKind.TEXT, "crane", TEMPLATES[2], (long,)),
    )
    assert shot("enter", size=LARGE, kind="flat", edits=edits)


def test_families_show_weights_and_what_is_set_aside(shot: Shot) -> None:
    """Weighed by cpe: bars are as long as weights say; the last family is set aside, dim and without a bar."""
    aside = (Edit(EditKind.TOGGLE, of=TEMPLATES[1]),)
    assert shot("2", "m", "down", "down", "enter", size=LARGE, edits=aside, tau=25.0)


def test_a_plan_says_questions_tokens_and_price(shot: Shot) -> None:
    """Under the settings what asking would take; below the questions themselves."""
    assert shot("3", "p", **ASKING)


def test_verdicts_stand_beside_the_words(shot: Shot) -> None:
    """crane and bass have words that help (a tick), those of ewer and lamp do not; the sentences above sum up."""
    assert shot("3", size=LARGE, kind="three")


def test_runs_are_listed_with_marks_and_a_line_of_results(shot: Shot) -> None:
    """The newest two of three runs have a dot; the line below climbs."""
    assert shot("5", "space", "space", size=LARGE, theme=LIGHT, kind="three")


def test_help_lists_every_key(shot: Shot) -> None:
    """Keys in one column, what they do in the other, and under each the command line that does the same."""
    assert shot("question_mark")


def test_money_is_not_spent_before_somebody_says_so(shot: Shot) -> None:
    """The question, whom it goes to, tokens and price; `No` has the focus."""
    assert shot("3", "s", **ASKING)


def test_hostile_names_do_nothing(shot: Shot) -> None:
    """Names are plain text on one line each, escapes are spelled out, and no column is pushed aside."""
    assert shot(size=LARGE, kind="hostile")
