"""Templates: set aside and back, new, another in place of one, weighed another way."""

from collections.abc import Callable

import pytest
from textual.widgets import Input, OptionList
from workbench.planted import FISH, run_folder

from promptlab.lab import Lab
from promptlab.prompts import edits
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.families import WAYS, FamiliesPage
from promptlab.tui.widgets.grid import Grid
from promptlab.tui.widgets.pick import Pick
from promptlab.types import Edit, EditKind
from promptlab.workbench import Workbench

from .stage import Player, answer, cells, played, press, said, settled, told

Desk = Callable[[str], Lab]


async def opened(app: PromptlabApp, pilot: Player) -> Grid:
    await press(app, pilot, "2")
    assert isinstance(app.screen, FamiliesPage)
    return app.screen.query_one(Grid)


def names(grid: Grid) -> list[str]:
    return [row[0] for row in cells(grid).values()]


def bench_of(app: PromptlabApp) -> Workbench:
    assert app.bench is not None
    return app.bench


def point(app: PromptlabApp, name: str) -> None:
    app.screen.query_one(Grid).point(bench_of(app).now.prompts.find(name).source)


@pytest.mark.parametrize("kind", ["things", "by class", "own words"])
def test_it_shows_every_family_with_weight_and_score_heaviest_first(desk: Desk, kind: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        found = list(cells(await opened(app, pilot)).values())
        rows = bench_of(app).families()
        for row, (name, weight, _, score, accuracy) in zip(rows, found, strict=True):
            assert (name, weight) == (row.template.name, f"{100 * row.weight:.1f}")
            assert score == ("" if row.score is None else f"{row.score:.4f}")
            assert accuracy == ("-" if row.accuracy is None else f"{100 * row.accuracy:.1f}")
        line = said(app, "weighting")
        assert line.strip().startswith(f"{bench_of(app).way}: ")
        assert ("a weight for each class" in line) == (kind == "by class")
        assert f"of {len(rows)} families really count." in line

    played(desk(kind), scene)


def test_a_family_is_set_aside_and_used_again(desk: Desk) -> None:
    lab = desk("things")

    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = await opened(app, pilot)
        before, head = cells(grid), said(app, "headline")
        point(app, FISH)
        await press(app, pilot, "space")
        assert names(grid)[-1] == f"- {FISH}"
        assert list(cells(grid).values())[-1][1] == "aside"
        assert {row[1] for row in list(cells(grid).values())[:-1]} == {"25.0"}
        assert said(app, "weighting").endswith("of 4 families really count; 1 set aside.")
        assert said(app, "headline") != head
        assert [t.name for t in edits.load(run_folder(lab) / edits.DRAFT).off] == [FISH]
        assert grid.current == bench_of(app).now.prompts.off[0].source
        await press(app, pilot, "space")
        assert sorted(names(grid)) == sorted(row[0] for row in before.values())
        await press(app, pilot, "u", "u")
        assert cells(grid) == before
        assert said(app, "headline") == head

    played(lab, scene)


def test_a_family_is_added_changed_and_removed(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = await opened(app, pilot)
        await press(app, pilot, "n")
        assert app.screen.query_one("#line-input", Input).value == "a photo of {}."
        await answer(app, pilot, "a watch near a {}")
        assert "a watch near a {}" in names(grid)
        assert len(names(grid)) == 6
        point(app, "a watch near a {}")
        await press(app, pilot, "e")
        assert app.screen.query_one("#line-input", Input).value == bench_of(app).now.prompts.find("a watch near a {}").source
        await answer(app, pilot, "a {} near a watch")
        assert "a watch near a {}" not in names(grid)
        assert "a {} near a watch" in names(grid)
        await press(app, pilot, "u", "u")
        assert "a watch near a {}" in names(grid)
        assert "a {} near a watch" not in names(grid)
        point(app, "a watch near a {}")
        await press(app, pilot, "delete")
        assert len(names(grid)) == 5
        assert bench_of(app).now.done == 2

    played(desk("things"), scene)


def test_a_template_that_cannot_be_used_in_place_of_one_leaves_that_one(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = await opened(app, pilot)
        before = names(grid)
        point(app, FISH)
        await press(app, pilot, "enter")
        await answer(app, pilot, "no place for the name")
        assert any("no place for the name" in line for line in told(app))
        assert sorted(names(grid)) == sorted(before)
        assert bench_of(app).now.done == 0

    played(desk("things"), scene)


def test_a_template_in_place_of_one_that_says_the_same_is_no_loss(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = await opened(app, pilot)
        before = sorted(names(grid))
        point(app, FISH)
        await press(app, pilot, "enter")
        await answer(app, pilot, FISH)  # the same, written as tables show it
        assert sorted(names(grid)) == before

    played(desk("things"), scene)


def test_the_last_template_in_use_stays(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = await opened(app, pilot)
        for name in [row.template.name for row in bench_of(app).families()][1:]:
            app.edit(Edit(EditKind.TOGGLE, of=name))
        await settled(app, pilot)
        assert [row[1] for row in cells(grid).values()] == ["100.0", "aside", "aside", "aside", "aside"]
        grid.move_cursor(row=0)
        await press(app, pilot, "space", "delete")
        assert told(app).count("That would leave no template. Add one first: promptlab prompts add 'a photo of {}.'") == 2
        assert bench_of(app).now.done == 4

    played(desk("things"), scene)


@pytest.mark.parametrize("way", WAYS)
def test_families_are_weighed_by_every_way(desk: Desk, way: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = await opened(app, pilot)
        bench = bench_of(app)
        held = bench.now.weights.tolist()
        await press(app, pilot, "m")
        assert isinstance(app.screen, Pick)
        box = app.screen.query_one(OptionList)
        assert box.highlighted == WAYS.index("uniform")
        box.highlighted = WAYS.index(way)
        await press(app, pilot, "enter")
        assert isinstance(app.screen, FamiliesPage)
        assert (bench.way, bench.switched) == (way, True)
        assert said(app, "weighting").strip().startswith(f"{way}: ")
        assert (bench.now.weights.tolist() != held) == (way != "uniform")
        assert [row[1] for row in cells(grid).values()] == [f"{100 * row.weight:.1f}" for row in bench.families()]
        assert bench.now.done == 0  # no edit of the prompts

    played(desk("things"), scene)


def test_weighing_that_is_not_chosen_after_all_changes_nothing(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        await press(app, pilot, "m", "down", "escape")
        assert isinstance(app.screen, FamiliesPage)
        assert not bench_of(app).switched

    played(desk("things"), scene)


def test_weights_are_found_anew_by_key_for_the_prompts_as_they_are(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        bench = bench_of(app)
        app.edit(Edit(EditKind.ADD, words=("a watch near a {}",)))
        await settled(app, pilot)
        added = {row.template.name: row for row in bench.families()}["a watch near a {}"]
        assert added.score is None
        await press(app, pilot, "w")
        found = {row.template.name: row for row in bench.families()}["a watch near a {}"]
        assert found.score is not None
        assert found.weight != pytest.approx(added.weight)
        assert not bench.switched

    played(desk("balance"), scene)


def test_templates_in_use_are_copied_one_a_line(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await opened(app, pilot)
        app.edit(Edit(EditKind.TOGGLE, of=FISH))
        await settled(app, pilot)
        await press(app, pilot, "y")
        assert app.clipboard.splitlines() == [row.template.source for row in bench_of(app).families() if row.used]
        assert "Copied 4 templates." in told(app)

    played(desk("things"), scene)


def test_families_of_the_data_s_own_vectors_cannot_be_edited_and_it_says_so(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = await opened(app, pilot)
        before = cells(grid)
        await press(app, pilot, "space", "delete")
        assert sum("came with the data, so nothing can be said anew" in line for line in told(app)) == 2
        assert cells(grid) == before
        await press(app, pilot, "m")
        app.screen.query_one(OptionList).highlighted = WAYS.index("cpe")
        await press(app, pilot, "enter")
        assert bench_of(app).way == "cpe"

    played(desk("own words"), scene)
