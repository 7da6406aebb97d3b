#!/usr/bin/env python3
"""Calls any method of a Herald server from Python: pynng, protobuf, and proto/WIRE.md. No generated code: the schemas
come from the server's own Reflection.

    herald.py URL METHOD [JSON] [--timeout-ms N] [--idempotency-key K] [--call-id ID] [--user U]
                                [--sign KEY_ID:FILE | --bearer TOKEN] [--ca FILE [--cert FILE]]
    herald.py URL - < LINES      each line {"method":…, "request":{…}, "timeoutMs":…, …}; many at once, one connection

    client = herald.Client("tcp://127.0.0.1:7101")
    result = client.call("herald.event.v1.EventService/ListEvents", {"userId": "u-1"})
"""
import argparse, base64, concurrent.futures, hashlib, hmac, itertools, json, os, random, sys, threading, time, uuid

import pynng
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, json_format, message_factory, unknown_fields

CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
# With these a server refuses a call before it begins: repeating it is safe whatever the method does.
NOT_BEGUN = {"DRAINING", "TOO_MANY_CALLS", "TOO_MANY_CALLS_OF_METHOD", "TOO_MANY_CALLS_OF_CALLER", "QUEUE_TIMEOUT",
             "LIMIT_REACHED", "TOO_MANY_CONNECTIONS", "SIGNED_BEFORE_START"}
ATTEMPTS, CONNECT_MS, GRACE_MS, MAX_BYTES = 4, 2000, 500, 256 * 1024


def uuid7():
    bits = (int(time.time() * 1000) << 80) | random.SystemRandom().getrandbits(80)
    return str(uuid.UUID(int=bits & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62))


def field(number, data):
    """A field of a message whose schema is not known yet; at most 127 bytes."""
    return bytes([number << 3 | 2, len(data)]) + data


def find(data, number):
    """The last such field, b"" if there is none."""
    fields = unknown_fields.UnknownFieldSet(empty_pb2.Empty.FromString(data))
    return next((each.data for each in reversed(list(fields)) if each.field_number == number), b"")


