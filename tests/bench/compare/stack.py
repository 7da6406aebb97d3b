"""A stack of `deploy/dev up` that only the comparison uses: its processes, its database, drafts and jobs in it."""

import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request
from typing import Any

import processes

ROOT = pathlib.Path(__file__).resolve().parents[3]
CHANNELS = ["WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "NAVER_BLOG", "KAKAO_CHANNEL"]
SERVERS = ["event", "job", "distribution"]
PORT_BASE = 7700
END_S = 30
# Complete, so that they can be published.
DRAFTS = """INSERT INTO event_drafts (id, user_id, title, prize, brand_color, logo_url, store_name, store_address, store_phone,
    objective, recommendation_id, recommendation_title, recommendation_summary, content_job_id, content_style,
    content_png_url, content_jpeg_url, created_at, updated_at)
SELECT gen_random_uuid(), 'bench-' || n, 'Opening week ' || n, 'Coffee for two', '#e4002b', 'https://shop.example/logo.png',
    'Corner Cafe', '1 Main Street, Seoul', '02-123-4567', 'NEW_CUSTOMERS', 'rec-1', 'Stamp card',
    'Ten stamps, one coffee: for everybody who comes in the opening week.', gen_random_uuid(), 'SIMPLE',
    'https://pictures.example/a.png', 'https://pictures.example/a.jpg', now(), now()
FROM generate_series(1, {count}) AS n
RETURNING id, user_id"""


class Stack:
    """Started by start(), ended by stop(); whoever makes one calls stop() in any case."""

    def __init__(self, build: pathlib.Path, kafka: str = "apache", settings: str = "") -> None:
        """@build  whose programs it runs; its files are in a folder there
        @settings  lines of a settings file, which override the others"""
        self.build, self.kafka, self.settings = build, kafka, settings
        self.folder = build / "bench-stack"
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("HERALD_")}
        self.env |= {"HERALD_DEV_STATE": str(self.folder), "HERALD_DEV_BUILD": str(build),
                     "HERALD_DEV_PORT_BASE": os.environ.get("HERALD_DEV_PORT_BASE", str(PORT_BASE))}
        self.variables: dict[str, str] = {}

    def _deploy(self, *arguments: str) -> str:
        done = subprocess.run([str(ROOT / "deploy/dev"), *arguments], env=self.env, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"deploy/dev {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        if (self.folder / "stack").exists():  # of a run that was killed
            self.stop()
        file = self.build / "bench-settings.ini"
        file.write_text(self.settings)
        self._deploy("up", "--kafka", self.kafka, "--settings", str(file))
        for line in self._deploy("env").splitlines():
            if found := re.fullmatch(r"export (\w+)='(.*)'", line):
                self.variables[found[1]] = found[2]

    def stop(self) -> None:
        self._deploy("down")

    def pid(self, name: str) -> int:
        """@name  as `deploy/dev status` calls it"""
        return int((self.folder / "run" / f"{name}.pid").read_text().split()[0])

    def setting(self, section: str, key: str) -> str:
        """Of the servers' settings file."""
        current = ""
        for line in (self.folder / "herald.ini").read_text().splitlines():
            if found := re.fullmatch(r"\[(.*)\]", line):
                current = found[1]
            elif current == section and re.match(rf"{key}\s*=", line):
                return line.split("=", 1)[1].strip()
        raise KeyError(f"{section}.{key}")

    def end_content(self) -> None:
        """herald-content would draw pictures on the same cores for each image job; deploy/dev no longer starts what dies."""
        for name in ("supervisor", "herald-content"):
            pid = self.pid(name)
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + END_S
            while processes.cpu_us(pid) > 0 and time.monotonic() < deadline:
                time.sleep(0.05)

    # ---- the database and the fakes ----

    def dsn(self, database: str = "herald") -> str:
        return self.variables["HERALD_PG_DSN"].rsplit("/", 1)[0] + f"/{database}"

    def sql(self, text: str, database: str = "herald") -> list[list[str]]:
        """Returns: the rows of all statements"""
        done = subprocess.run(["psql", self.dsn(database), "-qAt", "-v", "ON_ERROR_STOP=1", "-F", "\t"], input=text,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def tool(self, *command: str) -> str:
        """Runs a program of Postgres or Redis beside this stack. Returns: what it printed"""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def make_drafts(self, count: int, file: pathlib.Path) -> None:
        """Writes a line `ID USER` for each."""
        rows = self.sql(DRAFTS.format(count=count) + ";\n")
        file.write_text("".join(f"{row[0]} {row[1]}\n" for row in rows))

    def answer_in(self, delay_ms: int) -> None:
        """All channels do, from now on. At least 1; 0 would be a channel's usual time."""
        for channel in CHANNELS:
            body = json.dumps({"mode": "ok", "delayMs": delay_ms}).encode()
            request = urllib.request.Request(f"{self.variables['HERALD_CHANNELS_URL']}/channels/{channel}/behaviour",
                                             method="PUT", data=body)
            with urllib.request.urlopen(request, timeout=10):
                pass

    # ---- calls, and what they used ----

    def drive(self, operation: str, in_flight: int, file: pathlib.Path, *, seconds: float = 0, count: int = 0) -> dict[str, Any]:
        """Returns: what bench_service printed. Raises: when a call failed"""
        program = self.build / "tests/bench_service"
        out, _, peak = processes.run_program([str(program), operation, str(in_flight), str(seconds), str(count), str(file)],
                                             self.env | self.variables)
        figures: dict[str, Any] = json.loads(out)
        return figures | {"peak_kib": {"client": peak}}

    def cpu_us(self) -> dict[str, float]:
        """So far, of each server and of what stands behind them."""
        used = {server: processes.cpu_us(self.pid(f"herald-{server}")) for server in SERVERS}
        return used | {"postgres": processes.cpu_us_of_tree(self.pid("postgres")),
                       "kafka": processes.cpu_us_of_tree(self.pid("kafka")), "redis": processes.cpu_us(self.pid("redis")),
                       "fakes": processes.cpu_us(self.pid("herald-fakes"))}
