#!/usr/bin/python3
"""Writes the vectors of tests/wire/vectors from the schemas, with the reference implementation of protobuf (Debian's
python3-protobuf) and Python's own hmac: nothing of Herald's C code takes part. With --check: only compares.

    tests/wire/make_vectors.py [--check]
"""

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, "tests", "wire", "vectors")

UUID = "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"
CALL = "0190b5a0-7d2e-7c3a-9f00-000000000001"
EVENT, JOB, DISTRIBUTION = "herald.event.v1.", "herald.job.v1.", "herald.distribution.v1."
GET = "herald.event.v1.EventService/GetEvent"
GET_REQUEST = {"eventDraftId": UUID, "userId": "u-1"}
RPC = "herald.rpc.v1."

# ---- the schemas, by the reference implementation ----


def load_schemas():
    protos = sorted(
        os.path.relpath(os.path.join(folder, name), os.path.join(ROOT, "proto"))
        for folder, _, names in os.walk(os.path.join(ROOT, "proto")) for name in names if name.endswith(".proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "set")
        subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), "--include_imports", "--descriptor_set_out", out]
                       + protos, check=True)
        with open(out, "rb") as file:
            files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    methods = {f"{file.package}.{service.name}/{method.name}": method.input_type[1:]
               for file in files.file for service in file.service for method in service.method}
    return (lambda name: factory.GetPrototype(pool.FindMessageTypeByName(name))), methods


message_class, METHODS = load_schemas()


def pack(type_name, fields):
    message = json_format.ParseDict(fields, message_class(type_name)())
    return message.SerializeToString(deterministic=True)


def as_json(type_name, data):
    return json_format.MessageToDict(message_class(type_name).FromString(data))


# ---- the wire by hand, for what the reference implementation would not write ----


def varint(value, pad_to=0):
    out = bytearray()
    while value >= 0x80 or len(out) + 1 < pad_to:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number, kind):
    return varint(number << 3 | kind)


def num(number, value):
    return tag(number, 0) + varint(value & (2**64 - 1))


def lump(number, data):
    data = data.encode() if isinstance(data, str) else data
    return tag(number, 2) + varint(len(data)) + data


def fixed64(number, data=b"\1\2\3\4\5\6\7\x08"):
    return tag(number, 1) + data


def fixed32(number, data=b"\1\2\3\4"):
    return tag(number, 5) + data


# ---- verdicts ----

ACCEPT = {"accept": True}


def refuse(code, reason, *details):
    """Details as (field, reason)."""
    verdict = {"accept": False, "code": code, "reason": reason}
    if details:
        verdict["details"] = [{"field": field, "reason": why} for field, why in details]
    return verdict


def invalid(*details):
    return refuse("INVALID_ARGUMENT", "INVALID_FIELD", *details)


def malformed(field=""):
    return refuse("INVALID_ARGUMENT", "MALFORMED_PAYLOAD", (field, "MALFORMED"))


NO_ENVELOPE = refuse("INVALID_ARGUMENT", "MALFORMED_ENVELOPE")
NO_PROBE = refuse("INVALID_ARGUMENT", "MALFORMED_PROBE")

FILES = {}


def shorten(data):
    """Hex; a long run of the same one or two bytes as {"repeat":…, "count":…} between pieces of hex."""
    if len(data) < 4096:
        return {"hex": data.hex()}
    run = max((re.finditer(rb"(.{1,2}?)\1{500,}", data, re.DOTALL)), key=lambda match: len(match.group()))
    piece, count = run.group(1), len(run.group()) // len(run.group(1))
    return {"parts": [data[:run.start()].hex(), {"repeat": piece.hex(), "count": count}, data[run.end():].hex()]}


def add(file, name, what, data, verdict, notes, **more):
    vectors = FILES.setdefault(file, [])
    assert all(vector["name"] != name for vectors_ in FILES.values() for vector in vectors_), name
    vectors.append({"name": name, "what": what, **more, **shorten(data), "verdict": verdict, "notes": notes})


# ---- messages: payloads by type ----


def good(name, type_name, fields, notes):
    data = pack(type_name, fields)
    add("message.json", name, "message", data, ACCEPT, notes, type=type_name, json=as_json(type_name, data),
        canonical=True)


def odd(name, type_name, data, notes):
    """Accepted, but not what a canonical writer makes."""
    add("message.json", name, "message", data, ACCEPT, notes, type=type_name, json=as_json(type_name, data))


def bad(name, type_name, data, verdict, notes):
    data = pack(type_name, data) if isinstance(data, dict) else data
    add("message.json", name, "message", data, verdict, notes, type=type_name)


STORE = {"name": "모퉁이 카페", "address": "서울 마포구 연남로 12", "phone": "02-123-4567"}
CREATE = {"userId": "u-1", "title": "봄맞이 감사 이벤트", "prize": "아메리카노 1잔", "brandColor": "#2B6CB0",
          "logoUrl": "https://shop.example/logo.png", "storeInfo": STORE}
PICTURE = {"style": "SIMPLE", "pngUrl": "http://127.0.0.1/a.png", "jpegUrl": "http://127.0.0.1/a.jpg"}


