"""Asking for better words: settings, what would be asked, replies as they arrive, and nothing sent that was not agreed to."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event as Gate
from typing import Any

import pytest
from cli.planted import LLM, NAMES, WORDS, knowing, of
from faults import Faults, Handler, Received, serving, status
from textual.widgets import Input, OptionList
from workbench.planted import Shop, run_folder

from promptlab.describing import Wanted
from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.classes import ClassesPage
from promptlab.tui.screens.enrich import EnrichPage
from promptlab.tui.screens.one_class import ClassPage
from promptlab.tui.widgets.grid import Grid
from promptlab.tui.widgets.line import Confirm, Line
from promptlab.tui.widgets.pick import Pick

from .stage import Player, answer, cells, played, press, said, settled, told, until

Desk = Callable[[str], Lab]
FAR = "http://192.0.2.1/v1"  # documentation's own network: nobody is there


@pytest.fixture
def desk(desk: Desk, shop: Shop, tmp_path: Path) -> Desk:
    """Labs with a cache of their own: replies are kept in it."""

    def made(kind: str) -> Lab:
        lab = desk(kind)
        shutil.copytree(shop.cache, tmp_path / "own cache")
        return lab.but(cache=str(tmp_path / "own cache"))

    return made


@pytest.fixture
def server() -> Iterator[Faults]:
    with serving(knowing()) as made:
        yield made


def asking(lab: Lab, server: Faults) -> Lab:
    return lab.but(llm=LLM, base_url=server.url)


async def opened(app: PromptlabApp, pilot: Player, worst: int = 2) -> EnrichPage:
    """The screen that asks, about some classes."""
    await press(app, pilot, "3")
    assert isinstance(app.screen, EnrichPage)
    await setting(app, pilot, "classes", str(worst))
    return app.screen


def page_of(app: PromptlabApp) -> EnrichPage:
    assert isinstance(app.screen, EnrichPage)
    return app.screen


async def setting(app: PromptlabApp, pilot: Player, key: str, text: str) -> None:
    """Another value for a setting that is written."""
    app.screen.query_one("#settings", Grid).point(key)
    await press(app, pilot, "enter")
    assert isinstance(app.screen, Line)
    await answer(app, pilot, text)


async def pick(app: PromptlabApp, pilot: Player, key: str, name: str) -> None:
    """Another value for a setting that is chosen."""
    app.screen.query_one("#settings", Grid).point(key)
    await press(app, pilot, "enter")
    assert isinstance(app.screen, Pick)
    app.screen.query_one(OptionList).highlighted = [one for one, _ in app.screen._choices].index(name)
    await press(app, pilot, "enter")


def settings(app: PromptlabApp) -> dict[str, str]:
    return {key: row[1] for key, row in cells(app.screen.query_one("#settings", Grid)).items()}


def cases(app: PromptlabApp) -> dict[str, list[str]]:
    return cells(app.screen.query_one("#cases", Grid))


# -- settings -------------------------------------------------------------------------------------------------------------------------


def test_every_setting_is_changed_where_it_is(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        page = await opened(app, pilot)
        assert settings(app)["classes"] == "the 2 worst"
        for key, text in (("count", "7"), ("rivals", "1"), ("descriptions", "words.tsv"), ("max_cost", "0.5")):
            await setting(app, pilot, key, text)
        for key, name in (("pack", "features"), ("place", "beside"), ("keep", "all")):
            await pick(app, pilot, key, name)
        wanted = page.wanted
        assert (wanted.worst, wanted.count, wanted.rivals, wanted.descriptions) == (2, 7, 1, "words.tsv")
        assert (wanted.pack, wanted.place, wanted.keep) == ("features", "beside", "all")
        assert page.lab.settings.max_cost == 0.5
        found = settings(app)
        assert (found["count"], found["pack"], found["descriptions"], found["max_cost"]) == ("7", "features", "words.tsv", "at most $0.5")
        assert found["llm"] == "nobody: words come from the file"
        await setting(app, pilot, "descriptions", "")
        assert settings(app)["descriptions"] == "-"

    played(desk("things"), scene)


def test_whom_to_ask_is_picked_or_named(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        page = await opened(app, pilot)
        assert settings(app)["llm"] == "nobody: only better names are tried"
        await pick(app, pilot, "llm", "another ...")
        await answer(app, pilot, "some-model")
        assert page.lab.settings.llm == "some-model"
        assert settings(app)["llm"] == "some-model"
        await pick(app, pilot, "llm", "")
        assert page.lab.settings.llm == ""

    played(desk("things"), scene)


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("classes", "many", "'many' is no number."),
        ("classes", "0", "numbers from 1"),
        ("count", "-3", "numbers from 1"),
        ("rivals", "", "'' is no number."),
        ("max_cost", "cheap", "max_cost"),
        ("count", "\x1b[31m1", "is no number."),
    ],
)
def test_a_value_that_means_nothing_is_told_and_the_one_before_stays(desk: Desk, key: str, text: str, why: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        before = settings(app)
        app.screen.query_one("#settings", Grid).point(key)
        await press(app, pilot, "enter")
        await answer(app, pilot, text)
        if isinstance(app.screen, Line):  # an empty line is no answer here
            await press(app, pilot, "escape")
        else:
            assert any(why in line for line in told(app))
        assert settings(app) == before

    played(desk("things"), scene)


# -- what would be asked --------------------------------------------------------------------------------------------------------------


def test_the_plan_shows_questions_tokens_and_price_and_sends_nothing(desk: Desk, server: Faults) -> None:
    lab = asking(desk("things"), server).but(prices=(f"{LLM}=1/2",))

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "p")
        assert set(cases(app)) == {"bass", "crane"}
        assert {(row[1], row[2]) for row in cases(app).values()} == {("bass", "to ask"), ("crane", "to ask")}
        assert all("look like" in row.text for row in page_of(app).rows.values())
        line = said(app, "said")
        assert line.startswith(f"2 questions to {LLM} (")
        assert "0 answered before. Tokens, if each reply is right the first time: up to " in line
        assert "Price: about $0." in line

    played(lab, scene)
    assert server.received == []


def test_of_an_unknown_price_it_says_so(desk: Desk, server: Faults) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "p")
        assert "Price: unknown (no price is set)." in said(app, "said")

    played(asking(desk("things"), server), scene)


def test_with_nobody_to_ask_the_plan_says_so(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "p")
        assert said(app, "said") == "Nobody is asked: only better names are tried."
        assert cases(app) == {}

    played(desk("things"), scene)


@pytest.mark.parametrize("no", [("enter",), ("n",), ("escape",)], ids=" ".join)
def test_before_anything_is_sent_to_another_machine_it_asks_and_no_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, no: tuple[str, ...]
) -> None:
    def never(*given: object, **more: object) -> None:
        raise AssertionError("it was sent")

    monkeypatch.setattr(Lab, "enrich", never)

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "s")
        assert isinstance(app.screen, Confirm)
        assert "2 questions to some-model" in said(app, "confirm-details")
        await press(app, pilot, *no)
        assert isinstance(app.screen, EnrichPage)
        assert "Nothing was sent." in told(app)
        assert app.bench is not None
        assert app.bench.now.done == 0

    played(desk("things").but(llm=LLM, base_url=FAR), scene)


def test_yes_sends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr(Lab, "enrich", lambda lab, **given: sent.append(given) or (_ for _ in ()).throw(RuntimeError("enough")))

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "s", "y")
        assert len(sent) == 1
        assert "Something broke: RuntimeError: enough" in told(app)

    played(desk("things").but(llm=LLM, base_url=FAR), scene)


def test_a_server_on_this_machine_that_has_a_price_is_confirmed_too(desk: Desk, server: Faults) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "s")
        assert isinstance(app.screen, Confirm)
        await press(app, pilot, "n")

    played(asking(desk("things"), server).but(prices=(f"{LLM}=1/2",)), scene)
    assert server.received == []


def test_what_is_started_is_what_was_planned_whatever_is_changed_meanwhile(
    desk: Desk, server: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, would_ask, sent = Gate(), Lab.would_ask, list[tuple[str, int]]()

    def slow(lab: Lab, **given: Any) -> Any:
        gate.wait(10)
        return would_ask(lab, **given)

    def enrich(lab: Lab, wanted: Wanted, run: str) -> None:
        sent.append((lab.settings.base_url, wanted.worst))
        raise RuntimeError("enough")

    monkeypatch.setattr(Lab, "would_ask", slow)
    monkeypatch.setattr(Lab, "enrich", enrich)

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        page = await opened(app, pilot)
        await pilot.press("s")
        page.given = {"base_url": FAR}
        page._set("classes", "40")
        gate.set()
        await settled(app, pilot)
        assert sent == [(server.url, 2)]

    played(asking(desk("things"), server), scene)


# -- asking ---------------------------------------------------------------------------------------------------------------------------


def test_a_server_on_this_machine_is_asked_at_once_and_verdicts_follow_which_can_be_turned(desk: Desk, server: Faults) -> None:
    lab = asking(desk("things"), server)
    before = run_folder(lab)

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "s")
        bench = app.bench
        assert bench is not None
        assert isinstance(app.screen, ClassesPage)
        assert bench.run.path == run_folder(lab) != before
        assert {of(one) for one in server.received} == {"bass", "crane"}
        assert [line for line in told(app) if "descriptions" in line]
        await press(app, pilot, "3")
        found = cases(app)
        assert set(found) == {"bass", "crane"}
        assert found["crane"][0] == "✓"
        assert "kept" in found["crane"][2]
        assert " → " in found["crane"][2]
        assert WORDS["crane"][0] in page_of(app).rows["crane"].text
        assert said(app, "said")
        # verdicts are edits
        accuracy = bench.now.standing.accuracy[NAMES.index("crane")]
        app.screen.query_one("#cases", Grid).focus()
        app.screen.query_one("#cases", Grid).point("crane")
        await press(app, pilot, "x")
        assert cases(app)["crane"][0] == ""
        assert not any(one.use for one in bench.descriptions(NAMES.index("crane")))
        assert bench.now.standing.accuracy[NAMES.index("crane")] < accuracy
        assert bench.now.done == 1
        await press(app, pilot, "a")
        assert cases(app)["crane"][0] == "✓"
        assert bench.now.done == 2
        await press(app, pilot, "u", "u")
        assert bench.now.done == 0
        assert cases(app)["crane"][0] == "✓"
        await press(app, pilot, "y")
        assert app.clipboard.count("\n") == 1
        assert app.clipboard.startswith(("bass\t", "crane\t"))
        await press(app, pilot, "o")
        assert isinstance(app.screen, ClassPage)
        assert app.screen.class_id == "crane"
        assert WORDS["crane"][0] in {row[1] for row in cells(app.screen.query_one("#descriptions", Grid)).values()}

    played(lab, scene)


def test_replies_are_shown_as_they_arrive_and_a_cancelled_question_makes_no_result(desk: Desk) -> None:
    gate, answered = Gate(), list[str]()

    def act(handler: Handler, received: Received) -> None:
        if answered:
            gate.wait(20)
        answered.append(of(received))
        knowing()(handler, received)

    with serving(act) as server:
        lab = asking(desk("things"), server).but(llm_parallel=1)
        before = run_folder(lab)

        async def scene(app: PromptlabApp, pilot: Player) -> None:
            page = await opened(app, pilot)
            await pilot.press("s")
            await until(lambda: any(row.state == "answered" for row in page.rows.values()))
            await pilot.pause()
            assert app.working
            states = {key: row[2] for key, row in cases(app).items()}
            assert states == {key: "answered" if key == answered[0] else "to ask" for key in ("bass", "crane")}
            assert WORDS[answered[0]][0] in page.rows[answered[0]].text
            await pilot.press("s")  # once is enough
            await pilot.press("ctrl+x")
            await pilot.pause()
            assert "Stopping at the next batch ..." in told(app)
            gate.set()
            await settled(app, pilot)
            assert any(line.startswith("Cancelled: enrich the 2 worst classes.") for line in told(app))
            assert app.bench is not None
            assert app.bench.run.path == before
            await press(app, pilot, "ctrl+x")
            assert "Nothing is at work." in told(app)

        played(lab, scene)
        assert len(server.received) <= 2
    assert run_folder(lab) == before


def test_a_server_that_fails_is_told_and_the_app_goes_on(desk: Desk) -> None:
    with serving(status(401, "no such key")) as server:

        async def scene(app: PromptlabApp, pilot: Player) -> None:
            await opened(app, pilot)
            await press(app, pilot, "s")
            assert any("answered 401 (no such key)" in line.text for line in app.logged.lines if line.level == "warning")
            assert any("2 of 2 questions got no reply" in line for line in told(app))
            assert isinstance(app.screen, ClassesPage)
            await press(app, pilot, "3", "p")
            assert "0 answered before" in said(app, "said")

        played(asking(desk("things"), server), scene)


def test_what_was_answered_before_is_not_asked_again_and_says_so(desk: Desk, server: Faults) -> None:
    lab = asking(desk("things"), server)

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await setting(app, pilot, "count", "3")
        await press(app, pilot, "s")
        asked = len(server.received)
        app.open_run(before.name)
        await settled(app, pilot)
        await press(app, pilot, "3", "p")
        assert "2 answered before" in said(app, "said")
        await press(app, pilot, "s")
        assert len(server.received) == asked

    before = run_folder(lab)
    played(lab, scene)


def test_rejecting_without_a_class_under_the_cursor_is_told(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "x", "a", "o")
        assert told(app).count("Put the cursor on a class below.") == 2
        assert isinstance(app.screen, EnrichPage)

    played(desk("things"), scene)


def test_the_line_that_asks_for_a_number_can_be_left(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        before = settings(app)
        app.screen.query_one("#settings", Grid).point("count")
        await press(app, pilot, "enter", "9", "escape")
        assert settings(app) == before
        app.screen.query_one("#settings", Grid).point("count")
        await press(app, pilot, "enter")
        assert app.screen.query_one("#line-input", Input).value == "4"

    played(desk("things"), scene)