class Client:
    """A connection to one server; any number of threads may call at once. `key` is (key id, bytes) of a shared key."""

    def __init__(self, url, key=None, bearer=None, user="", ca_file=None, cert_file=None):
        self.key, self.bearer, self.user = None, None, user
        self.lock, self.learning, self.tickets = threading.Lock(), threading.Lock(), itertools.count(1)
        # resend_time: a REQ socket would send again by itself after a minute and on every lost connection, and what
        # takes effect once would do so twice.
        self.socket = pynng.Req0(resend_time=-1, recv_max_size=MAX_BYTES + 1024, reconnect_time_min=50,
                                 reconnect_time_max=1000)
        if ca_file:
            self.socket.tls_config = pynng.TLSConfig(pynng.TLSConfig.MODE_CLIENT, ca_files=ca_file, cert_key_file=cert_file,
                                                     server_name=url.split("://")[1].rsplit(":", 1)[0])
        self.socket.dial(url, block=False)
        self.close = self.socket.close
        self.pool, self.files = descriptor_pool.DescriptorPool(), set()
        known, name = "herald.rpc.v1.ListServicesRe", "herald.rpc.v1.Reflection/ListServices"
        self.methods = {name: dict(requestType=known + "quest", responseType=known + "sponse", effect="READ", deadlineMs=2000)}
        services = self.call(name)["response"]["services"]
        self.methods = {method["name"]: method for service in services for method in service["methods"]}
        self.key, self.bearer = key, bearer  # until here nobody needs to know who asks

    def _learn(self, name):
        """Adds the schema of a service or a message, and all that it needs, as the server describes it."""
        request = field(1, b"herald.rpc.v1.Reflection/Describe") + field(2, field(1, name.encode()))
        outcome, reply = self._exchange(request, CONNECT_MS, CONNECT_MS)
        if outcome != "ANSWERED":
            raise ConnectionError(f"the server does not describe {name}: {reply or 'no connection'}")
        files = descriptor_pb2.FileDescriptorSet.FromString(find(find(reply, 5), 3))
        for file in files.file:
            if file.name not in self.files:
                self.files.add(file.name)
                self.pool.Add(file)

    def message(self, name):
        with self.learning:
            try:
                descriptor = self.pool.FindMessageTypeByName(name)
            except KeyError:
                self._learn(name)
                descriptor = self.pool.FindMessageTypeByName(name)
            return message_factory.GetMessageClass(descriptor)

    def _exchange(self, data, send_ms, receive_ms):
        """(outcome or "ANSWERED", reply). One context is one call: contexts share the connection, so calls do not wait for each other."""
        with self.lock:
            self.socket.send_timeout, self.socket.recv_timeout = send_ms, receive_ms
            context = self.socket.new_context()  # takes the time-outs over
        with context:
            try:
                context.send(data)
            except pynng.NNGException:
                return "NOT_SENT", None  # no connection took it
            try:
                return "ANSWERED", context.recv()
            except pynng.NNGException as failure:
                return "MAYBE_EXECUTED", "DEADLINE_EXCEEDED" if isinstance(failure, pynng.Timeout) else "UNAVAILABLE"

    def _auth(self, envelope, user):
        if self.bearer:
            envelope.auth.bearer = self.bearer
        elif self.key:
            signature = envelope.auth.signature
            signature.key_id, signature.user = self.key[0], user
            signature.time_ms, signature.nonce = int(time.time() * 1000), os.urandom(16)
            text = "\n".join(["HERALD-HMAC-SHA256", self.key[0], str(signature.time_ms), signature.nonce.hex(),
                              envelope.method, user, envelope.idempotency_key,
                              hashlib.sha256(envelope.payload).hexdigest(), ""])
            signature.mac = hmac.new(self.key[1], text.encode(), hashlib.sha256).digest()

    def _attempt(self, envelope, left_ms, user):
        ticket = next(self.tickets)
        envelope.timeout_ms, envelope.attempt.ticket = max(1, left_ms), ticket
        self._auth(envelope, user)  # each attempt has a time and a nonce of its own
        data = envelope.SerializeToString()
        if len(data) > MAX_BYTES:
            return {"outcome": "NOT_SENT", "code": "RESOURCE_EXHAUSTED", "reason": "MESSAGE_TOO_BIG"}
        outcome, reply = self._exchange(data, min(CONNECT_MS, left_ms), left_ms + GRACE_MS)
        if outcome == "NOT_SENT":
            return {"outcome": outcome, "code": "UNAVAILABLE", "reason": "NOT_CONNECTED"}
        if outcome == "MAYBE_EXECUTED":
            if reply == "DEADLINE_EXCEEDED":  # nobody waits any more: the server may stop
                payload = self.message("herald.rpc.v1.CancelRequest")(ticket=ticket, deadline_exceeded=True).SerializeToString()
                self._exchange(field(1, b"herald.rpc.v1.Calls/Cancel") + field(2, payload), 100, 100)
            return {"outcome": outcome, "code": reply, "reason": "NO_REPLY"}
        response = self.message("herald.rpc.v1.Response").FromString(reply)
        result = json_format.MessageToDict(response)
        code = CODES[response.code] if response.code < len(CODES) else "UNKNOWN"
        unknown = code != "OK" and response.done > 1 or code == "UNKNOWN" and response.done == 0  # to the server itself
        return {**result, "outcome": "MAYBE_EXECUTED" if unknown else "EXECUTED", "code": code, "payload": response.payload}

    def call(self, method, request=None, timeout_ms=None, call_id=None, idempotency_key=None, metadata=None, user=None):
        """A dict: outcome (NOT_SENT, EXECUTED, MAYBE_EXECUTED), code, reason, message, details, response, payload, …"""
        known = self.methods.get(method)
        if not known:
            return {"outcome": "NOT_SENT", "code": "UNIMPLEMENTED", "reason": "UNKNOWN_METHOD", "attempts": 0}
        once = known["effect"] == "ONCE"
        envelope = self.message("herald.rpc.v1.Request")(method=method, call_id=call_id or uuid7())
        envelope.idempotency_key = idempotency_key or (uuid7() if once else "")
        for name, value in (metadata or {}).items():
            envelope.metadata.add(key=name, value=value)
        packed = json_format.ParseDict(request or {}, self.message(known["requestType"])())
        envelope.payload = packed.SerializeToString()
        end = time.monotonic() + (timeout_ms or known["deadlineMs"]) / 1000
        for attempt in range(ATTEMPTS):
            envelope.attempt.number = attempt
            left_ms = int((end - time.monotonic()) * 1000)
            result = self._attempt(envelope, left_ms, self.user if user is None else user)
            wait = max(random.uniform(0, min(2.0, 0.02 * 2 ** attempt)), result.get("retryAfterMs", 0) / 1000)
            passing = result["code"] in ("UNAVAILABLE", "ABORTED") or "retryAfterMs" in result
            begun = result.get("done") != "NOTHING"
            if not (result.get("reason") in NOT_BEGUN or passing and not (once and begun)) or time.monotonic() + wait > end:
                break
            time.sleep(wait)
        result.update(callId=envelope.call_id, attempts=attempt + 1)
        if result["code"] == "OK":
            message = self.message(known["responseType"]).FromString(result["payload"])
            result["response"] = json_format.MessageToDict(message)
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("method")
    parser.add_argument("json", nargs="?", default="{}")
    for name in ("timeout-ms", "call-id", "idempotency-key", "user", "sign", "bearer", "ca", "cert"):
        parser.add_argument("--" + name, type=int if name == "timeout-ms" else str)
    options = parser.parse_args()
    key = None
    if options.sign:
        key_id, path = options.sign.split(":", 1)
        key = (key_id, base64.b64decode(open(path, encoding="ascii").read()))
    client = Client(options.url, key, options.bearer, options.user or "", options.ca, options.cert)

    def run(line):
        result = client.call(line["method"], line.get("request"), line.get("timeoutMs"), line.get("callId"),
                             line.get("idempotencyKey"), user=line.get("user"))
        result["payload"] = base64.b64encode(result.get("payload") or b"").decode()
        sys.stdout.write(json.dumps({"id": line.get("id"), **result}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return result

    if options.method == "-":
        with concurrent.futures.ThreadPoolExecutor(64) as threads:
            list(threads.map(run, map(json.loads, sys.stdin)))
        return 0
    result = run({"method": options.method, "request": json.loads(options.json), "timeoutMs": options.timeout_ms,
                  "callId": options.call_id, "idempotencyKey": options.idempotency_key})
    return {"NOT_SENT": 3, "MAYBE_EXECUTED": 4}.get(result["outcome"], 0 if result["code"] == "OK" else 1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConnectionError as failure:
        sys.exit(f"herald: {failure}")
