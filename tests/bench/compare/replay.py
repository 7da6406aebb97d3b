"""The work of publishes without Herald: what Postgres's log says of publishes that Herald made, as a plan that bench_bare does again
on a database that stands as it stood before them.

The statements, their values and their transactions are those of the log, so that they are Herald's whatever Herald becomes. Each
waits for those before it that name the same event, delivery, key or record. Between them stand six posts, in place of what Herald
asks the channels for, which is more for some; and the records, of the same length."""

import base64
import collections
import dataclasses
import hashlib
import hmac
import json
import pathlib
import re
import time
import uuid
from typing import Any

from stack import CHANNELS, Stack

PREFIX = "@@%a|%v|"
HEAD = re.compile(r"^@@(herald-[\w-]*|[^|]*)\|([^|]*)\|([A-Z]+):  (.*)$")
EXECUTE = re.compile(r"execute ([^:]*): ", re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOPIC = re.compile(r"\b[a-z]+-topic\b")
BYTES = re.compile(r"\\x([0-9a-f]{64,})")
ACTIVATES = re.compile(r"UPDATE event_drafts\s+SET status = 'ACTIVE'")
# Who works on it, and not what is worked on: in more transactions than this.
SHARED = 100
SETTLE_S = 2.0
RECORD_BYTES = 400


@dataclasses.dataclass
class Transaction:
    statements: list[tuple[str, list[str | None]]] = dataclasses.field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """What it is about."""
        return {found for _, values in self.statements for value in values if value for found in UUID.findall(value)}


def read_values(text: str) -> list[str | None]:
    """Of `$1 = 'it''s', $2 = NULL`, as Postgres writes them, with a tab after each line break."""
    values: list[str | None] = []
    for found in re.finditer(r"\$\d+ = (?:(NULL)|'((?:[^']|'')*)')(?:, |$)", text):
        values.append(None if found[1] else found[2].replace("''", "'"))
    return values


def read_log(text: str, programs: str = "herald-") -> list[Transaction]:
    """Transactions of @programs in the order in which they began."""
    entries: list[list[str]] = []
    for line in text.split("\n"):
        if found := HEAD.match(line):
            entries.append(list(found.groups()))
        elif entries and line.startswith("\t"):
            entries[-1][3] += "\n" + line[1:]
    transactions: dict[str, Transaction] = {}
    last: tuple[str, list[str | None]] | None = None
    for application, virtual, level, message in entries:
        if not application.startswith(programs) or not virtual:
            last = None
        elif level == "LOG" and (executed := EXECUTE.match(message)):
            last = (message[executed.end():], [])
            transactions.setdefault(virtual, Transaction()).statements.append(last)
        elif level == "DETAIL" and last is not None:
            last[1].extend(read_values(re.sub("^[Pp]arameters: ", "", message)))
            last = None
    return list(transactions.values())


def post_of(event: str, channel: str, secret: str, host: str) -> str:
    """A signed request (Standard Webhooks), under a key that no receiver has seen."""
    body = json.dumps({"eventId": event, "channel": channel, "title": "Opening week", "prize": "Coffee for two",
                       "text": "Ten stamps, one coffee: for everybody who comes in the opening week.",
                       "storeInfo": {"name": "Corner Cafe", "address": "1 Main Street, Seoul", "phone": "02-123-4567"},
                       "pngUrl": "https://pictures.example/a.png", "jpegUrl": "https://pictures.example/a.jpg"})
    key, now = str(uuid.uuid4()), int(time.time())
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), f"{key}.{now}.{body}".encode(), hashlib.sha256).digest()
    return (f"POST /channels/{channel}/posts HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nwebhook-id: {key}\r\n"
            f"webhook-timestamp: {now}\r\nwebhook-signature: v1,{base64.b64encode(digest).decode()}\r\n"
            f"content-length: {len(body)}\r\n\r\n{body}")


