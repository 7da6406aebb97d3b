"""Medians, goals, table and pictures of cells whose figures are known; and what becomes of a cell that fails."""

import pathlib
import sys
import tempfile
import xml.dom.minidom
from typing import Any

sys.dont_write_bytecode = True

import cells
import cost
import plot
import replay
import service
import spring
import table
from cells import Cell
from goals import GOALS, Goal, Verdict, judge
from spread import Spread, of_system, ratio, spread

FAST, SLOW = [600.0, 660.0, 630.0], [100.0, 120.0, 90.0]
AT_LEAST_6 = Goal("empty_call", "herald_native", "grpc", "per_second", True, 6)


def cell(system: str, round_: int, rate: float, **more: Any) -> Cell:
    figures = {"row": "empty_call", "system": system, "operations": 1000, "seconds": 1, "per_second": rate, "p50_us": 1e6 / rate,
               "p99_us": 4e6 / rate, "cpu_us": {"client": 2.0, "server": 3.0}, "peak_kib": {"client": 2048, "server": 4096},
               "errors": 0}
    return Cell("empty_call", system, round_, figures | more)


def measured() -> list[Cell]:
    return [cell(system, round_, rates[round_]) for round_ in range(3)
            for system, rates in (("herald_native", FAST), ("grpc", SLOW))]


FAILED = Cell("empty_call", "capnp", 1, None, "exit status 1:\nno such library")


class Fake:
    """A system that has two rows, and fails in one."""

    def __init__(self, name: str, broken: str = "", errors: int = 0) -> None:
        self.name, self.broken, self.errors = name, broken, errors

    def rows(self) -> list[str]:
        return ["one", "two"] if self.name != "c" else ["two"]

    def measure(self, row: str, seconds: float) -> dict[str, Any]:
        if row == self.broken:
            raise RuntimeError("broken")
        return {"per_second": seconds, "errors": self.errors}


def test_spread_of_rounds_is_median_least_and_greatest() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2, 1, 3)
    assert spread([1.0, 2.0]) == Spread(1.5, 1, 2)
    assert spread([]) is None
    assert of_system(measured(), "empty_call", "grpc", "per_second") == Spread(100, 90, 120)
    assert of_system(measured(), "empty_call", "grpc", "cpu_us") == Spread(5, 5, 5)
    assert of_system(measured(), "empty_call", "grpc", "cpu_us.server") == Spread(3, 3, 3)
    assert of_system(measured(), "empty_call", "grpc", "cpu_us.kafka") is None


def test_ratio_takes_medians_and_single_rounds() -> None:
    found = ratio(measured(), "empty_call", "herald_native", "grpc", "per_second")
    assert found and (found.median, found.least, found.greatest) == (6.3, 5.5, 7.0), found
    assert ratio(measured(), "empty_call", "herald_native", "capnp", "per_second") is None
    # A round in which one of both failed is no round of the ratio.
    less = [one for one in measured() if not (one.system == "grpc" and one.round == 1)]
    found = ratio(less, "empty_call", "herald_native", "grpc", "per_second")
    assert found and (found.least, found.greatest) == (6.0, 7.0), found


def test_goal_is_met_missed_or_not_measured() -> None:
    def word(bound: float, at_least: bool, theirs: str = "grpc", name: str = "per_second") -> str:
        return judge(measured(), [Goal("empty_call", "herald_native", theirs, name, at_least, bound)])[0].word

    assert word(6.3, True) == "met" and word(6.31, True) == "missed"
    assert word(6.3, False) == "met" and word(6.29, False) == "missed"
    assert word(6, True, "capnp") == "not measured"
    assert word(5, False, "", "cpu_us") == "met" and word(4.9, False, "", "cpu_us") == "missed"
    assert not judge(measured(), [Goal("tls", "herald_native", "grpc", "per_second", True, 2)])
    assert len({(goal.row, goal.ours, goal.theirs, goal.figure) for goal in GOALS}) == len(GOALS)


