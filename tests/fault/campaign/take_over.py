"""How long the work of a killed process lies there."""

import bisect
import signal

from evidence import Evidence, by

HINDRANCES = {"freeze", "freeze-postgres", "restart-postgres", "path-postgres", "terminate-backends", "rolling"}


def _is_disturbed(seen: Evidence, since_ms: float, until_ms: float) -> bool:
    """Whether Postgres, or a server that could take over, was kept from it meanwhile."""
    return any(fault["at_ms"] <= until_ms and fault["until_ms"] >= since_ms and fault["kind"] in HINDRANCES
               for fault in seen.faults)


def take_over_times(seen: Evidence) -> tuple[list[float], list[float]]:
    """Milliseconds from the kill of a process to the first sign of another one at a row that it held, and to the end of
    the work there. Without those during which Postgres or the other servers were hindered."""
    deaths = {server: sorted(death["at_ms"] for death in found if death["status"] == -signal.SIGKILL)
              for server, found in by(seen.deaths, "server").items()}
    taken, finished = [], []
    changes = [row for row in seen.history if row["what"] in ("event", "delivery")]
    for rows in by(changes, "what", "id", "channel").values():
        for number, (row, following) in enumerate(zip(rows, rows[1:])):
            times = deaths.get(row["who"], [])
            index = bisect.bisect(times, row["at_ms"])
            if not row["holder"] or row["settled"] or index == len(times) or times[index] > following["at_ms"]:
                continue
            if not _is_disturbed(seen, times[index], following["at_ms"]):
                taken.append(following["at_ms"] - times[index])
                finished += [later["at_ms"] - times[index] for later in rows[number + 1:] if later["settled"]][:1]
    return taken, finished
