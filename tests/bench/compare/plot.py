"""The comparison as pictures: an SVG of each row, and one of all goals."""

import math
import pathlib
from xml.sax.saxutils import escape

from cells import Cell
from goals import Verdict
from spread import Spread, of_system
from table import number

WIDTH, LEFT, RIGHT, BAR, GAP, HEAD = 860, 190, 150, 20, 12, 54
OURS, THEIRS = "#c2410c", "#64748b"
PARTS = {"client": "#94a3b8", "server": "#c2410c", "postgres": "#1d4ed8", "kafka": "#7c3aed", "redis": "#be123c", "fakes": "#a16207"}
MET = {"met": "#15803d", "missed": "#b91c1c"}
STYLE = "text{font:13px sans-serif;fill:#1e293b}.h{font-weight:bold;font-size:15px}.s{font-size:11px;fill:#475569}"


class Drawing:
    """An SVG that grows downwards."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.y = 0.0

    def text(self, x: float, y: float, text: str, css: str = "", anchor: str = "start") -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{escape(text)}</text>')

    def bar(self, x: float, y: float, width: float, colour: str, height: float = BAR) -> None:
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height}" fill="{colour}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "#0f172a") -> None:
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="1.5"/>')

    def svg(self) -> str:
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.y:.0f}" '
                f'viewBox="0 0 {WIDTH} {self.y:.0f}"><style>{STYLE}</style>'
                f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(self.parts)}</svg>\n')


def _colour(system: str) -> str:
    return OURS if system.startswith("herald") else THEIRS


def _whisker(drawing: Drawing, measured: Spread, scale: float, y: float) -> None:
    """From the least to the greatest."""
    middle = y + BAR / 2
    ends = [LEFT + value * scale for value in (measured.least, measured.greatest)]
    drawing.line(ends[0], middle, ends[1], middle)
    for end in ends:
        drawing.line(end, middle - 4, end, middle + 4)


def _bars(drawing: Drawing, heading: str, bars: dict[str, Spread]) -> None:
    """A bar for each system, from 0, with its spread."""
    drawing.text(12, drawing.y + 20, heading, "s")
    drawing.y += 30
    scale = (WIDTH - LEFT - RIGHT) / max(measured.greatest for measured in bars.values())
    for system, measured in bars.items():
        drawing.text(LEFT - 8, drawing.y + 15, system, anchor="end")
        drawing.bar(LEFT, drawing.y, measured.median * scale, _colour(system))
        _whisker(drawing, measured, scale, drawing.y)
        drawing.text(LEFT + measured.greatest * scale + 8, drawing.y + 15, number(measured.median))
        drawing.y += BAR + GAP


def _stacks(drawing: Drawing, stacks: dict[str, dict[str, float]]) -> None:
    """CPU of one operation, by part."""
    drawing.text(12, drawing.y + 20, "CPU of one operation, µs (user and system; medians)", "s")
    drawing.y += 30
    scale = (WIDTH - LEFT - RIGHT) / max(sum(stack.values()) for stack in stacks.values())
    for system, stack in stacks.items():
        drawing.text(LEFT - 8, drawing.y + 15, system, anchor="end")
        x = float(LEFT)
        for part, value in stack.items():
            drawing.bar(x, drawing.y, value * scale, PARTS[part])
            x += value * scale
        drawing.text(x + 8, drawing.y + 15, number(sum(stack.values())))
        drawing.y += BAR + GAP
    x = float(LEFT)
    for part in dict.fromkeys(part for stack in stacks.values() for part in stack):
        drawing.bar(x, drawing.y + 2, 10, PARTS[part], 10)
        drawing.text(x + 14, drawing.y + 11, part, "s")
        x += 90
    drawing.y += 24


def row_svg(cells: list[Cell], row: str, title: str) -> str:
    """Empty if nothing of the row was measured."""
    systems = list(dict.fromkeys(cell.system for cell in cells if cell.row == row))
    drawing = Drawing()
    drawing.text(12, 28, title, "h")
    drawing.y = HEAD - 14
    for name, heading in (("per_second", "operations a second"), ("p50_us", "p50, µs")):
        bars = {system: found for system in systems if (found := of_system(cells, row, system, name)) and found.greatest > 0}
        if bars:
            _bars(drawing, heading + ": median, least and greatest round", bars)
    stacks = {}
    for system in systems:
        found = {part: of_system(cells, row, system, f"cpu_us.{part}") for part in PARTS}
        if stack := {part: measured.median for part, measured in found.items() if measured and measured.median > 0}:
            stacks[system] = stack
    if stacks:
        _stacks(drawing, stacks)
    drawing.y += 8
    return drawing.svg() if drawing.y > HEAD else ""


def goals_svg(verdicts: list[Verdict]) -> str:
    """How far each goal is, as a factor of what it asks for: right of the line is met."""
    drawing, left, middle, reach = Drawing(), 440, 610, 150
    drawing.text(12, 28, "Goals: 1 is where each begins to be met; logarithmic, from a quarter to four times", "h")
    drawing.y = HEAD
    top = drawing.y
    for verdict in verdicts:
        drawing.text(12, drawing.y + 15, f"{verdict.goal.row}: {verdict.goal.text}", "s")
        if verdict.measured and verdict.measured.median > 0:
            factor = verdict.measured.median / verdict.goal.bound
            factor = factor if verdict.goal.at_least else 1 / factor
            to = max(-1.0, min(1.0, math.log(factor, 4))) * reach
            drawing.bar(middle + min(to, 0), drawing.y + 3, abs(to), MET[verdict.word], 14)
        drawing.text(WIDTH - 12, drawing.y + 15, f"{number(verdict.measured.median)} {verdict.word}" if verdict.measured else
                     verdict.word, anchor="end")
        drawing.y += 22
    drawing.line(middle, top - 4, middle, drawing.y)
    drawing.line(left, drawing.y + 4, middle + reach, drawing.y + 4, "#cbd5e1")
    drawing.y += 16
    return drawing.svg()


def write_all(folder: pathlib.Path, cells: list[Cell], titles: dict[str, str], verdicts: list[Verdict]) -> list[pathlib.Path]:
    """Returns: the files"""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {row: row_svg(cells, row, titles.get(row, row)) for row in dict.fromkeys(cell.row for cell in cells)}
    if verdicts:
        pictures["goals"] = goals_svg(verdicts)
    files = []
    for name, svg in pictures.items():
        if svg:
            files.append(folder / f"{name}.svg")
            files[-1].write_text(svg)
    return files