def records_of(transaction: Transaction) -> list[tuple[str, int]]:
    """Topic and length of those that it promises."""
    found = []
    for _, values in transaction.statements:
        topics = [topic for value in values if value for topic in TOPIC.findall(value)]
        lengths = [len(digits) // 2 for value in values if value for digits in BYTES.findall(value)]
        found += [(topic, max(lengths, default=RECORD_BYTES)) for topic in topics]
    return found


class Plan:
    """Grows by a node at a time; what bench_bare reads."""

    def __init__(self, transactions: list[Transaction], events: list[str], secret: str, host: str) -> None:
        self.secret, self.host = secret, host
        self.numbers = {event: number for number, event in enumerate(events)}
        self.statements: dict[str, int] = {}
        self.nodes: list[dict[str, Any]] = []
        self.last: dict[str, list[int]] = {}  # nodes that the next one about something waits for
        self.over: set[str] = set()  # events whose call has its reply: what follows is nobody's
        counts = collections.Counter(name for one in transactions for name in one.names)
        self.shared = {name for name, count in counts.items() if count > SHARED and name not in self.numbers}
        for transaction in transactions:
            self._add_transaction(transaction)

    def _add(self, what: str, work: Any, names: set[str], after: list[int]) -> int:
        self.nodes.append({what: work, "after": sorted(set(after)),
                           "events": sorted(self.numbers[name] for name in names - self.over if name in self.numbers)})
        return len(self.nodes) - 1

    def _add_transaction(self, transaction: Transaction) -> None:
        names = transaction.names - self.shared
        after = [number for name in names for number in self.last.get(name, [])]
        if not after and not any(name in self.numbers for name in names) and self.nodes:
            after = [len(self.nodes) - 1]  # of no event: in its turn
        work = [[self.statements.setdefault(sql, len(self.statements)), values] for sql, values in transaction.statements]
        number = self._add("sql", work, names, after)
        for name in names:
            self.last[name] = [number]
        events = sorted(name for name in names if name in self.numbers)
        for topic, length in records_of(transaction):
            self._add("record", [topic, events[0] if events else "bench", length], set(events), [number])
        if any(ACTIVATES.search(sql) for sql, _ in transaction.statements):
            self.over.update(events)
        if any("INSERT INTO deliveries" in sql for sql, _ in transaction.statements):
            for event in events:
                self.last[event] = [self._add("post", post_of(event, channel, self.secret, self.host), {event}, [number])
                                    for channel in CHANNELS]

    def write(self, file: pathlib.Path) -> None:
        texts = sorted(self.statements, key=lambda sql: self.statements[sql])
        file.write_text(json.dumps({"statements": texts, "events": len(self.numbers), "nodes": self.nodes}))


class Recording:
    """Publishes that Herald made with so many in flight, and the database as it was before."""

    def __init__(self, stack: Stack, in_flight: int, count: int) -> None:
        self.stack, self.count, self.template = stack, count, f"bare_{in_flight}"
        self.folder = stack.folder
        lines = self.folder / "recorded"
        stack.make_drafts(count, lines)
        self.events = [line.split()[0] for line in lines.read_text().splitlines()]
        self._keep_database()
        log = self.folder / "logs/postgres.log"
        stack.sql(f"ALTER SYSTEM SET log_line_prefix = '{PREFIX}';\nALTER SYSTEM SET log_statement = 'all';\n"
                  "SELECT pg_reload_conf();")
        time.sleep(SETTLE_S)
        began = log.stat().st_size
        stack.drive("publish", in_flight, lines, count=count)
        time.sleep(SETTLE_S)
        stack.sql("ALTER SYSTEM RESET log_line_prefix;\nALTER SYSTEM RESET log_statement;\nSELECT pg_reload_conf();")
        with log.open("rb") as file:
            file.seek(began)
            self.transactions = read_log(file.read().decode(errors="replace"))
        self.wanted = self._effect("herald")  # a later cell empties tables

    def _keep_database(self) -> None:
        dump = self.folder / "bare.dump"
        self.stack.tool("pg_dump", self.stack.dsn(), "--format=custom", f"--file={dump}")
        self.stack.sql(f"DROP DATABASE IF EXISTS {self.template};\nCREATE DATABASE {self.template};")
        self.stack.tool("pg_restore", f"--dbname={self.stack.dsn(self.template)}", str(dump))
        dump.unlink()
        # The processes of the recording are alive for as long as it is repeated.
        self.stack.sql("UPDATE instances SET alive_until = 'infinity', sure_until = 'infinity';\nANALYZE;", self.template)

    def plan(self) -> Plan:
        """Its posts can be made once, and for five minutes."""
        host = self.stack.variables["HERALD_CHANNELS_URL"].removeprefix("http://")
        return Plan(self.transactions, self.events, self.stack.setting("channels", "secret"), host)

    def fresh_database(self) -> str:
        """Returns: its connection string"""
        self.stack.sql(f"DROP DATABASE IF EXISTS bare;\nCREATE DATABASE bare TEMPLATE {self.template};\nCHECKPOINT;")
        # A connection plans a statement anew until the sixth time, which would count for more here than in a server's long life.
        return self.stack.dsn("bare") + "?options=-c%20plan_cache_mode%3Dforce_generic_plan"

    def check(self) -> None:
        """The publishes must have had the effect that Herald's had. Raises: when they had another"""
        found = self._effect("bare")
        if found != self.wanted:
            raise RuntimeError(f"the repeated publishes left {found}, not {self.wanted}")

    def _effect(self, database: str) -> dict[str, int]:
        """How many events and deliveries are in which state."""
        ids = ",".join(f"'{event}'" for event in self.events)
        rows = self.stack.sql(f"SELECT status, count(*) FROM event_drafts WHERE id IN ({ids}) GROUP BY 1 UNION ALL "
                              f"SELECT channel || ' ' || state, count(*) FROM deliveries WHERE event_id IN ({ids}) GROUP BY 1;", database)
        return {row[0]: int(row[1]) for row in sorted(rows)}
