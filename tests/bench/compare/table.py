"""The comparison as text."""

from cells import Cell
from goals import Verdict
from spread import Spread, of_system

# Heading, figure, by how much it is divided, and whether its spread is shown.
COLUMNS = [("a second", "per_second", 1.0, True), ("p50 µs", "p50_us", 1.0, True), ("p99 µs", "p99_us", 1.0, True),
           ("CPU client", "cpu_us.client", 1.0, True), ("CPU server", "cpu_us.server", 1.0, True),
           ("CPU Postgres", "cpu_us.postgres", 1.0, True), ("CPU Kafka", "cpu_us.kafka", 1.0, False), ("CPU Redis", "cpu_us.redis", 1.0, False),
           ("CPU fakes", "cpu_us.fakes", 1.0, False), ("MiB client", "peak_kib.client", 1024.0, False),
           ("MiB server", "peak_kib.server", 1024.0, False)]
# Figures that only some rows have; they are told below their row.
DICTS = {"each": "for each", "idle_kib": "idle, KiB", "growth": "last quarter : first"}
SINGLES = {"start_ms": "start to ready, ms", "waiting_kib": "each waiting publish, KiB", "clients": "connections"}


def number(value: float) -> str:
    """Three digits that count, and thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread_text(measured: Spread | None, scale: float = 1.0, around: bool = True) -> str:
    """Median (least-greatest), or the median alone; - where there is none."""
    if measured is None:
        return "-"
    middle = number(measured.median / scale)
    if not around or measured.least == measured.greatest:
        return middle
    return f"{middle} ({number(measured.least / scale)}-{number(measured.greatest / scale)})"


def lay_out(lines: list[list[str]]) -> list[str]:
    """Columns below each other, the first one to the left."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(line)).rstrip()
            for line in lines]


def _in_order(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _more(cells: list[Cell], row: str, system: str) -> list[str]:
    """Figures that have no column."""
    found = []
    figures = [cell.figures for cell in cells if (cell.row, cell.system) == (row, system) and cell.figures]
    for name, title in SINGLES.items():
        if measured := of_system(cells, row, system, name):
            found.append(f"{title}: {spread_text(measured)}")
    for name, title in DICTS.items():
        parts = _in_order([part for one in figures for part in one.get(name, {})])
        texts = [f"{part.replace('_', ' ')} {spread_text(of_system(cells, row, system, f'{name}.{part}'))}" for part in parts]
        if texts:
            found.append(f"{title}: {', '.join(texts)}")
    return [f"  {system}: {text}" for text in found]


def row_text(cells: list[Cell], row: str, title: str) -> str:
    """The systems of one row: medians over the rounds, with the least and the greatest. CPU in µs of one operation."""
    systems = _in_order([cell.system for cell in cells if cell.row == row])
    columns = [column for column in COLUMNS if any(of_system(cells, row, system, column[1]) for system in systems)]
    lines = [[title] + [heading for heading, *_ in columns]]
    for system in systems if columns else []:
        lines.append(["  " + system] + [spread_text(of_system(cells, row, system, name), scale, around)
                                          for _, name, scale, around in columns])
    text = lay_out(lines)
    for system in systems:
        text += _more(cells, row, system)
    failures = [cell for cell in cells if cell.row == row and cell.figures is None]
    text += [f"  {cell.system}: FAILED in round {cell.round + 1}: {' '.join(cell.failure.split())}" for cell in failures]
    return "\n".join(text)


def goals_text(verdicts: list[Verdict]) -> str:
    lines = [["goal", "", "measured", "least", "greatest", ""]]
    for verdict in verdicts:
        measured = verdict.measured
        values = [number(value) for value in (measured.median, measured.least, measured.greatest)] if measured else ["-"] * 3
        lines.append([f"{verdict.goal.row}: {verdict.goal.text}", ""] + values + [verdict.word])
    return "\n".join(lay_out(lines))


def table_text(cells: list[Cell], titles: dict[str, str], verdicts: list[Verdict]) -> str:
    parts = [row_text(cells, row, titles.get(row, row)) for row in _in_order([cell.row for cell in cells])]
    parts.append("Medians of the rounds (least-greatest). CPU: µs of one operation, user and system. MiB: peak of resident memory.")
    if verdicts:
        parts.append(goals_text(verdicts))
    return "\n\n".join(parts)
