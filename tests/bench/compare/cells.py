"""Cells of the comparison: one row, measured once with one system; which follow each other, and what their figures are called."""

import dataclasses
from typing import Any, Callable, Iterable, Protocol

# One JSON object: row, system, operations, seconds, per_second, p50_us, p99_us, cpu_us of one operation and peak_kib by part
# (client, server, postgres, kafka, redis, fakes), errors. tests/bench/peers/README.md has it in full.
Figures = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Cell:
    row: str
    system: str
    round: int
    figures: Figures | None
    failure: str = ""


class System(Protocol):
    """What can be measured: a program, or a part of the stack."""

    name: str

    def rows(self) -> list[str]:
        """The names of those that it has."""

    def measure(self, row: str, seconds: float) -> Figures:
        """Measures one cell. Raises: whatever went wrong, in words."""


def figure(cell: Cell, name: str) -> float | None:
    """@name  `per_second`, or `cpu_us.server` of what has parts; `cpu_us` without one: of client and server together

    Returns: None if the cell failed or does not have it"""
    if cell.figures is None:
        return None
    first, _, part = name.partition(".")
    value: Any = cell.figures.get(first)
    if isinstance(value, dict):
        parts = [part] if part else ["client", "server"]
        value = sum(value[one] for one in parts) if all(one in value for one in parts) else None
    return None if value is None else float(value)


def order(systems: list[System], round_: int) -> list[System]:
    """Each round begins with another one. @round_  from 0"""
    turn = round_ % len(systems) if systems else 0
    return systems[turn:] + systems[:turn]


def measure_cell(system: System, row: str, round_: int, seconds: float) -> Cell:
    """A cell that cannot be measured says why; it is never left out."""
    try:
        figures = system.measure(row, seconds)
    except Exception as error:  # pylint: disable=broad-exception-caught
        return Cell(row, system.name, round_, None, f"{error}".strip() or type(error).__name__)
    if figures.get("errors"):
        return Cell(row, system.name, round_, None, f"{figures['errors']} operations failed")
    return Cell(row, system.name, round_, figures)


def measure_all(systems: list[System], rows: Iterable[str], rounds: int, seconds: float,
                told: Callable[[Cell], None], once: Iterable[str] = ()) -> list[Cell]:
    """All rows once, then all once more: what slows the machine down for a while meets all systems.

    @told  hears each cell
    @once  rows that only the first round has"""
    cells = []
    rows = list(rows)
    for round_ in range(rounds):
        for row in [one for one in rows if round_ == 0 or one not in once]:
            for system in order([one for one in systems if row in one.rows()], round_):
                cells.append(measure_cell(system, row, round_, seconds))
                told(cells[-1])
    return cells