def messages():
    create, get, wait = EVENT + "CreateEventRequest", EVENT + "GetEventRequest", JOB + "WaitJobRequest"
    update, publish, event_list = JOB + "UpdateJobRequest", EVENT + "PublishEventRequest", EVENT + "ListEventsRequest"

    good("message/empty", RPC + "HealthCheckRequest", {}, "no bytes at all is a message with every field at its default")
    good("message/one-string", RPC + "HealthCheckRequest", {"service": "herald.event.v1.EventService"}, "")
    good("message/hangul-and-nested", create, CREATE, "UTF-8 text, a message inside a message")
    good("message/required-only", create, {"userId": "u-1", "title": "t", "storeInfo": {"name": "s"}},
         "fields without the rule `required` may be left out")
    good("message/enum", EVENT + "SelectObjectiveRequest",
         {"eventDraftId": UUID, "userId": "u-1", "objective": "NEW_CUSTOMERS"}, "")
    good("message/repeated-enum-packed", publish,
         {"eventDraftId": UUID, "userId": "u-1", "selectedChannels": ["INSTAGRAM", "KAKAO_CHANNEL"]},
         "proto3 writes lists of numbers packed")
    good("message/repeated-messages", update,
         {"jobId": UUID, "status": "COMPLETED", "progressPercent": 100, "pictures": [PICTURE, dict(PICTURE, style="FANCY")]}, "")
    good("message/uint64-beyond-2-53", wait, {"jobId": UUID, "version": str(2**64 - 1), "waitMs": 60000},
         "64-bit numbers are text in JSON")
    good("message/timestamp", JOB + "Job", {"jobId": UUID, "createdAt": "2024-02-29T12:34:56.789Z"}, "")
    good("message/timestamp-before-1970", JOB + "Job", {"createdAt": "1969-12-31T23:59:59.500Z"}, "")
    good("message/timestamp-last", JOB + "Job", {"createdAt": "9999-12-31T23:59:59.999999999Z"}, "")
    good("message/uuid-upper-case", get, {"eventDraftId": UUID.upper(), "userId": "u-1"}, "")
    good("message/text-80-characters", create, dict(CREATE, title="가" * 80),
         "lengths are counted in Unicode code points: 240 bytes here")
    good("message/text-outside-bmp", create, dict(CREATE, title="🎉" * 80), "one code point each, four bytes")
    good("message/bool-true", JOB + "WaitJobResponse", {"changed": True}, "")
    good("message/bytes", RPC + "Metadata", {"key": "k", "value": base64.b64encode(bytes(range(256))).decode()},
         "bytes are base64 in JSON")
    good("message/oneof-string", RPC + "Auth", {"bearer": "abc.def.ghi"}, "")
    good("message/oneof-message", RPC + "Auth",
         {"signature": {"keyId": "k", "timeMs": "1700000000000", "nonce": base64.b64encode(b"n" * 16).decode(),
                        "mac": base64.b64encode(b"m" * 32).decode()}}, "")
    good("message/range-ends", wait, {"jobId": UUID, "waitMs": 60000}, "the largest value that the rule allows")

    body = pack(get, GET_REQUEST)
    odd("message/unknown-varint-field", get, body + num(1000, 7), "unknown fields are skipped")
    odd("message/unknown-length-delimited-field", get, lump(77, "later") + body, "before the known ones")
    odd("message/unknown-fixed64-field", get, body + fixed64(50), "")
    odd("message/unknown-fixed32-field", get, body + fixed32(51), "")
    odd("message/unknown-highest-field", get, body + num(2**29 - 1, 1), "the highest number that protobuf has")
    odd("message/fields-in-reverse", get, lump(2, "u-1") + lump(1, UUID), "any order is accepted")
    odd("message/last-string-wins", get, lump(1, UUID) + lump(2, "first") + lump(2, "last"),
        "of a singular field that comes twice the last value counts")
    odd("message/last-number-wins", wait, lump(1, UUID) + num(3, 5) + num(3, 6), "")
    odd("message/default-written-out", wait, lump(1, UUID) + num(2, 0), "a zero on the wire is the default")
    odd("message/unpacked-enum-list", publish, body + num(3, 4) + num(3, 6), "a reader takes both forms of a list")
    odd("message/packed-and-unpacked", publish, body + lump(3, varint(4)) + num(3, 6), "also mixed")
    odd("message/empty-packed-list", publish, body + lump(3, b""), "")
    odd("message/padded-number", wait, lump(1, UUID) + tag(3, 0) + varint(5, pad_to=5),
        "more bytes than needed, up to ten")
    odd("message/padded-tag", wait, lump(1, UUID) + varint(3 << 3, pad_to=3) + varint(5), "a tag of up to five bytes")
    odd("message/padded-length", get, tag(1, 2) + varint(36, pad_to=3) + UUID.encode() + lump(2, "u-1"),
        "a length of up to five bytes")
    odd("message/bool-two-is-true", JOB + "WaitJobResponse", num(2, 2), "any number but zero")
    odd("message/oneof-last-wins", RPC + "Auth", lump(1, pack(RPC + "Signature", {
        "keyId": "k", "timeMs": "1", "nonce": base64.b64encode(b"n" * 16).decode(),
        "mac": base64.b64encode(b"m" * 32).decode()})) + lump(2, "token"), "of a oneof the last member counts")
    odd("message/unknown-field-with-any-bytes", get, body + lump(99, b"\xff\x00\xfe"),
        "what is not known is not checked")

    # Not protobuf, or not for this type.
    for cut, field in (1, "eventDraftId"), (20, "eventDraftId"), (len(body) - 1, "userId"):
        bad(f"message/cut-after-{cut}", get, body[:cut], malformed(field), "the bytes end inside a field")
    bad("message/tag-alone", get, tag(1, 2), malformed("eventDraftId"), "")
    bad("message/length-beyond-end", get, tag(1, 2) + varint(100) + b"abc", malformed("eventDraftId"), "")
    bad("message/length-beyond-2-31", get, tag(1, 2) + varint(2**31) + b"abc", malformed("eventDraftId"), "")
    bad("message/length-of-six-bytes", get, tag(1, 2) + varint(36, pad_to=6) + UUID.encode() + lump(2, "u-1"),
        malformed("eventDraftId"), "stricter than the reference implementation: a length has at most five bytes")
    bad("message/tag-of-six-bytes", wait, lump(1, UUID) + varint(3 << 3, pad_to=6) + varint(5), malformed(),
        "a tag has at most five bytes")
    bad("message/varint-of-eleven-bytes", wait, lump(1, UUID) + tag(3, 0) + b"\x80" * 10 + b"\1", malformed("waitMs"), "")
    bad("message/varint-without-end", wait, lump(1, UUID) + tag(3, 0) + b"\x80", malformed("waitMs"), "")
    bad("message/field-number-zero", get, body + b"\x00\x01", malformed(), "")
    bad("message/group", get, body + tag(9, 3) + tag(9, 4), malformed(), "groups are no part of proto3")
    bad("message/wire-type-6", get, body + tag(9, 6), malformed(), "there is no such wire type")
    bad("message/wire-type-7", get, body + tag(9, 7), malformed(), "there is no such wire type")
    bad("message/fixed64-cut", get, body + tag(9, 1) + b"1234567", malformed(), "")
    bad("message/fixed32-cut", get, body + tag(9, 5) + b"123", malformed(), "")
    bad("message/number-for-string", get, num(1, 5) + lump(2, "u-1"), malformed("eventDraftId"),
        "stricter than the reference implementation, which takes it for an unknown field")
    bad("message/string-for-number", wait, lump(1, UUID) + lump(3, "5"), malformed("waitMs"), "")
    bad("message/fixed32-for-varint", wait, lump(1, UUID) + fixed32(3), malformed("waitMs"), "")
    bad("message/number-for-message", create, lump(1, "u-1") + lump(2, "t") + num(6, 1), malformed("storeInfo"), "")
    bad("message/nested-cut", create, lump(1, "u-1") + lump(2, "t") + lump(6, b"\x0a\x05ab"), malformed("storeInfo.name"),
        "the field's path says where")
    bad("message/packed-number-cut", publish, body + lump(3, b"\x04\x80"), malformed("selectedChannels[0]"), "")
    bad("message/invalid-utf-8", get, lump(1, UUID) + lump(2, b"u\xff"), malformed("userId"), "")
    bad("message/utf-8-overlong", get, lump(1, UUID) + lump(2, b"\xc0\xaf"), malformed("userId"), "")
    bad("message/utf-8-surrogate", get, lump(1, UUID) + lump(2, b"\xed\xa0\x80"), malformed("userId"), "")
    bad("message/utf-8-beyond-10ffff", get, lump(1, UUID) + lump(2, b"\xf4\x90\x80\x80"), malformed("userId"), "")
    bad("message/utf-8-cut", get, lump(1, UUID) + lump(2, b"\xea\xb0"), malformed("userId"), "")
    bad("message/nul-in-text", get, lump(1, UUID) + lump(2, b"u\x00admin"), malformed("userId"),
        "text holds no NUL, so that no reader sees another text than another")
    bad("message/nul-in-nested-text", create, lump(1, "u-1") + lump(2, "t") + lump(6, lump(1, b"a\0b")),
        malformed("storeInfo.name"), "")
    bad("message/nul-in-list-item", update, lump(1, UUID) + num(2, 3) + lump(4, pack(JOB + "Picture", PICTURE)) +
        lump(4, lump(2, b"http://a\0")), malformed("pictures[1].pngUrl"), "the path names the item, from 0")

    # Rules, one kind after the other.
    bad("rule/required-string", get, {"userId": "u-1"}, invalid(("eventDraftId", "REQUIRED")), "")
    bad("rule/required-empty-string", get, lump(1, "") + lump(2, "u-1"), invalid(("eventDraftId", "REQUIRED")),
        "empty is not there")
    bad("rule/required-message", create, {"userId": "u-1", "title": "t"}, invalid(("storeInfo", "REQUIRED")), "")
    bad("rule/required-in-nested", create, lump(1, "u-1") + lump(2, "t") + lump(6, b""),
        invalid(("storeInfo.name", "REQUIRED")), "an empty message is there; what it needs is not")
    bad("rule/required-enum", EVENT + "SelectObjectiveRequest", GET_REQUEST, invalid(("objective", "REQUIRED")), "")
    bad("rule/required-list", DISTRIBUTION + "DistributeRequest",
        {"eventId": UUID, "content": {"title": "t", "storeInfo": {"name": "s"}, "pngUrl": "http://a/b", "jpegUrl": "http://a/c"}},
        invalid(("channels", "REQUIRED")), "")
    bad("rule/all-that-is-wrong", create, {},
        invalid(("userId", "REQUIRED"), ("title", "REQUIRED"), ("storeInfo", "REQUIRED")),
        "everything at once, in the order of the schema")
    bad("rule/too-long", create, dict(CREATE, title="가" * 81), invalid(("title", "TOO_LONG")), "81 characters of 80")
    bad("rule/too-long-default", JOB + "Job", {"jobId": "x" * 1025}, invalid(("jobId", "TOO_LONG")),
        "a field without rules: 1024 characters")
    bad("rule/too-long-bytes", RPC + "Metadata", {"key": "k", "value": base64.b64encode(b"v" * 4097).decode()},
        invalid(("value", "TOO_LONG")), "")
    bad("rule/too-short-bytes", RPC + "Signature",
        {"keyId": "k", "timeMs": "1", "nonce": base64.b64encode(b"n" * 15).decode(), "mac": base64.b64encode(b"m" * 32).decode()},
        invalid(("nonce", "TOO_SHORT")), "")
    bad("rule/too-many", publish, dict(GET_REQUEST, selectedChannels=["INSTAGRAM"] * 65),
        invalid(("selectedChannels", "TOO_MANY")), "")
    bad("rule/too-many-messages", update, {"jobId": UUID, "status": "COMPLETED", "pictures": [PICTURE] * 4},
        invalid(("pictures", "TOO_MANY")), "")
    bad("rule/above-range", wait, {"jobId": UUID, "waitMs": 60001}, invalid(("waitMs", "OUT_OF_RANGE")), "")
    bad("rule/far-above-range", event_list, {"userId": "u-1", "pageSize": 2**32 - 1}, invalid(("pageSize", "OUT_OF_RANGE")), "")
    bad("rule/below-range", RPC + "CancelRequest", {}, invalid(("ticket", "OUT_OF_RANGE")), "")
    bad("rule/negative-below-range", RPC + "Signature",
        {"keyId": "k", "timeMs": "-1", "nonce": base64.b64encode(b"n" * 16).decode(), "mac": base64.b64encode(b"m" * 32).decode()},
        invalid(("timeMs", "OUT_OF_RANGE")), "")
    bad("rule/unknown-enum-value", EVENT + "SelectObjectiveRequest",
        pack(EVENT + "SelectObjectiveRequest", GET_REQUEST) + num(3, 99), invalid(("objective", "UNKNOWN_VALUE")), "")
    bad("rule/negative-enum-value", EVENT + "SelectObjectiveRequest",
        pack(EVENT + "SelectObjectiveRequest", GET_REQUEST) + num(3, -1), invalid(("objective", "UNKNOWN_VALUE")), "")
    bad("rule/unset-enum-in-list", publish, body + lump(3, b"\x04\x00"), invalid(("selectedChannels[1]", "REQUIRED")), "")
    bad("rule/unknown-enum-in-list", publish, body + lump(3, b"\x04\x63"), invalid(("selectedChannels[1]", "UNKNOWN_VALUE")), "")
    for wrong in (UUID[:-1], UUID + "0", UUID.replace("-", ""), "g" + UUID[1:], "{" + UUID[1:-1] + "}"):
        bad(f"rule/uuid-{wrong}", get, {"eventDraftId": wrong, "userId": "u-1"}, invalid(("eventDraftId", "INVALID_FORMAT")), "")
    for wrong in ("2B6CB0", "#2B6CB", "#2B6CB00", "#2B6CBG", "red", "#２B6CB"):
        bad(f"rule/color-{wrong}", create, dict(CREATE, brandColor=wrong), invalid(("brandColor", "INVALID_FORMAT")), "")
    for wrong in ("ftp://a/b", "//a/b", "https://", "https:///path", "http://user@a/b", "http://u:p@a/b", "http://:80/",
                  "https://a/b c", "https://a/가", "javascript:alert(1)", "http://a/<b>"):
        bad(f"rule/url-{wrong}", create, dict(CREATE, logoUrl=wrong), invalid(("logoUrl", "INVALID_FORMAT")), "")
    for number, right in enumerate(("HTTP://A.EXAMPLE", "https://a?q=%20", "http://[::1]:8080/a#b")):
        good(f"rule/url-good-{number}", create, dict(CREATE, logoUrl=right), "")
    for name, wrong in (("space", "u 1"), ("tab", "u\t1"), ("newline", "u\n1"), ("non-ascii", "사용자"), ("del", "u\x7f")):
        bad(f"rule/token-with-{name}", get, {"eventDraftId": UUID, "userId": wrong}, invalid(("userId", "INVALID_FORMAT")), "")
    bad("rule/too-long-and-wrong-format", get, {"eventDraftId": UUID, "userId": "u " * 33},
        invalid(("userId", "TOO_LONG"), ("userId", "INVALID_FORMAT")), "one field may break two rules")
    bad("rule/item-path", update, {"jobId": UUID, "status": "COMPLETED", "pictures": [PICTURE, dict(PICTURE, pngUrl="x")]},
        invalid(("pictures[1].pngUrl", "INVALID_FORMAT")), "")
    bad("rule/timestamp-nanos", JOB + "Job", lump(8, num(1, 1) + num(2, 10**9)), invalid(("createdAt", "OUT_OF_RANGE")), "")
    bad("rule/timestamp-after-9999", JOB + "Job", lump(8, num(1, 253402300800)), invalid(("createdAt", "OUT_OF_RANGE")), "")


