"""fault_proxy_test.py PROGRAM: each mode of the fault proxy, seen from a client of an echo service behind it."""

import socket
import subprocess
import sys
import threading
import time


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Echo:
    """Sends back what it gets; `heard` has all of it."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard = b""
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            while data := connection.recv(65536):
                self.heard += data
                connection.sendall(data)
        except OSError:
            pass
        connection.close()


class Proxy:
    def __init__(self, program, service):
        self.port = free_port()
        self.process = subprocess.Popen([program, f"echo={self.port}:127.0.0.1:{service}"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.port))
        client.settimeout(10)
        return client


def comes_back(client, data):
    client.sendall(data)
    got = b""
    while len(got) < len(data):
        piece = client.recv(65536)
        if not piece:
            return False
        got += piece
    return got == data


def is_silent(client, seconds=0.3):
    client.settimeout(seconds)
    try:
        return client.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)


def is_reset(client):
    try:
        return client.recv(1) == b"never"
    except ConnectionResetError:
        return True


def wait_until(predicate):
    deadline = time.monotonic() + 10
    while not predicate():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def main(program):
    echo = Echo()
    proxy = Proxy(program, echo.port)

    client = proxy.connect()
    assert comes_back(client, b"x" * 3_000_000), "pass: all bytes arrive, more than the queue holds"
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b"", "pass: an end is passed on"

    client = proxy.connect()
    assert comes_back(client, b"before")
    assert proxy.order("echo freeze") == "ok"
    client.sendall(b"frozen")
    assert is_silent(client) and not echo.heard.endswith(b"frozen"), "freeze: nothing arrives"
    assert proxy.order("echo pass") == "ok"
    assert client.recv(6) == b"frozen", "freeze: what was sent arrives afterwards"

    assert proxy.order("echo swallow") == "ok"
    client.sendall(b"request")
    wait_until(lambda: echo.heard.endswith(b"request"))
    assert is_silent(client), "swallow: the request arrives, its reply does not"
    assert proxy.order("* pass") == "ok"
    assert is_reset(client), "swallow: a connection that has lost bytes is reset afterwards"

    client = proxy.connect()
    assert proxy.order("echo drop") == "ok"
    client.sendall(b"dropped")
    assert is_silent(client) and not echo.heard.endswith(b"dropped"), "drop: the request does not arrive"
    assert proxy.order("echo pass") == "ok"
    assert is_reset(client), "drop: likewise reset"

    client = proxy.connect()
    assert proxy.order("echo delay 200") == "ok"
    began = time.monotonic()
    assert comes_back(client, b"slow") and time.monotonic() - began >= 0.4, "delay: each way takes that long"
    assert proxy.order("echo reset") == "ok"
    assert is_reset(client), "reset: connections are reset"
    assert proxy.order("echo pass") == "ok" and comes_back(proxy.connect(), b"again")

    assert proxy.order("nobody pass").startswith("error: ") and proxy.order("echo dance").startswith("error: ")
    proxy.process.stdin.close()
    assert proxy.process.wait(timeout=10) == 0, "it ends with its input"


if __name__ == "__main__":
    main(sys.argv[1])
