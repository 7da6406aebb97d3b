"""Measures Herald beside what a team could take in its place, and beside the floor under each, in interleaved rounds.

Builds all of it in Release into build/bench and installs what is missing from Debian (not with --no-install). The order of the
systems turns by round. Prints the machine, a table of medians with the least and the greatest round, and the goals, met or missed.
A cell that fails is printed as failed; the exit status is then 1. Rows of whole servers run on a stack of their own, on
ports from HERALD_DEV_PORT_BASE (7700) on. Quote only what a machine has measured that did nothing else."""

import argparse
import json
import pathlib
import re
import signal
import sys
from typing import Any

import machine
import peers
import plot
import spring
import table
from cells import Cell, System, measure_all
from goals import GOALS, Verdict, judge
from service import ONCE, TITLES, Service
from stack import ROOT, Stack

RPC_TITLES = {
    "empty_call": "empty call, 64 B, one connection, 64 in flight", "one_in_flight": "empty call, one in flight",
    "payload_64k": "64 KiB there and back, 16 in flight", "tls": "empty call over TLS 1.3, 64 in flight",
    "connections_1024": "empty call, 1,024 connections, one in flight on each",
    "loops_1": "scaling: empty call, 4 connections, 16 in flight on each, to a server of one loop",
    "loops_2": "scaling: empty call, 4 connections, 16 in flight on each, to a server of two loops",
    "loops_4": "scaling: empty call, 4 connections, 16 in flight on each, to a server of four loops",
    "servers_2": "scaling: empty call, 4 connections, 16 in flight on each, to two servers of one loop each",
    "servers_4": "scaling: empty call, 4 connections, 16 in flight on each, to four servers of one loop each"}