# ---- whole requests ----


def envelope(fields=None, payload=None, method=GET):
    message = {"method": method, **(fields or {})}
    if payload is not None:
        message["payload"] = base64.b64encode(payload).decode()
    return pack(RPC + "Request", message)


def request(name, data, verdict, notes, **more):
    if verdict.get("accept"):
        decoded = as_json(RPC + "Request", data)
        more = {"json": decoded, **more}
        method = METHODS.get(decoded["method"])
        payload = base64.b64decode(decoded.get("payload", ""))
        more["payload"] = {"type": method, "json": as_json(method, payload)}
    add("request.json", name, "request", data, verdict, notes, type=RPC + "Request", **more)


def wrong_field(field, why):
    return invalid((field, why))


def requests():
    body = pack(EVENT + "GetEventRequest", GET_REQUEST)
    check = "herald.rpc.v1.Health/Check"
    cancel = "herald.rpc.v1.Calls/Cancel"
    request("request/cancel-nothing", envelope(method=cancel, payload=num(1, 7)), ACCEPT,
            "no call with that ticket runs: an empty response, whose bytes are fixed", canonical=True, reply="2a00")
    request("request/cancel-ticket-zero", envelope(method=cancel), wrong_field("ticket", "OUT_OF_RANGE"), "")
    request("request/describe-envelope", envelope(method="herald.rpc.v1.Reflection/Describe", payload=lump(1, "herald.rpc.v1.Request")),
            ACCEPT, "what a client asks first that has no schemas", canonical=True)
    request("request/method-only", envelope(method=check), ACCEPT, "the smallest envelope", canonical=True)
    request("request/minimal", envelope(payload=body), ACCEPT, "method and payload", canonical=True)
    request("request/all-fields", envelope({
        "timeoutMs": 5000, "callId": CALL, "idempotencyKey": "order-17/attempt", "traceparent":
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "metadata": [{"key": "x-shop", "value": "AP8="}, {"key": "x-empty"}],
        "attempt": {"number": 1, "ticket": "42", "wantTimings": True}}, body), ACCEPT, "", canonical=True)
    request("request/unknown-fields", envelope(payload=body) + lump(10, "later") + num(11, 1), ACCEPT,
            "a newer client may say more; numbers stay at or below 11")
    request("request/fields-in-reverse", num(3, 100000) + lump(2, body) + lump(1, GET), ACCEPT, "")
    request("request/method-twice", lump(1, "herald.rpc.v1.Nothing/At") + lump(2, body) + lump(1, GET), NO_ENVELOPE,
            "no reader may take another method than another reader")
    request("request/same-method-twice", lump(1, GET) + lump(2, body) + lump(1, GET), NO_ENVELOPE, "")
    request("request/auth-twice", lump(1, GET) + lump(2, body) + lump(8, b"") * 2, NO_ENVELOPE, "how to merge them is not said")
    request("request/payload-twice", lump(1, GET) + lump(2, b"\xff") + lump(2, body), ACCEPT, "")
    request("request/two-methods-first-inline", lump(1, check) + lump(1, GET) + lump(2, body), NO_ENVELOPE,
            "a method that the server answers at once may not be followed by one that it does not")
    request("request/empty-payload-field", lump(1, check) + lump(2, b""), ACCEPT, "")
    request("request/timeout-zero-written", envelope(payload=body) + num(3, 0), ACCEPT, "0 is the method's default")
    request("request/timeout-largest", envelope({"timeoutMs": 2**32 - 1}, body), ACCEPT,
            "cut to 600000 by the server")
    request("request/limits-reached", envelope({"idempotencyKey": "k" * 128, "metadata":
            [{"key": "m" * 128, "value": base64.b64encode(b"v" * 4096).decode()}] + [{"key": "m"}] * 31}, body), ACCEPT, "")
    request("request/call-id-upper-case", envelope({"callId": CALL.upper()}, body), ACCEPT, "")
    request("request/metadata-same-key-twice", envelope({"metadata": [{"key": "a", "value": "MQ=="}, {"key": "a", "value": "Mg=="}]}, body), ACCEPT, "")

    request("request/empty", b"", NO_ENVELOPE, "no bytes: it names no method")
    request("request/no-method", lump(2, body), NO_ENVELOPE, "")
    request("request/empty-method", lump(1, "") + lump(2, body), NO_ENVELOPE, "")
    request("request/cut", envelope(payload=body)[:-1], NO_ENVELOPE, "")
    request("request/cut-in-method", envelope(payload=body)[:10], NO_ENVELOPE,
            "by chance these are all printable, so the answer is in JSON", replyForm="json")
    request("request/zeros", b"\0" * 16, NO_ENVELOPE, "")
    request("request/all-ones", b"\xff" * 16, NO_ENVELOPE, "")
    request("request/method-as-number", num(1, 7), NO_ENVELOPE, "")
    request("request/payload-as-number", lump(1, GET) + num(2, 7), NO_ENVELOPE, "")
    request("request/timeout-as-text", lump(1, GET) + lump(3, "5000") + lump(2, body), NO_ENVELOPE, "")
    request("request/method-with-nul", lump(1, GET + "\0"), NO_ENVELOPE, "")
    request("request/method-not-utf-8", lump(1, b"\xff\xfe"), NO_ENVELOPE, "")
    request("request/group", envelope(payload=body) + tag(10, 3) + tag(10, 4), NO_ENVELOPE, "")
    request("request/text-in-capitals", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", NO_ENVELOPE,
            "printable text that is no probe is answered in JSON, for whoever types it", replyForm="json")
    request("request/text-in-hangul", "안녕하세요".encode(), NO_ENVELOPE, "", replyForm="json")

    request("request/unknown-method", envelope(method="herald.event.v1.EventService/GetEvents", payload=body),
            refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "")
    request("request/unknown-service", envelope(method="grpc.health.v1.Health/Check"), refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "")
    request("request/method-with-slash", envelope(method="/" + GET, payload=body), refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"),
            "unlike gRPC there is no slash in front")
    request("request/method-in-lower-case", envelope(method=GET.lower(), payload=body), refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "")
    request("request/method-too-long", envelope(method="m" * 257), wrong_field("method", "TOO_LONG"), "")
    request("request/method-of-256", envelope(method="m" * 256), refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "")
    request("request/call-id-no-uuid", envelope({"callId": "call-1"}, body), wrong_field("callId", "INVALID_FORMAT"), "")
    request("request/call-id-too-long", envelope({"callId": CALL + "0"}, body),
            invalid(("callId", "TOO_LONG"), ("callId", "INVALID_FORMAT")), "")
    request("request/key-too-long", envelope({"idempotencyKey": "k" * 129}, body), wrong_field("idempotencyKey", "TOO_LONG"), "")
    request("request/key-with-space", envelope({"idempotencyKey": "a b"}, body), wrong_field("idempotencyKey", "INVALID_FORMAT"), "")
    request("request/key-with-newline", envelope({"idempotencyKey": "a\nb"}, body), wrong_field("idempotencyKey", "INVALID_FORMAT"), "")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request("request/traceparent-of-a-later-version", envelope({"traceparent": "cc" + trace[2:] + "-more"}, body), ACCEPT,
            "as W3C says: what version 00 has must be there, more may follow")
    request("request/traceparent-version-00-with-more", envelope({"traceparent": trace + "-more"}, body),
            wrong_field("traceparent", "INVALID_FORMAT"), "")
    request("request/traceparent-too-long", envelope({"traceparent": "cc" + trace[2:] + "-" + "x" * 256}, body),
            wrong_field("traceparent", "TOO_LONG"), "")
    for wrong in ("hello", "ff" + trace[2:], trace.upper(), trace[:-1], trace.replace("-", "_")):
        request(f"request/traceparent-{wrong}", envelope({"traceparent": wrong}, body), wrong_field("traceparent", "INVALID_FORMAT"), "")
    request("request/metadata-without-key", envelope({"metadata": [{"value": "MQ=="}]}, body), wrong_field("metadata[0].key", "REQUIRED"), "")
    request("request/metadata-key-too-long", envelope({"metadata": [{"key": "ok"}, {"key": "k" * 129}]}, body),
            wrong_field("metadata[1].key", "TOO_LONG"), "")
    request("request/metadata-key-with-space", envelope({"metadata": [{"key": "a b"}]}, body), wrong_field("metadata[0].key", "INVALID_FORMAT"), "")
    request("request/metadata-value-too-long", envelope({"metadata": [{"key": "a", "value": base64.b64encode(b"v" * 4097).decode()}]}, body),
            wrong_field("metadata[0].value", "TOO_LONG"), "")
    request("request/metadata-key-with-capitals", envelope({"metadata": [{"key": "X-Shop"}]}, body), wrong_field("metadata[0].key", "INVALID_FORMAT"), "")
    request("request/metadata-too-many", envelope({"metadata": [{"key": "a"}] * 33}, body), wrong_field("metadata", "TOO_MANY"), "")
    request("request/attempt-number-too-large", envelope({"attempt": {"number": 1001}}, body), wrong_field("attempt.number", "OUT_OF_RANGE"), "")

    request("request/auth-empty", envelope({"auth": {}}, body), ACCEPT, "no credential")
    request("request/auth-signature-empty", envelope(payload=body) + lump(8, lump(1, b"")),
            invalid(("auth.signature.keyId", "REQUIRED"), ("auth.signature.timeMs", "OUT_OF_RANGE"),
                    ("auth.signature.nonce", "REQUIRED"), ("auth.signature.mac", "REQUIRED")), "")
    request("request/auth-mac-too-long", envelope(payload=body) + lump(8, lump(1, lump(1, "k") + num(2, 1) + lump(3, b"n" * 16) + lump(5, b"m" * 33))),
            wrong_field("auth.signature.mac", "TOO_LONG"), "")
    request("request/auth-bearer-with-space", envelope({"auth": {"bearer": "a b"}}, body), wrong_field("auth.bearer", "INVALID_FORMAT"), "")
    request("request/auth-bearer-too-long", envelope({"auth": {"bearer": "t" * 2049}}, body), wrong_field("auth.bearer", "TOO_LONG"), "")
    request("request/auth-cut", envelope(payload=body) + lump(8, b"\x0a\x05ab"), NO_ENVELOPE, "")
    request("request/auth-as-number", envelope(payload=body) + num(8, 1), NO_ENVELOPE, "")
    request("request/auth-without-callers", envelope({"auth": {"bearer": "a.b.c"}}, body), refuse("UNAUTHENTICATED", "NO_CALLERS"),
            "a credential that is there is checked; the servers of the vectors know no callers")
    request("request/attempt-as-text", envelope(payload=body) + lump(9, lump(2, "7")), NO_ENVELOPE, "")
    request("request/payload-cut", envelope(payload=body[:-1]), malformed("userId"), "the envelope is whole, its payload is not")
    request("request/payload-of-another-type", envelope(payload=num(1, 1)), malformed("eventDraftId"), "")
    request("request/payload-missing", envelope(), invalid(("eventDraftId", "REQUIRED"), ("userId", "REQUIRED")), "")
    request("request/payload-breaks-rules", envelope(payload=pack(EVENT + "GetEventRequest", {"eventDraftId": "7", "userId": "a b"})),
            invalid(("eventDraftId", "INVALID_FORMAT"), ("userId", "INVALID_FORMAT")), "")
    request("request/payload-with-nul", envelope(payload=lump(1, UUID) + lump(2, b"a\0")), malformed("userId"), "")
    request("request/distribute-nothing", envelope(method="herald.distribution.v1.DistributionService/Distribute"),
            invalid(("eventId", "REQUIRED"), ("channels", "REQUIRED"), ("content", "REQUIRED")), "")
    request("request/thirty-two-wrong", envelope(payload=body) + lump(6, b"") * 32,
            invalid(*((f"metadata[{i}].key", "REQUIRED") for i in range(16))), "sixteen details at most")
    request("request/payload-unpacks-to-too-much", envelope(
        method="herald.job.v1.JobService/UpdateJob", payload=b"\x22\x00" * 60000),
            refuse("RESOURCE_EXHAUSTED", "PAYLOAD_TOO_COMPLEX"),
            "a few bytes may not become much memory: more than 32 times the size and 256 KiB are refused")
    request("request/message-of-262144", lump(1, check) + lump(10, b"x" * (262144 - 32)), ACCEPT,
            "the largest message that is taken by default (rpc.max_message_bytes)", )
    request("request/message-too-large", lump(1, check) + lump(10, b"x" * (262144 - 31)),
            refuse("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"), "one byte more")
    request("request/message-far-too-large", lump(1, check) + lump(10, b"x" * (262144 + 64 * 1024)),
            {"accept": False, "closed": True}, "beyond 64 KiB above the limit there is no reply: the connection is closed")


