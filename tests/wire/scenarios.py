#!/usr/bin/env python3
"""Checks what proto/WIRE.md says about calls over time, which no single message shows: many calls on one connection,
cancellation, repeats. Over a socket that is no nng, against the job server of a running stack.

    HERALD_JOB_URL=tcp://127.0.0.1:7102 tests/wire/scenarios.py
"""
import json
import os
import sys
import time
import uuid

from run import Server, expect, fields_of, read_envelope

JOBS, PATIENCE_S = "herald.job.v1.JobService/", 20


def varint(value):
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def num(number, value):
    return varint(number << 3) + varint(value)


def lump(number, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def request(method, payload=b"", key="", attempt=b"", timeout_ms=0):
    return (lump(1, method) + lump(2, payload) + num(3, timeout_ms) + (lump(5, key) if key else b"") +
            (lump(9, attempt) if attempt else b""))


def payload_of(reply):
    return dict(fields_of(reply)).get(5, b"")


def new_job(server):
    """A job that nobody works at for long: its id."""
    probe = {"method": JOBS + "CreateImageJob", "request": {
        "eventDraftId": str(uuid.uuid4()), "userId": "u-1", "title": "t", "storeInfo": {"name": "s"}}}
    return json.loads(server.exchange(json.dumps(probe).encode()))["jobId"]


def wait_for_ever(job, ticket):
    """A WaitJob that ends long after the test, unless it is told to."""
    return request(JOBS + "WaitJob", lump(1, job) + num(2, 2**62) + num(3, 60000), attempt=num(2, ticket))


def cancel(ticket):
    return request("herald.rpc.v1.Calls/Cancel", num(1, ticket))


def waiting(server):
    """How many calls of WaitJob are in flight."""
    probe = f'herald.rpc.v1.Introspection/GetStats {{"method":"{JOBS}WaitJob"}}'
    methods = json.loads(server.exchange(probe.encode()))["methods"]
    return methods[0]["inFlight"] if methods else 0


def becomes(wanted, look):
    end = time.monotonic() + PATIENCE_S
    while (found := look()) != wanted and time.monotonic() < end:
        time.sleep(0.01)
    expect("it", wanted, found)


def replies_come_as_calls_end(server, job):
    slow, quick = server.send(wait_for_ever(job, 1)), server.send(request("herald.rpc.v1.Health/Check"))
    expect("the first reply's id", quick, server.receive_reply()[0])
    told = server.send(cancel(1))
    replies = dict(server.receive_reply() for _ in range(2))
    expect("found", num(1, 1), payload_of(replies[told]))
    expect("code", "CANCELLED", read_envelope(replies[slow])["code"])


def only_own_calls_are_cancelled(server, job):
    other = Server(server.url)
    slow = server.send(wait_for_ever(job, 5))
    becomes(1, lambda: waiting(other))
    expect("found", b"", payload_of(other.exchange(cancel(5))))
    expect("found", b"", payload_of(other.exchange(cancel(6))))
    told = server.send(cancel(5))
    expect("ids", {slow, told}, {server.receive_reply()[0] for _ in range(2)})
    other.close()


def a_lost_connection_cancels(server, job):
    other = Server(server.url)
    other.send(wait_for_ever(job, 7))
    becomes(1, lambda: waiting(server))
    other.close()
    becomes(0, lambda: waiting(server))


def a_repeat_gets_the_same_bytes(server, _):
    draft, key = str(uuid.uuid4()), str(uuid.uuid4())
    fields = [lump(1, draft), lump(2, "u-1"), lump(3, "t"), lump(7, lump(1, "s"))]
    create = JOBS + "CreateImageJob"
    first = payload_of(server.exchange(request(create, b"".join(fields), key)))
    assert first, "the job was not created"
    expect("the repeat", first, payload_of(server.exchange(request(create, b"".join(fields), key))))
    expect("an equal message in other bytes", first,
           payload_of(server.exchange(request(create, b"".join(reversed(fields)), key))))
    refused = read_envelope(server.exchange(request(create, b"".join(fields) + lump(4, "prize"), key)))
    expect("another request", ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED"), (refused["code"], refused["reason"]))
    other = payload_of(server.exchange(request(create, b"".join(fields), key + "x")))
    assert other and other != first, "another key is another call"


def a_ticket_used_twice_names_the_older_call(server, job):
    other = Server(server.url)
    sent = []
    for count in (1, 2):
        sent.append(server.send(wait_for_ever(job, 9)))
        becomes(count, lambda: waiting(other))
    for call in sent:
        told = server.send(cancel(9))
        expect("ids", {call, told}, {server.receive_reply()[0] for _ in range(2)})
    other.close()


def uuids_have_one_meaning_in_either_case(server, job):
    lower, upper = (payload_of(server.exchange(request(JOBS + "GetJob", lump(1, each)))) for each in (job, job.upper()))
    expect("the job's id", job.encode(), dict(fields_of(dict(fields_of(upper))[1]))[1])
    expect("the job's draft", *(dict(fields_of(dict(fields_of(each))[1]))[2] for each in (lower, upper)))
    draft, create = str(uuid.uuid4()), JOBS + "CreateImageJob"
    fields, key = lump(2, "u-1") + lump(3, "t") + lump(7, lump(1, "s")), str(uuid.uuid4())
    assert payload_of(server.exchange(request(create, lump(1, draft) + fields, key))), "the job was not created"
    refused = read_envelope(server.exchange(request(create, lump(1, draft.upper()) + fields, key)))
    expect("the same draft in upper case", "IDEMPOTENCY_KEY_REUSED", refused["reason"])


def metadata_is_taken_and_none_comes_back(server, job):
    reply = server.exchange(request(JOBS + "GetJob", lump(1, job)) + lump(6, lump(1, "x-a") + lump(2, b"\xff")))
    assert 1 not in dict(fields_of(reply)) and 7 not in dict(fields_of(reply)), reply


def timings_come_when_wanted(server, job):
    get = JOBS + "GetJob"
    assert 8 in dict(fields_of(server.exchange(request(get, lump(1, job), attempt=num(3, 1)))))
    assert 8 not in dict(fields_of(server.exchange(request(get, lump(1, job)))))


def time_that_is_over_is_told(server, job):
    """Of calls with a millisecond each some are told so, before or after they began; none is left without a reply."""
    sent = [server.send(request(JOBS + "WaitJob", lump(1, job) + num(2, 2**62), timeout_ms=1)) for _ in range(20)]
    replies = dict(server.receive_reply() for _ in sent)
    expect("replies", set(sent), set(replies))
    codes = {read_envelope(reply)["code"] for reply in replies.values()}
    assert codes <= {"OK", "DEADLINE_EXCEEDED"}, codes


def main():
    server = Server(os.environ["HERALD_JOB_URL"])
    job = new_job(server)
    for scenario in (replies_come_as_calls_end, only_own_calls_are_cancelled, a_lost_connection_cancels,
                     a_ticket_used_twice_names_the_older_call, a_repeat_gets_the_same_bytes,
                     uuids_have_one_meaning_in_either_case, metadata_is_taken_and_none_comes_back,
                     timings_come_when_wanted, time_that_is_over_is_told):
        scenario(server, job)
        print(f"{scenario.__name__}: good", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