ALL_TITLES = RPC_TITLES | TITLES | spring.TITLES
ROUNDS, SECONDS, QUICK_SECONDS = 3, 3.0, 1.5


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="rows:\n" + "\n".join(f"  {row:<18}{title}" for row, title in ALL_TITLES.items()))
    parser.add_argument("--quick", action="store_true", help="only calls, in about five minutes")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="[%(default)s]")
    parser.add_argument("--seconds", type=float, help=f"of each cell [{SECONDS:g}; {QUICK_SECONDS:g} with --quick]")
    parser.add_argument("--row", default="", metavar="REGEX", help="only rows whose name it finds")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the machine, all cells of all rounds and the goals there")
    parser.add_argument("--svg", type=pathlib.Path, metavar="FOLDER", help="write a picture of each row and of the goals there")
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES", help="publish for so long at the end, too")
    parser.add_argument("--spring", type=pathlib.Path, metavar="PATH",
                        help="a program that measures Spring services beside a running stack with `PATH --json FILE`")
    parser.add_argument("--spring-options", default="", metavar="TEXT", help="more arguments for it, in one")
    parser.add_argument("--engine", choices=("nng", "native"), default="nng", help="of the servers in rows of whole servers [%(default)s]")
    parser.add_argument("--no-install", action="store_true", help="do not look for missing packages")
    for name in ("--build", "--machine", "--write-machine"):
        parser.add_argument(name, type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rounds < 1 or (arguments.seconds is not None and arguments.seconds <= 0):
        parser.error("--rounds and --seconds must be more than 0")
    try:
        arguments.row = re.compile(arguments.row)
    except re.error as error:
        parser.error(f"--row: {error}")
    if not any(arguments.row.search(row) for row in ALL_TITLES):
        parser.error("--row: no row has such a name")
    if arguments.seconds is None:
        arguments.seconds = QUICK_SECONDS if arguments.quick else SECONDS
    return arguments


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def tell(cell: Cell) -> None:
    if cell.figures is None:
        say(f"round {cell.round + 1}  {cell.row:<18}{cell.system:<22}FAILED: {cell.failure}")
    elif "per_second" in cell.figures:
        say(f"round {cell.round + 1}  {cell.row:<18}{cell.system:<22}{table.number(cell.figures['per_second']):>12} /s")
    else:
        say(f"round {cell.round + 1}  {cell.row:<18}{cell.system:<22}")


class Comparison:
    """What was measured so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.cells: list[Cell] = []

    def _chosen(self, rows: dict[str, str]) -> list[str]:
        return [row for row in rows if self.arguments.row.search(row)]

    def _failed(self, what: str, system: str, error: Exception) -> None:
        self.cells.append(Cell(what, system, 0, None, str(error)))
        tell(self.cells[-1])

    def measure_calls(self) -> None:
        rows = self._chosen(RPC_TITLES)
        systems: list[System] = []
        for name in peers.NAMES if rows else []:
            say(f"building peers/{name}")
            try:
                programs = peers.build(name, self.arguments.build / "peers" / name, self.arguments.build)
                systems += [peers.Peer(program) for program in programs]
            except Exception as error:  # pylint: disable=broad-exception-caught
                self._failed("build", name, error)
        self.cells += measure_all(systems, rows, self.arguments.rounds, self.arguments.seconds, tell)

    def measure_servers(self) -> None:
        rows = self._chosen(TITLES)
        if not rows and not self.arguments.spring:
            return
        say("starting a stack")
        stack = Stack(self.arguments.build, settings=f"[rpc]\nengine = {self.arguments.engine}\n")
        try:
            stack.start()
            service = Service(stack, self.arguments.soak)
            systems: list[System] = list(service.systems())
            self.cells += measure_all(systems, rows, self.arguments.rounds, self.arguments.seconds, tell, ONCE)
            if self.arguments.spring:
                self.cells += spring.measure(stack, self.arguments.spring.resolve(), self.arguments.spring_options.split(), self.arguments.rounds)
        except Exception as error:  # pylint: disable=broad-exception-caught
            self._failed("stack", "herald", error)
        finally:
            stack.stop()

    def verdicts(self) -> list[Verdict]:
        return judge(self.cells, GOALS)

    def write(self, described: dict[str, Any]) -> None:
        arguments = self.arguments
        if arguments.json:
            options = {"rounds": arguments.rounds, "seconds": arguments.seconds, "row": arguments.row.pattern, "engine": arguments.engine}
            goals = [{"row": one.goal.row, "goal": one.goal.text, "verdict": one.word,
                      "measured": vars(one.measured) if one.measured else None} for one in self.verdicts()]
            arguments.json.parent.mkdir(parents=True, exist_ok=True)
            arguments.json.write_text(json.dumps({"machine": described, "options": options, "cells": [vars(cell) for cell in self.cells],
                                                  "goals": goals}, indent=1, ensure_ascii=False) + "\n")
        if arguments.svg:
            plot.write_all(arguments.svg, self.cells, ALL_TITLES, self.verdicts())


def main() -> int:
    arguments = read_arguments()
    if arguments.check:
        return 0
    if arguments.write_machine:
        arguments.write_machine.write_text(json.dumps(machine.load()))
        return 0
    if arguments.build is None:
        sys.exit("start tests/bench/run, which builds what this needs")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    described = machine.describe(json.loads(arguments.machine.read_text()))
    described["open files"] = peers.allow_files()
    comparison = Comparison(arguments)
    try:
        comparison.measure_calls()
        if not arguments.quick:
            comparison.measure_servers()
    finally:
        comparison.write(described)
    print(machine.text_of(described) + f"\nrounds: {arguments.rounds} of {arguments.seconds:g} s a cell\n")
    print(table.table_text(comparison.cells, ALL_TITLES, comparison.verdicts()))
    failed = sum(cell.figures is None for cell in comparison.cells)
    if failed:
        print(f"\n{failed} cells FAILED")
    if not comparison.cells:
        print("nothing was measured")
    return 1 if failed or not comparison.cells else 0


if __name__ == "__main__":
    sys.exit(main())
