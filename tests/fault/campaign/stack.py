"""Herald as the campaign runs it: two of each server and the fake channels. `Herald` is how they are asked and told,
wherever they run; `Stack` has the processes, with the fault proxy in between.

What dies is started again after RESTART_S, as a supervisor would."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.request
from typing import Any

from plan import PATHS, SERVERS
from services import Database, Services

RESTART_S = 0.3
START_S = 60
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
INSTAGRAM_TOKEN, KAKAO_KEY, KAKAO_SECRET = "IGAA-campaign", "kakao-key", "kakao-secret"
# All programs list the points of all rooms; these are the ones that they pass.
ROOMS = {"event": ("event", "rpc", "outbox"), "distribution": ("distribution", "rpc", "outbox"),
         "job": ("job", "rpc", "outbox"), "content": ("content",)}
PICTURES = ["pictures-1", "pictures-2"]  # where the content servers serve them
# Of a channel that is well: slow enough that many publishes are under way at once.
USUAL = {"mode": "ok", "latency": {"minMs": 100, "maxMs": 800}}
# A production's, but for waits that a campaign of minutes cannot wait out. CHANNELS_TIMEOUT_MS: what hangs, hangs long.
SETTINGS = {
    "HERALD_CHANNELS_TIMEOUT_MS": "3000", "HERALD_CHANNELS_BACKOFF_MAX_MS": "3000",
    "HERALD_CHANNELS_BREAKER_OPEN_WAIT_MS": "1000", "HERALD_BREAKER_OPEN_WAIT_MS": "1000",
    "HERALD_PG_STATEMENT_TIMEOUT_MS": "5000", "HERALD_LOG_FORMAT": "json", "HERALD_KAKAO_CHANNEL_QUIET_HOURS": "false",
}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, below those that the kernel gives out by itself, above those of stacks that tests name."""
    sockets: list[socket.socket] = []
    draw = random.SystemRandom()
    while len(sockets) < count:
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", draw.randrange(20000, 32000)))
            sockets.append(listener)
        except OSError:
            listener.close()
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def now_ms() -> float:
    return time.time() * 1000


