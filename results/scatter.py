"""A scatter plot of predicted against measured values, as inline SVG like the other charts."""

from __future__ import annotations

from collections.abc import Sequence

from results.axes import Scale, framed, rule, text

WIDTH, HEIGHT = 480, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 24, 40


def scatter_chart(points: Sequence[tuple[float, float]], unit: str, label: str) -> str:
    """Return (measured, predicted) as dots on one scale; those on the diagonal were right.

    `label` says what they are to those who cannot see them.
    """
    if not points:
        return ""
    top = max(*(value for point in points for value in point), 1e-9) * 1.05
    x = Scale(0.0, top, _LEFT, WIDTH - _RIGHT)
    y = Scale(0.0, top, HEIGHT - _BOTTOM, _TOP)
    parts = []
    for tick in x.ticks(5):
        style = "axis" if tick == 0 else "grid"
        parts += [
            rule(x(tick), y.from_px, x(tick), y.to_px, style),
            rule(x.from_px, y(tick), x.to_px, y(tick), style),
            text(x(tick), y.from_px + 15, f"{tick:g}", "tick", "middle"),
            text(x.from_px - 6, y(tick) + 3.5, f"{tick:g}", "tick", "end"),
        ]
    # A line without length is a dot as wide as its stroke.
    dots = "".join(f"M{x(measured)} {y(predicted)}h0" for measured, predicted in points)
    parts += [
        rule(x.from_px, y.from_px, x.to_px, y.to_px, "reference"),
        f'<path class="dots" d="{dots}"/>',
        text(x.to_px, HEIGHT - 6, f"measured, {unit}", "tick", "end"),
        text(4, 12, f"predicted, {unit}", "tick", "start"),
    ]
    return framed(parts, WIDTH, HEIGHT, label)
