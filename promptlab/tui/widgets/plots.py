"""Plots of a few cells: a bar and a line of columns for cells of tables, and values in order over a given width and height."""

import math
import statistics
from collections.abc import Sequence

from rich.text import Text
from textual.content import Content
from textual.widget import Widget

from promptlab.display import many

COLUMNS = " ▁▂▃▄▅▆▇█"
ROWS = " ▏▎▍▌▋▊▉█"
Values = Sequence[float | None]


def eighths(share: float, width: int) -> str:
    """A bar of exactly `width` cells, filled from the left to an eighth of a cell; shares below 0 and above 1 are cut."""
    filled = round(min(max(share, 0.0), 1.0) * width * 8)
    full, part = divmod(filled, 8)
    return ("█" * full + (ROWS[part] if part else "")).ljust(width)


def bar(share: float | None, width: int, style: str = "") -> Text:
    """The bar of a share for a cell of a table; blank without one."""
    return Text(" " * width if share is None or math.isnan(share) else eighths(share, width), style=style, no_wrap=True)


def spark(values: Values, low: float | None = None, high: float | None = None, style: str = "") -> Text:
    """One column for each value, between `low` and `high` (by default the lowest and highest of them); a gap where there is none."""
    there = _there(values)
    bottom, top = low if low is not None else min(there, default=0.0), high if high is not None else max(there, default=0.0)
    shown = "".join(_column(v, bottom, top) if v is not None and math.isfinite(v) else " " for v in values)
    return Text(shown, style=style, no_wrap=True)


class Ranked(Widget):
    """Shares from the lowest to the highest as columns from 0 to `top`, over the width and height that it is given, and a line of
    legend. Where there are more values than columns, a column is the mean of its neighbours."""

    DEFAULT_CSS = """
    Ranked { height: 6; width: 1fr; color: $primary; }
    """

    def __init__(self, values: Values = (), thing: str = "class", things: str = "classes", top: float = 1.0, id: str | None = None) -> None:
        super().__init__(id=id)
        self._thing, self._things, self._top = thing, things, top
        self._values, self._missing = _ranked(values)

    def set_values(self, values: Values) -> None:
        """Shows these instead. None and NaN are counted in the legend, not shown."""
        self._values, self._missing = _ranked(values)
        self.refresh()

    def render(self) -> Content:
        """The columns and the legend under them."""
        width, height = self.content_size
        rows = columns(self._values, width, height - 1, self._top)
        return Content("\n").join([*(Content(row) for row in rows), Content.styled(self.fitting(width), "$text-muted").truncate(width)])

    def fitting(self, width: int) -> str:
        """As many parts of the legend as there is room for."""
        parts = self.legend.split(" · ")
        while len(parts) > 1 and len(" · ".join(parts)) > width:
            parts.pop()
        return " · ".join(parts)

    @property
    def legend(self) -> str:
        """What is shown, in a line."""
        without = f" · {self._missing:,} without a value" if self._missing else ""
        if not self._values:
            return f"nothing to show{without}"
        low, middle, high = (v / self._top for v in (self._values[0], statistics.median(self._values), self._values[-1]))
        counted = many(len(self._values), self._thing, self._things)
        return f"{low:.1%} · median {middle:.1%} · {high:.1%} · {counted}{without}"


def columns(values: Sequence[float], width: int, height: int, top: float = 1.0) -> list[str]:
    """`height` rows of `width` cells, values as columns from the bottom up to `top`; a 0 is an eighth high, so that it is seen to be
    there."""
    if not values or width < 1 or height < 1:
        return [" " * max(width, 0)] * max(height, 0)
    n = len(values)
    places = [(x * n // width, max((x + 1) * n // width, x * n // width + 1)) for x in range(width)]
    shares = [min(max(statistics.fmean(values[a:b]) / top, 0.0), 1.0) for a, b in places]
    highs = [max(round(share * height * 8), 1) for share in shares]
    return ["".join(COLUMNS[min(max(high - row * 8, 0), 8)] for high in highs) for row in reversed(range(height))]


def _column(value: float, low: float, high: float) -> str:
    if high <= low:
        return COLUMNS[4]
    return COLUMNS[1 + round(min(max((value - low) / (high - low), 0.0), 1.0) * 7)]


def _there(values: Values) -> list[float]:
    return [v for v in values if v is not None and math.isfinite(v)]


def _ranked(values: Values) -> tuple[list[float], int]:
    there = sorted(_there(values))
    return there, len(values) - len(there)
