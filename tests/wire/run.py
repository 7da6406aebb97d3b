#!/usr/bin/env python3
"""Checks an implementation of Herald's wire against the vectors in tests/wire/vectors. Needs nothing but Python.

    tests/wire/run.py --runner COMMAND…    a program that speaks the line protocol of tests/wire/README.md
    tests/wire/run.py --url URL [--url URL…]   running servers: their verdicts about whole requests and probes

  --vectors FOLDER   other vectors        --only REGEX   vectors with such a name
"""

import argparse
import base64
import json
import os
import re
import socket
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# What a server says about a request that never reaches a handler. A live server's handler says other things.
REFUSALS = {"MALFORMED_ENVELOPE", "MALFORMED_PAYLOAD", "MALFORMED_PROBE", "INVALID_JSON", "INVALID_FIELD",
            "UNKNOWN_METHOD", "MESSAGE_TOO_LARGE", "PAYLOAD_TOO_COMPLEX", "PROBES_OFF"}
CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]


class Wrong(Exception):
    """What an implementation got wrong about a vector."""


# ---- replies ----


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def fields_of(data):
    """(number, value) of a message whose fields are numbers and lumps."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if key & 7 == 2:
            value, at = data[at:at + value], at + value
        yield key >> 3, value


def read_envelope(data):
    """The verdict that a packed herald.rpc.v1.Response is."""
    verdict = {"form": "envelope", "code": "OK", "reason": "", "details": []}
    for number, value in fields_of(data):
        if number == 1:
            verdict["code"] = CODES[value]
        elif number == 3:
            verdict["reason"] = value.decode()
        elif number == 4:
            detail = dict(fields_of(value))
            verdict["details"].append({"field": detail.get(1, b"").decode(), "reason": detail.get(2, b"").decode()})
    return verdict


def read_reply(data):
    if data[:1] != b"{":
        return read_envelope(data)
    if re.search(r"[\0-\x1f\x7f-\x9f]", data.decode()):
        raise Wrong(f"the answer holds control characters: {data}")
    error = json.loads(data).get("error")
    if not isinstance(error, dict) or "code" not in error:
        error = {"code": "OK"}
    details = [{"field": detail.get("field", ""), "reason": detail.get("reason", "")} for detail in error.get("details", [])]
    return {"form": "json", "code": error["code"], "reason": error.get("reason", ""), "details": details}


# ---- nng's REQ over TCP or a Unix socket, by hand: it is that simple ----


class Server:
    """A connection to a live server: the SP handshake, and then length, request id and body."""

    def __init__(self, url):
        self.url = url
        self.connection = None
        self.next_id = 0x80000000
        reply = json.loads(self.exchange(b"help"))
        self.services = {service["name"] for service in reply["services"]}

    def connect(self):
        scheme, address = self.url.split("://", 1)
        if scheme == "ipc":
            self.connection = socket.socket(socket.AF_UNIX)
            self.connection.settimeout(30)
            self.connection.connect(address)
        else:
            host, port = address.rsplit(":", 1)
            self.connection = socket.create_connection((host.strip("[]"), int(port)), timeout=30)
        self.before = b"\x01" if scheme == "ipc" else b""
        self.connection.sendall(b"\0SP\0" + struct.pack(">HH", 0x30, 0))
        if self.receive(8) != b"\0SP\0" + struct.pack(">HH", 0x31, 0):
            raise Wrong(f"{self.url} is no SP REP socket")

    def receive(self, count):
        data = b""
        while len(data) < count:
            piece = self.connection.recv(min(65536, count - len(data)))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data

    def send(self, body):
        """Sends a request; its id."""
        if not self.connection:
            self.connect()
        self.next_id += 1
        self.connection.sendall(self.before + struct.pack(">QI", len(body) + 4, self.next_id) + body)
        return self.next_id

    def receive_reply(self):
        """The next reply, and the id of the request that it is to."""
        length, reply_to = struct.unpack(">QI", self.receive(len(self.before) + 12)[len(self.before):])
        return reply_to, self.receive(length - 4)

    def close(self):
        self.connection.close()
        self.connection = None

    def exchange(self, body):
        """The reply to a message; None: the server closed the connection."""
        try:
            sent = self.send(body)
            reply_to, reply = self.receive_reply()
        except (ConnectionResetError, BrokenPipeError):
            self.close()
            return None
        if reply_to != sent:
            raise Wrong("the reply is to another request")
        return reply


# ---- an implementation behind a pipe ----


class Runner:
    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        encoding="utf-8")
        self.count = 0

    def ask(self, op, **members):
        self.count += 1
        self.process.stdin.write(json.dumps({"id": self.count, "op": op, **members}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Wrong(f"the program ended, status {self.process.wait()}")
        answer = json.loads(line)
        if answer.get("id") != self.count:
            raise Wrong(f"the answer has the id {answer.get('id')}")
        return answer

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


# ---- the checks ----


def bytes_of(vector):
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    return b"".join(bytes.fromhex(part) if isinstance(part, str) else bytes.fromhex(part["repeat"]) * part["count"]
                    for part in vector["parts"])


def expect(what, expected, found):
    if expected != found:
        raise Wrong(f"{what} should be {json.dumps(expected, ensure_ascii=False, default=str)}, "
                    f"and is {json.dumps(found, ensure_ascii=False, default=str)}")


def check_refusal(verdict, answer):
    expect("code", verdict["code"], answer.get("code"))
    expect("reason", verdict["reason"], answer.get("reason"))
    found = [{"field": detail["field"], "reason": detail["reason"]} for detail in answer.get("details", [])]
    expect("details", verdict.get("details", []), found)


def check_message(runner, vector, op):
    """decode and encode; validate too where the bytes are a payload."""
    data, verdict = bytes_of(vector), vector["verdict"]
    answer = runner.ask(op, type=vector["type"], hex=data.hex())
    if not verdict["accept"]:
        expect("ok", False, answer["ok"])
        if "details" in verdict:
            check_refusal(verdict, answer)
        return
    expect("ok", True, answer["ok"])
    answer = runner.ask("decode", type=vector["type"], hex=data.hex())
    expect("json", vector["json"], answer.get("json"))
    if vector.get("canonical"):
        answer = runner.ask("encode", type=vector["type"], json=vector["json"])
        expect("hex", data.hex(), answer.get("hex"))


def check_reply(vector, reply, live):
    verdict = vector["verdict"]
    if verdict.get("closed"):
        expect("reply", None, reply and reply.hex())
        return
    if reply is None:
        raise Wrong("the connection was closed")
    found = read_reply(reply)
    form = vector.get("replyForm", "json" if vector["what"] == "probe" else "envelope")
    expect("form", form, found["form"])
    if not verdict["accept"]:
        check_refusal(verdict, found)
    elif live and found["reason"] in REFUSALS or not live and found["code"] != "OK" and found["reason"] != "METHOD_NOT_IMPLEMENTED":
        raise Wrong(f"it should be accepted, and is refused: {json.dumps(found)}")
    if "reply" in vector:
        expect("reply", vector["reply"], reply.hex())


def check_by_runner(runner, vector):
    what = vector["what"]
    if what in ("message", "response"):
        check_message(runner, vector, "validate" if what == "message" else "decode")
    elif what in ("request", "probe"):
        if "json" in vector:
            check_message(runner, {**vector, "verdict": {"accept": True}}, "decode")
        if "payload" in vector:
            payload = runner.ask("decode", type=vector["type"], hex=bytes_of(vector).hex())["json"].get("payload", "")
            answer = runner.ask("decode", type=vector["payload"]["type"], hex=base64.b64decode(payload).hex())
            expect("payload", vector["payload"]["json"], answer.get("json"))
        answer = runner.ask("request", hex=bytes_of(vector).hex())
        check_reply(vector, None if answer.get("closed") else bytes.fromhex(answer["hex"]), False)
    elif what == "first-byte":
        answer = runner.ask("form", hex=vector["hex"])
        expect("form", vector["verdict"]["form"], answer.get("form"))
    elif what == "signature":
        answer = runner.ask("sign", **vector["sign"])
        expect("hex", vector["hex"], answer.get("hex"))
    elif what == "credential":
        answer = runner.ask("credential", hex=bytes_of(vector).hex(), nowMs=vector["nowMs"], callers=vector["callers"],
                            times=vector.get("times", 1), upMs=vector.get("upMs", 3600000))
        if not vector["verdict"]["accept"]:
            check_refusal(vector["verdict"], answer)
        else:
            expect("caller", vector["verdict"]["caller"], answer.get("caller"))
            expect("user", vector["verdict"]["user"], answer.get("user"))
    else:
        raise Wrong(f"no such kind of vector: {what}")


def check_live(servers, vector):
    """Sends to the server of the method's service, else to the first one."""
    data = bytes_of(vector)
    server = next((server for server in servers for service in server.services
                   if f"{service}/".encode() in data and not service.startswith("herald.rpc.")), servers[0])
    check_reply(vector, server.exchange(data), True)


def load(folder):
    for name in sorted(os.listdir(folder)):
        if name.endswith(".json"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                yield from json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", nargs=argparse.REMAINDER)
    parser.add_argument("--url", action="append", default=[])
    parser.add_argument("--vectors", default=os.path.join(HERE, "vectors"))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if bool(options.runner) == bool(options.url):
        parser.error("give either --runner or --url")
    runner = Runner(options.runner) if options.runner else None
    servers = [Server(url) for url in options.url]
    failures = count = 0
    for vector in load(options.vectors):
        if not re.search(options.only, vector["name"]) or servers and vector["what"] not in ("request", "probe"):
            continue
        count += 1
        try:
            if runner:
                check_by_runner(runner, vector)
            else:
                check_live(servers, vector)
        except (Wrong, ValueError, KeyError, OSError) as wrong:
            failures += 1
            print(f"{vector['name']}: {wrong or type(wrong).__name__}")
    if runner and runner.close() != 0:
        failures += 1
        print(f"the program ended with status {runner.process.returncode}")
    print(f"{count} vectors, {failures} failed")
    return 1 if failures or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
