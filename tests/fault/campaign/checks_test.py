"""The checks see what they are there for: of a good campaign nothing is found, of each change of it the right kind."""

import copy
import pathlib
import sys
import tempfile
from typing import Any, Callable

sys.dont_write_bytecode = True

import checks
import plan
from cluster_faults import ClusterFaults
from evidence import Evidence
from faults import Faults
from report import fail_overs
from take_over import TakeOver, take_overs

EVENT, JOB, MADE = "event-1", "job-1", "event-2"
Change = Callable[[Evidence], Any]


def call(attempt: int, code: str, outcome: str = "EXECUTED", **more: Any) -> dict[str, Any]:
    row = {"call": "publish", "event": EVENT, "key": "k", "attempt": attempt, "began_ms": attempt * 100.0,
           "ended_ms": attempt * 100.0 + 50, "outcome": outcome, "code": code, "reason": "", "message": "", "url": "",
           "call_id": "", "reply": "aa"}
    good = {"status": "ACTIVE", "goes_on": False, "results": {"GENIE_TV": "PUBLISHED"}}
    return row | (good if code == "OK" else {}) | more


def open_call(attempt: int) -> dict[str, Any]:
    """Accepted, and without an end yet."""
    return call(attempt, "OK", status="APPROVED", goes_on=True, results={}, reason="BREAKER_OPEN", reply="cc")


def step(what: str, row_id: str, before: str | None, after: str, at_ms: float, **more: Any) -> dict[str, Any]:
    return {"seq": 0, "at_ms": at_ms, "who": "event-1", "what": what, "id": row_id, "channel": "", "before": before,
            "after": after, "holder": None, "settled": False, "details": "attend_at , published_at 1"} | more


def record(topic: str, key: str, kind: str, ce_id: str = "c1", digest: str = "d1") -> dict[str, Any]:
    return {"topic": topic, "key": key, "ce_type": kind, "ce_id": ce_id, "digest": digest, "at_ms": 150}


def good() -> Evidence:
    pictures = [{"style": style, "png": f"http://h/content/{style}.png", "jpeg": f"http://h/content/{style}.jpg"}
                for style in checks.STYLES]
    asked = {"call": "request_images", "event": MADE, "job_id": JOB}
    return Evidence(
        calls=[call(1, "UNAVAILABLE", "NOT_SENT"), call(2, "UNAVAILABLE", "MAYBE_EXECUTED"), open_call(3),
               call(4, "OK"), call(1, "OK") | asked],
        events={EVENT: {"id": EVENT, "status": "ACTIVE", "holder": None, "channels": ["GENIE_TV"]},
                MADE: {"id": MADE, "status": "DRAFT", "holder": None, "channels": []}},
        deliveries=[{"event_id": EVENT, "channel": "GENIE_TV", "state": "PUBLISHED", "settled": True, "reason": "",
                     "next_at": None}],
        distributions={EVENT: {"event_id": EVENT, "completed_at": "now"}},
        jobs={JOB: {"id": JOB, "event_draft_id": MADE, "status": "COMPLETED", "failure": "", "created_ms": 120,
                    "pictures": pictures}},
        history=[step("event", EVENT, "DRAFT", "APPROVED", 210),
                 step("delivery", EVENT, None, "COMMITTING", 220, channel="GENIE_TV", holder="a", who="distribution-1"),
                 step("delivery", EVENT, "COMMITTING", "PUBLISHED", 230, channel="GENIE_TV", settled=True),
                 step("event", EVENT, "APPROVED", "ACTIVE", 240), step("job", JOB, None, "PENDING", 120),
                 step("job", JOB, "PENDING", "RUNNING", 130), step("job", JOB, "RUNNING", "COMPLETED", 140)],
        records=[record("event-topic", EVENT, "EventCreated"), record("event-topic", EVENT, "EventCreated"),
                 record("distribution-topic", EVENT, "DistributionCompleted"),
                 record("image-job-topic", JOB, "ImageJob")],
        posts=[{"event_id": EVENT, "channel": "GENIE_TV", "duplicate": False}],
        rejected=[], faults=[], deaths=[], unknown_listed=set(), outbox=[], lag=0)


