"""The home screen: every class, in any order, some of them, marked, opened, copied."""

from collections.abc import Callable

import numpy as np
import pytest
from textual.widgets import DataTable, Input

from promptlab.lab import Lab
from promptlab.tui.app import PromptlabApp
from promptlab.tui.screens.classes import COLUMNS, MARK, ClassesPage
from promptlab.tui.screens.enrich import EnrichPage
from promptlab.tui.screens.one_class import ClassPage
from promptlab.tui.widgets.grid import Grid
from promptlab.types import Edit, EditKind

from .stage import Player, cells, played, press, said, settled, shown, told, until

Desk = Callable[[str], Lab]
FIELDS = [one.key for one in COLUMNS]
HIGHEST_FIRST = {"pictures", "lost", "texts"}


def table(app: PromptlabApp) -> Grid:
    return app.screen.query_one(Grid)


def page(app: PromptlabApp) -> ClassesPage:
    assert isinstance(app.screen, ClassesPage)
    return app.screen


def values(app: PromptlabApp, field: str) -> list[object]:
    return [getattr(row, field) for row in page(app).rows.values()]


def test_classes_stand_worst_first_with_their_figures(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        bench = app.bench
        assert bench is not None
        found = cells(table(app))
        ids, standing = bench.dataset.classes.ids, bench.now.standing
        assert list(found) == [ids[c] for c in bench.order(standing)]
        for c, class_id in enumerate(ids):
            name, pictures, accuracy, change, cmm, rival, lost, texts = found[class_id]
            assert (name, pictures, change, texts) == (f"  {ids[c]}", "8", "·", "5")
            assert (accuracy, cmm) == (f"{100 * standing.accuracy[c]:.1f}", f"{standing.cmm[c]:+.4f}")
            assert rival == (ids[standing.taker[c]] if standing.taker[c] >= 0 else "")
            assert lost == (f"{100 * standing.lost[c]:.1f}" if standing.lost[c] else "")
        for name in ids:
            assert name in shown(app)
        assert f"acc {100 * bench.headline.accuracy:.1f}" in said(app, "headline")

    played(desk("things"), scene)


@pytest.mark.parametrize("field", FIELDS)
def test_it_sorts_by_every_column_and_the_other_way_round(desk: Desk, field: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        ids = set(cells(table(app)))
        await press(app, pilot, *["s"] * (FIELDS.index(field) + 1))
        found = values(app, field)
        assert found == sorted(found, reverse=field in HIGHEST_FIRST)  # type: ignore[type-var]
        assert list(cells(table(app))) == list(page(app).rows)
        title = table(app).columns[next(key for key in table(app).columns if key.value == field)].label.plain
        assert title.endswith("▴")
        await press(app, pilot, "r")
        found = values(app, field)
        assert found == sorted(found, reverse=field not in HIGHEST_FIRST)  # type: ignore[type-var]
        assert list(cells(table(app))) == list(page(app).rows)
        assert set(cells(table(app))) == ids
        assert sum("▾" in column.label.plain for column in table(app).columns.values()) == 1

    played(desk("things"), scene)


def test_sorted_by_every_column_in_turn_it_is_worst_first_again(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        before, heads = list(cells(table(app))), []
        for _ in range(len(FIELDS) + 1):
            await press(app, pilot, "s")
            heads.append(next((str(key.value) for key, column in table(app).columns.items() if "▴" in column.label.plain), ""))
        assert heads == [*FIELDS, ""]
        assert list(cells(table(app))) == before

    played(desk("things"), scene)


def test_a_click_on_a_head_sorts_and_a_second_turns_it_round(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await pilot.click(DataTable, offset=(3, 0))
        await settled(app, pilot)
        assert values(app, "name") == sorted(values(app, "name"))  # type: ignore[type-var]
        await pilot.click(DataTable, offset=(3, 0))
        await settled(app, pilot)
        assert values(app, "name") == sorted(values(app, "name"), reverse=True)  # type: ignore[type-var]

    played(desk("things"), scene)


@pytest.mark.parametrize("kind", ["few lamps", "unlabelled"])
def test_classes_of_which_nobody_knows_anything_come_last_either_way_round(desk: Desk, kind: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        for _ in range(FIELDS.index("accuracy") + 1):
            await press(app, pilot, "s")
        for _ in range(2):
            known = np.isfinite(np.array(values(app, "accuracy"), float))
            assert not known.all()
            assert known.tolist() == sorted(known.tolist(), reverse=True)
            assert list(cells(table(app)).values())[-1][2] == "-"
            await press(app, pilot, "r")

    played(desk(kind), scene)


def test_without_labels_the_head_says_agreement(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        assert "agreement with the first ensemble" in said(app, "headline")
        assert "acc %" not in shown(app)
        assert "agree" in shown(app)

    played(desk("unlabelled"), scene)


def test_letters_filter_and_the_cursor_stays_on_its_class(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        grid = table(app)
        grid.point("crane")
        await press(app, pilot, "slash", "C", "r")
        assert list(cells(grid)) == ["crane"]
        await press(app, pilot, "x")
        assert cells(grid) == {}
        await press(app, pilot, "enter", "y")
        assert "Copied 0 classes." in told(app)
        await press(app, pilot, "slash", "c", "enter")  # in place of what was there
        assert set(cells(grid)) == {"crane", "cup", "watch"}
        assert app.focused is grid
        await press(app, pilot, "escape")
        assert len(cells(grid)) == 6
        assert not app.screen.query_one("#filter", Input).display
        assert app.focused is grid

    played(desk("things"), scene)


def test_escape_in_the_filter_shows_all_again(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await press(app, pilot, "slash", "q", "j", "1")  # letters, not commands
        assert app.screen.query_one("#filter", Input).value == "qj1"
        assert isinstance(app.screen, ClassesPage)
        await press(app, pilot, "escape")
        assert len(cells(table(app))) == 6
        assert app.focused is table(app)

    played(desk("things"), scene)


def test_marked_classes_are_taken_to_be_enriched(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        order = list(cells(table(app)))
        await press(app, pilot, "space", "space", "down", "space")
        marked = [order[0], order[1], order[3]]
        assert [key for key, row in cells(table(app)).items() if row[0].startswith(MARK)] == marked
        assert table(app).current == order[4]
        await press(app, pilot, "up", "space")
        await press(app, pilot, "e")
        assert isinstance(app.screen, EnrichPage)
        assert app.screen.wanted.classes == tuple(order[:2])
        assert f"2 marked: {order[0]}, {order[1]}" in shown(app)
        await press(app, pilot, "1")
        assert [key for key, row in cells(table(app)).items() if row[0].startswith(MARK)] == order[:2]
        page(app).marked.clear()
        await press(app, pilot, "e")
        assert app.screen.wanted.classes == ()

    played(desk("things"), scene)


def test_without_marks_the_worst_are_enriched(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await press(app, pilot, "e")
        assert isinstance(app.screen, EnrichPage)
        assert app.screen.wanted.classes == ()

    played(desk("things"), scene)


@pytest.mark.parametrize("how", ["enter", "double click"])
def test_a_class_is_opened_and_left_again(desk: Desk, how: str) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        await press(app, pilot, "down", "down")
        key = table(app).current
        if how == "enter":
            await press(app, pilot, "enter")
        else:
            await pilot.click(DataTable, offset=(3, 3))
            await settled(app, pilot)
        assert isinstance(app.screen, ClassPage)
        assert app.screen.class_id == key
        await press(app, pilot, "escape")
        assert isinstance(app.screen, ClassesPage)
        assert table(app).current == key

    played(desk("things"), scene)


def test_the_table_is_copied_as_markdown_as_it_is_shown(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        assert app.bench is not None
        app.edit(Edit(EditKind.RENAME, "crane", "", ("a|b",)))
        await settled(app, pilot)
        table(app).point("crane")
        await press(app, pilot, "s", "space", "y")
        lines = app.clipboard.splitlines()
        assert lines[:2] == ["| class | n | acc % | ± | cmm | taken by | lost | texts |", "|" + " --- |" * 8]
        assert [line.split(" | ")[0] for line in lines[2:]] == [
            f"| {MARK}a\\|b",
            *(f"| {name}" for name in ("bass", "cup", "ewer", "lamp", "watch")),
        ]
        assert "Copied 6 classes." in told(app)

    played(desk("things"), scene)


def test_edits_move_rows_and_the_cursor_stays_with_its_class(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        order = list(cells(table(app)))
        table(app).point("cup")
        app.edit(Edit(EditKind.DESCRIBE, "crane", "", ("a tall grey bird in shallow water",)))
        app.edit(Edit(EditKind.RENAME, "lamp", "", ("cup",)))
        await settled(app, pilot)
        assert app.bench is not None
        found = cells(table(app))
        assert list(found) != order
        assert table(app).current == "cup"
        assert list(found) == [app.bench.dataset.classes.ids[c] for c in app.bench.order(app.bench.now.standing)]
        assert float(found["crane"][3]) > 0
        assert found["crane"][7] == "10"
        assert (found["lamp"][0], found["lamp"][2:4]) == ("  cup", ["0.0", "-100.0"])
        assert found["cup"][7] == "5"
        assert "2 edits: " in said(app, "headline")

    played(desk("things"), scene)


def test_the_class_under_the_cursor_is_told_of_where_there_is_room(desk: Desk) -> None:
    async def scene(app: PromptlabApp, pilot: Player) -> None:
        assert app.bench is not None
        app.edit(Edit(EditKind.DESCRIBE, "crane", "", ("a bird with long legs",)))
        await settled(app, pilot)
        table(app).point("crane")
        await settled(app, pilot)
        assert "• a bird with long legs" in said(app, "about")
        assert said(app, "about").startswith("crane\n8 pictures, ")
        table(app).point("cup")
        await settled(app, pilot)
        assert said(app, "about").startswith("cup\n")
        await pilot.resize_terminal(80, 24)
        side = app.screen.query_one("#side")
        await until(lambda: not side.display or side.size.width == 0)  # it is drawn anew when it comes to it

    played(desk("things"), scene)
