"""Postgres, Redis and Kafka of tests/support/with-services: asked, frozen, killed and started again by deploy/lib."""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.parse
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[3]
LIB = "; ".join(f"source '{ROOT}/deploy/lib/{name}.sh'" for name in ("output", "process", "services"))


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Database:
    """Herald's Postgres, asked from outside."""

    bin_dir: pathlib.Path
    bootstrap: str

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def sql(self, text: str, seconds: float = 120) -> str:
        """What psql prints."""
        done = subprocess.run(["psql", self.dsn, "-XAtq", "-v", "ON_ERROR_STOP=1"], input=text, text=True,
                              capture_output=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr.strip()}")
        return done.stdout

    def rows(self, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.sql(f"SELECT coalesce(json_agg(found), '[]') FROM ({query}) AS found"))
        return found

    def terminate_backends(self, server: str) -> None:
        """Ends the sessions of a server, or of all of them."""
        which = "application_name <> 'psql'" if server == "all" else f"application_name = '{server}'"
        self.sql(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'herald' AND {which}")


class Services(Database):
    """The services that the environment names."""

    def __init__(self) -> None:
        super().__init__(os.environ["HERALD_PG_DSN"])
        self.run_dir = pathlib.Path(os.environ["HERALD_SERVICES_DIR"])
        self.bin_dir = pathlib.Path(os.environ["HERALD_BIN"])
        self.redis_url = os.environ["HERALD_REDIS_URL"]
        self.bootstrap = os.environ["HERALD_KAFKA_BOOTSTRAP"]
        self.kafka_kind = os.environ["HERALD_TEST_KAFKA_KIND"]
        # No setting of Herald's, so that its programs refuse it.
        self.listeners = os.environ.pop("HERALD_KAFKA_LISTENERS", "")
        self.data_dir = self.sql("SHOW data_directory").strip()

    # ---- processes ----

    def port_of(self, name: str) -> int:
        if name == "kafka":
            return int(self.bootstrap.rsplit(":", 1)[1])
        return urllib.parse.urlsplit(self.dsn if name == "postgres" else self.redis_url).port or 0

    def pids(self, name: str) -> list[int]:
        first = int((self.run_dir / f"{name}.pid").read_text().split()[0])
        return [first] + (children_of(first) if name == "postgres" else [])

    def signal(self, name: str, number: int) -> None:
        for pid in self.pids(name):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def freeze(self, name: str) -> None:
        self.signal(name, signal.SIGSTOP)
        if name == "postgres":
            self.signal(name, signal.SIGSTOP)  # children that came meanwhile

    def thaw(self, name: str) -> None:
        self.signal(name, signal.SIGCONT)

    def kill(self, name: str) -> None:
        """The embedded broker goes away instead: a dead one would forget its records."""
        if name == "kafka" and self.kafka_kind == "embedded":
            self.signal(name, signal.SIGUSR1)
        else:
            self.signal(name, signal.SIGKILL)

    def start(self, name: str) -> None:
        """Starts it after kill(), with its data, and waits until it serves."""
        run, log = f"'{self.run_dir}'", f"'{self.run_dir}/{name}.log'"
        port = self.port_of(name)
        if name == "postgres":
            command = f"postgres_start {run} '{self.data_dir}' {port} {log} && postgres_wait {run} {port} {log}"
        elif name == "redis":
            command = f"redis_start {run} {port} {log} && redis_wait {run} {port} {log}"
        elif self.kafka_kind == "apache":
            command = f"kafka_apache_start {run} '{self.bin_dir}' {log} {port}"
        else:
            self.signal("kafka", signal.SIGUSR2)
            return
        for attempt in range(3):
            done = subprocess.run(["bash", "-c", f"HERALD_ROOT='{ROOT}'; {LIB}; {command}"], check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  env=os.environ | {"HERALD_KAFKA_LISTENERS": self.listeners})
            if done.returncode == 0:
                return
            time.sleep(0.5 * (attempt + 1))
        raise RuntimeError(f"{name} does not start again: {done.stdout.strip()}")