def becomes_unknown(seen: Evidence) -> None:
    seen.deliveries[0]["state"] = seen.history[2]["after"] = "OUTCOME_UNKNOWN"
    seen.unknown_listed.add((EVENT, "GENIE_TV"))
    seen.calls[3]["results"] = {}


def becomes_unknown_and_unlisted(seen: Evidence) -> None:
    becomes_unknown(seen)
    seen.unknown_listed.clear()
    seen.deaths.append({"server": "distribution-1", "at_ms": 225, "status": -9})


def put(path: str, value: Any) -> Change:
    """Sets one value: 'events.event-1.status'."""
    def change(seen: Evidence) -> None:
        first, *names, last = path.split(".")
        at: Any = getattr(seen, first)
        for name in names:
            at = at[int(name)] if isinstance(at, list) else at[name]
        if isinstance(at, list):
            at[int(last)] = value
        else:
            at[last] = value

    return change


BROKEN: list[tuple[str, Change]] = [
    ("lost", put("events.event-1.status", "DRAFT")),
    ("lost", lambda seen: (put("events.event-1.status", "DRAFT")(seen), seen.calls.pop(3))),
    ("lost", lambda seen: seen.records.pop(2)),
    ("lost", lambda seen: (seen.records.pop(0), seen.records.pop(0))),
    ("lost", lambda seen: seen.posts.clear()),
    ("lost", lambda seen: seen.jobs.clear()),
    ("lost", lambda seen: seen.jobs[JOB]["pictures"].pop()),
    ("lost", put("jobs.job-1.pictures.0.png", "http://h/content/nowhere.png")),
    ("stuck", lambda seen: seen.deliveries.clear()),
    ("stuck", put("deliveries.0.settled", False)),
    ("stuck", put("events.event-1.status", "APPROVED")),
    ("stuck", put("events.event-1.holder", "a")),
    ("stuck", put("distributions.event-1.completed_at", None)),
    ("stuck", put("jobs.job-1.status", "RUNNING")),
    ("stuck", lambda seen: setattr(seen, "lag", 3)),
    ("stuck", lambda seen: seen.outbox.append({"kind": "KAFKA", "topic": "t", "key": EVENT, "tries": 1})),
    ("doubled", lambda seen: seen.posts.append(seen.posts[0])),
    ("doubled", put("records.1.ce_id", "c2")),
    ("doubled", put("records.1.digest", "d2")),
    ("doubled", lambda seen: seen.jobs.update({"job-2": seen.jobs[JOB] | {"id": "job-2"}})),
    ("told wrong", lambda seen: seen.calls.insert(4, call(5, "OK", reply="bb"))),
    ("told wrong", put("calls.2.goes_on", False)),
    ("told wrong", put("calls.1.outcome", "NOT_SENT")),
    ("told wrong", put("calls.1.outcome", "EXECUTED")),
    ("told wrong", put("calls.1", call(2, "FAILED_PRECONDITION", began_ms=250))),
    ("told wrong", put("calls.4.code", "UNKNOWN")),
    ("told wrong", put("deliveries.0.state", "REJECTED")),
    ("told wrong", put("jobs.job-1.status", "FAILED")),
    ("illegal", put("history.3.before", "DRAFT")),
    ("illegal", put("history.2.before", "REJECTED")),
    ("illegal", put("history.6.after", "PENDING")),
    ("illegal", lambda seen: seen.history.append(step("event", EVENT, "ACTIVE", "ACTIVE", 250, details=
                                                      "attend_at , published_at 2"))),
    ("illegal", lambda seen: seen.history.insert(2, step("delivery", EVENT, "COMMITTING", "COMMITTING", 225, holder="b",
                                                         channel="GENIE_TV"))),
    ("stuck", lambda seen: seen.calls.extend(call(1, "UNAVAILABLE", "NOT_SENT", key=f"k{i}", event=MADE)
                                             for i in range(2))),
    ("crashed", lambda seen: seen.deaths.append({"server": "job-1", "at_ms": 100, "status": -11})),
    ("unknown", becomes_unknown),
    ("unknown", becomes_unknown_and_unlisted),
]


