"""Spring services beside Herald: a program outside the project measures both on the stack and writes its figures as JSON."""

import json
import pathlib
import subprocess
from typing import Any

from cells import Cell
from stack import ROOT, Stack

TITLES = {
    **{f"spring_publish_{n}": f"PublishEvent beside Spring, {n} in flight" for n in (1, 16, 64)},
    **{f"spring_image_{n}": f"RequestImageGeneration beside Spring, {n} in flight" for n in (1, 16, 64)},
    **{f"spring_read_{n}": f"GetEvent beside Spring, {n} in flight" for n in (1, 16, 64)},
    "spring_memory": "memory and start beside Spring"}
PARTS = {"server": "own_ms", "postgres": "pg_ms", "kafka": "kafka_ms", "redis": "redis_ms", "fakes": "fakes_ms"}
LIMIT_S = 7200
END_S = 60


def system_of(name: str) -> str:
    return name if name == "herald" else f"spring_{name}"


def cells_of(found: dict[str, Any]) -> list[Cell]:
    """@found  rows: system, op, in_flight, round (from 1), rate, p50 and p99 in ms, CPU of one operation in ms, peak_mb, ok, failed;
    start_ms: by system"""
    cells, peaks = [], {}
    for row in found["rows"]:
        name, system = f"spring_{row['op']}_{row['in_flight']}", system_of(row["system"])
        peaks[row["system"]] = row["peak_mb"] * 1024
        figures = {"operations": row["ok"], "per_second": row["rate"], "p50_us": row["p50"] * 1000, "p99_us": row["p99"] * 1000,
                   "cpu_us": {part: row[key] * 1000 for part, key in PARTS.items() if key in row},
                   "peak_kib": {"server": row["peak_mb"] * 1024}}
        failure = f"{row['failed']} operations failed {row.get('error', '')}".strip() if row["failed"] else ""
        cells.append(Cell(name, system, row["round"] - 1, None if failure else figures, failure))
    for name, peak in peaks.items():
        figures = {"peak_kib": {"server": peak}}
        if start_ms := found.get("start_ms", {}).get(name):
            figures["start_ms"] = start_ms
        cells.append(Cell("spring_memory", system_of(name), 0, figures))
    return cells


def view_of(stack: Stack) -> pathlib.Path:
    """Returns: a folder in which the stack stands as in a checkout of which `deploy/dev` started it"""
    view = stack.folder / "checkout"
    for link, target in (("build/dev", stack.build), (".state/dev", stack.folder)):
        (view / link).parent.mkdir(parents=True, exist_ok=True)
        if not (view / link).exists():
            (view / link).symlink_to(target)
    return view


def measure(stack: Stack, program: pathlib.Path, options: list[str], rounds: int) -> list[Cell]:
    file, client, made = stack.folder / "spring.json", stack.folder / "client", stack.build / "client-only"
    stack.tool("cmake", "-S", str(ROOT), "-B", str(made), "-DHERALD_CLIENT_ONLY=ON", "-DCMAKE_BUILD_TYPE=Release")
    stack.tool("cmake", "--build", str(made), "--parallel")
    stack.tool("cmake", "--install", str(made), "--prefix", str(client))
    env = stack.env | stack.variables | {"HERALD_CHANNELS_SECRET": stack.setting("channels", "secret")}
    command = [str(program), "--json", str(file), "--rounds", str(rounds), "--client", str(client), "--checkout", str(view_of(stack)),
               "--port-base", str(int(stack.env["HERALD_DEV_PORT_BASE"]) + 70), *options]
    log = stack.folder / "logs/spring.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            process.wait(LIMIT_S)
        finally:
            if process.poll() is None:
                process.terminate()  # it ends the services that it has started
                process.wait(END_S)
    if process.returncode != 0:
        return [Cell("spring", "spring", 0, None, f"exit status {process.returncode}: {log.read_text().strip()[-400:]}")]
    return cells_of(json.loads(file.read_text()))
