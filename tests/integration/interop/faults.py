#!/usr/bin/env python3
"""Has a client that is not from this repository call a herald-job through a go-between that answers for it, says nothing or
hangs up, and checks what the client makes of it: what is repeated and what is not, and that a call given up is cancelled.

    faults.py URL COMMAND…     URL: where the herald-job listens, tcp://HOST:PORT; COMMAND… as in flow.py
"""
import contextlib
import os
import re
import socket
import struct
import sys
import threading
import time

import flow

READ, ONCE = flow.JOBS + "GetJob", flow.JOBS + "CreateImageJob"
REQUESTS = {READ: {"jobId": "j-1"}, ONCE: {"eventDraftId": "d-1", "userId": "u-1", "title": "t", "storeInfo": flow.STORE}}
CANCEL = "herald.rpc.v1.Calls/Cancel"
INVALID_ARGUMENT, UNAVAILABLE, NEWER = 3, 14, 99
NOTHING, NOT_KNOWN = 1, 2
PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../proto/WIRE.md")


def refusals():
    """The reasons with which a call did not begin, as the published page lists them."""
    with open(PAGE, encoding="utf-8") as file:
        listed = re.search(r"the call did not begin \|\n\n(.*?)\n\n", file.read(), re.DOTALL)
    return re.findall(r"`([A-Z_]+)`", listed.group(1))


def varint(value):
    data = b""
    while value > 0x7F:
        data, value = data + bytes([value & 0x7F | 0x80]), value >> 7
    return data + bytes([value])


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """The last value of each field of a message of numbers and lumps, by number."""
    found, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        found[key >> 3] = value
    return found


def answer(code, reason="", retry_after_ms=0, done=0):
    """A packed herald.rpc.v1.Response."""
    data = (b"\x08" + varint(code) if code else b"") + (b"\x1a" + varint(len(reason)) + reason.encode() if reason else b"")
    data += b"\x30" + varint(retry_after_ms) if retry_after_ms else b""
    return data + (b"\x48" + varint(done) if done else b"")


SILENCE, HANG_UP, OK = "silence", "hang up", answer(0)


class GoBetween:
    """Hands everything on, but meets requests of one method with a script, one entry each, and keeps them."""

    def __init__(self, url):
        host, port = url.split("://")[1].rsplit(":", 1)
        self.server, self.listener = (host, int(port)), socket.create_server(("127.0.0.1", 0))
        self.url = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.changed, self.method, self.script, self.met, self.cancelled = threading.Condition(), None, [], [], []
        threading.Thread(target=self.accept, daemon=True).start()

    def play(self, method, *script):
        with self.changed:
            self.method, self.script, self.met = method, list(script), []

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def connect(self):
        end = time.monotonic() + flow.PATIENCE_S
        while True:
            try:
                return socket.create_connection(self.server)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)  # the server is starting

    def serve(self, client):
        with contextlib.suppress(OSError), client, self.connect() as server:  # either may be gone
            threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
            reader = client.makefile("rb")
            server.sendall(reader.read(8))
            while True:
                head = reader.read(12)
                if len(head) < 12:
                    break
                length, call = struct.unpack(">QI", head)
                body = reader.read(length - 4)
                action = self.meet(fields(body))
                if action == HANG_UP:
                    break
                if action is None:
                    server.sendall(head + body)
                elif action != SILENCE:
                    client.sendall(struct.pack(">QI", len(action) + 4, call) + action)
            for each in (client, server):
                each.shutdown(socket.SHUT_RDWR)

    def copy(self, server, client):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)

    def meet(self, envelope):
        """What to do with a request; None: hand it on."""
        method = envelope[1].decode()
        with self.changed:
            if method == CANCEL:
                self.cancelled.append(fields(envelope[2])[1])
                self.changed.notify_all()
            if method != self.method:
                return None
            self.met.append(envelope)
            return self.script.pop(0) if self.script else OK

    def was_cancelled(self, ticket):
        with self.changed:
            return self.changed.wait_for(lambda: ticket in self.cancelled, flow.PATIENCE_S)


class Faults:
    def __init__(self, url, command):
        self.between = GoBetween(url)
        self.client = flow.Client(command, self.between.url)

    def call(self, method, *script, expect, times, **how):
        """Makes a call that the script meets; it should end as expected (outcome, code), sent so many times."""
        self.between.play(method, *script)
        result = self.client.wait(self.client.start(method, REQUESTS[method], **how))
        met = self.between.met
        assert (result["outcome"], result["code"]) == expect, f"{method}, {script}: {expect} expected: {result}"
        assert len(met) == times, f"{method}, {script}: sent {len(met)} times, not {times}"
        assert result["attempts"] == times, result
        assert [fields(each.get(9, b"")).get(1, 0) for each in met] == list(range(times)), "attempts are counted from 0"
        assert len({(each[4], each.get(5)) for each in met}) == 1, "each attempt has the same call id and idempotency key"
        assert method != ONCE or met[0][5], "a ONCE method needs an idempotency key"
        return met

    def refused_before_it_began(self):
        for reason in refusals():
            for method in (READ, ONCE):
                self.call(method, answer(UNAVAILABLE, reason), expect=("EXECUTED", "OK"), times=2)

    def failed(self):
        self.call(READ, answer(UNAVAILABLE, "X"), expect=("EXECUTED", "OK"), times=2)
        self.call(READ, *[answer(UNAVAILABLE, "X")] * 9, expect=("EXECUTED", "UNAVAILABLE"), times=4)
        self.call(READ, answer(INVALID_ARGUMENT, "X"), expect=("EXECUTED", "INVALID_ARGUMENT"), times=1)
        self.call(READ, answer(NEWER), expect=("MAYBE_EXECUTED", "UNKNOWN"), times=1)
        self.call(ONCE, answer(UNAVAILABLE, "X"), expect=("EXECUTED", "UNAVAILABLE"), times=1)
        self.call(READ, answer(UNAVAILABLE, "X", 60000), expect=("EXECUTED", "UNAVAILABLE"), times=1, timeoutMs=5000)

    def said_what_was_done(self):
        self.call(ONCE, answer(UNAVAILABLE, "X", done=NOTHING), expect=("EXECUTED", "OK"), times=2)
        self.call(ONCE, answer(UNAVAILABLE, "X", done=NOT_KNOWN), expect=("MAYBE_EXECUTED", "UNAVAILABLE"), times=1)
        self.call(READ, answer(UNAVAILABLE, "X", done=NOT_KNOWN), expect=("EXECUTED", "OK"), times=2)
        self.call(ONCE, answer(INVALID_ARGUMENT, "X", done=NOTHING), expect=("EXECUTED", "INVALID_ARGUMENT"), times=1)

    def given_up(self):
        for method in (READ, ONCE):
            met = self.call(method, SILENCE, expect=("MAYBE_EXECUTED", "DEADLINE_EXCEEDED"), times=1, timeoutMs=100)
            assert self.between.was_cancelled(fields(met[0][9])[2]), "a call that was given up was not cancelled"

    def connection_lost(self):
        """A socket that sends by itself what got no reply would do so on the next connection."""
        self.call(READ, HANG_UP, expect=("EXECUTED", "OK"), times=2)
        self.call(ONCE, HANG_UP, expect=("MAYBE_EXECUTED", "UNAVAILABLE"), times=1)

    def run(self):
        for part in (self.refused_before_it_began, self.failed, self.said_what_was_done, self.given_up, self.connection_lost):
            part()
            print(f"{part.__name__}: good", flush=True)
        self.client.close()


if __name__ == "__main__":
    Faults(sys.argv[1], sys.argv[2:]).run()
