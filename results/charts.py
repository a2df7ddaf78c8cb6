"""Small charts as inline SVG, coloured by the page's style sheet so that they follow its theme.

Classes used: `axis`, `grid`, `tick`, `line`, and `a` (the subject), `b` (what it is
compared with), `c` (a third), `muted` (what was asked for) for series; `event` and `span` for what
the timeline did, `act` for what the twin did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from results.axes import Scale, framed, rule, text

WIDTH = 1000
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 36, 24


@dataclass(frozen=True)
class Series:
    """Values of consecutive steps; None breaks the line."""

    label: str
    values: Sequence[float | None]
    style: str
    """Class of the line: a, b, c or muted."""


@dataclass(frozen=True)
class Marker:
    """Something that happened at an instant, or lasted.

    `style` is "event" for what was done to the network, "act" for what the twin did about it.
    """

    t_s: float
    label: str
    until_s: float | None = None
    style: str = "event"


@dataclass(frozen=True)
class Bar:
    """A span in a row of its own, with instants in it: (time, class, meaning)."""

    label: str
    start: float
    end: float
    open_ended: bool
    text: str
    instants: tuple[tuple[float, str, str], ...] = ()


def line_chart(
    series: Sequence[Series],
    step_s: float,
    unit: str,
    markers: Sequence[Marker] = (),
    height: int = 200,
    reference: float | None = None,
    x_unit: str = "s",
) -> str:
    """Return lines over time, the timeline's events marked; `reference` draws a level.

    Steps may be of something else than seconds: `x_unit` says of what.
    """
    known = [value for one in series for value in one.values if value is not None]
    end_s = step_s * max((len(one.values) for one in series), default=0)
    if not known or end_s <= 0:
        return ""
    top = max(*known, reference or 0.0, 1e-9) * 1.08
    x = Scale(0.0, end_s, _LEFT, WIDTH - _RIGHT)
    y = Scale(0.0, top, height - _BOTTOM, _TOP)
    shown = [marker for marker in markers if 0 <= marker.t_s <= end_s]
    parts = [
        *_spans(shown, x, y),
        *_grid(x, y, unit, x_unit),
        *_reference(reference, x, y),
        *(_line(one, step_s, x, y) for one in series),
        *_events(shown, x, y),
        *_readings(series, step_s, (unit, x_unit), x, y),
    ]
    return framed(parts, WIDTH, height, f"{', '.join(one.label for one in series)} over time")


def bar_chart(bars: Sequence[Bar], unit: str, label: str, up_to: float = 0.0, row: int = 20) -> str:
    """Return horizontal bars on a common scale from 0 to at least `up_to`, a row each.

    `label` says what they are to those who cannot see them.
    """
    if not bars:
        return ""
    left, above = 170, 10
    height = above + row * len(bars) + _BOTTOM
    ends = [max(bar.end, *(at for at, _, _ in bar.instants), 0.0) for bar in bars]
    begins = [min(bar.start, *(at for at, _, _ in bar.instants), 0.0) for bar in bars]
    x = Scale(min(begins), max(*ends, up_to, 1.0) * 1.02, left, WIDTH - 90)
    bottom = height - _BOTTOM
    parts = [_vertical_tick(x(tick), above - 4, bottom, f"{tick:g}") for tick in x.ticks(8)]
    parts.append(text(WIDTH - 90 + 6, bottom + 15, unit, "tick", "start"))
    for index, bar in enumerate(bars):
        parts += _bar(bar, above + row * index, row, left, x)
    return framed(parts, WIDTH, height, label)


def _grid(x: Scale, y: Scale, unit: str, x_unit: str) -> Iterator[str]:
    for tick in y.ticks(4):
        yield rule(x.from_px, y(tick), x.to_px, y(tick), "axis" if tick == 0 else "grid")
        yield text(x.from_px - 6, y(tick) + 3.5, f"{tick:g}", "tick", "end")
    for tick in x.ticks(10):
        yield text(x(tick), y.from_px + 15, f"{tick:g}", "tick", "middle")
    yield text(x.to_px, y.from_px + 15, x_unit, "tick", "end")
    yield text(4, y.to_px - 20, unit, "tick", "start")


def _reference(level: float | None, x: Scale, y: Scale) -> Iterator[str]:
    if level is not None:
        yield rule(x.from_px, y(level), x.to_px, y(level), "reference")


def _line(one: Series, step_s: float, x: Scale, y: Scale) -> str:
    """A line through the middles of the steps; a lone value between holes becomes a dot."""
    commands: list[str] = []
    before: float | None = None
    for index, value in enumerate(one.values):
        if value is not None:
            at = f"{x((index + 0.5) * step_s)} {y(value)}"
            commands.append(f"L{at}" if before is not None else f"M{at}h.01")
        before = value
    return f'<path class="line {one.style}" d="{"".join(commands)}"/>'


def _spans(markers: Iterable[Marker], x: Scale, y: Scale) -> Iterator[str]:
    for marker in markers:
        if marker.until_s is not None:
            width = max(1.0, x(min(marker.until_s, x.high)) - x(marker.t_s))
            yield (
                f'<rect class="span" x="{x(marker.t_s)}" y="{y.to_px}" width="{width:.1f}" '
                f'height="{y.from_px - y.to_px}"/>'
            )


def _events(markers: Sequence[Marker], x: Scale, y: Scale) -> Iterator[str]:
    """A rule for each, its label above: what was done in one row, what the twin did in another.

    Labels that would collide stay in the tooltip.
    """
    free_px = {"event": float(x.from_px), "act": float(x.from_px)}
    row_px = {"event": y.to_px - 20, "act": y.to_px - 7}
    for marker in sorted(markers, key=lambda one: one.t_s):
        at, style = x(marker.t_s), marker.style
        yield (
            f'<g class="{style}">{rule(at, row_px[style] + 4, at, y.from_px, "")}'
            f"<title>{escape(marker.label)} at {marker.t_s:.1f} s</title></g>"
        )
        width_px = 6.5 * len(marker.label)
        start = at if at + width_px < WIDTH else at - width_px
        if start >= free_px[style]:
            yield text(start, row_px[style], marker.label, style, "start")
            free_px[style] = start + width_px + 8


def _readings(
    series: Sequence[Series], step_s: float, units: tuple[str, str], x: Scale, y: Scale
) -> Iterator[str]:
    """An invisible column per step whose tooltip reads all values off."""
    for index in range(max(len(one.values) for one in series)):
        values = [
            f"{one.label}: {one.values[index]:.4g} {units[0]}"
            for one in series
            if index < len(one.values) and one.values[index] is not None
        ]
        left = x(index * step_s)
        width = x((index + 1) * step_s) - left
        title = escape("\n".join([f"{index * step_s:g} {units[1]}", *values]))
        yield (
            f'<rect class="reading" x="{left}" y="{y.to_px}" width="{width:.1f}" '
            f'height="{y.from_px - y.to_px}"><title>{title}</title></rect>'
        )


def _bar(bar: Bar, top: float, row: int, left: float, x: Scale) -> Iterator[str]:
    middle = top + row / 2
    style = "bar open" if bar.open_ended else "bar"
    width = max(1.5, x(bar.end) - x(bar.start))
    yield text(left - 10, middle + 3.5, bar.label, "tick label", "end")
    yield (
        f'<rect class="{style}" x="{x(bar.start)}" y="{top + 4:.1f}" width="{width:.1f}" '
        f'height="{row - 8}" rx="2"><title>{escape(f"{bar.label}: {bar.text}")}</title></rect>'
    )
    for at, kind, meaning in bar.instants:
        yield (
            f'<g class="instant {kind}">{rule(x(at), top + 1, x(at), top + row - 1, "")}'
            f"<title>{escape(meaning)}</title></g>"
        )
    ends = max([bar.end, *(at for at, _, _ in bar.instants)])
    yield text(x(ends) + 6, middle + 3.5, bar.text, "tick value", "start")


def _vertical_tick(x: float, top: float, bottom: float, label: str) -> str:
    return rule(x, top, x, bottom, "grid") + text(x, bottom + 15, label, "tick", "middle")
