"""Medians over the rounds, with what lies around them."""

import dataclasses
import statistics

from cells import Cell, figure


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    least: float
    greatest: float


def spread(values: list[float]) -> Spread | None:
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def by_round(cells: list[Cell], row: str, system: str, name: str) -> dict[int, float]:
    """That figure of one system in each round that has it."""
    found = {}
    for cell in cells:
        if (cell.row, cell.system) == (row, system) and (value := figure(cell, name)) is not None:
            found[cell.round] = value
    return found


def of_system(cells: list[Cell], row: str, system: str, name: str) -> Spread | None:
    return spread(list(by_round(cells, row, system, name).values()))


def ratio(cells: list[Cell], row: str, ours: str, theirs: str, name: str) -> Spread | None:
    """The ratio of the medians; around it those of single rounds. None where no round has both."""
    our, their = by_round(cells, row, ours, name), by_round(cells, row, theirs, name)
    both = sorted(set(our) & set(their))
    if not both or any(their[round_] == 0 for round_ in both):
        return None
    ratios = [our[round_] / their[round_] for round_ in both]
    middle = statistics.median(our[round_] for round_ in both) / statistics.median(their[round_] for round_ in both)
    return Spread(middle, min(ratios), max(ratios))