# ---- replies, as a client reads them ----

CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]


def responses():
    def response(name, data, notes, **more):
        data = pack(RPC + "Response", data) if isinstance(data, dict) else data
        add("response.json", name, "response", data, ACCEPT, notes, type=RPC + "Response",
            json=as_json(RPC + "Response", data), **more)

    response("response/empty", b"", "OK with an empty response message", canonical=True)
    response("response/empty-payload", b"\x2a\x00", "the same, as Herald's server writes it")
    response("response/ok", {"payload": base64.b64encode(pack(JOB + "CreateImageJobResponse", {"jobId": UUID, "status": "PENDING"})).decode()},
             "", canonical=True)
    for number, code in enumerate(CODES[1:], 1):
        response(f"response/code-{number}-{code}", {"code": code, "reason": "WHY", "message": "why"}, "", canonical=True)
    response("response/details", {"code": "INVALID_ARGUMENT", "reason": "INVALID_FIELD", "message": "two things", "details": [
        {"field": "storeInfo.name", "reason": "REQUIRED", "message": "must be set"},
        {"field": "selectedChannels[2]", "reason": "UNKNOWN_VALUE", "message": "99 is no value"}]}, "", canonical=True)
    response("response/retry-after", {"code": "UNAVAILABLE", "reason": "DRAINING", "retryAfterMs": 1000}, "", canonical=True)
    for done in ("NOTHING", "NOT_KNOWN"):
        response(f"response/done-{done}", {"code": "UNAVAILABLE", "reason": "WHY", "done": done}, "what was done for a call that failed", canonical=True)
    response("response/timings-and-metadata", {"payload": "", "timings": {"queueUs": "12", "handlerUs": "3400", "downstreamUs": "1000"},
             "metadata": [{"key": "a", "value": "AQI="}]}, "", canonical=True)
    response("response/unknown-code", num(1, 77) + lump(3, "NEW"), "a client takes a code that it does not know for UNKNOWN")
    response("response/unknown-done", num(1, 14) + num(9, 77), "a client takes a value that it does not know for NOT_KNOWN")
    response("response/unknown-fields", num(1, 5) + lump(11, "later") + lump(3, "GONE"), "")
    response("response/non-canonical-order", lump(3, "GONE") + num(1, 5), "")

    def broken(name, data, notes):
        add("response.json", name, "response", data, refuse("INVALID_ARGUMENT", "MALFORMED_PAYLOAD"), notes, type=RPC + "Response")

    broken("response/cut", b"\x2a\x05abc", "a client that cannot read a reply does not know what was done: MAYBE_EXECUTED (INTERNAL)")
    broken("response/code-as-text", lump(1, "NOT_FOUND"), "")
    broken("response/message-not-utf-8", num(1, 5) + lump(2, b"\xff"), "")


