"""How long the work of a killed process lies there."""

import bisect
import signal
from typing import NamedTuple

from evidence import Evidence, by
from plan import POSTGRES_KINDS

HINDRANCES = {"freeze", "path-postgres", "terminate-backends", "rolling"} | POSTGRES_KINDS
# All sessions end with Postgres: for so long after it is back nobody is judged by them (docs/failures.md).
CALM_MS = 5000


def _is_disturbed(seen: Evidence, since_ms: float, until_ms: float) -> bool:
    """Whether Postgres, or a server that could take over, was kept from it meanwhile."""
    return any(fault["at_ms"] <= until_ms and fault["kind"] in HINDRANCES and
               fault["until_ms"] + (CALM_MS if fault["kind"] in POSTGRES_KINDS else 0) >= since_ms
               for fault in seen.faults)


class TakeOver(NamedTuple):
    """Of a row that a killed process held: how long until another one touched it, and until the work there was finished
    (None: it was not)."""

    taken_ms: float
    finished_ms: float | None
    event_id: str


def take_overs(seen: Evidence) -> list[TakeOver]:
    """Without those during which Postgres or the other servers were hindered."""
    deaths = {server: sorted(death["at_ms"] for death in found if death["status"] == -signal.SIGKILL)
              for server, found in by(seen.deaths, "server").items()}
    found = []
    changes = [row for row in seen.history if row["what"] in ("event", "delivery")]
    for rows in by(changes, "what", "id", "channel").values():
        for number, (row, following) in enumerate(zip(rows, rows[1:])):
            times = deaths.get(row["who"], [])
            index = bisect.bisect(times, row["at_ms"])
            if not row["holder"] or row["settled"] or index == len(times) or times[index] > following["at_ms"]:
                continue
            if not _is_disturbed(seen, times[index], following["at_ms"]):
                ends = [later["at_ms"] - times[index] for later in rows[number + 1:] if later["settled"]]
                found.append(TakeOver(following["at_ms"] - times[index], ends[0] if ends else None, row["id"]))
    return found
