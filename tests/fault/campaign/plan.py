"""The faults of a campaign: which, where and when, all of it from one seed.

A plan depends on the seed, its length, the kinds and the lists below, and on nothing that happens meanwhile."""

import dataclasses
import random
from typing import Callable

SERVERS = [f"{name}-{number}" for name in ("event", "distribution", "job", "content") for number in (1, 2)]
CHANNELS = ("WOORIDONGNE_TV", "RINGO_BIZ", "GENIE_TV", "INSTAGRAM", "KAKAO_CHANNEL")
# What a channel may do for some seconds. Each of them ends, or is settled, within half a minute of its end.
WEBHOOK_MODES: tuple[str, ...] = ("fail", "reject", "hang", "late", "reset_after", "cut", "bad_chunk", "not_json",
                                  "numeric_id", "no_id", "drop", "reset", "stall", "slow")
CHANNEL_MODES = {name: WEBHOOK_MODES for name in CHANNELS}
CHANNEL_MODES["INSTAGRAM"] = WEBHOOK_MODES + ("container_error", "container_expired")
PATH_MODES = ("freeze", "drop", "swallow", "delay", "reset")
# Paths through the proxy, by kind of fault. "postgres-event-1" is the path of event-1 to Postgres.
PATHS = {
    "path-postgres": [f"postgres-{server}" for server in SERVERS if not server.startswith("content")],
    "path-redis": [f"redis-{server}" for server in SERVERS if server.startswith(("event", "job"))],
    "path-server": [f"{service}-{number}-from-{caller}" for service, caller in
                    (("distribution", "event"), ("job", "event"), ("job", "content")) for number in (1, 2)],
}
# To Apache Kafka, by the number of the server; the embedded one cannot be told to send its clients through a proxy.
PATHS["path-kafka"] = ["kafka-1", "kafka-2"]
# How many faults of a kind there are in ten of all, about.
WEIGHTS = {
    "kill": 3, "failpoint": 4, "freeze": 2, "rolling": 0.4, "path-postgres": 1.2, "path-redis": 0.6, "path-server": 2,
    "path-kafka": 1, "terminate-backends": 1, "freeze-postgres": 0.4, "freeze-redis": 0.4, "freeze-kafka": 0.6,
    "restart-redis": 0.5, "restart-kafka": 0.5, "restart-postgres": 0.3, "channel": 2.5,
}
KINDS = tuple(WEIGHTS)
FAULTS_PER_S = 0.9
# With --cluster: no proxy stands before its services, and each of them has another one that takes over.
CLUSTER_WEIGHTS = {
    "kill": 3, "failpoint": 3, "freeze": 1.5, "rolling": 0.3, "terminate-backends": 0.6, "channel": 2,
    "kill-primary": 1.2, "freeze-primary": 0.3, "switch-primary": 0.6, "kill-standby": 0.4, "freeze-standby": 0.8,
    "kill-etcd": 0.3, "kill-redis-master": 0.8, "freeze-redis-master": 0.5, "switch-redis-master": 0.5,
    "kill-sentinel": 0.3, "kill-broker": 0.8, "freeze-broker": 0.6,
}
CLUSTER_KINDS = tuple(CLUSTER_WEIGHTS)
CLUSTER_FAULTS_PER_S = 0.4
# While they last, and until another one leads, nobody can write.
POSTGRES_KINDS = {"freeze-postgres", "restart-postgres", "kill-primary", "freeze-primary", "switch-primary", "kill-standby",
                  "freeze-standby", "kill-etcd"}
