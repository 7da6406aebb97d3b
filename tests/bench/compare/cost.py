"""What a publish and an image job cost: commits, WAL, rows written, processor time. `tests/bench/cost --help`"""

import argparse
import dataclasses
import json
import pathlib
import signal
import sys
import time
from typing import Any

from stack import ROOT, SERVERS, Stack

OPERATIONS = {"publish": "PublishEvent, six channels that answer in 1 ms",
              "image": "RequestImageGeneration: event calls CreateImageJob", "create_job": "CreateImageJob"}
SETTLE_S = 11.0  # idle backends of Postgres hand in their counters after ten seconds
WARM = 20
NOT_COUNTED = ("pg_stat_statements",)
COUNTERS = """SELECT 'commits', xact_commit FROM pg_stat_database WHERE datname = current_database()
UNION ALL SELECT 'WAL syncs', {syncs} UNION ALL SELECT 'WAL bytes', wal_bytes FROM pg_stat_wal
UNION ALL SELECT relname || ' ' || what, n FROM pg_stat_user_tables,
    LATERAL (VALUES ('inserted', n_tup_ins), ('updated', n_tup_upd), ('of these heap-only', n_tup_hot_upd),
                    ('deleted', n_tup_del)) AS counted (what, n)"""
WRITES = (" inserted", " updated", " deleted")


@dataclasses.dataclass
class Reading:
    at_s: float
    counters: dict[str, float]


def read(stack: Stack) -> Reading:
    """What was counted so far; waits until Postgres knows it all."""
    time.sleep(SETTLE_S)
    version = int(stack.sql("SHOW server_version_num")[0][0])
    syncs = ("(SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')" if version >= 180000 else
             "(SELECT wal_sync FROM pg_stat_wal)")
    counters = {row[0]: float(row[1] or 0) for row in stack.sql(COUNTERS.format(syncs=syncs))}
    counters |= {f"CPU µs, {name}": used for name, used in stack.cpu_us().items()}
    return Reading(time.monotonic(), counters)


def each(idle_from: Reading, before: Reading, after: Reading, count: int) -> dict[str, float]:
    """By how much each counter grew for one of @count operations between @before and @after, without what it grows by itself,
    as it did from @idle_from to @before."""
    grown = {}
    for name, value in after.counters.items():
        idle_a_s = ((before.counters.get(name, 0) - idle_from.counters.get(name, 0)) / (before.at_s - idle_from.at_s))
        grown[name] = (value - before.counters.get(name, 0) - idle_a_s * (after.at_s - before.at_s)) / count
    grown["CPU µs, own"] = sum(grown[f"CPU µs, {server}"] for server in SERVERS)
    grown["rows written"] = sum(n for name, n in grown.items() if name.endswith(WRITES))
    return grown


def measure(stack: Stack, operations: list[str], in_flights: list[int], count: int) -> dict[str, dict[str, float]]:
    """Returns: for each `OPERATION IN_FLIGHT` what one costs."""
    lines = stack.folder / "drafts"
    stack.answer_in(1)
    stack.make_drafts(WARM * len(operations), lines)
    for operation in operations:
        stack.drive(operation, 4, lines, count=WARM)
        stack.make_drafts(WARM, lines)
    stack.sql("VACUUM (ANALYZE);\nCHECKPOINT;")  # else autovacuum would write meanwhile
    first, costs = read(stack), {}
    idle = before = read(stack)
    for operation in operations:
        for in_flight in in_flights:
            stack.make_drafts(count, lines)
            before = read(stack)
            figures = stack.drive(operation, in_flight, lines, count=count)
            # The idle rate of the beginning, at the time of this reading.
            past = Reading(before.at_s - (idle.at_s - first.at_s),
                           {name: value - (idle.counters.get(name, 0) - first.counters.get(name, 0))
                            for name, value in before.counters.items()})
            costs[f"{operation} {in_flight}"] = each(past, before, read(stack), count) | {"p50, ms": figures["p50_us"] / 1000}
    return costs


def text_of(costs: dict[str, dict[str, float]], details: bool) -> str:
    """A table: a row for each counter that moved."""
    names = ["commits", "WAL syncs", "WAL bytes", "rows written", "CPU µs, own"]
    names += [name for name in next(iter(costs.values())) if name.startswith("CPU") and name not in names]
    names.append("p50, ms")
    if details:
        names += sorted({name for cost in costs.values() for name, n in cost.items()
                         if name not in names and abs(n) >= 0.01 and name.split(" ", maxsplit=1)[0] not in NOT_COUNTED})
    lines = [f"{'for each':<40}" + "".join(f"{title:>15}" for title in costs)]
    for name in names:
        lines.append(f"{name:<40}" + "".join(f"{cost.get(name, 0):>15.2f}" for cost in costs.values()))
    return "\n".join(lines)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/cost", description=__doc__,
                                     epilog="; ".join(f"{name}: {what}" for name, what in OPERATIONS.items()))
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/test",
                        help="build folder, with -DHERALD_TESTS=ON, whose programs are taken [build/test]")
    parser.add_argument("--ops", default="publish,image,create_job", help="which operations [%(default)s]")
    parser.add_argument("--in-flight", default="1,16", help="how many at once [%(default)s]")
    parser.add_argument("--count", type=int, default=400, help="of each [%(default)s]")
    parser.add_argument("--kafka", choices=("embedded", "apache"), default="apache")
    parser.add_argument("--no-details", action="store_true", help="no rows for single tables")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there too")
    arguments = parser.parse_args()
    arguments.ops = arguments.ops.split(",")
    if unknown := set(arguments.ops) - set(OPERATIONS):
        parser.error(f"no such operation: {', '.join(sorted(unknown))}")
    arguments.in_flight = [int(n) for n in arguments.in_flight.split(",")]
    return arguments


def main() -> int:
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stack = Stack(arguments.build.resolve(), arguments.kafka)
    costs: dict[str, Any] = {}
    try:
        stack.start()
        stack.end_content()
        costs = measure(stack, arguments.ops, arguments.in_flight, arguments.count)
    finally:
        stack.stop()
    print(text_of(costs, not arguments.no_details))
    if arguments.json:
        arguments.json.write_text(json.dumps(costs, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
