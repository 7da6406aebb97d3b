"""All that can be known of a campaign from outside, in one place: Postgres, Kafka, the fakes' log, the callers."""

import dataclasses
import json
import pathlib
import subprocess
from typing import Any, Iterator

from services import Database
from stack import Herald

TOPICS = ("event-topic", "distribution-topic", "image-job-topic", "image-job-topic.dlq")
Row = dict[str, Any]


def json_lines(path: pathlib.Path) -> list[Row]:
    """The whole lines of a file."""
    return [json.loads(line) for line in path.read_text(errors="replace").splitlines() if line.endswith("}")]


def by(rows: list[Row], *names: str) -> dict[Any, list[Row]]:
    """Rows by the values of columns, in their order."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[names[0]] if len(names) == 1 else tuple(row[name] for name in names), []).append(row)
    return found


@dataclasses.dataclass
class Evidence:
    """Times are in milliseconds since 1970."""

    calls: list[Row]
    events: dict[str, Row]
    deliveries: list[Row]
    distributions: dict[str, Row]
    jobs: dict[str, Row]
    history: list[Row]
    records: list[Row]
    posts: list[Row]
    rejected: list[Row]
    faults: list[Row]
    deaths: list[Row]
    unknown_listed: set[tuple[str, str]]
    outbox: list[Row]
    lag: int | None

    def timeline(self, event_id: str, job_id: str = "") -> Iterator[tuple[float, str]]:
        """What all sources say of one event, or of one job, in the order of time."""
        ids = {event_id, job_id} - {""}
        for call in (call for call in self.calls if call["event"] in ids):
            name = f"caller   {call['call']} {call['attempt']}"
            yield call["began_ms"], f"{name} begins: key {call['key']}"
            said = (call["code"], call["reason"], call["outcome"], call.get("status"), call.get("job_id"),
                    call.get("results"), call["message"], f"by {call['url']}, call {call['call_id']}")
            yield call["ended_ms"], f"{name}: " + " ".join(str(part) for part in said if part)
        for row in (row for row in self.history if row["id"] in ids):
            change = f"{row['before'] or 'new'} -> {row['after']} by {row['who']}, holder {row['holder']}"
            yield row["at_ms"], f"postgres {row['what']} {row['channel']} {change}; {row['details']}"
        for record in (record for record in self.records if record["key"] in ids):
            yield record["at_ms"], f"kafka    {record['ce_type']} {record['ce_id']} ({record['topic']})"
        for post in (post for post in self.posts if post["event_id"] in ids):
            yield post["received_ms"], f"channel  {post['channel']} accepted {post['remote_id']}" + (
                " again" if post["duplicate"] else "") + f", answered {post['answered_ms']}"
        for post in (post for post in self.rejected if post.get("event_id") in ids):
            yield post["received_ms"], f"channel  {post['channel']} {post.get('status')} {post.get('why')}"

    def story(self, event_id: str, job_id: str = "") -> list[str]:
        """The timeline as text, with the faults that began meanwhile."""
        lines = sorted(self.timeline(event_id, job_id))
        if not lines:
            return []
        first, last = lines[0][0], lines[-1][0]
        for fault in self.faults:
            if fault["until_ms"] >= first - 1000 and fault["at_ms"] <= last + 1000:
                lines.append((fault["at_ms"], f"FAULT    {fault['text']}"))
        for death in self.deaths:
            if first - 5000 <= death["at_ms"] <= last + 1000:
                lines.append((death["at_ms"], f"ENDED    {death['server']} with {death['status']}"))
        return [f"{at - first:10.1f} ms  {text}" for at, text in sorted(lines)]


EVENTS = """SELECT id, user_id, status, holder, attend_at, channels FROM event_drafts"""
DELIVERIES = """SELECT event_id, channel, state, settled, attempts, holder, next_at, reason, message, remote_id
    FROM deliveries"""
HISTORY = """SELECT seq, extract(epoch FROM at) * 1000 AS at_ms, who, what, id, channel, before, after, holder, settled,
    details FROM campaign.history ORDER BY seq"""
JOBS = """SELECT id, event_draft_id, status, failure, extract(epoch FROM created_at) * 1000 AS created_ms,
    coalesce((SELECT json_agg(json_build_object('style', style, 'png', png_url, 'jpeg', jpeg_url))
              FROM job_pictures WHERE job_id = jobs.id), '[]') AS pictures FROM jobs"""
OUTBOX = "SELECT id, kind, owner, topic, key, tries, next_try_at FROM outbox WHERE sent_at IS NULL"
UNFINISHED = """SELECT
    (SELECT count(*) FROM deliveries WHERE NOT settled) AS deliveries,
    (SELECT count(*) FROM distributions WHERE completed_at IS NULL) AS distributions,
    (SELECT count(*) FROM event_drafts WHERE status = 'APPROVED' AND (holder IS NOT NULL OR EXISTS
        (SELECT FROM deliveries WHERE event_id = event_drafts.id AND state IN ('PUBLISHED', 'AWAITING_OPERATOR'))
        OR NOT EXISTS (SELECT FROM deliveries WHERE event_id = event_drafts.id))) AS events,
    (SELECT count(*) FROM jobs WHERE status IN ('PENDING', 'RUNNING')) AS jobs,
    (SELECT count(*) FROM outbox WHERE sent_at IS NULL) AS outbox"""


def unfinished(services: Database) -> dict[str, int]:
    """What still goes on, by kind; empty: nothing."""
    return {name: count for name, count in services.rows(UNFINISHED)[0].items() if count}


def lag_of(stack: Herald) -> int | None:
    """Records that no content worker has done; None: Kafka does not say."""
    done = subprocess.run([str(stack.tools / "campaign-records"), "--bootstrap", stack.services.bootstrap, "--lag",
                           "herald-content", "image-job-topic"], text=True, stdout=subprocess.PIPE, check=False)
    return int(done.stdout) if done.returncode == 0 else None


def unknown_listed(stack: Herald) -> set[tuple[str, str]]:
    """What ListUnknownDeliveries names."""
    done = subprocess.run(stack.ctl("deliveries", "--unknown", "-o", "json", server="distribution-1"), text=True,
                          stdout=subprocess.PIPE, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    return {(row["eventId"], row["result"]["channel"]) for row in rows}


def gather(stack: Herald, faults: list[Row]) -> Evidence:
    services = stack.services
    return Evidence(
        calls=json_lines(stack.folder / "calls.jsonl"),
        events={row["id"]: row for row in services.rows(EVENTS)},
        deliveries=services.rows(DELIVERIES),
        distributions={row["event_id"]: row for row in services.rows("SELECT * FROM distributions")},
        jobs={row["id"]: row for row in services.rows(JOBS)},
        history=[row | {"who": stack.server_of(row["who"])} for row in services.rows(HISTORY)],
        records=json_lines(stack.folder / "records.jsonl"),
        posts=[json.loads(line) for line in stack.http("/log").splitlines()],
        rejected=[json.loads(line) for line in stack.http("/rejected").splitlines()],
        faults=faults, deaths=stack.deaths, unknown_listed=unknown_listed(stack), outbox=services.rows(OUTBOX),
        lag=lag_of(stack))