# ---- probes ----


def probe(name, text, verdict, notes, **more):
    data = text if isinstance(text, bytes) else text.encode()
    add("probe.json", name, "probe", data, verdict, notes, **({} if isinstance(text, bytes) else {"text": text}), **more)


def probes():
    get = f'{GET} {{"eventDraftId":"{UUID}","userId":"u-1"}}'
    inner = f'{{"eventDraftId":"{UUID}","userId":"u-1"}}'

    def bad_json(field=""):
        return refuse("INVALID_ARGUMENT", "INVALID_JSON", (field, "INVALID_JSON"))

    probe("probe/method-alone", "herald.rpc.v1.Health/Check", ACCEPT, "an empty request")
    probe("probe/method-and-json", get, ACCEPT, "")
    probe("probe/no-space", GET + inner, ACCEPT, "the brace ends the word")
    probe("probe/white-space", f"{GET}\t\r\n  {inner} \r\n", ACCEPT, "as pipes and files add it")
    probe("probe/help", "help", ACCEPT, "")
    probe("probe/help-with-newline", "help\n", ACCEPT, "")
    probe("probe/help-with-more", "help x", ACCEPT, "what follows help is ignored")
    probe("probe/help-with-brace", "help{", ACCEPT, "the brace ends the word")
    probe("probe/describe", "describe GetEvent", ACCEPT, "a short name that is unambiguous")
    probe("probe/describe-full-name", "describe herald.event.v1.EventDraft", ACCEPT, "")
    probe("probe/object", f'{{"method":"{GET}","request":{inner}}}', ACCEPT, "")
    probe("probe/object-all-members", f'{{"method":"{GET}","request":{inner},"timeoutMs":70000,"idempotencyKey":"k-1"}}', ACCEPT, "")
    probe("probe/object-without-request", '{"method":"herald.rpc.v1.Health/Check"}', ACCEPT, "")
    probe("probe/object-in-any-order", f' {{"x":1}}'.strip().replace('"x":1', f'"request" : {inner}, "method" : "{GET}"'), ACCEPT, "")
    probe("probe/proto-names", f'{GET} {{"event_draft_id":"{UUID}","user_id":"u-1"}}', ACCEPT, "the schema's own names are read too")
    probe("probe/escapes", f'{GET} {{"eventDraftId":"{UUID}","userId":"\\u0075-1"}}', ACCEPT, "")
    probe("probe/null-is-default", 'herald.event.v1.EventService/ListEvents {"userId":"u-1","pageToken":null}', ACCEPT, "")
    probe("probe/cancel-nothing", 'herald.rpc.v1.Calls/Cancel {"ticket":"7"}', ACCEPT, "the answer's bytes are fixed",
          reply='{"found":false}'.encode().hex())
    probe("probe/bearer", "bearer a.b.c herald.rpc.v1.Health/Check {}", refuse("UNAUTHENTICATED", "NO_CALLERS"),
          "the servers of the vectors know no callers")
    probe("probe/bearer-for-help", "bearer a.b.c\thelp", refuse("UNAUTHENTICATED", "NO_CALLERS"), "")
    probe("probe/auth-bearer", '{"method":"herald.rpc.v1.Health/Check","auth":{"bearer":"a.b.c"}}', refuse("UNAUTHENTICATED", "NO_CALLERS"), "")
    probe("probe/auth-bearer-with-space", '{"method":"herald.rpc.v1.Health/Check","auth":{"bearer":"a b"}}',
          invalid(("bearer", "INVALID_FORMAT")), "")
    probe("probe/bearer-without-token", "bearer", NO_PROBE, "")
    probe("probe/bearer-without-method", "bearer abc", NO_PROBE, "")
    probe("probe/auth-unknown-member", '{"method":"herald.rpc.v1.Health/Check","auth":{"password":"x"}}', NO_PROBE, "")
    probe("probe/auth-no-object", '{"method":"herald.rpc.v1.Health/Check","auth":"token"}', NO_PROBE, "")
    probe("probe/auth-signature", '{"method":"herald.rpc.v1.Health/Check","auth":{"signature":{}}}', NO_PROBE,
          "a signature covers bytes that a probe does not have")
    probe("probe/once-without-key", 'herald.event.v1.EventService/CreateEvent {"userId":"u-1","title":"t","storeInfo":{"name":"s"}}',
          ACCEPT, "the server makes a key: a probe that is repeated takes effect again")

    probe("probe/unknown-word", "quit", refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "")
    probe("probe/short-name", "health", refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "methods are named in full")
    probe("probe/object-unknown-method", '{"method":"x"}', refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "")
    probe("probe/describe-unknown", "describe Nothing", refuse("NOT_FOUND", "NO_SUCH_NAME"), "")
    probe("probe/describe-without-name", "describe", NO_PROBE, "")
    probe("probe/describe-two-names", "describe GetEvent ListEvents", refuse("NOT_FOUND", "NO_SUCH_NAME"),
          "the name is all that follows")
    probe("probe/describe-with-brace", "describe{GetEvent", refuse("NOT_FOUND", "NO_SUCH_NAME"), "the brace is part of the name")
    probe("probe/word-that-begins-with-help", "helpx", refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "")
    probe("probe/bearer-with-brace", "bearer a{b help", NO_PROBE, "the brace ends the token, and no space follows")
    probe("probe/bearer-not-ascii", "bearer 가 help", invalid(("bearer", "INVALID_FORMAT")), "")
    probe("probe/method-with-bar", "herald.rpc.v1.Health/Check|", refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"),
          "a bar is part of the name")
    probe("probe/json-cut", GET + ' {"eventDraftId":', bad_json(), "")
    probe("probe/json-no-object", GET + " 7", bad_json(), "")
    probe("probe/json-number-not-whole", 'herald.event.v1.EventService/ListEvents {"userId":"u-1","pageSize":1.0000000000000000000000001}',
          bad_json("pageSize"), "no number goes through a double")
    probe("probe/json-number-in-quotes-with-exponent", 'herald.event.v1.EventService/ListEvents {"userId":"u-1","pageSize":"1e1"}',
          ACCEPT, "in quotes a number is read as without")
    probe("probe/json-number-in-quotes-with-sign", 'herald.event.v1.EventService/ListEvents {"userId":"u-1","pageSize":"+1"}',
          bad_json("pageSize"), "")
    probe("probe/json-enum-number-in-quotes", f'herald.event.v1.EventService/SelectObjective {{"eventDraftId":"{UUID}","userId":"u-1","objective":"1"}}',
          bad_json("objective"), "")
    probe("probe/json-list-for-object", GET + " []", bad_json(), "")
    probe("probe/json-trailing", get + " {}", bad_json(), "")
    probe("probe/json-unknown-field", GET + ' {"nothing":1}', bad_json("nothing"), "unlike in an envelope: a name nobody knows is a slip")
    probe("probe/json-duplicate-field", f'{GET} {{"userId":"a","userId":"b"}}', bad_json("userId"), "")
    probe("probe/json-both-names", f'{GET} {{"userId":"a","user_id":"b"}}', bad_json("userId"), "one field, twice")
    probe("probe/json-number-for-text", GET + ' {"userId":1}', bad_json("userId"), "")
    probe("probe/json-negative-unsigned", 'herald.event.v1.EventService/ListEvents {"userId":"u-1","pageSize":-1}', bad_json("pageSize"), "")
    probe("probe/json-number-too-large", 'herald.event.v1.EventService/ListEvents {"userId":"u-1","pageSize":4294967296}', bad_json("pageSize"), "")
    probe("probe/json-fraction", 'herald.event.v1.EventService/ListEvents {"userId":"u-1","pageSize":1.5}', bad_json("pageSize"), "")
    probe("probe/json-unknown-enum", f'herald.event.v1.EventService/SelectObjective {{"eventDraftId":"{UUID}","userId":"u-1","objective":"FAME"}}', bad_json("objective"), "")
    probe("probe/json-too-deep", GET + ' {"userId":' + "[" * 200 + "]" * 200 + "}", bad_json(), "")
    probe("probe/breaks-rules", GET + ' {"eventDraftId":"7"}', invalid(("eventDraftId", "INVALID_FORMAT"), ("userId", "REQUIRED")),
          "the same verdict as for an envelope")
    # The request of an object gets the verdict of the same text behind a method.
    cancel = "herald.rpc.v1.Calls/Cancel"
    list_events = "herald.event.v1.EventService/ListEvents"
    for name, method, request, verdict, notes in (
            ("largest-number", cancel, '{"ticket":18446744073709551615}', ACCEPT, "no number goes through a double"),
            ("number-with-exponent", cancel, '{"ticket":1.8446744073709551615e19}', ACCEPT, ""),
            ("number-too-large", cancel, '{"ticket":18446744073709551616}', bad_json("ticket"), ""),
            ("fraction-near-nothing", list_events, '{"userId":"u-1","pageSize":1e-400}', bad_json("pageSize"), "it is not 0"),
            ("duplicate-field", GET, '{"userId":"a","userId":"b"}', bad_json("userId"), ""),
            ("unknown-field", GET, '{"nothing":1}', bad_json("nothing"), ""),
            ("nul", GET, '{"userId":"a\\u0000b"}', bad_json(), ""),
            ("half-a-surrogate-pair", GET, '{"userId":"\\ud800"}', bad_json(), ""),
            ("tab-in-string", GET, '{"userId":"a\tb"}', bad_json(), "white space must be escaped in strings"),
            ("no-json", GET, "{userId:1}", bad_json(), ""),
            ("too-deep", GET, '{"userId":' + "[" * 32 + "]" * 32 + "}", bad_json(), "32 levels, the object's own not counted"),
            ("deep", GET, '{"nothing":' + "[" * 31 + "]" * 31 + "}", bad_json("nothing"), ""),
            ("controls-in-string", GET, '{"eventDraftId":"\x7f","userId":"\x80\x9f"}',
             invalid(("eventDraftId", "INVALID_FORMAT"), ("userId", "INVALID_FORMAT")), "DEL to U+009F may stand in strings")):
        probe(f"probe/words-{name}", f"{method} {request}", verdict, notes)
        probe(f"probe/object-{name}", f'{{"method":"{method}","request":{request}}}', verdict, notes)
        probe(f"probe/object-{name}-first", f'{{"request":{request},"method":"{method}"}}', verdict, notes)
    probe("probe/object-request-unclosed", f'{{"method":"{GET}","request":{{"userId":"a}}}}', bad_json(), "the rest of the message is the request's")
    probe("probe/object-request-unclosed-first", f'{{"request":{{"userId":"a}},"method":"{GET}"}}', NO_PROBE, "and nothing tells the method")
    probe("probe/object-unclosed", f'{{"method":"{GET}","request":{inner}', NO_PROBE, "")
    probe("probe/object-trailing", f'{{"method":"{GET}","request":{inner}}} x', NO_PROBE, "")
    probe("probe/object-method-with-nul", '{"method":"a\\u0000b"}', NO_PROBE, "")
    probe("probe/object-method-empty", '{"method":""}', NO_PROBE, "")
    probe("probe/object-timeout-fraction", '{"method":"herald.rpc.v1.Health/Check","timeoutMs":7.0}', NO_PROBE, "")
    probe("probe/object-cut", '{"method":', NO_PROBE, "")
    probe("probe/object-empty", "{}", NO_PROBE, "")
    probe("probe/object-method-no-text", '{"method":7}', NO_PROBE, "")
    probe("probe/object-unknown-member", '{"method":"herald.rpc.v1.Health/Check","wait":1}', NO_PROBE, "")
    probe("probe/object-duplicate-member", '{"method":"a","method":"b"}', NO_PROBE, "")
    probe("probe/object-negative-timeout", '{"method":"herald.rpc.v1.Health/Check","timeoutMs":-1}', NO_PROBE, "")
    probe("probe/object-timeout-too-large", '{"method":"herald.rpc.v1.Health/Check","timeoutMs":600001}', NO_PROBE, "")
    for name, key in ("space", "a b"), ("newline", "a\\nb"), ("hangul", "가"):
        probe(f"probe/object-key-with-{name}", f'{{"method":"{GET}","request":{inner},"idempotencyKey":"{key}"}}', NO_PROBE, "")
    probe("probe/object-key-too-long", '{"method":"herald.rpc.v1.Health/Check","idempotencyKey":"' + "k" * 129 + '"}', NO_PROBE, "")
    probe("probe/object-request-no-object", '{"method":"herald.rpc.v1.Health/Check","request":"x"}', NO_PROBE, "")
    probe("probe/nul", b"help\0", NO_PROBE, "control characters but tab, CR and LF are refused")
    probe("probe/escape", b"help \x1b[2J", NO_PROBE, "")
    probe("probe/not-utf-8", b"help \xff", NO_PROBE, "")
    for control in (0x7f, 0x80, 0x85, 0x9b, 0x9f):
        probe(f"probe/control-{control:02x}-behind-method", f"herald.rpc.v1.Health/Check{chr(control)}", NO_PROBE,
              "a terminal would obey it")
        probe(f"probe/control-{control:02x}-behind-json", f"{get}{chr(control)}", NO_PROBE, "")
        probe(f"probe/control-{control:02x}-in-object", f'{{"method":"{GET}",{chr(control)}"request":{inner}}}', NO_PROBE, "")
    probe("probe/control-in-quotes-of-no-json", 'herald.rpc.v1.Health/Check"\x9b"', NO_PROBE, "")
    probe("probe/no-break-space", "herald.rpc.v1.Health/Check\u00a0", refuse("UNIMPLEMENTED", "UNKNOWN_METHOD"), "no control character")
    probe("probe/controls-in-answer", GET + ' {"\x7f\x80\x9b\x9f":1}', bad_json("\x7f\x80\x9b\x9f"), "")


