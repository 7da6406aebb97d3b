"""Carries a plan out: each fault begins at its time and ends after its own."""

import functools
import heapq
import signal
import threading
import time
from typing import Any, Callable

from plan import PATHS, SERVERS, Fault
from stack import USUAL, Herald, now_ms

ROLLING_S = 2.5  # from one server's SIGTERM to the next one's
TICK_S = 0.02


class Faults:
    """The faults of one campaign. `log` has each one with the time of its beginning and end."""

    def __init__(self, stack: Herald, spared: list[str]) -> None:
        self.restarted = [server for server in SERVERS if server.split("-")[0] not in spared]
        self.stack, self.services = stack, stack.services
        self.log: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._threads: list[threading.Thread] = []
        self._count = 0
        self._busy: set[str] = set()  # services that are frozen or away

    # ---- time ----

    def _at(self, at: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, action))

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        self._at(time.monotonic() + seconds, action)

    def _in_thread(self, action: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                action()
            except Exception as error:  # pylint: disable=broad-except
                self.problems.append(str(error))

        thread = threading.Thread(target=guarded)
        thread.start()
        self._threads.append(thread)

    def run(self, plan: list[Fault], seconds: float, say: Callable[[str], None]) -> None:
        """Carries out the plan, ends all that lasts, and returns when all servers run again."""
        began = time.monotonic()
        for fault in plan:
            self._at(began + fault.at_s, functools.partial(self._begin, fault, say))
        while self._due or time.monotonic() < began + seconds:
            self.stack.supervise()
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
            time.sleep(TICK_S)
        for thread in self._threads:
            while thread.is_alive():
                self.stack.supervise()
                thread.join(TICK_S)
        self._calm()

    def _calm(self) -> None:
        """Whatever was missed: everything is well from now on."""
        self.stack.order_proxy("* pass")
        self.stack.calm_channels()
        for name in SERVERS:
            self.stack.signal(name, signal.SIGCONT)
        deadline = time.monotonic() + 5
        while self.stack.restarts or time.monotonic() < deadline:
            self.stack.supervise()
            time.sleep(TICK_S)

    # ---- faults ----

    def _note(self, fault: Fault, say: Callable[[str], None]) -> dict[str, Any]:
        entry: dict[str, Any] = {"at_ms": now_ms(), "until_ms": now_ms() + fault.seconds * 1000, "kind": fault.kind,
                                 "target": fault.target, "mode": fault.mode, "text": fault.text()}
        self.log.append(entry)
        say(f"{fault.at_s:7.2f} s  {fault.text()}")
        return entry

    def _begin(self, fault: Fault, say: Callable[[str], None]) -> None:
        self._note(fault, say)
        verb, _, service = fault.kind.partition("-")
        if fault.kind in PATHS:
            self._path(fault)
        elif verb == "freeze" and service:
            self._freeze_service(service, fault)
        elif verb == "restart":
            self._restart_service(service, fault)
        else:
            getattr(self, "_" + fault.kind.replace("-", "_"))(fault)

    def _kill(self, fault: Fault) -> None:
        self.stack.signal(fault.target, signal.SIGKILL)

    def _failpoint(self, fault: Fault) -> None:
        point, action = fault.mode.split()
        self.stack.set_failpoint(fault.target, point, action)
        self._later(fault.seconds, lambda: self.stack.set_failpoint(fault.target, point, "off"))

    def _freeze(self, fault: Fault) -> None:
        self.stack.signal(fault.target, signal.SIGSTOP)
        self._later(fault.seconds, lambda: self.stack.signal(fault.target, signal.SIGCONT))

    def _rolling(self, fault: Fault) -> None:
        for number, server in enumerate(self.restarted):
            self._later(number * ROLLING_S, functools.partial(self.stack.terminate, server))

    def _path(self, fault: Fault) -> None:
        self.stack.order_proxy(f"{fault.target} {fault.mode}")
        self._later(fault.seconds, lambda: self.stack.order_proxy(f"{fault.target} pass"))

    def _terminate_backends(self, fault: Fault) -> None:
        if "postgres" not in self._busy:
            self._in_thread(lambda: self.services.terminate_backends(fault.target))

    def _channel(self, fault: Fault) -> None:
        mode, share = fault.mode.split()
        behaviour: dict[str, Any] = {"mode": mode, "share": float(share)}
        if mode in ("slow", "late"):
            behaviour["delayMs"] = 5000
        self.stack.set_channel(fault.target, behaviour)
        self._later(fault.seconds, lambda: self.stack.set_channel(fault.target, USUAL))

    def _freeze_service(self, name: str, fault: Fault) -> None:
        if name in self._busy:
            return
        self._busy.add(name)
        self.services.freeze(name)

        def thaw() -> None:
            self.services.thaw(name)
            self._busy.discard(name)

        self._later(fault.seconds, thaw)

    def _restart_service(self, name: str, fault: Fault) -> None:
        if name in self._busy:
            return
        self._busy.add(name)

        def start() -> None:
            self.services.start(name)
            self._busy.discard(name)

        self.services.kill(name)
        self._later(fault.seconds, lambda: self._in_thread(start))

