"""The screen to begin with, and runs of other processes."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from promptlab.config import Settings
from promptlab.events import Finished, Noted, Started
from promptlab.lab import Lab
from promptlab.runs import Run, all_runs, remove
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.follow import Following
from promptlab.tui.screens.start import StartPage

from .conftest import Made, opened, paint, played, until
from .hostile import HOSTILE


def told(app: PromptlabApp) -> str:
    return "\n".join(line.text for line in app.logged.lines)


def test_faults_of_plugins_are_in_the_log_whenever_they_came_up(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "broken.py").write_text("import nothing_of_this_name")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        assert "The plugin 'broken'" in told(app)
        assert "ModuleNotFoundError" in told(app)

    played(Lab(Settings.load({"plugins_dir": str(tmp_path / "mine")})), script)


# -- start --------------------------------------------------------------------------------------------------------------------------


def test_without_a_run_it_is_in_front_and_past_runs_are_no_choice(lab: Lab) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, StartPage)
        box = app.screen.query_one(OptionList)
        assert [box.get_option_at_index(n).disabled for n in range(box.option_count)] == [False, False, True]
        await pilot.press("p")
        assert isinstance(app.screen, StartPage)

    played(lab, script)


def test_a_folder_of_pictures_becomes_a_run_that_opens(lab: Lab, made: Made) -> None:
    paint(Path("mine"), 4)

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter")
        app.screen.query_one(Input).value = " mine "
        await pilot.press("enter")
        await opened(app, pilot)
        assert app.current_mode == "classes"
        assert [run.name for run in all_runs(Path("runs"))] == [app.bench.run.name if app.bench else ""]
        assert "mine: 12 pictures" in told(app)

    played(lab, script)


@pytest.mark.parametrize("where", [text for text in HOSTILE if text.strip()] + ["a\0b"], ids=lambda text: ascii(text)[:12])
def test_what_is_no_data_is_told(where: str, lab: Lab) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        page: Any = app.screen
        page._run(where)
        await until(pilot, lambda: not app.working and app.logged.lines)
        assert app.logged.lines[-1].level == "error"
        assert app.screen is page
        assert all_runs(Path("runs")) == []

    played(lab, script)


def test_the_demo_is_that_of_the_command_line(lab: Lab, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []

    def enrich(self: Lab, where: str, wanted: Any) -> Any:
        asked.append({"where": where, "worst": wanted.worst, "llm": self.settings.llm, "debias": self.settings.debias})
        raise KeyError("enough")

    monkeypatch.setattr(Lab, "enrich", enrich)

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("0")
        await pilot.press("d")
        await until(pilot, lambda: asked and not app.working)
        assert "KeyError" in told(app)

    played(lab, script)
    assert asked == [{"where": "everyday", "worst": 20, "llm": "demo", "debias": "balance"}]


def test_a_demo_that_is_not_installed_is_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lab, "sources", {})

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.press("d")
        await until(pilot, lambda: "promptlab-demo" in told(app))

    played(lab, script)


def test_past_runs_are_a_key_away(lab: Lab, runs: Path) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await pilot.press("0", "p")
        assert app.current_mode == "runs"

    played(lab, script)


# -- following ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def going(runs: Path) -> Run:
    """A run that has no result yet; whoever holds `work` works on it."""
    run = all_runs(runs)[0]
    (run.path / "result.json").rename(run.path / "kept.json")
    (run.path / "events.jsonl").unlink()
    return run


def finish(run: Run) -> None:
    (run.path / "kept.json").rename(run.path / "result.json")


def test_a_run_at_work_is_followed_and_opens_when_it_is_finished(lab: Lab, going: Run) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.pause()
        page: Any = app.screen
        assert isinstance(page, Following)
        for text in HOSTILE:
            going.log(Noted(text))
        going.log(Started("encode pictures", 2500, "pictures"))
        await until(pilot, lambda: "encode pictures" in page.said())
        page._now = lambda: datetime.now() + timedelta(seconds=90)
        page.look()
        assert "encode pictures, 2,500 pictures, for 1:3" in str(page.query_one("#following", Static).content)
        assert len(page.log_of.lines) == len(HOSTILE) + 1
        going.log(Finished("encode pictures", 2500))
        page.look()
        assert "encode" not in page.said()
        finish(going)
        await opened(app, pilot)
        assert app.current_mode == "classes"
        assert app.bench is not None
        assert app.bench.run.name == going.name

    with going.work():
        played(lab, script)


def test_a_run_that_disappears_is_told(lab: Lab, going: Run) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.pause()
        page: Any = app.screen
        remove(going)
        page.look()
        await until(pilot, lambda: app.current_mode == "start")
        assert f"{going.name} is gone" in told(app)

    with going.work():
        played(lab, script)


def test_a_run_that_was_broken_off_is_told(lab: Lab, going: Run) -> None:
    (going.path / "classifier.safetensors").unlink()

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        with going.work():
            await pilot.press("5")
            app.open_run(going.name)
            await pilot.pause()
            page: Any = app.screen
            assert isinstance(page, Following)
        page.look()
        await until(pilot, lambda: "broken off" in told(app))
        await until(pilot, lambda: not isinstance(app.screen, Following))

    played(lab, script, all_runs(Path("runs"))[1].name)


def test_one_that_is_left_goes_on_alone(lab: Lab, going: Run) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.pause()
        assert isinstance(app.screen, Following)
        await pilot.press("escape")
        await until(pilot, lambda: app.current_mode == "runs")
        finish(going)
        await pilot.pause(0.6)
        assert app.bench is None

    with going.work():
        played(lab, script)


def test_one_that_ends_while_another_screen_is_in_front_opens_when_one_comes_back(lab: Lab, going: Run) -> None:
    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.pause()
        page: Any = app.screen
        await pilot.press("5")
        await pilot.pause()
        finish(going)
        await until(pilot, lambda: page.over)
        assert app.current_mode == "runs"
        assert app.bench is None
        app.go("log")
        await opened(app, pilot)

    with going.work():
        played(lab, script)


def test_events_that_are_none_do_no_harm(lab: Lab, going: Run) -> None:
    line = {"time": "2026-01-02T03:04:05+02:00", "event": "Started", "work": "[/x]", "total": None, "unit": "\x1b[2J"}
    (going.path / "events.jsonl").write_text("{\n" + json.dumps(line) + "\n")

    async def script(app: PromptlabApp, pilot: Pilot[None]) -> None:
        await pilot.pause()
        page: Any = app.screen
        assert "\x1b" not in page.said()
        assert "[/x]" in page.said()

    with going.work():
        played(lab, script)