# ---- the first byte ----


def first_bytes():
    def kind(name, data, form):
        add("first-byte.json", f"first-byte/{name}", "first-byte", data, {"form": form}, "")

    kind("empty", b"", "envelope")
    for byte in (0x00, 0x0A, 0x12, 0x42, 0x4A, 0x5A, 0x5F, 0x60, 0x7C, 0x7D, 0x80, 0xC3, 0xFF, ord("A"), ord(" ")):
        kind(f"{byte:02x}", bytes([byte]), "envelope")
    for byte in (ord("a"), ord("m"), ord("z"), ord("{")):
        kind(f"{byte:02x}", bytes([byte]), "probe")


# ---- signatures ----


def string_to_sign(parts):
    return "\n".join(["HERALD-HMAC-SHA256", parts["keyId"], str(parts["timeMs"]), parts["nonceHex"], parts["method"],
                      parts.get("user", ""), parts.get("idempotencyKey", ""),
                      hashlib.sha256(bytes.fromhex(parts["payloadHex"])).hexdigest()]) + "\n"


def signatures():
    base = {"keyHex": bytes(range(32)).hex(), "keyId": "event-1", "timeMs": 1700000000000,
            "nonceHex": "000102030405060708090a0b0c0d0e0f", "method": GET, "user": "u-1", "idempotencyKey": "",
            "payloadHex": pack(EVENT + "GetEventRequest", GET_REQUEST).hex()}

    def known(name, notes, **changes):
        parts = {**base, **changes}
        text = string_to_sign(parts)
        mac = hmac.new(bytes.fromhex(parts["keyHex"]), text.encode(), hashlib.sha256).digest()
        add("signature.json", f"signature/{name}", "signature", mac, ACCEPT, notes, sign=parts, text=text)

    known("worked-example", "the example of proto/WIRE.md")
    known("no-user", "", user="")
    known("with-key", "", method="herald.event.v1.EventService/CreateEvent", idempotencyKey="order-17")
    known("empty-payload", "the SHA-256 of nothing", method="herald.rpc.v1.Health/Check", payloadHex="")
    known("long-nonce", "", nonceHex="ab" * 32)
    known("long-key", "a key longer than a block of SHA-256 is hashed first, as HMAC says", keyHex="5a" * 100)
    known("one-bit-of-payload", "another payload, another signature", payloadHex="0a" + base["payloadHex"][2:-2] + "30")
    known("other-time", "", timeMs=1700000000001)
    known("other-user", "", user="u-2")
    known("other-method", "", method="herald.event.v1.EventService/DeleteEvent")