class Herald:
    """Two of each server and the fake channels."""

    def __init__(self, services: Database, folder: pathlib.Path, ports: dict[str, int], engine: str) -> None:
        """@ports  of the servers, by SERVERS; of fakes, and of whatever else has one
        @engine  rpc.engine of the servers"""
        self.services, self.folder, self.ports = services, folder, ports
        self.settings = SETTINGS | {"HERALD_RPC_ENGINE": engine}
        self.tools = services.bin_dir.parent / "tests"
        self.pictures = folder / "pictures"
        self.restarts: dict[str, float] = {}    # when to start what has ended, or when it ended
        self.told_to_end: dict[int, float] = {}
        self.asking: list[subprocess.Popen[bytes]] = []

    # ---- processes ----

    @property
    def deaths(self) -> list[dict[str, Any]]:
        """Who ended, when and how, as seen."""
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def supervise(self) -> None:
        """Notes what has ended, and sees to it that it is started again."""
        raise NotImplementedError

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to a server, if it lives."""
        raise NotImplementedError

    def terminate(self, name: str) -> None:
        """SIGTERM, once, as a second one would end the server at once; and not before it listens, when it has nothing to
        end well."""
        raise NotImplementedError

    def stop(self) -> list[str]:
        """Ends all with SIGTERM. Returns: those that did not end well."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Ends what stop() has left, in any way."""
        raise NotImplementedError

    def order_proxy(self, order: str) -> None:
        """Tells the fault proxy, where there is one."""

    def server_of(self, session: str) -> str:
        """Of SERVERS, the one whose sessions in Postgres have that name."""
        return session

    def make_history(self) -> None:
        self.services.sql((pathlib.Path(__file__).parent / "history.sql").read_text())

    # ---- asking and telling ----

    def url(self, name: str) -> str:
        scheme = "http" if name == "fakes" or name in PICTURES else "tcp"
        return f"{scheme}://127.0.0.1:{self.ports[name]}"

    def listens(self, name: str) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.ports[name]), 0.5).close()
            return True
        except OSError:
            return False

    def http(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        request = urllib.request.Request(self.url("fakes") + path, method="PUT" if body else "GET",
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())

    def set_channel(self, channel: str, behaviour: dict[str, Any]) -> None:
        self.http(f"/behaviour/{channel}", behaviour)

    def calm_channels(self) -> None:
        for channel in ("WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "KAKAO_CHANNEL"):
            self.set_channel(channel, USUAL)

    def ctl(self, *arguments: str, server: str) -> list[str]:
        """The command line of heraldctl for one server."""
        return [str(self.services.bin_dir / "heraldctl"), *arguments, "--url", self.url(server), "--timeout", "3000"]

    def set_failpoint(self, server: str, point: str, action: str) -> None:
        """Does not wait: the server may be dead or frozen, and then has no failpoint."""
        self.asking = [process for process in self.asking if process.poll() is None]
        self.asking.append(subprocess.Popen(self.ctl("failpoint", point, action, server=server),
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def failpoints(self) -> dict[str, list[str]]:
        """By kind of server."""
        found = {}
        for kind, rooms in ROOMS.items():
            done = subprocess.run(self.ctl("failpoints", "-o", "json", server=f"{kind}-1"), text=True, check=True,
                                  stdout=subprocess.PIPE)
            names = {point["name"] for point in json.loads(done.stdout)}
            found[kind] = sorted(name for name in names if name.split(".")[0] in rooms)
        return found


class Stack(Herald):
    """All processes of Herald. Not started yet: start()."""

    services: Services

    def __init__(self, services: Services, folder: pathlib.Path, engine: str) -> None:
        paths = [path for kind, paths in PATHS.items() for path in paths if kind != "path-kafka"]
        names = SERVERS + PICTURES + ["fakes"] + paths
        super().__init__(services, folder, dict(zip(names, free_ports(len(names)))), engine)
        # PORT:ADVERTISED_PORT of Apache Kafka's listeners: its clients are sent to the port of the path.
        self.listeners = dict(zip(PATHS["path-kafka"], services.listeners.split()))
        self.ports |= {path: int(listener.split(":")[1]) for path, listener in self.listeners.items()}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._deaths: list[dict[str, Any]] = []
        self.proxy: subprocess.Popen[str] | None = None
        self.pictures.mkdir()

    # ---- addresses ----

    def path_targets(self) -> list[str]:
        """Of each path, NAME=PORT:HOST:PORT for the proxy."""
        targets = []
        for name, listener in self.listeners.items():
            targets.append(f"{name}={self.ports[name]}:127.0.0.1:{listener.split(':')[0]}")
        for name in [path for kind, paths in PATHS.items() for path in paths if kind != "path-kafka"]:
            service = name.split("-from-")[0] if "-from-" in name else name.split("-")[0]
            port = self.ports[service] if service in self.ports else self.services.port_of(service)
            targets.append(f"{name}={self.ports[name]}:127.0.0.1:{port}")
        return targets

    def environment(self, server: str) -> dict[str, str]:
        kind, _, number = server.partition("-")
        values = {name: value for name, value in os.environ.items() if not name.startswith("HERALD_")} | self.settings
        path = f"kafka-{number}"
        kafka = f"127.0.0.1:{self.ports[path]}" if path in self.ports else self.services.bootstrap
        dsn, redis = self.services.dsn, self.services.redis_url
        if f"postgres-{server}" in self.ports:
            dsn = dsn.replace(f":{self.services.port_of('postgres')}/", f":{self.ports[f'postgres-{server}']}/")
        if f"redis-{server}" in self.ports:
            redis = redis.replace(f":{self.services.port_of('redis')}/", f":{self.ports[f'redis-{server}']}/")
        values |= {
            "HERALD_PG_DSN": f"{dsn}?application_name={server}", "HERALD_REDIS_URL": redis,
            "HERALD_KAFKA_BOOTSTRAP": kafka,
            f"HERALD_{kind.upper()}_URL": self.url(server), "HERALD_CONTENT_DIR": str(self.pictures),
            "HERALD_CHANNELS_URL": self.url("fakes"), "HERALD_CHANNELS_SECRET": SECRET,
            "HERALD_INSTAGRAM_URL": self.url("fakes") + "/graph/v21.0", "HERALD_INSTAGRAM_TOKEN": INSTAGRAM_TOKEN,
            "HERALD_INSTAGRAM_ACCOUNT": "17841400000000001", "HERALD_NAVER_BLOG_URL": self.url("fakes") + "/naver",
            "HERALD_KAKAO_CHANNEL_URL": self.url("fakes") + "/kakao", "HERALD_KAKAO_CHANNEL_ACCESS_KEY": KAKAO_KEY,
            "HERALD_KAKAO_CHANNEL_SECRET": KAKAO_SECRET, "HERALD_KAKAO_CHANNEL_SENDER": "@herald-shop",
            "HERALD_KAKAO_CHANNEL_SERVICE": "ncp:kkobizmsg:kr:1234567:herald",
        }
        if kind == "content":
            values |= {"HERALD_CONTENT_RPC_URL": self.url(server), "HERALD_CONTENT_URL": self.url(f"pictures-{number}")}
        for service in ("distribution", "job"):
            paths = [f"{service}-{number}-from-{kind}" for number in (1, 2)]
            urls = ",".join(self.url(path) for path in paths if path in self.ports)
            if urls:
                values[f"HERALD_{service.upper()}_CALL_URL"] = urls
        return values

    # ---- processes ----

    def run(self, name: str) -> None:
        kind = name.split("-")[0]
        command = [str(self.services.bin_dir / f"herald-{kind}")]
        environment = self.environment(name)
        if name == "fakes":
            command += ["--listen", f"127.0.0.1:{self.ports[name]}", "--kst", "12:00", "--instagram-quota", "1000000",
                        "--container-ms", "200", "--quiet"]
            environment |= {"HERALD_FAKES_SECRET": SECRET, "HERALD_FAKES_INSTAGRAM_TOKEN": INSTAGRAM_TOKEN,
                            "HERALD_FAKES_KAKAO_ACCESS_KEY": KAKAO_KEY, "HERALD_FAKES_KAKAO_SECRET": KAKAO_SECRET}
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                                                    stderr=log)

    def start(self) -> None:
        with open(self.folder / "proxy.log", "wb") as log:
            self.proxy = subprocess.Popen([str(self.tools / "fault-proxy"), *self.path_targets()], text=True,
                                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        assert self.proxy.stdout and self.proxy.stdout.readline().strip() == "ready", "the fault proxy does not start"
        subprocess.run([str(self.services.bin_dir / "heraldctl"), "migrate"], check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | {"HERALD_PG_DSN": self.services.dsn})
        self.make_history()
        for name in ["fakes"] + SERVERS:
            self.run(name)
        deadline = time.monotonic() + START_S
        for name in ["fakes"] + SERVERS:
            while not self.listens(name):
                if time.monotonic() > deadline or self.processes[name].poll() is not None:
                    raise RuntimeError(f"{name} does not start; see {self.folder}/{name}.log")
                time.sleep(0.05)
        self.calm_channels()

    @property
    def deaths(self) -> list[dict[str, Any]]:
        return self._deaths

    def supervise(self) -> None:
        now = time.monotonic()
        for name, process in self.processes.items():
            if name not in self.restarts and process.poll() is not None:
                self._deaths.append({"at_ms": now_ms(), "server": name, "status": process.returncode,
                                    "told_ms": self.told_to_end.get(process.pid)})
                self.restarts[name] = now + RESTART_S
        for name in [name for name, at in self.restarts.items() if at <= now]:
            del self.restarts[name]
            self.run(name)

    def signal(self, name: str, number: int) -> None:
        if name not in self.restarts and self.processes[name].poll() is None:
            self.processes[name].send_signal(number)

    def terminate(self, name: str) -> None:
        process = self.processes[name]
        if process.pid not in self.told_to_end and self.listens(name):
            self.told_to_end[process.pid] = now_ms()
            self.signal(name, signal.SIGTERM)

    def stop(self) -> list[str]:
        bad = []
        for name in reversed(["fakes"] + SERVERS):
            process = self.processes.get(name)
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                if process.pid not in self.told_to_end:
                    process.terminate()
        for name, process in self.processes.items():
            try:
                if process.wait(timeout=40) != 0 and name not in self.restarts:
                    bad.append(f"{name} ended with {process.returncode} after SIGTERM")
            except subprocess.TimeoutExpired:
                process.kill()
                bad.append(f"{name} did not end within 40 s of SIGTERM")
        if self.proxy:
            self.proxy.kill()
        return bad

    def abandon(self) -> None:
        if self.proxy and self.proxy.poll() is None:
            self.stop()

    def order_proxy(self, order: str) -> None:
        assert self.proxy and self.proxy.stdin and self.proxy.stdout
        self.proxy.stdin.write(order + "\n")
        self.proxy.stdin.flush()
        answer = self.proxy.stdout.readline().strip()
        assert answer == "ok", f"the fault proxy answers '{answer}' to '{order}'"