def test_rounds_interleave_systems_and_turn_their_order() -> None:
    told: list[Cell] = []
    systems: list[cells.System] = [Fake("a"), Fake("b"), Fake("c")]
    found = cells.measure_all(systems, ["one", "two"], 2, 1, told.append)
    assert [(one.round, one.row, one.system) for one in found] == [
        (0, "one", "a"), (0, "one", "b"), (0, "two", "a"), (0, "two", "b"), (0, "two", "c"),
        (1, "one", "b"), (1, "one", "a"), (1, "two", "b"), (1, "two", "c"), (1, "two", "a")]
    assert told == found
    found = cells.measure_all(systems, ["one", "two"], 2, 1, told.append, {"one"})
    assert [(one.round, one.row) for one in found if one.row == "one"] == [(0, "one"), (0, "one")]


def test_failed_cell_has_no_figures_and_says_why() -> None:
    broken = cells.measure_cell(Fake("a", broken="one"), "one", 0, 1)
    assert (broken.figures, broken.failure) == (None, "broken")
    wrong = cells.measure_cell(Fake("a", errors=3), "one", 0, 1)
    assert (wrong.figures, wrong.failure) == (None, "3 operations failed")
    text = table.row_text(measured() + [FAILED], "empty_call", "empty call")
    assert "  capnp: FAILED in round 2: exit status 1: no such library" in text.splitlines()
    assert [line.split()[1:] for line in text.splitlines() if line.startswith("  capnp ")] == [["-"] * 7]


def test_table_shows_medians_spread_and_goals() -> None:
    lines = table.table_text(measured(), {"empty_call": "empty call"}, judge(measured(), [AT_LEAST_6])).splitlines()
    assert lines[0].split("  ")[0] == "empty call" and "CPU Postgres" not in lines[0]
    ours = next(line for line in lines if line.startswith("  herald_native"))
    assert "630 (600-660)" in ours and ours.split()[-2:] == ["2", "4"], ours
    assert lines[-1].startswith("empty_call: rate, herald_native : grpc ≥ 6"), lines[-1]
    assert lines[-1].split()[-4:] == ["6.3", "5.5", "7", "met"], lines[-1]
    assert [table.number(value) for value in (1234567.0, 99.94, 0.01234, 0)] == ["1,234,567", "99.9", "0.0123", "0"]


def test_figures_without_a_column_are_told_below() -> None:
    one = cell("herald", 0, 1, start_ms=12.5, each={"commits": 7.0, "WAL_syncs": 5.0})
    text = table.row_text([one], "empty_call", "cost")
    assert "  herald: start to ready, ms: 12.5" in text and "  herald: for each: commits 7, WAL syncs 5" in text, text


def test_pictures_are_xml_with_a_bar_for_each_system() -> None:
    svg = plot.row_svg(measured() + [FAILED], "empty_call", "empty <call>")
    xml.dom.minidom.parseString(svg)
    # The ground; a bar of the rate and of p50, client and server of each; two in the legend.
    assert svg.count("<rect") == 1 + 2 * 2 + 2 * 2 + 2, svg.count("<rect")
    assert "empty &lt;call&gt;" in svg and ">630<" in svg
    assert plot.row_svg([FAILED], "empty_call", "nothing") == ""
    both = plot.goals_svg([Verdict(AT_LEAST_6, Spread(7, 6, 8)), Verdict(AT_LEAST_6, Spread(3, 2, 4)),
                           Verdict(AT_LEAST_6, None)])
    xml.dom.minidom.parseString(both)
    assert (both.count(plot.MET["met"]), both.count(plot.MET["missed"])) == (1, 1)
    # Met is to the right, also where less is better.
    less = plot.goals_svg([Verdict(Goal("empty_call", "a", "b", "p50_us", False, 0.5), Spread(0.25, 0.25, 0.25))])
    assert '<rect x="610.0"' in less and '<rect x="535.0"' not in less, less
    with tempfile.TemporaryDirectory() as name:
        files = plot.write_all(pathlib.Path(name), measured(), {}, judge(measured(), [AT_LEAST_6]))
        assert [file.name for file in files] == ["empty_call.svg", "goals.svg"]


def test_cost_leaves_out_what_grows_by_itself() -> None:
    def reading(at_s: float, commits: float) -> cost.Reading:
        return cost.Reading(at_s, {"commits": commits, "outbox inserted": commits, "CPU µs, event": 0, "CPU µs, job": 0,
                                   "CPU µs, distribution": commits})

    found = cost.each(reading(0, 0), reading(10, 20), reading(20, 140), 100)  # 2 a second by itself; 120 - 20 for 100
    assert (found["commits"], found["rows written"], found["CPU µs, own"]) == (1, 1, 1)


