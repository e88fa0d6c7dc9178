"""Plots as inline SVG: marks and words alone; colours come from the page."""

import itertools
from collections.abc import Sequence
from html import escape

LINE = 15  # the least distance between two labels
TOO_MANY = 400  # classes beyond which dots carry no tooltip of their own


def spread(wanted: Sequence[float], least: float, bottom: float) -> list[float]:
    """Places (n,) near those wanted, in their order, at least `least` apart, and while there is room none below `bottom` (y grows down)."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = list(wanted)
    for above, i in itertools.pairwise(order):
        placed[i] = max(placed[i], placed[above] + least)
    limit = bottom
    for i in reversed(order):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - least
    return placed


def slopes(rows: Sequence[tuple[str, float, float]]) -> str:
    """A slope chart of (name, before, after), shares of 1: each class a line, falling ones dashed."""
    height = max(200, LINE * len(rows) + 40)
    top, bottom, left, right = 24.0, height - 12.0, 170.0, 250.0
    span = max([0.05, *(v for _, before, after in rows for v in (before, after))])

    def y(share: float) -> float:
        return bottom - (bottom - top) * share / span

    parts = [
        f'<text class="head" x="{left}" y="12" text-anchor="end">before</text>',
        f'<text class="head" x="{right}" y="12">after</text>',
    ]
    befores = spread([y(before) for _, before, _ in rows], LINE, bottom)
    afters = spread([y(after) for _, _, after in rows], LINE, bottom)
    for (name, before, after), label, end in zip(rows, befores, afters, strict=True):
        kind = "up" if after > before else "down" if after < before else "same"
        word = escape(name if len(name) <= 18 else name[:17] + "…")
        parts.append(
            f'<g class="{kind}"><title>{escape(name)}: {before:.1%} to {after:.1%}</title>'
            f'<text x="{left - 22}" y="{label + 4:.1f}" text-anchor="end">{word} {100 * before:.0f}</text>'
            f'<line x1="{left}" y1="{y(before):.1f}" x2="{right}" y2="{y(after):.1f}"/>'
            # Labels that had to give way are led back to their dot.
            f'<line class="lead" x1="{left - 20}" y1="{label:.1f}" x2="{left - 3}" y2="{y(before):.1f}"/>'
            f'<line class="lead" x1="{right + 3}" y1="{y(after):.1f}" x2="{right + 20}" y2="{end:.1f}"/>'
            f'<circle cx="{left}" cy="{y(before):.1f}" r="3"/><circle cx="{right}" cy="{y(after):.1f}" r="3"/>'
            f'<text x="{right + 22}" y="{end + 4:.1f}">{100 * after:.0f} {word}</text></g>'
        )
    return _svg(420, height, "Accuracy of the worst classes before and after, in percent", parts)


def sorted_accuracies(rows: Sequence[tuple[str, float, float, tuple[float, float]]]) -> str:
    """Class accuracies of (name, before, after, interval of after), lowest first: a dot with its interval each, a hollow dot for before."""
    ordered = sorted(rows, key=lambda row: (row[2], row[1], row[0]))
    width, height, left, top, bottom = 760.0, 260.0, 40.0, 12.0, 236.0
    step = (width - left - 10) / max(1, len(ordered))
    radius = min(3.5, max(1.0, step / 3))

    def y(share: float) -> float:
        return bottom - (bottom - top) * share

    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line class="grid" x1="{left}" y1="{y(tick):.1f}" x2="{width}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{100 * tick:.0f}</text>')
    for i, (name, before, after, (low, high)) in enumerate(ordered):
        x = left + step * (i + 0.5)
        title = (
            f"<title>{escape(name)}: {after:.1%} [{low:.1%}, {high:.1%}], before {before:.1%}</title>" if len(ordered) <= TOO_MANY else ""
        )
        parts.append(
            f'<g>{title}<line class="interval" x1="{x:.1f}" y1="{y(low):.1f}" x2="{x:.1f}" y2="{y(high):.1f}"/>'
            f'<circle class="before" cx="{x:.1f}" cy="{y(before):.1f}" r="{radius:.1f}"/>'
            f'<circle class="after" cx="{x:.1f}" cy="{y(after):.1f}" r="{radius:.1f}"/></g>'
        )
    parts.append(f'<text class="tick" x="{left}" y="{height - 6}">worst class</text>')
    parts.append(f'<text class="tick" x="{width}" y="{height - 6}" text-anchor="end">best class</text>')
    return _svg(width, height, "Accuracy of every class in percent, lowest first, with 95 % intervals", parts)


def bar(share: float) -> str:
    """A bar for a share of the largest value."""
    rect = f'<rect width="{100 * share:.1f}" height="10"/>'
    return f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{rect}</svg>'


def _svg(width: float, height: float, about: str, parts: Sequence[str]) -> str:
    body = "".join(parts)
    return f'<svg class="plot" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(about)}">{body}</svg>'
