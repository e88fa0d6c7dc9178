"""A study as a table and as CSV: what comes first, what is chosen, and what may be called better."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptlab.report.study import as_csv, chosen, clearly, ordered, page, table, verdict

checked = settings(max_examples=60, deadline=None, derandomize=True)
Row = dict[str, Any]


def row(
    name: str = "cpe",
    *,
    worst: float | None = 0.5,
    accuracy: float | None = 0.7,
    interval: tuple[float, float] | None = (-0.1, 0.1),
    tune: tuple[float | None, float | None] = (0.6, 0.4),
    cmm_top: float = 0.01,
    **said: Any,
) -> Row:
    """One row; without accuracy one of data without labels."""
    blind = accuracy is None
    return {
        "name": name,
        "weights": name,
        "scope": "global",
        "labels": "ensemble",
        "combine": "embedding",
        "debias": "none",
        "tau": 1.0,
        "evidence": None,
        "descriptions": "without",
        "in_sample": False,
        "health": [],
        "tune": {"mean": None if blind else tune[0], "worst": None if blind else tune[1], "cmm_top": cmm_top},
        "eval": {
            "n": 100,
            "accuracy": accuracy,
            "interval": None if blind else [0.6, 0.8],
            "mean": accuracy,
            "zeros": None if blind else 3,
            "worst": {"k": 10, "fixed": None if blind else worst, "fixed_interval": None if blind else [0.3, 0.6], "repicked": 0.2},
            "cmm_top": cmm_top,
        },
        "difference": {
            "worst": None if interval is None else sum(interval) / 2,
            "worst_interval": interval and list(interval),
            "accuracy": None if blind else 0.02,
            "interval": None if blind else [-0.01, 0.05],
            "mcnemar_p": None if blind else 0.5,
            "changed": 0.1,
        },
        **said,
    }


def blind(name: str, cmm_top: float) -> Row:
    return row(name, accuracy=None, interval=None, cmm_top=cmm_top)


SHARES = st.floats(0, 1)
SPANS = st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)).map(lambda ends: (min(ends), max(ends)))
ROWS = st.lists(
    st.builds(row, st.sampled_from(["a", "b", "c"]), worst=SHARES, accuracy=SHARES, interval=SPANS, tune=st.tuples(SHARES, SHARES)),
    min_size=1,
    max_size=8,
)


@given(rows=ROWS)
@checked
def test_the_highest_fixed_worst_comes_first_and_tune_alone_chooses(rows: list[Row]) -> None:
    lines = ordered(rows)
    assert sorted(map(id, lines)) == sorted(map(id, rows))
    told = [(one["eval"]["worst"]["fixed"], one["eval"]["accuracy"]) for one in lines]
    assert told == sorted(told, reverse=True)
    best = chosen(rows)
    assert all((one["tune"]["mean"], one["tune"]["worst"]) <= (best["tune"]["mean"], best["tune"]["worst"]) for one in rows)


@given(rows=ROWS)
@checked
def test_only_the_chosen_row_is_marked_and_best_only_where_its_interval_is_above_zero(rows: list[Row]) -> None:
    lines, made = ordered(rows), table(rows).rows
    best = chosen(rows)
    for one, cells in zip(lines, made, strict=True):
        above, below = one["difference"]["worst_interval"][0] > 0, one["difference"]["worst_interval"][1] < 0
        assert cells[0].endswith("(best)") == (one is best and above)
        assert cells[0].endswith("*") == (one is best and not above)
        assert cells[2].endswith(" >") == above
        assert cells[2].endswith(" <") == below
        assert clearly(one) == ("better" if above else "worse" if below else "")
    said = " ".join(verdict(rows))
    assert ("nothing is marked best" in said) == (clearly(best) != "better")
    better = sum(clearly(one) == "better" for one in rows)
    assert f"Of {len(rows)} combinations {better} are clearly better" in said


@pytest.mark.parametrize(
    ("interval", "said"), [((0.0, 0.2), ""), ((-0.2, 0.0), ""), ((1e-9, 0.2), "better"), ((-0.2, -1e-9), "worse"), (None, "")]
)
def test_an_interval_that_touches_zero_says_nothing(interval: tuple[float, float] | None, said: str) -> None:
    assert clearly(row(interval=interval)) == said


def test_a_chosen_row_that_is_clearly_worse_is_said_to_be() -> None:
    said = " ".join(verdict([row("worse", interval=(-0.3, -0.1))]))
    assert "holds 0" not in said
    assert "clearly worse" in said


def test_equal_rows_stay_in_their_order_and_the_first_of_equals_is_chosen() -> None:
    rows = [row("first"), row("second"), row("third", worst=0.6)]
    assert [one["name"] for one in ordered(rows)] == ["third", "first", "second"]
    assert chosen(rows)["name"] == "first"


def test_a_table_shows_as_many_rows_as_were_asked_and_says_how_many_there_are() -> None:
    rows = [row(f"way {i}", worst=i / 10) for i in range(7)]
    made = table(rows, most=2)
    assert [cells[0] for cells in made.rows] == ["way 6", "way 0 *"]  # the chosen one is always there
    assert made.title == "7 combinations on 100 pictures, by fixed worst-10"
    assert len(table(rows).rows) == 7


def test_worst_classes_that_do_not_occur_on_eval_are_dashes() -> None:
    gone = row("gone", worst=None, interval=None, tune=(0.9, None))
    gone["eval"]["worst"]["fixed_interval"] = None
    made = table([gone, row("there")])
    assert made.rows[1][:3] == ("gone *", "-", "-  ")
    assert verdict([gone])
    assert next(csv.DictReader(io.StringIO(as_csv([gone]))))["worst"] == ""


def test_without_labels_rows_go_by_cmm_top_and_nothing_is_called_better() -> None:
    rows = [blind("low", -0.1), blind("high", 0.2), blind("middle", 0.1)]
    assert [cells[0] for cells in table(rows).rows] == ["high", "middle", "low"]
    assert chosen(rows)["name"] == "high"
    assert len(verdict(rows)) == 1
    assert "nothing here says which is better" in verdict(rows)[0]
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [line["accuracy"] for line in lines] == ["", "", ""]
    assert [line["chosen"] for line in lines] == ["yes", "", ""]


@given(rows=ROWS)
@checked
def test_csv_holds_every_figure_as_it_is(rows: list[Row]) -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert len(lines) == len(rows)
    for line, one in zip(lines, ordered(rows), strict=True):
        assert float(line["worst"]) == one["eval"]["worst"]["fixed"]
        assert [float(line["worst_difference_low"]), float(line["worst_difference_high"])] == one["difference"]["worst_interval"]
        assert (float(line["tune_mean"]), float(line["accuracy"])) == (one["tune"]["mean"], one["eval"]["accuracy"])
        assert (line["clearly"], line["evidence"], None in line) == (clearly(one), "", False)
        assert (line["n"], line["k"], line["in_sample"], float(line["cmm_top"])) == ("100", "10", "", one["eval"]["cmm_top"])
        assert (line["accuracy_difference_low"], line["changed"]) == ("-0.01", "0.1")
    assert [line["chosen"] for line in lines].count("yes") == 1


@pytest.mark.parametrize("evil", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", '=HYPERLINK("x"),\n'])
def test_a_cell_that_a_sheet_would_run_is_quoted(evil: str) -> None:
    line = next(csv.DictReader(io.StringIO(as_csv([row(evil, interval=(-0.3, -0.1))]))))
    assert line["name"] == line["weights"] == f"'{evil}"
    assert line["worst_difference"] == "-0.2", "a number is no formula"


def test_the_page_shows_hostile_names_harmlessly() -> None:
    made = page("data|set\x1b[31m", [row("a|b\x07*", interval=(0.1, 0.2))])
    assert "\x1b" not in made
    assert "\x07" not in made
    assert "a\\|b" in made
    assert "(best)" in made
