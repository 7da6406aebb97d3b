"""The promises, one function each: what it finds broken is a Finding."""

import dataclasses
import pathlib
import signal
import urllib.parse
from typing import Iterator

from evidence import Evidence, Row, by
from plan import POSTGRES_KINDS
from take_over import TakeOver

# Codes after which a caller does not try again.
FINAL_CODES = {"INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "FAILED_PRECONDITION",
               "OUT_OF_RANGE", "UNIMPLEMENTED", "UNAUTHENTICATED", "DATA_LOSS"}
ACCEPTED = {"PUBLISHED", "AWAITING_OPERATOR"}
EVENT_ORDER = ["DRAFT", "APPROVED", "ACTIVE", "ENDED"]
JOB_ORDER = ["PENDING", "RUNNING", "COMPLETED"]
FINAL_DELIVERY = {"PUBLISHED", "AWAITING_OPERATOR", "REJECTED", "EXPIRED", "CANCELLED"}
# Of a channel: no answer tells what became of a post.
SILENT_MODES = {"hang", "late", "reset_after", "cut", "bad_chunk", "drop", "reset", "stall", "slow"}
STYLES = {"SIMPLE", "FANCY", "TRENDY"}
# A fault may be felt that long after its end: time-outs, leases.
ECHO_MS = 12000


@dataclasses.dataclass(frozen=True)
class Finding:
    """A broken promise."""

    kind: str  # report.KINDS
    text: str
    event_id: str = ""
    job_id: str = ""


# ---- events ----


def check_records(seen: Evidence) -> Iterator[Finding]:
    """EventCreated and DistributionCompleted: at least one record each, always with the same id and the same bytes."""
    records = by([record for record in seen.records if not record["ce_type"].endswith("Progressed")], "topic", "key")
    for event_id, event in seen.events.items():
        completed = seen.distributions.get(event_id, {}).get("completed_at") is not None
        wanted = {"event-topic": event["status"] != "DRAFT", "distribution-topic": completed}
        for topic, is_wanted in wanted.items():
            found = records.get((topic, event_id), [])
            if is_wanted and not found:
                yield Finding("lost", f"no record in {topic}", event_id)
            if found and not is_wanted:
                yield Finding("illegal", f"a record in {topic}, and the event is {event['status']}", event_id)
            if len({record["ce_id"] for record in found}) > 1:
                yield Finding("doubled", f"records with different ids in {topic}", event_id)
            if len({record["digest"] for record in found}) > 1:
                yield Finding("doubled", f"records with different bytes in {topic}", event_id)


def check_events(seen: Evidence) -> Iterator[Finding]:
    """An acknowledged event is ACTIVE, or all of its deliveries are settled and none was accepted."""
    deliveries = by(seen.deliveries, "event_id")
    calls = by([call for call in seen.calls if call["call"] == "publish"], "event")
    for event_id, event in seen.events.items():
        told = [call for call in calls.get(event_id, []) if call["code"] == "OK"]
        if event["status"] == "DRAFT":
            if told:
                said = f"{told[0]['code']} {told[0]['reason']}".strip()
                yield Finding("lost", f"acknowledged ({said}), and still a DRAFT", event_id)
            continue
        mine = deliveries.get(event_id, [])
        missing = set(event["channels"]) - {row["channel"] for row in mine}
        open_ones = [row for row in mine if not row["settled"]]
        if missing:
            yield Finding("stuck", f"{event['status']} without deliveries to {', '.join(sorted(missing))}", event_id)
        for row in open_ones:
            state = f"{row['state']} {row['reason']}".strip()
            yield Finding("stuck", f"{row['channel']} is {state}, next at {row['next_at']}", event_id)
        if event["status"] == "APPROVED" and any(row["state"] in ACCEPTED for row in mine):
            yield Finding("stuck", "a channel has accepted it, and it is APPROVED", event_id)
        if event["holder"]:
            yield Finding("stuck", f"still held by {event['holder']}", event_id)
        if mine and not open_ones and not missing and seen.distributions[event_id]["completed_at"] is None:
            yield Finding("stuck", "all is settled, and the distribution is not completed", event_id)