def check_plan() -> None:
    """The same seed, the same faults; what is left out leaves the others as they were."""
    points = {"event": ["event.a", "event.b"], "job": ["job.a"]}
    faults = plan.make_plan(7, 300, list(plan.KINDS), points)
    assert faults == plan.make_plan(7, 300, list(plan.KINDS), points)
    assert faults != plan.make_plan(8, 300, list(plan.KINDS), points)
    assert {fault.kind for fault in faults} == set(plan.KINDS)
    named = {fault.mode.split()[0] for fault in faults if fault.kind == "failpoint"}
    assert named == {"event.a", "event.b", "job.a"}
    spared = plan.make_plan(7, 300, list(plan.KINDS), points, ["job"])
    assert spared == [fault for fault in faults if not fault.target.startswith("job-")]
    kinds = list(plan.CLUSTER_KINDS)
    in_cluster = plan.make_plan(7, 60, kinds, points, in_cluster=True)
    assert in_cluster == plan.make_plan(7, 60, kinds, points, in_cluster=True)
    assert {fault.kind for fault in in_cluster} == set(kinds)
    assert set(plan.CLUSTER_KINDS) - set(plan.KINDS) == {kind for kind in kinds if hasattr(
        ClusterFaults, "_" + kind.replace("-", "_")) and not hasattr(Faults, "_" + kind.replace("-", "_"))}


def check_take_over() -> None:
    """Only times that nothing hindered count; one late one in a hundred may be."""
    seen = good()
    seen.history[1:3] = [step("delivery", EVENT, None, "COMMITTING", 220, holder="a", who="distribution-1"),
                         step("delivery", EVENT, "COMMITTING", "RECONCILING", 5225, holder="b", who="distribution-2"),
                         step("delivery", EVENT, "RECONCILING", "PUBLISHED", 5300, settled=True, who="distribution-2")]
    seen.deaths.append({"server": "distribution-1", "at_ms": 225, "status": -9})
    late, soon = TakeOver(5000, 5075, EVENT), TakeOver(1000, None, MADE)
    assert take_overs(seen) == [late]
    assert [(finding.kind, finding.event_id) for finding in checks.check_take_over([soon, late], 4000)] == [
        ("slow", EVENT)]
    assert not list(checks.check_take_over([late] + [soon] * 99, 4000))
    for kind in ("freeze-postgres", "kill-primary"):
        seen.faults = [{"kind": kind, "at_ms": 1000, "until_ms": 2000}]
        assert not take_overs(seen)


def check_fail_overs() -> None:
    seen = good()
    seen.faults = [{"kind": "kill-primary", "mode": "node", "failed_over_ms": 1500.0},
                   {"kind": "kill-broker", "mode": "controller"},
                   {"kind": "switch-primary", "mode": "", "failed_over_ms": 900.0}]
    assert fail_overs(seen) == [("fail-over, kill-primary node", "1500 / 1500 / 1500 ms of 1"),
                                ("fail-over, switch-primary", "900 / 900 / 900 ms of 1")]


def main() -> None:
    check_plan()
    check_take_over()
    check_fail_overs()
    with tempfile.TemporaryDirectory() as name:
        pictures = pathlib.Path(name)
        for style in checks.STYLES:
            (pictures / f"{style}.png").touch()
            (pictures / f"{style}.jpg").touch()
        assert not checks.check_all(good(), pictures), checks.check_all(good(), pictures)
        for number, (kind, change) in enumerate(BROKEN):
            seen = copy.deepcopy(good())
            change(seen)
            kinds = {finding.kind for finding in checks.check_all(seen, pictures)}
            assert kind in kinds, f"change {number} is to be {kind}, and is {kinds or 'not seen'}"


if __name__ == "__main__":
    main()
