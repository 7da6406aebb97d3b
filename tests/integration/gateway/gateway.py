"""A herald-gateway of the test's own in front of the servers of with-stack, and a client that sends exact bytes."""

import json
import os
import re
import signal
import socket
import subprocess
import time

HEAD = re.compile(rb"HTTP/1\.1 (\d\d\d) [^\r\n]*\r\n(.*?)\r\n\r\n", re.DOTALL)


class Answer:
    """One answer: status, headers by lower-case name, body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


def parse_answers(data, heads=0):
    """All answers in the bytes of a connection. @heads how many of the first ones have no body (HEAD)"""
    answers = []
    while data:
        match = HEAD.match(data)
        assert match, f"no HTTP answer: {data[:200]!r}"
        headers = {}
        for line in match.group(2).split(b"\r\n"):
            name, value = line.split(b": ", 1)
            headers[name.decode().lower()] = value.decode()
        data = data[match.end() :]
        length = int(headers.get("content-length", 0 if int(match.group(1)) in (100, 204, 304) else len(data)))
        if len(answers) < heads:
            length = 0
        answers.append(Answer(int(match.group(1)), headers, data[:length]))
        data = data[length:]
    return answers


class Gateway:
    def __init__(self, folder, **settings):
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        self.port = probe.getsockname()[1]
        probe.close()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = dict(os.environ, HERALD_GATEWAY_LISTEN=self.url)
        environment.update({f"HERALD_GATEWAY_{name.upper()}": str(value) for name, value in settings.items()})
        self.process = subprocess.Popen([f"{folder}/herald-gateway"], env=environment)
        self.wait(lambda: self.try_connect(), "listens")

    @staticmethod
    def wait(condition, what, seconds=30):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"after {seconds} s it is not so: {what}"
            time.sleep(0.02)

    def try_connect(self):
        assert self.process.poll() is None, "the gateway has ended"
        try:
            self.connect().close()
            return True
        except ConnectionRefusedError:
            return False

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(30)
        return connection

    def raw(self, data, heads=0):
        """Sends bytes, reads until the gateway closes. The bytes must make it close."""
        with self.connect() as connection:
            try:
                connection.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has answered before all was sent
            return parse_answers(read_all(connection), heads)

    def one(self, data, heads=0):
        """As raw(), and there is exactly one answer."""
        answers = self.raw(data, heads)
        assert len(answers) == 1, [answer.status for answer in answers]
        return answers[0]

    def ask(self, method, target, body=None, **headers):
        """One request over a connection of its own."""
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if data:
            named.setdefault("content-type", "application/json")
            named["content-length"] = str(len(data))
        named.setdefault("host", f"127.0.0.1:{self.port}")
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        head = f"{method} {target} HTTP/1.1\r\n{lines}connection: close\r\n\r\n"
        return self.one(head.encode() + data, heads=1 if method == "HEAD" else 0)

    def metric(self, name):
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            if line.startswith(name):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def read_all(connection):
    data = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return data
        if not piece:
            return data
        data += piece
