"""Rows of whole servers, measured on one running stack: Herald, and what the same work costs without it."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import time
from typing import Any, Callable

import cost
import processes
from cells import Figures
from replay import Recording, post_of
from stack import CHANNELS, ROOT, SERVERS, Stack

READ_DRAFTS = 16  # read in turns; each is a script of pgbench's, which every connection prepares
PICTURED_DRAFTS = 2000
PGBENCH_CLIENTS = [4, 8, 16, 32]
BARE = [(8, 1), (8, 4), (16, 4), (32, 4)]  # connections, and how many times as many events in flight
PROBE_S = 2.0
PUBLISHES_A_SECOND = 1500  # more than one machine can
RECORDED = {16: 1000, 64: 1600}
COST_COUNT = 200
STARTS = 5
WAITING = 2000
JOB_S = 60
IDLE_S = 3.0
BARE_S = 120
SOAK_STEP_S = 10.0
SOAK_STEPS_MIN = 8
TITLES = {
    "get_event": "GetEvent from Postgres, 64 in flight",
    "get_job": "GetJob from Redis, 64 in flight",
    "publish_16": "PublishEvent, six channels that answer in 1 ms, 16 in flight",
    "publish_64": "PublishEvent, six channels that answer in 1 ms, 64 in flight",
    "image_job": "RequestImageGeneration, 16 in flight",
    "create_image_job": "CreateImageJob, stored and acknowledged by Kafka, 16 in flight",
    "records": "400-byte records, acknowledged by all, 64 in flight",
    "posts": "posts to a fake channel, 64 in flight",
    "publish_cost": "one PublishEvent, one in flight",
    "image_job_cost": "one RequestImageGeneration, one in flight",
    "memory": "memory and start",
    "soak": "PublishEvent, 16 in flight, for as long as --soak says",
}

ONCE = {"publish_cost", "image_job_cost", "memory", "soak"}  # they count, and take half a minute each


class Part:
    """A system: those rows that it has, each with the function that measures it."""

    def __init__(self, name: str, functions: dict[str, Callable[[float], Figures]]) -> None:
        self.name, self.functions = name, functions

    def rows(self) -> list[str]:
        return list(self.functions)

    def measure(self, row: str, seconds: float) -> Figures:
        return {"row": row, "system": self.name} | self.functions[row](seconds)


def find(pattern: str, text: str) -> str:
    """The group of the first place. Raises: when there is none, with the end of the text"""
    found = re.search(pattern, text)
    if not found:
        raise RuntimeError(f"printed no '{pattern}': {text[-300:]}")
    return found[1]


def program_of_postgres(name: str) -> str:
    """pgbench is not on the path of Debian's users."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


