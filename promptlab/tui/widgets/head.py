"""The two lines on top of every screen: where one is, and how the run stands."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click
from textual.widgets import Static

from promptlab.display import many, safe
from promptlab.report.tables import cosine, percent, signed, with_interval
from promptlab.tui.commands import GO
from promptlab.types import Interval

if TYPE_CHECKING:
    from promptlab.workbench import Headline, Workbench


class Places(Static):
    """The screens, with their keys; a click goes there."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode, self._ends = mode, list[tuple[int, str]]()

    def on_mount(self) -> None:
        """Draw the screens' names."""
        line = Text(no_wrap=True)
        for one in GO:
            name = one.id.removeprefix("go.")
            here = name == self._mode
            line.append(f" {one.key} ", "reverse bold" if here else "dim")
            line.append(f"{one.title} ", "reverse bold" if here else "")
            self._ends.append((line.cell_len, one.action))
        self.update(line)

    async def on_click(self, event: Click) -> None:
        """Go to the screen under the mouse."""
        action = next((action for end, action in self._ends if event.x < end), None)
        if action is not None:
            await self.app.run_action(action)


class Head(Vertical):
    """Places, and the headline of the run."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode

    def compose(self) -> ComposeResult:
        """Two lines."""
        yield Places(self._mode)
        yield Static("", id="headline", markup=False)

    def show(self, bench: "Workbench | None", opening: str = "") -> None:
        """The headline of what is on the workbench."""
        self.query_one("#headline", Static).update(
            Text(safe(opening) or "No run is open.") if bench is None else headline(bench, self.size.width)
        )


def headline(bench: "Workbench", width: int) -> Text:
    """Accuracy, classes at 0 and worst set on tune, and what the edits changed."""
    head = bench.headline
    wide = width >= 120
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f" {safe(bench.run.name, 40)} " if wide else f" {safe(bench.dataset.name, 14)} ", "bold")
    line.append(f"tune: {head.images:,} pictures  " if wide else "tune  ", "dim")
    line.append("  ".join(f"{name} {value}" for name, value in figures(head, wide)))
    done = bench.now.done
    if done or head.since.images:
        line.append("  │ ", "dim")
        line.append((f"{many(done, 'edit')}: " if done else "since the run: ") + "mean " * wide)
        line.append_text(since(head))
    told = judged(bench.run.result)
    if line.cell_len + len(told) < width:
        line.append(told, "dim")
    return line


def judged(result: Mapping[str, Any] | None) -> str:
    """What the run came to on the half that nothing was tuned on; nothing without labels, or before it is finished."""
    try:
        worst = result["result"]["worst"]  # type: ignore[index]
        return f"  │ judged: worst-{worst['k']} {with_interval(worst['fixed'], Interval(*worst['fixed_interval']))}"
    except (KeyError, TypeError):  # no result, one without labels, or one that somebody else wrote
        return ""


def figures(head: "Headline", wide: bool) -> list[tuple[str, str]]:
    """(name, value) of the figures that a headline shows, the most telling ones where there is little room."""
    if not head.labelled:
        return [("cmm", cosine(head.cmm)), ("agreement with the first ensemble" if wide else "agree", f"{percent(head.accuracy)} %")]
    all_images = [("recall" if head.several else "acc", percent(head.accuracy))] if wide else []
    return [*all_images, ("mean", percent(head.mean)), ("at 0:", str(head.zeros)), (f"worst-{head.k}", percent(head.worst))]


def since(head: "Headline") -> Text:
    """What changed against the run in the mean over classes, with its interval; colour only repeats the sign."""
    move = head.since
    if not move.images and not move.cmm:
        return Text("no change")
    value, interval = (move.accuracy, move.interval) if head.labelled else (move.cmm, move.cmm_interval)
    show = signed if head.labelled else cosine
    ends = f" [{show(interval.low)}, {show(interval.high)}]" if math.isfinite(interval.low) else ""
    return Text(f"{show(value)}{ends}", "green" if interval.low > 0 else "red" if interval.high < 0 else "")