# What dies of a primary: its postmaster, Patroni and postmaster, or Patroni, whose postmaster runs on.
PRIMARY_PARTS = ("postgres", "postgres", "node", "node", "patroni")
# Patroni's TTL (deploy/lib/cluster.sh) is over before.
FREEZE_PRIMARY_S = (26, 34)
TOPICS = ("event-topic", "distribution-topic", "image-job-topic", "__consumer_offsets")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault. It lasts `seconds`; 0: it is over at once."""

    at_s: float
    kind: str
    target: str
    mode: str = ""
    seconds: float = 0.0

    def text(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return " ".join(part for part in (self.kind, self.target, self.mode) if part) + lasting


@dataclasses.dataclass
class _Drawn:
    """Where the makers of faults draw from."""

    draw: random.Random
    points: dict[str, list[str]]
    deck: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def next_point(self) -> tuple[str, str]:
        """A kind of server and one of its failpoints. Each one comes before any comes again."""
        if not self.deck:
            self.deck = [(kind, point) for kind, names in sorted(self.points.items()) for point in names]
            self.draw.shuffle(self.deck)
        return self.deck.pop()


Parts = tuple[str, str, float]  # target, mode, seconds
Maker = Callable[[_Drawn], Parts]


def _kill(drawn: _Drawn) -> Parts:
    return drawn.draw.choice(SERVERS), "", 0.0


def _failpoint(drawn: _Drawn) -> Parts:
    kind, point = drawn.next_point()
    server = f"{kind}-{drawn.draw.choice((1, 2))}"
    if point == "rpc.reply" and drawn.draw.random() < 0.5:
        return server, f"{point} 30%drop", drawn.draw.uniform(1, 4)
    return server, f"{point} {drawn.draw.choice(('kill', '20%kill'))}", 4.0


def _freeze(drawn: _Drawn) -> Parts:
    return drawn.draw.choice(SERVERS), "", drawn.draw.choice((drawn.draw.uniform(0.2, 2), drawn.draw.uniform(2, 12)))


def _rolling(_: _Drawn) -> Parts:
    return "", "", 0.0


def _service(longest_s: float) -> Maker:
    return lambda drawn: ("", "", drawn.draw.uniform(0.5, longest_s))


def _path(kind: str) -> Maker:
    def make(drawn: _Drawn) -> Parts:
        mode = drawn.draw.choice(PATH_MODES)
        if mode == "delay":
            mode += f" {drawn.draw.choice((20, 200, 1000))}"
        return drawn.draw.choice(PATHS[kind]), mode, drawn.draw.uniform(0.5, 10)

    return make


def _channel(drawn: _Drawn) -> Parts:
    channel, share = drawn.draw.choice(CHANNELS), drawn.draw.choice((0.2, 0.5, 1))
    return channel, f"{drawn.draw.choice(CHANNEL_MODES[channel])} {share}", drawn.draw.uniform(1, 8)


def _backends(drawn: _Drawn) -> Parts:
    return drawn.draw.choice(["all"] + [server for server in SERVERS if not server.startswith("content")]), "", 0.0


def _primary(drawn: _Drawn) -> Parts:
    return "", drawn.draw.choice(PRIMARY_PARTS), 0.0


def _broker(longest_s: float) -> Maker:
    """Whoever leads the quorum of controllers, or a partition, when the fault begins."""
    def make(drawn: _Drawn) -> Parts:
        mode = drawn.draw.choice(("controller", f"leader {drawn.draw.choice(TOPICS)} {drawn.draw.randrange(4)}"))
        return "", mode, drawn.draw.uniform(2, longest_s) if longest_s else 0.0

    return make


def _for_seconds(least: float, most: float) -> Maker:
    return lambda drawn: ("", "", drawn.draw.uniform(least, most))


def _at_once(_: _Drawn) -> Parts:
    return "", "", 0.0


MAKERS: dict[str, Maker] = {
    "kill": _kill, "failpoint": _failpoint, "freeze": _freeze, "rolling": _rolling,
    "terminate-backends": _backends, "channel": _channel,
    "freeze-postgres": _service(8), "freeze-redis": _service(6), "freeze-kafka": _service(12),
    "restart-redis": _service(4), "restart-kafka": _service(8), "restart-postgres": _service(3),
    "kill-primary": _primary, "freeze-primary": _for_seconds(*FREEZE_PRIMARY_S), "switch-primary": _at_once,
    "kill-standby": _at_once, "freeze-standby": _for_seconds(0.5, 8), "kill-etcd": _at_once,
    "kill-redis-master": _at_once, "freeze-redis-master": _for_seconds(2, 8), "switch-redis-master": _at_once,
    "kill-sentinel": lambda drawn: (f"sentinel-{drawn.draw.choice((1, 2, 3))}", "", 0.0),
    "kill-broker": _broker(0), "freeze-broker": _broker(14),
} | {kind: _path(kind) for kind in PATHS}


def make_plan(seed: int, seconds: float, kinds: list[str], points: dict[str, list[str]],
              spared: list[str] | None = None, in_cluster: bool = False) -> list[Fault]:
    """The faults in the order of their times. Each kind appears, if there is room for it.

    @points  failpoints by kind of server
    @spared  servers (event, content, ...) that no fault is aimed at; all else stays as it was
    """
    drawn = _Drawn(random.Random(seed), points)
    draw = drawn.draw
    weights = CLUSTER_WEIGHTS if in_cluster else WEIGHTS
    count = max(len(kinds), int(seconds * (CLUSTER_FAULTS_PER_S if in_cluster else FAULTS_PER_S)))
    chosen = list(kinds) + draw.choices(kinds, [weights[kind] for kind in kinds], k=count - len(kinds))
    draw.shuffle(chosen)
    faults = []
    for number, kind in enumerate(chosen):
        at_s = (number + draw.random()) * seconds / count
        target, mode, lasts_s = MAKERS[kind](drawn)
        faults.append(Fault(round(at_s, 2), kind, target, mode, round(lasts_s, 2)))
    faults = [fault for fault in faults if fault.target.split("-")[0] not in (spared or [])]
    return sorted(faults, key=lambda fault: fault.at_s)