def check_posts(seen: Evidence) -> Iterator[Finding]:
    """No channel has two posts of an event, and what is PUBLISHED is there."""
    posts = by(seen.posts, "event_id", "channel")
    for (event_id, channel), found in posts.items():
        if len(found) > 1:
            yield Finding("doubled", f"{channel} has accepted {len(found)} posts", event_id)
    for row in seen.deliveries:
        accepted = (row["event_id"], row["channel"]) in posts
        if row["state"] == "PUBLISHED" and not accepted:
            yield Finding("lost", f"PUBLISHED at {row['channel']}, which has no post", row["event_id"])
        if row["state"] in ("REJECTED", "EXPIRED", "CANCELLED") and accepted:
            yield Finding("told wrong", f"{row['state']} at {row['channel']}, which has the post", row["event_id"])


def check_outbox(seen: Evidence) -> Iterator[Finding]:
    for row in seen.outbox:
        yield Finding("stuck", f"the outbox has {row['kind']} {row['topic']} {row['key']} after {row['tries']} tries",
                      row["key"])


# ---- outcomes that nobody knows ----


def _disturbs(fault: Row, server: str, channel: str) -> bool:
    if fault["kind"] == "channel":
        return fault["target"] == channel and fault["mode"].split()[0] in SILENT_MODES
    if fault["kind"] == "rolling" or fault["kind"].endswith("-postgres") or fault["kind"] in POSTGRES_KINDS:
        return True
    return fault["target"] in (server, "all") or fault["target"].endswith(f"-{server}")


def check_unknown(seen: Evidence) -> Iterator[Finding]:
    """Each delivery of unknown outcome is listed, and something happened while its post was under way."""
    history = by([row for row in seen.history if row["what"] == "delivery"], "id", "channel")
    for row in seen.deliveries:
        if row["state"] != "OUTCOME_UNKNOWN":
            continue
        event_id, channel = row["event_id"], row["channel"]
        if (event_id, channel) not in seen.unknown_listed:
            yield Finding("unknown", f"{channel}: ListUnknownDeliveries does not list it", event_id)
        steps = history.get((event_id, channel), [])
        begun = [step for step in steps if step["after"] in ("COMMITTING", "PREPARING") and step["holder"]]
        if not begun:
            yield Finding("illegal", f"{channel} became OUTCOME_UNKNOWN without a claim", event_id)
            continue
        since, until, server = begun[-1]["at_ms"] - ECHO_MS, steps[-1]["at_ms"], begun[-1]["who"]
        causes = [fault for fault in seen.faults if fault["at_ms"] <= until and fault["until_ms"] + ECHO_MS >= since and
                  _disturbs(fault, server, channel)]
        ended = [death for death in seen.deaths if death["server"] == server and since <= death["at_ms"] <= until]
        if not causes and not ended:
            yield Finding("unknown", f"{channel}: there was no fault near it ({row['reason']})", event_id)


# ---- transitions ----