# ---- credentials, as a server checks them at a given time ----

NOW_MS = 1700000000000
KEY, OTHER_KEY = bytes(range(32)), bytes(range(100, 132))
CALLERS = [
    {"name": "shop-web", "keys": {"shop-1": KEY.hex(), "shop-2": OTHER_KEY.hex()},
     "methods": ["herald.event.v1.EventService/*"], "actFor": ["u-1", "u-2"]},
    {"name": "reader", "keys": {"reader-1": bytes(range(50, 90)).hex()},
     "methods": [GET, "herald.event.v1.EventService/ListEvents"], "actFor": []},
]


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def credentials():
    body = pack(EVENT + "GetEventRequest", GET_REQUEST)
    unauthenticated = lambda reason: refuse("UNAUTHENTICATED", reason)
    denied = lambda reason: refuse("PERMISSION_DENIED", reason)

    def check(name, data, verdict, notes, **more):
        add("credential.json", name, "credential", data, verdict, notes, nowMs=NOW_MS, callers=CALLERS, **more)

    # Each part is signed as `sign` says, and then sent as `sent` says.
    def signed(name, verdict, notes, sign=None, sent=None, key=KEY, method=GET, payload=body, mac=None, **more):
        parts = {"keyId": "shop-1", "timeMs": NOW_MS, "nonceHex": bytes(range(16)).hex(), "method": method, "user": "u-1",
                 "idempotencyKey": "", "payloadHex": payload.hex(), **(sign or {})}
        right = hmac.new(key, string_to_sign(parts).encode(), hashlib.sha256).digest()
        parts.update(sent or {})
        check(f"credential/{name}", pack(RPC + "Request", {
            "method": parts["method"], "payload": base64.b64encode(bytes.fromhex(parts["payloadHex"])).decode(),
            "idempotencyKey": parts["idempotencyKey"], **more.pop("envelope", {}),
            "auth": {"signature": {"keyId": parts["keyId"], "timeMs": str(parts["timeMs"]), "user": parts["user"],
                                   "nonce": base64.b64encode(bytes.fromhex(parts["nonceHex"])).decode(),
                                   "mac": base64.b64encode(mac or right).decode()}}}), verdict, notes, **more)

    me = {"accept": True, "caller": "shop-web", "user": "u-1"}
    bad = unauthenticated("BAD_CREDENTIAL")
    signed("signed", me, "")
    signed("signed-by-second-key", me, "a caller may have several keys while they change", {"keyId": "shop-2"}, key=OTHER_KEY)
    signed("signed-29-s-ago", me, "", {"timeMs": NOW_MS - 29000})
    signed("signed-30-s-ago", me, "", {"timeMs": NOW_MS - 30000})
    signed("signed-30-s-ahead", me, "", {"timeMs": NOW_MS + 30000})
    signed("signed-30001-ms-ago", unauthenticated("CLOCK_SKEW"), "", {"timeMs": NOW_MS - 30001})
    signed("signed-30001-ms-ahead", unauthenticated("CLOCK_SKEW"), "", {"timeMs": NOW_MS + 30001})
    signed("signed-with-idempotency-key", me, "", {"idempotencyKey": "k-1", "method": "herald.event.v1.EventService/EndEvent"})
    signed("unsigned-parts", me, "call id, deadline, metadata and attempt are not signed", envelope={
        "callId": CALL, "timeoutMs": 5, "metadata": [{"key": "a"}], "attempt": {"number": 3, "ticket": "9"}})
    signed("taken-twice", unauthenticated("REPLAYED"), "the same request a second time", times=2)
    signed("signed-before-start", refuse("UNAVAILABLE", "SIGNED_BEFORE_START"), "half a second before", {"timeMs": NOW_MS - 1500},
           upMs=1000)
    signed("signed-100-ms-after-start", refuse("UNAVAILABLE", "SIGNED_BEFORE_START"), "as if by a clock that is ahead",
           {"timeMs": NOW_MS - 900}, upMs=1000)
    signed("signed-101-ms-after-start", me, "", {"timeMs": NOW_MS - 899}, upMs=1000)
    signed("signed-before-start-forged", bad, "", {"timeMs": NOW_MS - 1500}, key=OTHER_KEY, upMs=1000)
    signed("unknown-key", bad, "", {"keyId": "nobody-1"})
    signed("wrong-key", bad, "", key=OTHER_KEY)
    signed("key-id-changed", bad, "", sent={"keyId": "shop-2"})
    signed("time-changed", bad, "", sent={"timeMs": NOW_MS + 1})
    signed("nonce-changed", bad, "", sent={"nonceHex": bytes(range(1, 17)).hex()})
    signed("method-changed", bad, "", sent={"method": "herald.event.v1.EventService/DeleteEvent"})
    signed("user-changed", bad, "", sent={"user": "u-2"})
    signed("user-added", bad, "", {"user": ""}, {"user": "u-1"})
    signed("user-removed", bad, "", sent={"user": ""})
    signed("idempotency-key-changed", bad, "", {"idempotencyKey": "k-1"}, {"idempotencyKey": "k-2"})
    signed("idempotency-key-added", bad, "", sent={"idempotencyKey": "k-2"})
    signed("payload-changed", bad, "one byte", sent={"payloadHex": body[:-1].hex() + "32"})
    signed("payload-removed", bad, "", sent={"payloadHex": ""})
    signed("mac-of-zeros", bad, "", mac=bytes(32))
    signed("user-not-allowed", denied("USER_NOT_ALLOWED"), "", {"user": "u-3"})
    signed("method-not-allowed", denied("METHOD_NOT_ALLOWED"), "", {"method": "herald.job.v1.JobService/CreateImageJob"})
    signed("user-missing", denied("USER_MISSING"), "the method acts for a user", {"user": ""})
    signed("anyones-method", {"accept": True, "caller": "shop-web", "user": ""}, "a credential that is there is checked, needed or not",
           {"method": "herald.rpc.v1.Health/Check", "user": "", "payloadHex": ""}, payload=b"")
    signed("anyones-method-forged", bad, "", {"method": "herald.rpc.v1.Health/Check", "user": ""}, mac=b"m" * 32)

    check("credential/none", envelope(payload=body), unauthenticated("CREDENTIAL_MISSING"), "")
    check("credential/none-for-anyones-method", envelope(method="herald.rpc.v1.Health/Check"), {"accept": True, "caller": "", "user": ""}, "")

    now = NOW_MS // 1000
    head = {"alg": "HS256", "typ": "JWT", "kid": "shop-1"}
    claims = {"sub": "shop-web", "iat": now - 10, "exp": now + 600, "jti": "t-1", "user": "u-1"}

    def token(name, verdict, notes, claims_=None, head_=None, key=KEY, digest=hashlib.sha256, change=None, method=GET, without=(),
              **more):
        parts = [url64(json.dumps({k: v for k, v in {**base, **(changes or {})}.items() if k not in without}).encode())
                 for base, changes in ((head, head_), (claims, claims_))]
        text = ".".join(parts)
        text += "." + url64(hmac.new(key, text.encode(), digest).digest())
        text = change(text) if change else text
        check(f"token/{name}", envelope({"auth": {"bearer": text}}, body, method), verdict, notes, **more)

    bad = unauthenticated("BAD_TOKEN")
    token("good", me, "")
    token("good-before-start", me, "a token is for many calls, and for several servers", upMs=0)
    token("good-by-second-key", me, "", head_={"kid": "shop-2"}, key=OTHER_KEY)
    token("good-narrowed", me, "", {"methods": [GET]})
    token("good-narrowed-to-service", me, "", {"methods": ["herald.event.v1.EventService/*"]})
    token("good-with-nbf", me, "", {"nbf": now})
    token("good-unknown-claim", me, "claims that are not known are skipped", {"iss": "x"})
    token("good-audience", me, "", {"aud": "herald"})
    token("good-audience-of-several", me, "", {"aud": ["other", "herald"]})
    token("other-audience", bad, "a token for others is not ours to take", {"aud": "other"})
    token("good-an-hour-long", me, "", {"iat": now, "exp": now + 3600})
    token("no-user", denied("USER_MISSING"), "", without=("user",))
    token("other-user", denied("USER_NOT_ALLOWED"), "", {"user": "u-3"})
    token("narrowed-to-others", denied("METHOD_NOT_ALLOWED"), "", {"methods": ["herald.event.v1.EventService/ListEvents"]})
    token("narrowed-to-nothing", denied("METHOD_NOT_ALLOWED"), "", {"methods": []})
    token("caller-may-not", denied("METHOD_NOT_ALLOWED"), "a token gives no more than its caller has",
          {"sub": "reader"}, {"kid": "reader-1"}, key=bytes(range(50, 90)), method="herald.event.v1.EventService/EndEvent")
    token("expired", unauthenticated("TOKEN_EXPIRED"), "", {"exp": now - 1})
    token("expires-now", unauthenticated("TOKEN_EXPIRED"), "the last second is over", {"exp": now})
    token("from-the-future", bad, "", {"iat": now + 31})
    token("30-s-from-the-future", me, "", {"iat": now + 30})
    token("not-before", bad, "", {"nbf": now + 31})
    token("longer-than-an-hour", bad, "", {"iat": now, "exp": now + 3601})
    token("ends-before-it-begins", bad, "", {"iat": now - 5, "exp": now - 6})
    token("alg-none", bad, "", head_={"alg": "none"}, change=lambda text: text[:text.rindex(".") + 1])
    token("alg-none-signed", bad, "", head_={"alg": "none"})
    token("alg-hs512", bad, "", head_={"alg": "HS512"}, digest=hashlib.sha512)
    token("alg-rs256", bad, "", head_={"alg": "RS256"})
    token("crit", bad, "", head_={"crit": ["exp"]})
    token("wrong-key", bad, "", key=OTHER_KEY)
    token("unknown-key", bad, "", head_={"kid": "nobody-1"})
    token("no-kid", bad, "", without=("kid",))
    token("no-sub", bad, "", without=("sub",))
    token("sub-of-another", bad, "", {"sub": "reader"})
    token("no-iat", bad, "", without=("iat",))
    token("no-exp", bad, "", without=("exp",))
    token("no-jti", bad, "", without=("jti",))
    token("exp-as-text", bad, "", {"exp": str(now + 600)})
    token("exp-as-fraction", bad, "", {"exp": now + 600.5})
    token("user-as-number", bad, "", {"user": 1})
    token("user-with-space", bad, "", {"user": "u 1"})
    token("methods-as-text", bad, "", {"methods": GET})
    token("claims-changed", bad, "", change=lambda text: text.replace(text.split(".")[1], url64(json.dumps({**claims, "user": "u-2"}).encode())))
    token("mac-cut", bad, "", change=lambda text: text[:-1])
    token("mac-padded", bad, "", change=lambda text: text + "=")
    token("mac-missing", bad, "", change=lambda text: text[:text.rindex(".")])
    token("four-parts", bad, "", change=lambda text: text + ".x")
    token("no-token", bad, "", change=lambda text: "secret")
    token("claims-no-json", bad, "", change=lambda text: sign_again(text.split(".")[0] + "." + url64(b"{"), KEY))
    token("claims-no-object", bad, "", change=lambda text: sign_again(text.split(".")[0] + "." + url64(b"[]"), KEY))


def sign_again(text, key):
    return text + "." + url64(hmac.new(key, text.encode(), hashlib.sha256).digest())


# ---- files ----


def render(vectors):
    lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
    lines = re.sub(r"[\x7f-\x9f]", lambda control: f"\\u{ord(control[0]):04x}", lines)  # which a terminal would obey
    return "[\n" + lines + "\n]\n"


def main():
    for make in (messages, requests, responses, probes, first_bytes, signatures, credentials):
        make()
    stale = []
    for name, vectors in FILES.items():
        path, text = os.path.join(FOLDER, name), render(vectors)
        old = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        if old != text:
            stale.append(name)
            if "--check" not in sys.argv:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
    total = sum(map(len, FILES.values()))
    print(f"{total} vectors in {len(FILES)} files; {'different: ' + ', '.join(stale) if stale else 'all as stored'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
