"""A network as a picture: in characters for terminals, as SVG for reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from itertools import combinations

import networkx as nx

from topologies.model import DirectedLink, Switch, Topology

Point = tuple[float, float]

_COLOURS = ((0.5, "#3f9b6c"), (0.75, "#d0b02f"), (0.9, "#e0862a"), (float("inf"), "#c4342b"))
"""Colour of a direction by its utilisation: the first whose bound is above it."""
_PLAIN_COLOUR = "#8a94a0"

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each of the 4 x 2 dots in a Braille character (Unicode block U+2800)."""


def text(topology: Topology, width: int = 78, height: int = 22) -> str:
    """Return the switches and core links in characters: `height` lines of at most `width`."""
    longest = max(len(switch.name) for switch in topology.switches)
    points = _placed(topology, width - longest, height - 1)
    canvas = [["\u2800"] * width for _ in range(height)]
    for link in topology.core_links:
        _draw_line(canvas, points[link.a], points[link.b])
    for switch in topology.switches:
        column, row = (round(value) for value in points[switch.name])
        row = _free_row(canvas, column, row, len(switch.name))
        canvas[row][column : column + len(switch.name)] = switch.name
    return "\n".join("".join(row).replace("\u2800", " ").rstrip() for row in canvas)


def svg(
    topology: Topology,
    utilisation: Mapping[DirectedLink, float] | None = None,
    width_px: int = 640,
) -> str:
    """Return the switches and core links as a self-contained SVG element.

    With `utilisation` (by direction, 1 being full; 0 where absent), the half of a link next to a
    switch has the colour of what that switch sends, and says the percentage.
    """
    margin, height_px = 48, round(width_px * 0.6)
    placed = _placed(topology, width_px - 2 * margin, height_px - 2 * margin)
    points = {name: (x + margin, y + margin) for name, (x, y) in _spread(placed).items()}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width_px} {height_px}" '
        f'width="{width_px}" height="{height_px}" font-family="sans-serif" text-anchor="middle" '
        f'role="img" aria-label="Network {escape(topology.name)}">'
    ]
    directions = topology.core_directions
    parts += [_svg_direction(direction, points, utilisation) for direction in directions]
    if utilisation is not None:
        parts += [_svg_percentage(direction, points, utilisation) for direction in directions]
    parts += [_svg_switch(switch, points[switch.name]) for switch in topology.switches]
    return "\n".join([*parts, "</svg>"])


def _placed(topology: Topology, width: float, height: float) -> dict[str, Point]:
    """The switches' positions, fitted into a box whose y axis points down."""
    given = {switch.name: switch.position for switch in topology.switches if switch.position}
    if len(given) < len(topology.switches):
        graph = nx.Graph((link.a, link.b) for link in topology.core_links)
        graph.add_nodes_from(switch.name for switch in topology.switches)
        layout = nx.kamada_kawai_layout(graph, weight=None)
        given = {name: (float(x), float(y)) for name, (x, y) in layout.items()}
    left, right = min(x for x, _ in given.values()), max(x for x, _ in given.values())
    bottom, top = min(y for _, y in given.values()), max(y for _, y in given.values())
    return {
        name: (
            (x - left) / (right - left) * width if right > left else width / 2,
            (top - y) / (top - bottom) * height if top > bottom else height / 2,
        )
        for name, (x, y) in given.items()
    }


def _spread(points: Mapping[str, Point], least_px: float = 56.0) -> dict[str, Point]:
    """Push apart switches that would cover each other."""
    moved = dict(points)
    for _ in range(20):
        for one, other in combinations(moved, 2):
            (x1, y1), (x2, y2) = moved[one], moved[other]
            distance = math.hypot(x2 - x1, y2 - y1)
            if distance < least_px:
                share = (least_px - distance) / 2 / (distance or 1.0)
                dx, dy = (x2 - x1) * share, (y2 - y1) * share
                if distance == 0.0:
                    dx = least_px / 2
                moved[one], moved[other] = (x1 - dx, y1 - dy), (x2 + dx, y2 + dy)
    return moved


def _draw_line(canvas: list[list[str]], start: Point, end: Point) -> None:
    (x1, y1), (x2, y2) = start, end
    steps = max(1, round(max(abs(x2 - x1) * 2, abs(y2 - y1) * 4)))
    for step in range(steps + 1):
        x = round((x1 + (x2 - x1) * step / steps) * 2) + 1
        y = round((y1 + (y2 - y1) * step / steps) * 4) + 1
        row, column = y // 4, x // 2
        dot = _DOTS[y % 4][x % 2]
        canvas[row][column] = chr(ord(canvas[row][column]) | dot)


def _free_row(canvas: list[list[str]], column: int, row: int, length: int) -> int:
    """`row`, or the next one below where no name stands in the way yet."""
    rows = [(row + offset) % len(canvas) for offset in range(len(canvas))]
    around = slice(max(column - 1, 0), column + length + 1)
    return next((r for r in rows if all(ord(c) >= 0x2800 for c in canvas[r][around])), row)


def _svg_direction(
    direction: DirectedLink,
    points: Mapping[str, Point],
    utilisation: Mapping[DirectedLink, float] | None,
) -> str:
    """The half of the link on the side of the sending switch."""
    (x1, y1), (x2, y2) = points[direction[0]], points[direction[1]]
    colour, title = _PLAIN_COLOUR, f"{direction[0]} to {direction[1]}"
    if utilisation is not None:
        share = utilisation.get(direction, 0.0)
        colour = next(colour for bound, colour in _COLOURS if share < bound)
        title += f": {share:.0%}"
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{(x1 + x2) / 2:.1f}" y2="{(y1 + y2) / 2:.1f}" '
        f'stroke="{colour}" stroke-width="4"><title>{escape(title)}</title></line>'
    )


def _svg_percentage(
    direction: DirectedLink, points: Mapping[str, Point], utilisation: Mapping[DirectedLink, float]
) -> str:
    (x1, y1), (x2, y2) = points[direction[0]], points[direction[1]]
    return (
        f'<text x="{x1 + (x2 - x1) * 0.3:.1f}" y="{y1 + (y2 - y1) * 0.3 + 3:.1f}" font-size="9" '
        f'fill="#222" stroke="#fff" stroke-width="3" paint-order="stroke">'
        f"{utilisation.get(direction, 0.0):.0%}</text>"
    )


def _svg_switch(switch: Switch, point: Point) -> str:
    x, y = point
    width = 7 * len(switch.name) + 10
    label = "" if switch.label == switch.name else escape(switch.label)
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - 9:.1f}" width="{width}" height="18" rx="9" '
        f'fill="#23415e"/><text x="{x:.1f}" y="{y + 4:.1f}" font-size="11" fill="#fff">'
        f'{escape(switch.name)}</text><text x="{x:.1f}" y="{y + 21:.1f}" font-size="10" '
        f'fill="#444" stroke="#fff" stroke-width="3" paint-order="stroke">{label}</text>'
    )
