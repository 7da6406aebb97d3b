"""Where Herald must get, and whether it does."""

import dataclasses

from cells import Cell
from spread import Spread, of_system, ratio

CPU, P50, RATE = "cpu_us", "p50_us", "per_second"
NAMES = {RATE: "rate", P50: "p50", CPU: "CPU a call", "cpu_us.server": "own CPU, µs", "each.commits": "commits",
         "each.wal_syncs": "WAL syncs", "start_ms": "start to ready", "peak_kib.server": "peak memory",
         "idle_kib.event": "idle memory of event, KiB", "idle_kib.job": "idle memory of job, KiB",
         "idle_kib.distribution": "idle memory of distribution, KiB", "idle_kib.content": "idle memory of content, KiB",
         "idle_kib.gateway": "idle memory of gateway, KiB", "waiting_kib": "memory of a waiting publish, KiB",
         "growth.memory": "memory, last quarter : first", "growth.p99": "p99, last quarter : first"}


@dataclasses.dataclass(frozen=True)
class Goal:
    row: str
    ours: str
    theirs: str  # empty: the figure itself is bounded, not its ratio to another system's
    figure: str
    at_least: bool  # else: at most
    bound: float

    @property
    def text(self) -> str:
        of = f" : {self.theirs}" if self.theirs else ""
        return f"{NAMES.get(self.figure, self.figure)}, {self.ours}{of} {'≥' if self.at_least else '≤'} {self.bound:g}"


def _at_least(row: str, ours: str, theirs: str, bound: float, figure: str = RATE) -> Goal:
    return Goal(row, ours, theirs, figure, True, bound)


def _at_most(row: str, ours: str, theirs: str, bound: float, figure: str = P50) -> Goal:
    return Goal(row, ours, theirs, figure, False, bound)


GOALS = [
    _at_least("empty_call", "herald_native", "grpc", 6), _at_least("empty_call", "herald_native", "capnp", 4),
    _at_least("empty_call", "herald_native", "sp", 0.3), _at_most("empty_call", "herald_native", "grpc", 0.2, CPU),
    _at_least("empty_call", "herald_nng", "grpc", 1.4), _at_least("empty_call", "herald_nng", "nng", 0.75),
    _at_most("one_in_flight", "herald_native", "grpc", 0.45), _at_most("one_in_flight", "herald_native", "sp", 1.15),
    _at_most("one_in_flight", "herald_nng", "grpc", 0.95),
    _at_least("payload_64k", "herald_native", "grpc", 2), _at_least("tls", "herald_native", "grpc", 2),
    _at_least("connections_1024", "herald_native", "grpc", 2),
    _at_least("get_event", "herald", "pgbench", 0.6), _at_least("get_job", "herald", "redis_benchmark", 0.7),
    *(goal for n in (16, 64)
      for goal in (_at_least(f"spring_publish_{n}", "herald", "spring_plain", 1.3),
                   _at_least(f"spring_publish_{n}", "herald", "spring_durable", 2),
                   _at_least(f"publish_{n}", "herald", "bare", 0.5), _at_most(f"publish_{n}", "herald", "", 800, "cpu_us.server"))),
    _at_most("publish_cost", "herald", "", 5, "each.commits"), _at_most("publish_cost", "herald", "", 4, "each.wal_syncs"),
    _at_least("spring_image_16", "herald", "spring_plain", 1.2), _at_most("image_job", "herald", "", 200, "cpu_us.server"),
    _at_most("image_job_cost", "herald", "", 2, "each.commits"),
    _at_most("spring_memory", "herald", "spring_durable", 0.1, "peak_kib.server"),
    _at_most("spring_memory", "herald", "spring_durable", 0.02, "start_ms"),
    *(_at_most("memory", "herald", "", 16384, f"idle_kib.{server}") for server in ("event", "job", "distribution", "content", "gateway")),
    _at_most("memory", "herald", "", 24, "waiting_kib"),
    _at_most("soak", "herald", "", 1.05, "growth.memory"), _at_most("soak", "herald", "", 1.25, "growth.p99"),
]


@dataclasses.dataclass(frozen=True)
class Verdict:
    goal: Goal
    measured: Spread | None

    @property
    def word(self) -> str:
        if self.measured is None:
            return "not measured"
        value, bound = self.measured.median, self.goal.bound
        return "met" if (value >= bound if self.goal.at_least else value <= bound) else "missed"


def judge(cells: list[Cell], goals: list[Goal]) -> list[Verdict]:
    """Those of rows that were measured."""
    rows = {cell.row for cell in cells}
    verdicts = []
    for goal in goals:
        if goal.row in rows:
            found = (ratio(cells, goal.row, goal.ours, goal.theirs, goal.figure) if goal.theirs else
                     of_system(cells, goal.row, goal.ours, goal.figure))
            verdicts.append(Verdict(goal, found))
    return verdicts