def check_transitions(seen: Evidence) -> Iterator[Finding]:
    """States move forward only; a post that is on its way is never sent again blindly."""
    published: dict[str, set[str]] = {}
    before_of: dict[tuple[str, str], Row] = {}
    for row in seen.history:
        before, after, what = row["before"], row["after"], row["what"]
        text = f"{what} {row['channel']} {before} -> {after} by {row['who']}"
        last = before_of.get((row["id"], row["channel"]))
        before_of[row["id"], row["channel"]] = row
        if what == "event":
            if EVENT_ORDER.index(after) not in (EVENT_ORDER.index(before), EVENT_ORDER.index(before) + 1):
                yield Finding("illegal", text, row["id"])
            if after in ("ACTIVE", "ENDED"):
                published.setdefault(row["id"], set()).add(row["details"].rsplit("published_at ", 1)[1])
        elif what == "job" and before is not None:
            if before in ("COMPLETED", "FAILED") or (
                    after in JOB_ORDER and JOB_ORDER.index(after) < JOB_ORDER.index(before)):
                yield Finding("illegal", text, job_id=row["id"])
        elif what == "delivery" and before is not None:
            if before in FINAL_DELIVERY and after != before:
                yield Finding("illegal", text, row["id"])
            if last and before == after == "COMMITTING" and row["holder"] and last["holder"] and (
                    row["holder"] != last["holder"]):
                yield Finding("illegal", f"{text}: claimed twice while a post was on its way", row["id"])
    for event_id, times in published.items():
        if len(times) > 1:
            yield Finding("illegal", f"published_at was set {len(times)} times", event_id)


# ---- what callers were told ----


def _told_failed(call: Row) -> bool:
    """The reply says that the call had no effect."""
    return call["code"] != "OK" and call["outcome"] != "MAYBE_EXECUTED"


def told_its_end(call: Row) -> bool:
    """The reply is the last word: a repeat under the key is told the same. A reply with a reason is not: the event is
    accepted, and goes on."""
    return call["code"] == "OK" and not call["reason"]


def _check_failures(calls: list[Row], happened_ms: float | None, what: str) -> Iterator[Finding]:
    """Replies to one key that deny an effect which they had. As long as an earlier call may still run, it may have been
    that one."""
    for number, call in enumerate(calls):
        following_ms = calls[number + 1]["began_ms"] if number + 1 < len(calls) else float("inf")
        if not _told_failed(call):
            if call["code"] != "OK" and call["outcome"] == "MAYBE_EXECUTED":
                return
            continue
        said = f"told {call['code']} {call['reason']}, {call['outcome']}"
        if happened_ms is not None and call["began_ms"] <= happened_ms < following_ms:
            yield Finding("told wrong", f"{said}, and {what}", call["event"])
        elif happened_ms is not None and happened_ms < call["began_ms"] and call["code"] in FINAL_CODES:
            yield Finding("told wrong", f"{said} for good, and {what}", call["event"])


def check_told_publishers(seen: Evidence) -> Iterator[Finding]:
    posts = by(seen.posts, "event_id", "channel")
    approved = {row["id"]: row["at_ms"] for row in seen.history
                if row["what"] == "event" and (row["before"], row["after"]) == ("DRAFT", "APPROVED")}
    for (event_id, _), calls in by([call for call in seen.calls if call["call"] == "publish"], "event", "key").items():
        if len({call["reply"] for call in calls if told_its_end(call)}) > 1:
            yield Finding("told wrong", "different replies for one key", event_id)
        for call in (call for call in calls if call["code"] == "OK"):
            if not call["goes_on"] and call["status"] == "APPROVED" and seen.events[event_id]["status"] != "APPROVED":
                yield Finding("told wrong", "told that it does not go on, and it did", event_id)
            if call["status"] == "ACTIVE" and seen.events[event_id]["status"] not in ("ACTIVE", "ENDED"):
                yield Finding("told wrong", f"told ACTIVE, and it is {seen.events[event_id]['status']}", event_id)
            for channel, state in call["results"].items():
                if state == "PUBLISHED" and (event_id, channel) not in posts:
                    yield Finding("told wrong", f"told PUBLISHED at {channel}, which has no post", event_id)
        yield from _check_failures(calls, approved.get(event_id), "the event was approved")


