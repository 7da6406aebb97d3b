"""The stack of `deploy/dev up --cluster`, in a state folder of its own: asked, and its parts frozen and killed.

Nothing is started again here. The supervisor of deploy/dev does that; Patroni, the sentinels and the controllers decide
who leads next."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any, Callable

from plan import SERVERS
from services import ROOT, Database, children_of
from stack import START_S, Herald, free_ports, now_ms

PORTS = 100          # that a stack takes, from its base on
UP_S = 900
STATEMENT_S = 120    # so long a statement of the campaign waits for a Postgres that can write
FAIL_OVER_S = 120    # until another one leads; what takes longer is a problem
BACK_S = 240         # until all parts are back after the last fault
END_S = 40
POLL_S = 0.05
LAST_LINES = 12      # of each log that is shown
# Three brokers, two Postgres and all else share one machine: a channel that is well may be slow.
CLUSTER_SETTINGS = {"HERALD_CHANNELS_TIMEOUT_MS": "10000"}
NODES, SENTINELS, BROKERS = (1, 2), (1, 2, 3), (1, 2, 3)
PROCESS = re.compile(r"\(process (\d+), exit status (\d+)\)")
Process = tuple[int, str]  # pid, start time


def free_base() -> int:
    """Of PORTS ports that nobody listens on."""
    while True:
        base = free_ports(1)[0] // PORTS * PORTS
        sockets = []
        try:
            sockets = [socket.create_server(("127.0.0.1", base + number)) for number in range(1, PORTS)]
            return base
        except OSError:
            continue
        finally:
            for listener in sockets:
                listener.close()


def wait_for(what: str, seconds: float, holds: Callable[[], Any]) -> Any:
    """What holds() returns once that is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {seconds:.0f} s")
        time.sleep(POLL_S)


