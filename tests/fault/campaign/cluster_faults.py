"""The faults of a cluster: leaders are killed, frozen, or told to hand over. Each of them runs in a thread of its own and
ends when another one leads; meanwhile no other fault is aimed at the same service."""

import functools
import signal
import time
from typing import Any, Callable

from cluster import BACK_S, FAIL_OVER_S, NODES, Cluster, ClusterStack, send, wait_for
from faults import Faults
from plan import CLUSTER_KINDS, KINDS, Fault
from stack import Herald, now_ms

# Of what a kind takes a part away.
SERVICE_OF = {"primary": "postgres", "standby": "postgres", "etcd": "postgres", "master": "redis", "sentinel": "redis",
              "broker": "kafka"}
BROKER_BACK_S = 180  # until a broker that died listens again
LOOK_S = 0.5
POSTPONED_S = 30  # at most, while the fault before it at the same service goes on


class ClusterFaults(Faults):
    """The faults of one campaign on a cluster."""

    services: Cluster

    def __init__(self, stack: Herald, spared: list[str]) -> None:
        assert isinstance(stack, ClusterStack)
        super().__init__(stack, spared)
        self.services = stack.services

    def _begin(self, fault: Fault, say: Callable[[str], None]) -> None:
        if fault.kind in KINDS:
            super()._begin(fault, say)
            return
        assert fault.kind in CLUSTER_KINDS
        self._begin_alone(fault, say, time.monotonic() + POSTPONED_S)

    def _begin_alone(self, fault: Fault, say: Callable[[str], None], until: float) -> None:
        service = SERVICE_OF[fault.kind.rsplit("-", 1)[1]]
        if service in self._busy and time.monotonic() < until:
            self._later(LOOK_S, functools.partial(self._begin_alone, fault, say, until))
            return
        if service in self._busy:
            say(f"{fault.at_s:7.2f} s  {fault.text()}: left out, as {service} is not yet back")
            return
        self._busy.add(service)
        entry = self._note(fault, say)

        def carry_out() -> None:
            try:
                getattr(self, "_" + fault.kind.replace("-", "_"))(fault, entry)
            finally:
                entry["until_ms"] = max(entry["until_ms"], now_ms())
                self._busy.discard(service)

        self._in_thread(carry_out)

    # ---- Postgres ----

    def _await_writes(self, entry: dict[str, Any], but: int | None = None, seconds: float = FAIL_OVER_S) -> None:
        """Notes how long nobody could write. @but  a node whose writes do not count, as it is to be replaced"""
        old = self.services.port_of("postgres", but) if but else None

        def serves() -> bool:
            port = self.services.writes()
            return port is not None and port != old

        wait_for(f"another primary of Postgres after '{entry['text']}'", seconds, serves)
        entry["failed_over_ms"] = now_ms() - entry["at_ms"]

    def _leader(self, entry: dict[str, Any]) -> int:
        node: int = wait_for("a primary of Postgres", FAIL_OVER_S, self.services.primary)
        entry["at_ms"] = now_ms()
        return node

    def _kill_primary(self, fault: Fault, entry: dict[str, Any]) -> None:
        node = self._leader(entry)
        send(self.services.postgres_pids(node, fault.mode), signal.SIGKILL)
        if fault.mode != "patroni":  # else nothing happens to the postmaster
            self._await_writes(entry)

    def _freeze_primary(self, fault: Fault, entry: dict[str, Any]) -> None:
        """Its lease ends meanwhile. When it goes on, nobody may believe it. Where no standby took over, as none had all that
        was acknowledged, it leads on."""
        wait_for("a standby of Postgres", BACK_S, self.services.standby)
        node = self._leader(entry)
        frozen = self.services.freeze_postgres(node)
        try:
            self._await_writes(entry, but=node, seconds=fault.seconds)
            time.sleep(max(0.0, entry["at_ms"] / 1000 + fault.seconds - time.time()))
        except RuntimeError:
            entry["text"] += " (nobody took over)"
        finally:
            send(frozen + self.services.family(node), signal.SIGCONT)
        wait_for("a primary of Postgres that can write", FAIL_OVER_S, self.services.writes)

    def _switch_primary(self, _: Fault, entry: dict[str, Any]) -> None:
        """A planned switch-over, which Patroni may refuse while the standby does not follow."""
        wait_for("a standby of Postgres", BACK_S, self.services.standby)
        node = self._leader(entry)
        asked = {"leader": f"postgres-{node}", "candidate": f"postgres-{3 - node}"}
        if self.services.patroni(node, "switchover", asked, FAIL_OVER_S) == 200:
            self._await_writes(entry, but=node)
        else:
            entry["text"] += " (refused)"

    def _standby_node(self, entry: dict[str, Any]) -> int:
        leader = self._leader(entry)
        return next(node for node in NODES if node != leader)

    def _kill_standby(self, _: Fault, entry: dict[str, Any]) -> None:
        send(self.services.postgres_pids(self._standby_node(entry), "node"), signal.SIGKILL)

    def _freeze_standby(self, fault: Fault, entry: dict[str, Any]) -> None:
        node = self._standby_node(entry)
        frozen = self.services.freeze_postgres(node)
        try:
            time.sleep(fault.seconds)
        finally:
            send(frozen + self.services.family(node), signal.SIGCONT)

    def _kill_etcd(self, _: Fault, __: dict[str, Any]) -> None:
        send(self.services.pids("etcd"), signal.SIGKILL)

    # ---- Redis ----

    def _master(self, entry: dict[str, Any]) -> int:
        wait_for("a replica of Redis", BACK_S, self.services.redis_replica_follows)
        master: int = wait_for("a master of Redis", FAIL_OVER_S, self.services.redis_master)
        entry["at_ms"] = now_ms()
        return master

    def _await_master(self, entry: dict[str, Any], old: int) -> None:
        wait_for(f"another master of Redis after '{entry['text']}'", FAIL_OVER_S,
                 lambda: self.services.redis_master() not in (None, old))
        entry["failed_over_ms"] = now_ms() - entry["at_ms"]

    def _kill_redis_master(self, _: Fault, entry: dict[str, Any]) -> None:
        master = self._master(entry)
        send(self.services.pids(f"redis-{master}"), signal.SIGKILL)
        self._await_master(entry, master)

    def _freeze_redis_master(self, fault: Fault, entry: dict[str, Any]) -> None:
        """The sentinels may decide before or after its end."""
        pids = self.services.pids(f"redis-{self._master(entry)}")
        send(pids, signal.SIGSTOP)
        try:
            time.sleep(fault.seconds)
        finally:
            send(pids, signal.SIGCONT)

    def _switch_redis_master(self, _: Fault, entry: dict[str, Any]) -> None:
        master = self._master(entry)
        if self.services.redis(self.services.port_of("sentinel", 1), "sentinel", "failover", "herald") == ["OK"]:
            self._await_master(entry, master)
        else:
            entry["text"] += " (refused)"

    def _kill_sentinel(self, fault: Fault, _: dict[str, Any]) -> None:
        send(self.services.pids(fault.target), signal.SIGKILL)

    # ---- Kafka ----

    def _broker(self, fault: Fault, entry: dict[str, Any]) -> int:
        number: int = wait_for(f"the {fault.mode} of Kafka", FAIL_OVER_S, lambda: self.services.broker(fault.mode))
        entry["target"] = f"kafka-{number}"
        entry["at_ms"] = now_ms()
        return number

    def _kill_broker(self, fault: Fault, entry: dict[str, Any]) -> None:
        number = self._broker(fault, entry)
        send(self.services.pids(f"kafka-{number}"), signal.SIGKILL)
        entry["until_ms"] = now_ms()
        port = self.services.port_of("kafka", number)
        wait_for(f"kafka-{number} after it died", BROKER_BACK_S, lambda: self.services.pids(f"kafka-{number}") and
                 self.services.listens(port))

    def _freeze_broker(self, fault: Fault, entry: dict[str, Any]) -> None:
        pids = self.services.pids(f"kafka-{self._broker(fault, entry)}")
        send(pids, signal.SIGSTOP)
        try:
            time.sleep(fault.seconds)
        finally:
            send(pids, signal.SIGCONT)

    # ---- the end ----

    def _calm(self) -> None:
        super()._calm()
        missing = self.services.missing()
        deadline = time.monotonic() + BACK_S
        while missing and time.monotonic() < deadline:
            self.stack.supervise()
            time.sleep(LOOK_S)
            missing = self.services.missing()
        if missing:
            self.problems.append(f"not back {BACK_S} s after the last fault: {', '.join(missing)}")
            self.problems.append(self.services.last_words(missing))