def check_told_requesters(seen: Evidence) -> Iterator[Finding]:
    jobs = by(list(seen.jobs.values()), "event_draft_id")
    for (event_id, _), calls in by([call for call in seen.calls if call["call"] == "request_images"], "event",
                                   "key").items():
        good = {call["job_id"] for call in calls if call["code"] == "OK"}
        if len(good) > 1:
            yield Finding("told wrong", f"one key, {len(good)} jobs", event_id)
        for job_id in good - set(seen.jobs):
            yield Finding("lost", f"acknowledged job {job_id} is nowhere", event_id, job_id)
        made = jobs.get(event_id, [])
        if len(made) > 1:
            yield Finding("doubled", f"one key has made {len(made)} jobs", event_id)
        yield from _check_failures(calls, min((job["created_ms"] for job in made), default=None), "a job was made")


# ---- jobs ----


def check_jobs(seen: Evidence, pictures: pathlib.Path) -> Iterator[Finding]:
    """Each job ends COMPLETED with three pictures, or FAILED with a reason; no record is left over."""
    records = by([record for record in seen.records if record["topic"] == "image-job-topic"], "key")
    for job_id, job in seen.jobs.items():
        event_id = job["event_draft_id"]
        if job["status"] not in ("COMPLETED", "FAILED"):
            yield Finding("stuck", f"job {job_id} is {job['status']}", event_id, job_id)
        elif job["status"] == "FAILED" and not job["failure"]:
            yield Finding("told wrong", f"job {job_id} is FAILED without a reason", event_id, job_id)
        elif job["status"] == "COMPLETED":
            if sorted(row["style"] for row in job["pictures"]) != sorted(STYLES):
                yield Finding("lost", f"job {job_id} has {len(job['pictures'])} pictures", event_id, job_id)
            for url in (row[form] for row in job["pictures"] for form in ("png", "jpeg")):
                if not (pictures / urllib.parse.urlsplit(url).path.removeprefix("/content/")).exists():
                    yield Finding("lost", f"job {job_id}: no file of {url}", event_id, job_id)
        found = records.get(job_id, [])
        if not found and job["status"] != "FAILED":
            yield Finding("lost", f"job {job_id} has no record", event_id, job_id)
        if len({record["ce_id"] for record in found}) > 1:
            yield Finding("doubled", f"job {job_id} has records with different ids", event_id, job_id)
    if seen.lag != 0:
        yield Finding("stuck", f"the content workers lag {seen.lag} records behind" if seen.lag is not None
                      else "Kafka does not tell the lag of the content workers")


def check_progress(seen: Evidence) -> Iterator[Finding]:
    """There was something to break: most publishes came to their end."""
    keys = {call["key"] for call in seen.calls if call["call"] == "publish"}
    good = {call["key"] for call in seen.calls if call["call"] == "publish" and told_its_end(call)}
    if not keys or 2 * len(good) < len(keys):
        yield Finding("stuck", f"of {len(keys)} publishes {len(good)} were told their end")


def check_deaths(seen: Evidence) -> Iterator[Finding]:
    """No server ends but by a kill of ours, or well."""
    for death in seen.deaths:
        if death["status"] not in (0, -signal.SIGKILL):
            yield Finding("crashed", f"{death['server']} ended with {death['status']}")


def check_take_over(found: list[TakeOver], most_ms: float) -> Iterator[Finding]:
    """99 of 100 rows of a process that was killed are taken up by another one in time."""
    late = [one for one in found if one.taken_ms > most_ms]
    if len(late) > len(found) / 100:
        worst = max(late, key=lambda one: one.taken_ms)
        yield Finding("slow", f"take-over took {worst.taken_ms:.0f} ms, and more than {most_ms:.0f} ms in {len(late)} of "
                              f"{len(found)} cases", worst.event_id)


def check_all(seen: Evidence, pictures: pathlib.Path) -> list[Finding]:
    found: list[Finding] = []
    for check in (check_records, check_events, check_posts, check_outbox, check_unknown, check_transitions,
                  check_told_publishers, check_told_requesters, check_progress, check_deaths):
        found += check(seen)
    return found + list(check_jobs(seen, pictures))