def soak_figures(steps: list[Figures]) -> Figures:
    """Of all steps together; @growth  medians of the last quarter over those of the first"""
    part = max(len(steps) // 4, 1)

    def growth(name: str) -> float:
        first, last = ([step[name] for step in some] for some in (steps[:part], steps[-part:]))
        return statistics.median(last) / statistics.median(first)

    count, seconds = sum(step["operations"] for step in steps), sum(step["seconds"] for step in steps)
    return {"operations": count, "seconds": seconds, "per_second": count / seconds,
            "p50_us": statistics.median(step["p50_us"] for step in steps), "p99_us": max(step["p99_us"] for step in steps),
            "growth": {"memory": growth("resident_kib"), "p99": growth("p99_us")}, "errors": 0}


class Service:
    """Measures on a stack that runs; made once, as it prepares what the cells read."""

    def __init__(self, stack: Stack, soak_minutes: float = 0) -> None:
        """@soak_minutes  0: without that row"""
        self.stack, self.folder, self.soak_minutes = stack, stack.folder, soak_minutes
        self.recordings: dict[int, Recording] = {}
        self.best: dict[str, int] = {}
        self.best_bare: dict[int, tuple[int, int]] = {}
        self.before: dict[str, float] = {}
        time.sleep(IDLE_S)
        self.idle_kib = {name: processes.memory_kib(stack.pid(f"herald-{name}"), "VmRSS") for name in SERVERS + ["content", "gateway"]}
        self.job = self._make_job()  # while herald-content is there
        stack.end_content()
        stack.answer_in(1)
        self.drafts = self.folder / "read.ids"
        stack.make_drafts(READ_DRAFTS, self.drafts)
        self.pictured = self.folder / "image.ids"
        stack.make_drafts(PICTURED_DRAFTS, self.pictured)

    def systems(self) -> list[Part]:
        publishes = {f"publish_{n}": self._publish(n) for n in (16, 64)}
        soak = {"soak": self._soak} if self.soak_minutes else {}
        return [
            Part("herald", {"get_event": self._get_event, "get_job": self._get_job, **publishes, "image_job": self._image("image"),
                            "create_image_job": self._image("create_job"), "publish_cost": self._cost("publish"),
                            "image_job_cost": self._cost("image"), "memory": self._memory, **soak}),
            Part("pgbench", {"get_event": self._pgbench}), Part("redis_benchmark", {"get_job": self._redis_benchmark}),
            Part("bare", {f"publish_{n}": self._bare(n) for n in (16, 64)}),
            Part("librdkafka", {"records": self._records}), Part("wrk", {"posts": self._wrk}),
        ]

    # ---- what each of them needs ----

    def _begin(self) -> None:
        """What is used from now on counts."""
        self.before = self.stack.cpu_us()

    def _measured(self, drive: Callable[[], Figures]) -> Figures:
        """Figures of a driver, with what others used meanwhile: a server's, and of all of one operation."""
        self.stack.sql("CHECKPOINT;")
        servers = [self.stack.pid(f"herald-{server}") for server in SERVERS]
        for pid in servers:
            processes.reset_peak(pid)
        self._begin()
        figures = drive()
        count = max(figures["operations"], 1)
        used = {name: (now - self.before[name]) / count for name, now in self.stack.cpu_us().items()}
        server = sum(used.pop(name) for name in SERVERS)
        figures["cpu_us"] = figures["cpu_us"] | ({"server": server} if server > 0 else {}) | used
        peak = sum(processes.memory_kib(pid, "VmHWM") for pid in servers)
        figures["peak_kib"] = figures["peak_kib"] | {"server": peak}
        return figures

    def _without_servers(self, drive: Callable[[], Figures]) -> Figures:
        figures = self._measured(drive)
        figures["cpu_us"].pop("server", None)
        figures["peak_kib"].pop("server", None)
        return figures

    def _drive(self, operation: str, in_flight: int, file: pathlib.Path, seconds: float) -> Figures:
        return self._measured(lambda: self.stack.drive(operation, in_flight, file, seconds=seconds))

    # ---- reads ----

    def _get_event(self, seconds: float) -> Figures:
        return self._drive("get_event", 64, self.drafts, seconds)

    def _pgbench(self, seconds: float) -> Figures:
        """With as many connections as are best, which are looked for once."""
        if "pgbench" not in self.best:
            rates = {n: self._pgbench_with(n, PROBE_S)["per_second"] for n in PGBENCH_CLIENTS}
            self.best["pgbench"] = max(rates, key=lambda n: rates[n])
        return self._without_servers(lambda: self._pgbench_with(self.best["pgbench"], seconds))

    def _pgbench_with(self, clients: int, seconds: float) -> Figures:
        """The statement of GetEvent, prepared, for one of the drafts after the other."""
        lines = [line for line in (ROOT / "db/queries/event_load.sql").read_text().splitlines() if not line.startswith("--")]
        command = [program_of_postgres("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, os.cpu_count() or 1)),
                   "-T", str(max(1, round(seconds)))]
        for number, line in enumerate(self.drafts.read_text().splitlines()):
            draft, user = line.split()
            script = self.folder / f"pgbench-{number}.sql"
            script.write_text(re.sub(r"\$(\d)", lambda found, n=number: f":v{n}_{found[1]}", "\n".join(lines)) + ";\n")
            command += ["-f", str(script), "-D", f"v{number}_1={draft}", "-D", f"v{number}_2={user}"]
        out, used_us, peak = processes.run_program(command + [self.stack.dsn()], self.stack.env)
        count = int(find(r"number of transactions actually processed: (\d+)", out))
        rate = float(find(r"tps = ([\d.]+)", out))
        failed = int(find(r"number of failed transactions: (\d+)", out))
        return {"operations": count, "seconds": count / rate, "per_second": rate, "clients": clients,
                "cpu_us": {"client": used_us / count}, "peak_kib": {"client": peak}, "errors": failed}

    def _make_job(self) -> pathlib.Path:
        """A job with its pictures, which Redis keeps. Returns: a file that names it"""
        draft, job = self.folder / "job.draft", self.folder / "job.ids"
        self.stack.make_drafts(1, draft)
        self.stack.drive("image", 1, draft, count=1)
        deadline = time.monotonic() + JOB_S
        while not (rows := self.stack.sql("SELECT id, user_id FROM jobs WHERE status = 'COMPLETED' LIMIT 1;")):
            if time.monotonic() > deadline:
                raise RuntimeError(f"a job has no pictures after {JOB_S} s")
            time.sleep(0.2)
        job.write_text(f"{rows[0][0]} {rows[0][1]}\n")
        return job

    def _get_job(self, seconds: float) -> Figures:
        return self._drive("get_job", 64, self.job, seconds)

    def _redis_benchmark(self, seconds: float) -> Figures:
        """GET of a string of the same length under the same key, in a database of its own."""
        url = re.fullmatch(r"redis://([\d.]+):(\d+)/\d+", self.stack.variables["HERALD_REDIS_URL"])
        if not url:
            raise RuntimeError("HERALD_REDIS_URL is not redis://ADDRESS:PORT/N")
        at = ["-h", url[1], "-p", url[2]]
        key = "job:" + self.job.read_text().split()[0]
        size = self._bytes_of_job(at, key)
        self.stack.tool("redis-cli", *at, "-n", "9", "SET", key, "v" * size)

        def drive(count: int) -> Figures:
            out, used_us, peak = processes.run_program(["redis-benchmark", *at, "--dbnum", "9", "-c", "64", "-n", str(count), "--csv", "GET", key])
            heads, values = [[part.strip('"') for part in line.split(",")] for line in out.strip().splitlines()[-2:]]
            found = dict(zip(heads, values))
            rate = float(found["rps"])
            return {"operations": count, "seconds": count / rate, "per_second": rate, "p50_us": float(found["p50_latency_ms"]) * 1000,
                    "p99_us": float(found["p99_latency_ms"]) * 1000, "cpu_us": {"client": used_us / count},
                    "peak_kib": {"client": peak}, "errors": 0}

        count = int(drive(20000)["per_second"] * seconds) + 1
        return self._without_servers(lambda: drive(count))

    def _bytes_of_job(self, at: list[str], key: str) -> int:
        """Of what Herald keeps there."""
        kind = self.stack.tool("redis-cli", *at, "TYPE", key).strip()
        if kind == "hash":
            return max(len(line) for line in self.stack.tool("redis-cli", *at, "HVALS", key).splitlines())
        if kind != "string":
            raise RuntimeError(f"Redis keeps no job under {key}")
        return int(self.stack.tool("redis-cli", *at, "STRLEN", key))

    # ---- writes ----

    def _publish(self, in_flight: int) -> Callable[[float], Figures]:
        def measure(seconds: float) -> Figures:
            lines = self.folder / "publish.ids"
            self.stack.make_drafts(int(PUBLISHES_A_SECOND * seconds) + in_flight, lines)
            return self._drive("publish", in_flight, lines, seconds)

        return measure

    def _image(self, operation: str) -> Callable[[float], Figures]:
        def measure(seconds: float) -> Figures:
            return self._drive(operation, 16, self.pictured, seconds)

        return measure

    def _bare(self, in_flight: int) -> Callable[[float], Figures]:
        """As long as the recorded publishes last, whatever the seconds."""
        def measure(_: float) -> Figures:
            if in_flight not in self.recordings:
                self.recordings[in_flight] = Recording(self.stack, in_flight, RECORDED[in_flight])
                rates = {way: self._bare_with(in_flight, way)["per_second"] for way in BARE}
                self.best_bare[in_flight] = max(rates, key=lambda way: rates[way])
            return self._bare_with(in_flight, self.best_bare[in_flight])

        return measure

    def _bare_with(self, in_flight: int, way: tuple[int, int]) -> Figures:
        recording, (connections, times) = self.recordings[in_flight], way
        env = self.stack.env | self.stack.variables | {"HERALD_BENCH_DSN": recording.fresh_database()}
        file = self.folder / "bare.plan"
        recording.plan().write(file)
        command = [str(self.stack.build / "tests/bench_bare"), "replay", str(file), str(in_flight * times), str(connections)]

        def drive() -> Figures:
            with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True) as process:
                if process.stdout and process.stdout.readline() == "counts\n":
                    self._begin()
                out, err = process.communicate(timeout=BARE_S)
            if process.returncode != 0:
                raise RuntimeError(f"bench_bare: exit status {process.returncode}: {err.strip()}")
            figures: dict[str, Any] = json.loads(out)
            return figures | {"clients": connections}

        figures = self._without_servers(drive)
        recording.check()
        return figures

    # ---- what stands behind ----

    def _records(self, seconds: float) -> Figures:
        def drive() -> Figures:
            out, _, _ = processes.run_program([str(self.stack.build / "tests/bench_bare"), "records", str(seconds), "64", "400",
                                               "bench-records"], self.stack.env | self.stack.variables)
            figures: dict[str, Any] = json.loads(out)
            return figures

        return self._without_servers(drive)

    def _wrk(self, seconds: float) -> Figures:
        """64 connections post the same notice again and again, under one key."""
        url = self.stack.variables["HERALD_CHANNELS_URL"]
        head, body = post_of("00000000-0000-4000-8000-000000000001", CHANNELS[0], self.stack.setting("channels", "secret"),
                             url.removeprefix("http://")).split("\r\n\r\n", 1)
        script = self.folder / "post.lua"
        headers = [line.split(": ", 1) for line in head.split("\r\n")[1:]]
        script.write_text('wrk.method = "POST"\nwrk.body = ' + json.dumps(body) + "\n" +
                          "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in headers if name != "content-length") +
                          'done = function(summary, latency)\n  io.write(string.format("FIGURES %d %d %d %d %d\\n", summary.requests, '
                          "summary.duration, latency:percentile(50), latency:percentile(99), summary.errors.status + "
                          "summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))\nend\n")

        def drive() -> Figures:
            out, used_us, peak = processes.run_program(["wrk", "-t1", "-c64", f"-d{max(1, round(seconds))}s", "-s", str(script),
                                              f"{url}/channels/{CHANNELS[0]}/posts"])
            count, us, p50, p99, failed = map(int, find(r"FIGURES (.*)", out).split())
            return {"operations": count, "seconds": us / 1e6, "per_second": count / (us / 1e6), "p50_us": p50, "p99_us": p99,
                    "cpu_us": {"client": used_us / max(count, 1)}, "peak_kib": {"client": peak}, "errors": failed}

        return self._without_servers(drive)

    # ---- costs ----

    def _cost(self, operation: str) -> Callable[[float], Figures]:
        def measure(_: float) -> Figures:
            found = cost.measure(self.stack, [operation], [1], COST_COUNT)[f"{operation} 1"]
            names = {"commits": "commits", "WAL syncs": "wal_syncs", "WAL bytes": "wal_bytes", "rows written": "rows_written"}
            return {"operations": COST_COUNT, "each": {name: found[counter] for counter, name in names.items()}, "errors": 0}

        return measure

    def _memory(self, _: float) -> Figures:
        """Idle memory is that of servers that had just started; the peak of the three, that since the last cell that measured it."""
        peak = sum(processes.memory_kib(self.stack.pid(f"herald-{server}"), "VmHWM") for server in SERVERS)
        starts = [self._start_ms(number) for number in range(STARTS)]
        return {"operations": STARTS, "start_ms": statistics.median(starts), "idle_kib": self.idle_kib, "peak_kib": {"server": peak},
                "waiting_kib": self._waiting_kib(), "errors": 0}

    def _start_ms(self, number: int) -> float:
        """Until the three servers say that they serve, all begun at once, beside those of the stack."""
        ports = [int(self.stack.env["HERALD_DEV_PORT_BASE"]) + 60 + 3 * (number % 2) + i for i in range(len(SERVERS))]
        env = self.stack.env | {f"HERALD_{server.upper()}_URL": f"tcp://127.0.0.1:{port}" for server, port in zip(SERVERS, ports)}
        env |= {f"HERALD_{server.upper()}_CALL_URL": f"tcp://127.0.0.1:{port}" for server, port in zip(SERVERS, ports)}
        env |= {name: self.stack.variables[name] for name in self.stack.variables if name.startswith("HERALD_AUTH")}
        ini, bin_folder, began = str(self.folder / "herald.ini"), self.stack.build / "bin", time.monotonic()
        started = []
        try:
            for server in SERVERS:
                started.append(subprocess.Popen([str(bin_folder / f"herald-{server}"), "--config", ini], env=env,
                                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            for port in ports:
                while subprocess.run([str(bin_folder / "heraldctl"), "--config", ini, "health", "--url", f"tcp://127.0.0.1:{port}"],
                                     env=self.stack.env | self.stack.variables, capture_output=True, check=False).returncode != 0:
                    if time.monotonic() - began > JOB_S:
                        raise RuntimeError("servers do not serve a minute after they were started")
            return (time.monotonic() - began) * 1000
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()

    def _waiting_kib(self) -> float:
        """What a publish that waits at a channel costs herald-distribution, as bench_distribution measures it."""
        env = self.stack.env | self.stack.variables | {"HERALD_BENCH_SERVER": str(self.stack.pid("herald-distribution"))}
        out, _, _ = processes.run_program([str(self.stack.build / "tests/bench_distribution"), "waiting", str(WAITING)], env)
        self.stack.answer_in(1)
        return float(json.loads(out)["bytes_a_call"]) / 1024

    # ---- soak ----

    def _soak(self, _: float) -> Figures:
        """Publishes without a pause, but to make drafts; tells the last quarter of the steps beside the first."""
        lines, steps, rate = self.folder / "soak.ids", [], float(PUBLISHES_A_SECOND)
        until = time.monotonic() + self.soak_minutes * 60
        while time.monotonic() < until or len(steps) < SOAK_STEPS_MIN:
            self.stack.make_drafts(int(2 * rate * SOAK_STEP_S) + 100, lines)
            figures = self._drive("publish", 16, lines, SOAK_STEP_S)
            rate = figures["per_second"]
            resident = sum(processes.memory_kib(self.stack.pid(f"herald-{server}"), "VmRSS") for server in SERVERS)
            steps.append(figures | {"resident_kib": resident})
        return soak_figures(steps[1:])  # the first one warms up