def test_soak_compares_the_last_quarter_with_the_first() -> None:
    steps = [{"operations": 100, "seconds": 1, "p50_us": 10, "p99_us": p99, "resident_kib": kib}
             for p99, kib in ((50, 1000), (60, 1000), (500, 1100), (55, 1100), (55, 1100), (55, 1100), (66, 1500), (66, 1500))]
    found = service.soak_figures(steps)
    assert (found["operations"], found["per_second"], found["p99_us"]) == (800, 100, 500)
    assert found["growth"] == {"memory": 1.5, "p99": 66 / 55}, found["growth"]


def test_figures_of_spring_are_rows_of_their_own() -> None:
    row = {"system": "plain", "op": "publish", "in_flight": 16, "round": 2, "rate": 300.0, "p50": 1.5, "p99": 9.0, "own_ms": 2.5,
           "pg_ms": 0.5, "peak_mb": 100, "ok": 600, "failed": 0}
    found = spring.cells_of({"rows": [row, row | {"system": "herald", "failed": 2, "error": "late"}], "start_ms": {"plain": 9000}})
    assert [(one.row, one.system, one.round) for one in found] == [
        ("spring_publish_16", "spring_plain", 1), ("spring_publish_16", "herald", 1), ("spring_memory", "spring_plain", 0),
        ("spring_memory", "herald", 0)]
    assert cells.figure(found[0], "cpu_us.server") == 2500 and cells.figure(found[0], "p50_us") == 1500
    assert (found[1].figures, found[1].failure) == (None, "2 operations failed late")
    assert (cells.figure(found[2], "start_ms"), cells.figure(found[2], "peak_kib.server")) == (9000, 102400)
    assert {one.row for one in found} <= set(spring.TITLES)


LOG = """@@herald-event|3/7|LOG:  execute s1: SELECT id
\tFROM event_drafts WHERE id = $1
@@herald-event|3/7|DETAIL:  parameters: $1 = '{event}'
@@psql|9/1|LOG:  execute x: SELECT 1
@@psql|9/1|DETAIL:  parameters: $1 = '1'
@@herald-event|3/8|LOG:  execute s2: UPDATE event_drafts SET status = 'APPROVED'
@@herald-event|3/8|DETAIL:  parameters: $1 = '{event}', $2 = 'it''s
\ttwo lines', $3 = NULL, $4 = 'event-topic'
@@herald-distribution|4/2|LOG:  execute s1: INSERT INTO deliveries
@@herald-distribution|4/2|DETAIL:  parameters: $1 = '{event}'
@@herald-event|3/9|LOG:  execute s3: UPDATE event_drafts
\tSET status = 'ACTIVE'
@@herald-event|3/9|DETAIL:  parameters: $1 = '{event}'
@@herald-event|3/10|LOG:  execute s4: INSERT INTO event_steps
@@herald-event|3/10|DETAIL:  parameters: $1 = '{event}'
@@herald-event|3/11|LOG:  execute s5: SELECT count(*)
"""
EVENT = "018f0000-0000-7000-8000-000000000001"


def test_plan_keeps_statements_values_and_order_of_the_log() -> None:
    transactions = replay.read_log(LOG.replace("{event}", EVENT))
    assert [len(one.statements) for one in transactions] == [1] * 6
    assert transactions[0].statements == [("SELECT id\nFROM event_drafts WHERE id = $1", [EVENT])]
    assert transactions[1].statements[0][1] == [EVENT, "it's\ntwo lines", None, "event-topic"]
    nodes = replay.Plan(transactions, [EVENT], "whsec_c2VjcmV0", "fakes:1").nodes
    kinds = [next(kind for kind in ("sql", "post", "record") if kind in node) for node in nodes]
    assert kinds == ["sql", "sql", "record", "sql"] + ["post"] * 6 + ["sql"] * 3
    assert [node["after"] for node in nodes] == [[], [0], [1], [1]] + [[3]] * 6 + [[4, 5, 6, 7, 8, 9], [10], [11]]
    assert [node["events"] for node in nodes] == [[0]] * 11 + [[], []]  # the call has its reply: the rest holds nobody up


def main() -> None:
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()


if __name__ == "__main__":
    main()
