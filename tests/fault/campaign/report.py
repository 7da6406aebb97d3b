"""The table at the end, and a history of each event that is not as promised."""

import collections
import json
import pathlib
import statistics

from checks import Finding, told_its_end
from evidence import Evidence, Row
from take_over import take_overs

KINDS = ("lost", "stuck", "doubled", "told wrong", "illegal", "crashed", "slow", "unknown")
REASONS_MAX = 8
STORIES_MAX = 20  # on the terminal; all of them are in the folder
EXAMPLES = 3      # of each kind, after the table


def percentiles(times: list[float]) -> str:
    if not times:
        return "none"
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return f"{cuts[49]:.0f} / {cuts[98]:.0f} / {max(times):.0f} ms of {len(times)}"


def _calls(calls: list[Row]) -> str:
    counts = collections.Counter(
        "OK " + call.get("status", "") if told_its_end(call) else "goes on" if call["code"] == "OK" else call["outcome"]
        for call in calls)
    told = ", ".join(f"{count} {name.strip()}" for name, count in counts.most_common())
    return f"{len({call['key'] for call in calls})} keys, {len(calls)} calls: {told}"


def fail_overs(seen: Evidence) -> list[tuple[str, str]]:
    """How long nobody could write to Postgres, and until Redis had another master, by what had happened."""
    times: dict[str, list[float]] = {}
    for fault in seen.faults:
        if "failed_over_ms" in fault:
            times.setdefault(" ".join((fault["kind"], fault["mode"])).strip(), []).append(fault["failed_over_ms"])
    return [(f"fail-over, {name}", percentiles(found)) for name, found in sorted(times.items())]


def table(seen: Evidence, findings: list[Finding]) -> list[tuple[str, str]]:
    publishes = [call for call in seen.calls if call["call"] == "publish"]
    requests = [call for call in seen.calls if call["call"] == "request_images"]
    reasons = collections.Counter(call["reason"] for call in publishes if not told_its_end(call))
    states = collections.Counter(event["status"] for event in seen.events.values())
    jobs = collections.Counter(job["status"] for job in seen.jobs.values())
    deliveries = collections.Counter(row["state"] for row in seen.deliveries)
    taken = take_overs(seen)
    by_kind = collections.Counter(fault["kind"] for fault in seen.faults)
    lines = [(f"fault {kind}", str(count)) for kind, count in sorted(by_kind.items())]
    lines += [
        ("processes that ended", str(len(seen.deaths))),
        ("from SIGTERM to the end", percentiles([death["at_ms"] - death["told_ms"] for death in seen.deaths
                                                 if death["told_ms"] and death["status"] == 0])),
        ("publishes", _calls(publishes)),
        ("... their failures", ", ".join(f"{count} {name}" for name, count in reasons.most_common(REASONS_MAX))),
        ("events", ", ".join(f"{states[name]} {name}" for name in ("ACTIVE", "APPROVED") if states[name])),
        ("deliveries", ", ".join(f"{count} {name}" for name, count in deliveries.most_common())),
        ("requests of pictures", _calls(requests)),
        ("jobs", ", ".join(f"{count} {name}" for name, count in jobs.most_common())),
        ("records", str(len(seen.records))),
        ("take-over, p50 / p99 / most", percentiles([one.taken_ms for one in taken])),
        ("... until it was finished", percentiles([one.finished_ms for one in taken if one.finished_ms is not None])),
    ]
    lines += fail_overs(seen)
    broken = collections.Counter(finding.kind for finding in findings)
    lines += [(kind, str(broken[kind])) for kind in KINDS if kind != "unknown"]
    lines += [("unknown, all of them listed", str(deliveries["OUTCOME_UNKNOWN"])), ("unknown without a cause",
                                                                                  str(broken["unknown"]))]
    return lines


def write(seen: Evidence, findings: list[Finding], folder: pathlib.Path) -> None:
    """Prints the table and the first stories; all stories go to the folder, and what was done to whom."""
    (folder / "faults.json").write_text(json.dumps({"faults": seen.faults, "deaths": seen.deaths}, indent=1))
    path = folder / "stories.txt"
    stories: dict[tuple[str, str], list[Finding]] = {}
    counts = collections.Counter(finding.kind for finding in findings)
    for finding in sorted(findings, key=lambda finding: counts[finding.kind]):  # what is rare is not to be cut off
        stories.setdefault((finding.event_id, finding.job_id), []).append(finding)
    with open(path, "w", encoding="utf-8") as file:
        for number, ((event_id, job_id), found) in enumerate(stories.items()):
            lines = [f"{finding.kind}: {finding.text}" for finding in found]
            lines += [f"  event {event_id}" + (f", job {job_id}" if job_id else "")]
            lines += ["    " + line for line in seen.story(event_id, job_id)]
            print("\n".join(lines), file=file)
            if number < STORIES_MAX:
                print("\n".join(lines))
    if len(stories) > STORIES_MAX:
        print(f"... and {len(stories) - STORIES_MAX} more in {path}")
    rows = table(seen, findings)
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows))
    for kind in counts:
        for finding in [finding for finding in findings if finding.kind == kind][:EXAMPLES]:
            print(f"{kind}: {finding.text}" + (f", event {finding.event_id}" if finding.event_id else ""))