def start_time(pid: int) -> str:
    """In ticks since boot; empty: there is no such process, or it is dead and nobody has asked for its end."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def send(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def session_of(server: str) -> str:
    """The name under which deploy/dev runs it, which its sessions in Postgres have too."""
    return server if server == "all" else "herald-" + server.removesuffix("-1")


class Cluster(Database):
    """Postgres, Redis and Kafka of the cluster. Each method that names a role finds out who has it now."""

    def __init__(self, state: pathlib.Path, base: int, bin_dir: pathlib.Path) -> None:
        self.state, self.base, self.bin_dir = state, base, bin_dir
        self.run_dir = state / "run"
        # Known once the stack is up.
        self.data_dir = pathlib.Path()
        self.bootstrap = ",".join(f"127.0.0.1:{self.port_of('kafka', number)}" for number in BROKERS)
        super().__init__("")

    def port_of(self, name: str, number: int) -> int:
        first = {"postgres": 81, "patroni": 83, "redis": 85, "sentinel": 87, "kafka": 90}[name]
        return self.base + first + number

    def process(self, name: str) -> Process | None:
        """The one that the file of `name` tells, if it lives."""
        try:
            pid, started, _ = (self.run_dir / f"{name}.pid").read_text().split()
        except (OSError, ValueError):
            return None
        return (int(pid), started) if start_time(int(pid)) == started else None

    def pids(self, name: str) -> list[int]:
        process = self.process(name)
        return [process[0]] if process else []

    def listens(self, port: int) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return True
        except OSError:
            return False

    # ---- Postgres ----

    def terminate_backends(self, server: str) -> None:
        super().terminate_backends(session_of(server))

    def sql(self, text: str, seconds: float = STATEMENT_S) -> str:
        """What psql prints. Waits for a Postgres that can write."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return super().sql(text, seconds)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                # Its own mistakes begin with ERROR, and come back at once.
                if "ERROR:" in str(error) and "read-only" not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.5)

    def patroni(self, node: int, path: str, body: dict[str, Any] | None = None, seconds: float = 1) -> int:
        """The status with which it answers; 0: it does not."""
        url = f"http://127.0.0.1:{self.port_of('patroni', node)}/{path}"
        request = urllib.request.Request(url, data=json.dumps(body).encode() if body else None,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def primary(self) -> int | None:
        found = [node for node in NODES if self.patroni(node, "primary") == 200]
        return found[0] if len(found) == 1 else None

    def standby(self) -> int | None:
        """One that has all that was acknowledged."""
        return next((node for node in NODES if self.patroni(node, "sync") == 200), None)

    def postmaster(self, node: int) -> list[int]:
        try:
            pid = int((self.data_dir / str(node) / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return []
        return [pid] if start_time(pid) else []

    def postgres_pids(self, node: int, part: str) -> list[int]:
        """@part  postgres: its postmaster; patroni: who decides for it; node: both"""
        return ([] if part == "patroni" else self.postmaster(node)) + (
            [] if part == "postgres" else self.pids(f"postgres-{node}"))

    def family(self, node: int) -> list[int]:
        """Patroni, the postmaster and its children."""
        postmaster = self.postmaster(node)
        return self.pids(f"postgres-{node}") + postmaster + [child for pid in postmaster for child in children_of(pid)]

    def freeze_postgres(self, node: int) -> list[int]:
        """Returns: who stands still."""
        for _ in range(2):  # children that came meanwhile
            pids = self.family(node)
            send(pids, signal.SIGSTOP)
        return pids

    def writes(self) -> int | None:
        """The port of a Postgres that has just committed a change; None: there is none."""
        try:
            return int(Database.sql(self, "INSERT INTO campaign.probe DEFAULT VALUES RETURNING inet_server_port()",
                                    seconds=3))
        except (RuntimeError, ValueError, subprocess.TimeoutExpired):
            return None

    # ---- Redis ----

    def redis(self, port: int, *words: str) -> list[str]:
        """The lines of its answer; empty: it gives none."""
        try:
            done = subprocess.run(["redis-cli", "-p", str(port), "--raw", *words], text=True, capture_output=True,
                                  timeout=2, check=False)
        except subprocess.TimeoutExpired:
            return []
        return done.stdout.splitlines() if done.returncode == 0 else []

    def redis_master(self) -> int | None:
        """The number of the one that all sentinels call so, and that knows it."""
        told = {tuple(self.redis(self.port_of("sentinel", number), "sentinel", "get-master-addr-by-name", "herald"))
                for number in SENTINELS}
        ports = {int(words[1]) for words in told if len(words) == 2}
        if len(told) != 1 or len(ports) != 1:
            return None
        port = ports.pop()
        return port - self.port_of("redis", 0) if self.redis(port, "role")[:1] == ["master"] else None

    def redis_replica_follows(self) -> bool:
        master = self.redis_master()
        return master is not None and "master_link_status:up" in self.redis(self.port_of("redis", 3 - master), "info",
                                                                            "replication")

    # ---- Kafka ----

    def broker(self, mode: str) -> int | None:
        """@mode  controller, or leader TOPIC PARTITION"""
        return self._controller() if mode == "controller" else self._leader(*mode.split()[1:])

    def _controller(self) -> int | None:
        """Each controller keeps on disk whom it knows to lead the quorum, and since which epoch."""
        known = []
        for number in BROKERS:
            path = self.run_dir / f"apache/{number}/data/__cluster_metadata-0/quorum-state"
            try:
                state = json.loads(path.read_text())
                known.append((state["leaderEpoch"], state["leaderId"]))
            except (OSError, ValueError, KeyError):
                continue
        leader = max(known, default=(0, -1))[1]
        return leader if leader in BROKERS else None

    def _leader(self, topic: str, partition: str) -> int | None:
        try:
            done = subprocess.run(["kcat", "-b", self.bootstrap, "-L", "-J", "-t", topic, "-m", "5"], text=True,
                                  capture_output=True, timeout=15, check=False)
            partitions = json.loads(done.stdout)["topics"][0]["partitions"]
        except (subprocess.TimeoutExpired, ValueError, KeyError, IndexError):
            return None
        leaders = [row["leader"] for row in partitions if row["partition"] == int(partition) and row["leader"] in BROKERS]
        return leaders[0] if leaders else None

    # ---- all of it ----

    def missing(self) -> list[str]:
        """What is not as it was at the start."""
        parts = {"a primary of Postgres": self.primary() is not None, "a standby of Postgres": self.standby() is not None,
                 "a replica of Redis": self.redis_replica_follows()}
        parts |= {f"kafka-{number}": self.listens(self.port_of("kafka", number)) for number in BROKERS}
        return [name for name, is_there in parts.items() if not is_there]

    def last_words(self, missing: list[str]) -> str:
        """The ends of the logs that show why these parts are not there, and what the supervisor did."""
        names = ["supervisor"]
        for service, logs in (("Postgres", ("postgres-1", "postgres-2")),
                              ("Redis", ("redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"))):
            names += logs if any(service in part for part in missing) else ()
        names += [part for part in missing if part.startswith("kafka-")]
        lines = []
        for name in names:
            broker = self.run_dir / f"apache/{name.removeprefix('kafka-')}/kafka.log"
            path = broker if name.startswith("kafka-") else self.state / f"logs/{name}.log"
            lines.append(f"the end of {path.name} of {name}:")
            lines += path.read_text(errors="replace").splitlines()[-LAST_LINES:] if path.exists() else ["it has none"]
        return "\n    ".join(lines)


class ClusterStack(Herald):
    """All processes of Herald in the cluster. Not started yet: start()."""

    services: Cluster

    def __init__(self, folder: pathlib.Path, build: pathlib.Path, engine: str) -> None:
        base, state = int(os.environ.get("HERALD_DEV_PORT_BASE") or free_base()), folder / "dev"
        offsets = {"event": 1, "job": 2, "distribution": 3, "content": 9}
        ports = {name: base + offsets[name.split("-")[0]] + 10 * (int(name[-1]) - 1) for name in SERVERS}
        super().__init__(Cluster(state, base, build / "bin"), folder, ports | {"fakes": base + 5}, engine)
        self.pictures = state / "content"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HERALD_")} | {
            "HERALD_DEV_PORT_BASE": str(base), "HERALD_DEV_STATE": str(state), "HERALD_DEV_BUILD": str(build)}
        self._processes: dict[str, Process] = {}
        self._ended: list[dict[str, Any]] = []
        self._killed: dict[int, float] = {}  # by us, at that time
        self._is_up = False

    # ---- deploy/dev ----

    def _dev(self, *arguments: str, seconds: float = UP_S) -> str:
        done = subprocess.run([str(ROOT / "deploy/dev"), *arguments], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"deploy/dev {arguments[0]}: {done.stdout.strip()}")
        return done.stdout

    def _write_settings(self) -> pathlib.Path:
        """`settings`, as a file of settings."""
        path = self.folder / "settings.ini"
        with open(path, "w", encoding="utf-8") as file:
            for name, value in (self.settings | CLUSTER_SETTINGS).items():
                _, section, key = name.lower().split("_", 2)
                if section != "kakao":  # deploy/dev says that one itself
                    print(f"[{section}]\n{key} = {value}", file=file)
        return path

    def start(self) -> None:
        self._is_up = True
        self._dev("up", "--cluster", "--settings", str(self._write_settings()))
        known = dict(re.findall(r"^export (\w+)='(.*)'$", self._dev("env"), re.M))
        self.services.dsn = known["HERALD_PG_DSN"]
        # heraldctl asks as the operator.
        os.environ.update({name: known[name] for name in ("HERALD_AUTH_KEY_ID", "HERALD_AUTH_KEY_FILE")})
        stack = (self.services.state / "stack").read_text()
        self.services.data_dir = pathlib.Path(re.findall(r"^PG_DIR=(.*)$", stack, re.M)[0])
        self.make_history()
        self.services.sql("CREATE TABLE campaign.probe (at timestamptz NOT NULL DEFAULT now())")
        self._make_known()
        self.calm_channels()

    def _make_known(self) -> None:
        """Restarts all servers: of those that the supervisor has started it knows how they ended."""
        self.supervise()
        first = dict(self._processes)
        for name in SERVERS:
            self.terminate(name)

        def are_new() -> bool:
            self.supervise()
            return all(self._processes[name] != first[name] and self.listens(name) for name in SERVERS)

        wait_for("the restart of all servers", START_S, are_new)
        self._ended.clear()

    # ---- processes ----

    def supervise(self) -> None:
        """Notes what has ended, and what the supervisor has started again."""
        for name in SERVERS:
            known = self._processes.get(name)
            if known and name not in self.restarts and start_time(known[0]) != known[1]:
                self._ended.append({"at_ms": self._killed.get(known[0], now_ms()), "server": name, "pid": known[0],
                                    "told_ms": self.told_to_end.get(known[0])})
                self.restarts[name] = time.monotonic()
            process = self.services.process(session_of(name))
            if process and process != known:
                self._processes[name] = process
                self.restarts.pop(name, None)

    @property
    def deaths(self) -> list[dict[str, Any]]:
        """Who ended, when and how. The log of the supervisor tells how."""
        log = (self.folder / "supervisor.log") if not self._is_up else self.services.state / "logs/supervisor.log"
        codes = {int(pid): int(status) for pid, status in PROCESS.findall(log.read_text(errors="replace"))}
        status = dict.fromkeys(self._killed, -signal.SIGKILL)
        status |= {pid: 128 - code if code > 128 else code for pid, code in codes.items()}
        return [death | {"status": status.get(death["pid"], "an unknown status")} for death in self._ended]

    def server_of(self, session: str) -> str:
        name = session.removeprefix("herald-")
        return name if name in SERVERS else f"{name}-1"

    def signal(self, name: str, number: int) -> None:
        process = self._processes[name]
        if name not in self.restarts and start_time(process[0]) == process[1]:
            if number == signal.SIGKILL:
                self._killed[process[0]] = now_ms()
            send([process[0]], number)

    def terminate(self, name: str) -> None:
        pid = self._processes[name][0]
        if pid not in self.told_to_end and self.listens(name):
            self.told_to_end[pid] = now_ms()
            self.signal(name, signal.SIGTERM)

    def _end_well(self) -> list[str]:
        """Each server ends with SIGTERM; the supervisor tells how."""
        last = {name: process[0] for name, process in self._processes.items()}
        for name in SERVERS:
            self.terminate(name)

        def are_noted() -> bool:
            self.supervise()
            status = {death["pid"]: death["status"] for death in self.deaths}
            return all(isinstance(status.get(pid), int) for pid in last.values())

        try:
            wait_for("the end of all servers", END_S, are_noted)
        except RuntimeError as error:
            return [str(error)]
        return [f"{death['server']} ended with {death['status']} after SIGTERM" for death in self.deaths
                if death["pid"] in last.values() and death["status"] != 0]

    def stop(self) -> list[str]:
        for name in SERVERS:
            self.signal(name, signal.SIGCONT)
        bad = self._end_well()
        self.abandon()
        return bad

    def abandon(self) -> None:
        """Ends everything; the logs stay in the folder."""
        if not self._is_up:
            return
        logs = self.services.state / "logs"
        if logs.is_dir():
            shutil.copytree(logs, self.folder, dirs_exist_ok=True)
            for log in self.services.run_dir.glob("apache/*/kafka.log"):
                shutil.copy(log, self.folder / f"kafka-{log.parent.name}.log")
        self._is_up = False
        self._dev("down", seconds=300)
