"""herald-gateway from outside: what HTTP asks of it, what strangers send, and the flows of the services behind it.

usage: test_http.py FOLDER-OF-THE-PROGRAMS [TEST…], under with-stack"""

import gzip
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from gateway import Gateway, parse_answers, read_all

FOLDER = sys.argv.pop(1)
HOST = b"host: 127.0.0.1\r\n"
CLOSE = b"connection: close\r\n"
STORE = {"name": "모퉁이 가게"}
MISSING = "0190b5a0-7d2e-7c3a-9f00-3b8f2f1c4d5e"
gateway = None


def setUpModule():
    global gateway
    gateway = Gateway(FOLDER, head_ms=1500, body_ms=1500, idle_ms=2500, keep_alive_ms=300)
    Gateway.wait(lambda: gateway.ask("GET", "/readyz").status == 200, "/readyz says that all serves")


def tearDownModule():
    assert gateway.stop() == 0


def get(path, extra=b""):
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + extra + CLOSE + b"\r\n"


class Framing(unittest.TestCase):
    """What two readers could understand in two ways is refused, and nothing behind it is read."""

    SMUGGLED = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"

    def refused(self, data, status, reason):
        answer = gateway.one(data + self.SMUGGLED)
        self.assertEqual((answer.status, answer.json["reason"]), (status, reason), data)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertEqual(answer.headers["connection"], "close")

    def test_ambiguous_lengths_are_refused(self):
        post = b"POST /api/events HTTP/1.1\r\n" + HOST
        for head, reason in [
            (b"content-length: 3\r\ncontent-length: 10\r\n\r\nabc", "DUPLICATE_HEADER"),
            (b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc", "DUPLICATE_HEADER"),
            (b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "BAD_LENGTH"),
            (b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "DUPLICATE_HEADER"),
            (b"content-length: +5\r\n\r\nabcde", "BAD_LENGTH"),
            (b"content-length: 0x5\r\n\r\nabcde", "BAD_LENGTH"),
            (b"content-length: 5, 5\r\n\r\nabcde", "BAD_LENGTH"),
            (b"content-length: \r\n\r\n", "BAD_LENGTH"),
            (b"content-length: 99999999999999999999\r\n\r\n", "BAD_LENGTH"),
            (b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n", "BAD_HEADER"),
            (b"x: a\r\n content-length: 5\r\n\r\n", "BAD_HEADER"),
        ]:
            self.refused(post + head, 400, reason)
        self.refused(post + b"transfer-encoding: xchunked\r\n\r\n", 501, "ENCODING_UNKNOWN")
        self.refused(post + b"transfer-encoding: gzip, chunked\r\n\r\n", 501, "ENCODING_UNKNOWN")
        self.refused(b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, "BAD_LENGTH")

    def test_bad_chunks_are_refused(self):
        post = b"POST /api/events HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n"
        for body in [b"zz\r\n", b"5;a=b\nabcde\r\n", b"5;" + b"a" * 300 + b"\r\n", b"5\nabcde", b"5\r\nabcdefg", b"-1\r\n", b"fffffffff\r\n", b"\r\n",
                     b"0\r\nx: a\0\r\n\r\n"]:
            self.refused(post + body, 400, "BAD_CHUNK")

    def test_chunked_body_is_read_byte_by_byte(self):
        body = json.dumps({"title": "a"}).encode()
        data = b"".join(b"%x;a=b\r\n%b\r\n" % (1, body[i : i + 1]) for i in range(len(body))) + b"0\r\nx: y\r\n\r\n"
        head = b"POST /api/events HTTP/1.1\r\n" + HOST + CLOSE + b"content-type: application/json\r\n"
        with gateway.connect() as connection:
            for byte in head + b"transfer-encoding: chunked\r\n\r\n" + data:
                connection.sendall(bytes([byte]))
            answer = parse_answers(read_all(connection))[0]
        self.assertEqual(answer.status, 400)  # read, and the rest of its fields is missing
        self.assertIn("userId", [error["field"] for error in answer.json["errors"]])

    def test_what_can_only_be_refused_is_refused_at_once(self):
        for data, status, reason in [
            (b"GET /healthz HTTP/1.1\nhost: a\n\n", 400, "BAD_REQUEST_LINE"),
            (b"GET /healthz HTTP/1.1\r\n" + HOST + b"\n", 400, "BAD_REQUEST_LINE"),
            (b"POST /api/nothing HTTP/1.1\r\n" + HOST + b"content-length: 5\r\n\r\n", 404, "ROUTE_NOT_FOUND"),
            (b"POST /api/nothing HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n", 404, "ROUTE_NOT_FOUND"),
        ]:
            start = time.monotonic()
            answer = gateway.one(data)
            self.assertEqual((answer.status, answer.json["reason"]), (status, reason), data)
            self.assertLess(time.monotonic() - start, 5)

    def test_bad_heads_are_refused(self):
        for data, status, reason in [
            (b"GET /x HTTP/1.1\nhost: a\n\n\r\n\r\n", 400, "BAD_REQUEST_LINE"),
            (b"GET  /x HTTP/1.1\r\n" + HOST + b"\r\n", 400, "BAD_REQUEST_LINE"),
            (b"GET /x\r\n\r\n", 400, "BAD_REQUEST_LINE"),
            (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "BAD_REQUEST_LINE"),
            (b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", 400, "BAD_REQUEST_LINE"),
            (b"GET /x HTTP/2.0\r\n" + HOST + b"\r\n", 505, "VERSION_UNKNOWN"),
            (b"GET /x HTTP/1.1\r\n\r\n", 400, "BAD_HOST"),
            (b"GET /x HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400, "DUPLICATE_HEADER"),
            (b"GET /x HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, "BAD_HOST"),
            (b"GET /x HTTP/1.1\r\n" + HOST + b"x: a\0b\r\n\r\n", 400, "BAD_HEADER"),
            (b"GET /x HTTP/1.1\r\n" + HOST + b"x: a\rb\r\n\r\n", 400, "BAD_HEADER"),
            (b"GET /x HTTP/1.1\r\n" + HOST + b": a\r\n\r\n", 400, "BAD_HEADER"),
            (b"GET /x HTTP/1.1\r\n" + HOST + b"x y: a\r\n\r\n", 400, "BAD_HEADER"),
            (b"GET /x HTTP/1.1\r\n" + HOST + b"expect: more\r\n\r\n", 417, "EXPECTATION_FAILED"),
            (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "TARGET_TOO_LONG"),
            (b"GET /x HTTP/1.1\r\n" + HOST + b"x: " + b"a" * 40000 + b"\r\n\r\n", 431, "HEADERS_TOO_LARGE"),
            (b"GET /x HTTP/1.1\r\n" + HOST + b"x: a\r\n" * 200 + b"\r\n", 431, "HEADERS_TOO_LARGE"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400, "BAD_REQUEST_LINE"),
        ]:
            self.refused(data, status, reason)

    def test_a_method_that_no_path_takes_is_told_which_it_may_be(self):
        for method in b"TRACE", b"QUERY", b"BREW", b"get":
            for path, status in [(b"/api/events", 405), (b"/healthz", 405), (b"/api/nothing", 404)]:
                answer = gateway.one(method + b" " + path + b" HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
                self.assertEqual(answer.status, status, (method, path))
                self.assertEqual("allow" in answer.headers, status == 405)

    def test_pipelined_requests_are_answered_in_order(self):
        data = b"\r\n".join([get(b"/healthz").replace(CLOSE, b""), get(b"/api/nothing").replace(CLOSE, b""), get(b"/healthz")])
        self.assertEqual([answer.status for answer in gateway.raw(data)], [200, 404, 200])

    def test_half_closed_peer_is_answered(self):
        with gateway.connect() as connection:
            connection.sendall(get(b"/healthz").replace(CLOSE, b""))
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(parse_answers(read_all(connection))[0].status, 200)

    def test_continue_is_told_when_it_is_asked_for(self):
        with gateway.connect() as connection:
            connection.sendall(b"POST /api/events HTTP/1.1\r\n" + HOST + CLOSE +
                               b"content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b"{}")
            self.assertEqual(parse_answers(read_all(connection))[0].status, 400)


class Paths(unittest.TestCase):
    def test_tricks_are_refused(self):
        for path in [b"/api/events/%2e%2e/x", b"/api/../metrics", b"/api//events", b"//x", b"/api/./events", b"/api/events/a%2fb",
                     b"/api/events/a%5cb", b"/api/events/%00", b"/api/events/%0d%0ax:y", b"/api/events/%ff", b"/api/events/%c0%af",
                     b"/api/events/%zz", b"/api/events/%e", b"/" + b"a/" * 20]:
            answer = gateway.one(get(path))
            self.assertEqual((answer.status, answer.json["reason"]), (400, "BAD_PATH"), path)
            self.assertNotIn("x", answer.headers)

    def test_unknown_path_names_near_routes(self):
        answer = gateway.ask("GET", "/api/evnts")
        self.assertEqual((answer.status, answer.json["reason"]), (404, "ROUTE_NOT_FOUND"))
        self.assertIn("/api/events", answer.json["detail"])
        self.assertEqual(gateway.ask("GET", "/api/events/").status, 404)

    def test_wrong_method_names_those_that_are_right(self):
        answer = gateway.ask("PUT", "/api/events")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "GET, HEAD, POST, OPTIONS"))
        self.assertEqual(gateway.ask("POST", "/healthz").headers["allow"], "GET, HEAD, OPTIONS")

    def test_options_tells_the_methods(self):
        answer = gateway.ask("OPTIONS", "/api/events")
        self.assertEqual((answer.status, answer.headers["allow"]), (204, "GET, HEAD, POST, OPTIONS"))
        self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_whole_url_as_target_is_taken(self):
        self.assertEqual(gateway.one(get(b"http://127.0.0.1/healthz")).status, 200)

    def test_problem_types_are_explained(self):
        self.assertIn("another user", gateway.ask("GET", "/api/problems/EVENT_NOT_FOUND").json["meaning"])
        self.assertEqual(gateway.ask("GET", "/api/problems/NO_SUCH_WORD").status, 404)


class Files(unittest.TestCase):
    """What is embedded in the program."""

    def test_the_description_is_served_packed_and_once(self):
        plain = gateway.ask("GET", "/api/openapi.json")
        packed = gateway.ask("GET", "/api/openapi.json", accept_encoding="gzip")
        self.assertIn("/api/events/{eventDraftId}/publish", plain.json["paths"])
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertEqual(gateway.ask("GET", "/api/openapi.json", if_none_match=plain.headers["etag"]).status, 304)

    def test_pages_may_load_from_the_gateway_alone(self):
        page = gateway.ask("GET", "/api/docs")
        self.assertEqual(page.headers["content-type"], "text/html; charset=utf-8")
        self.assertIn("default-src 'none'; script-src 'self'", page.headers["content-security-policy"])
        self.assertNotIn("unsafe", page.headers["content-security-policy"])
        self.assertEqual(page.headers["x-frame-options"], "DENY")
        self.assertEqual(gateway.ask("DELETE", "/api/docs").status, 405)


class Bodies(unittest.TestCase):
    def refused(self, answer, status, reason, field=None):
        self.assertEqual((answer.status, answer.json["reason"]), (status, reason), answer.json)
        if field is not None:
            self.assertIn(field, [error["field"] for error in answer.json["errors"]])

    def test_other_types_than_json_are_refused(self):
        self.refused(gateway.ask("POST", "/api/events", b"a=b", content_type="application/x-www-form-urlencoded"), 415,
                     "WRONG_CONTENT_TYPE")
        self.refused(gateway.ask("POST", "/api/events", b"{}", content_encoding="gzip"), 415, "WRONG_CONTENT_TYPE")
        self.refused(gateway.ask("GET", "/api/channels", b"{}"), 400, "BODY_NOT_TAKEN")

    def test_bad_json_names_the_place(self):
        self.refused(gateway.ask("POST", "/api/events", b'{"title": 5}'), 400, "INVALID_JSON", "title")
        self.refused(gateway.ask("POST", "/api/events", b'{"storeInfo": {"nme": "x"}}'), 400, "INVALID_JSON", "storeInfo.nme")
        self.refused(gateway.ask("POST", "/api/events", b"{"), 400, "INVALID_JSON")
        self.refused(gateway.ask("POST", "/api/events", b'{"title":"\xff"}'), 400, "INVALID_JSON")

    def test_too_long_bodies_are_refused(self):
        head = b"POST /api/events HTTP/1.1\r\n" + HOST + b"content-type: application/json\r\n"
        self.refused(gateway.one(head + b"content-length: 900000000\r\n\r\n"), 413, "BODY_TOO_LARGE")
        self.refused(gateway.one(head + b"content-length: 300000\r\n\r\n" + b" " * 300000), 413, "BODY_TOO_LARGE")
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        self.refused(gateway.one(head + b"transfer-encoding: chunked\r\n\r\n" + chunk * 20), 413, "BODY_TOO_LARGE")

    def test_bad_parameters_name_the_parameter(self):
        for query, name in (("usrId=a", "usrId"), ("userId=u-1&pageSize=x", "pageSize"), ("userId=%ff", "userId"), ("%", ""),
                            ("userId=%00", "userId"), ("userId=a&userId=b", "userId")):
            answer = gateway.ask("GET", f"/api/events?{query}")
            self.refused(answer, 400, "BAD_QUERY", name)
            self.assertIn(f'query parameter "{name}"' if name else "The query cannot be read: ", answer.json["detail"])
        self.assertIn('did you mean "userId"?', gateway.ask("GET", "/api/events?usrId=a").json["detail"])
        self.refused(gateway.ask("POST", "/api/events?title=a", {}), 400, "BAD_QUERY", "title")
        self.refused(gateway.ask("POST", "/api/channels/NO_CHANNEL/control"), 400, "INVALID_JSON", "channel")

    def test_problems_speak_of_parameters_and_routes(self):
        answer = gateway.ask("GET", "/api/events")
        self.refused(answer, 400, "INVALID_FIELD", "userId")
        self.assertEqual(answer.json["detail"], "userId must be set; give it as ?userId=…")
        self.assertEqual(answer.json["errors"][0]["message"], "must be set; give it as ?userId=…")
        self.assertEqual(gateway.ask("POST", "/api/events", {"title": "t", "storeInfo": STORE}).json["errors"][0]["message"],
                         "must be set")
        draft = create().json["event"]["eventDraftId"]
        answer = gateway.ask("POST", f"/api/events/{draft}/publish", {"userId": "u-http", "selectedChannels": ["INSTAGRAM"]})
        self.assertEqual((answer.status, answer.json["reason"]), (400, "NOT_PUBLISH_READY"))
        self.assertEqual({error["field"]: error["see"] for error in answer.json["errors"]},
                         {"objective": ["PUT /api/events/{eventDraftId}/objective"],
                          "recommendation": ["PUT /api/events/{eventDraftId}/recommendation"],
                          "content": ["POST /api/events/{eventDraftId}/content-generation",
                                      "PUT /api/events/{eventDraftId}/content"]})
        self.assertIn("/api/events/{eventDraftId}/objective", gateway.ask("GET", f"/api/events/{draft}/object").json["detail"])
        self.assertIn("Send one header Host", gateway.one(b"GET / HTTP/1.1\r\n\r\n").json["detail"])

    def test_path_and_body_must_agree(self):
        self.refused(gateway.ask("POST", f"/api/events/{MISSING}/end", {"eventDraftId": "other", "userId": "u-1"}), 400,
                     "INVALID_JSON", "eventDraftId")

    def test_answers_are_json_for_who_takes_that(self):
        self.refused(gateway.ask("GET", "/api/channels", accept="text/html"), 406, "NOT_ACCEPTABLE")
        for accepted in ("application/json", "text/html, application/*;q=0.1", "*/*"):
            self.assertEqual(gateway.ask("GET", "/api/channels", accept=accepted).status, 200)

    def test_time_outs_are_checked(self):
        self.refused(gateway.ask("GET", "/api/channels", x_request_timeout_ms="0"), 400, "BAD_TIMEOUT")
        self.refused(gateway.ask("GET", "/api/channels", request_timeout="1e3"), 400, "BAD_TIMEOUT")
        self.assertEqual(gateway.ask("GET", "/api/channels", request_timeout="2.5").status, 200)


class Origins(unittest.TestCase):
    def test_pages_of_others_may_not_change_anything(self):
        answer = gateway.ask("POST", "/api/events", {}, origin="https://evil.example")
        self.assertEqual((answer.status, answer.json["reason"]), (403, "ORIGIN_NOT_ALLOWED"))
        self.assertEqual(gateway.ask("POST", "/api/events", {}, origin="null").status, 403)
        self.assertEqual(gateway.ask("POST", "/api/events", {}, origin=gateway.url).status, 400)  # of its own
        self.assertNotIn("access-control-allow-origin",
                         gateway.ask("GET", "/api/channels", origin="https://evil.example").headers)

    def test_a_name_that_leads_here_is_refused(self):
        answer = gateway.ask("GET", "/api/channels", host="evil.example:7100")
        self.assertEqual((answer.status, answer.json["reason"]), (421, "MISDIRECTED"))
        self.assertEqual(gateway.ask("GET", "/healthz", host="localhost:1").status, 200)

    def test_allowed_origins_get_what_cors_needs(self):
        other = Gateway(FOLDER, cors_origins="https://shop.example, https://b.example", hosts="api.example")
        answer = other.ask("OPTIONS", "/api/events", host="api.example", origin="https://shop.example",
                           access_control_request_method="POST")
        self.assertEqual(answer.status, 204)
        self.assertEqual(answer.headers["access-control-allow-origin"], "https://shop.example")
        self.assertIn("POST", answer.headers["access-control-allow-methods"])
        self.assertIn("idempotency-key", answer.headers["access-control-allow-headers"])
        answer = other.ask("OPTIONS", "/api/events", host="api.example", origin="https://c.example",
                           access_control_request_method="POST")
        self.assertNotIn("access-control-allow-origin", answer.headers)
        self.assertEqual(other.ask("GET", "/healthz", host="other.example").status, 421)
        lines = other.ask("GET", "/metrics", host="api.example").body.decode().splitlines()
        counted = [line for line in lines if line.startswith("herald_http_requests_total")]
        self.assertIn('herald_http_requests_total{method="OPTIONS",route="/api/events",status="204"} 2', counted)
        self.assertNotIn('{method="GET",route="/api/events",', "".join(counted))
        self.assertNotIn('method=""', "".join(counted))
        self.assertEqual(other.stop(), 0)


def create(user="u-http", **headers):
    body = {"userId": user, "title": "가을 세일", "prize": "커피 한 잔", "storeInfo": STORE}
    return gateway.ask("POST", "/api/events", body, **headers)


class Flows(unittest.TestCase):
    def test_a_draft_is_published_with_its_pictures(self):
        base = f"/api/events/{create().json['event']['eventDraftId']}"
        for part, body in [
            ("objective", {"objective": "NEW_CUSTOMERS"}),
            ("recommendation", {"recommendation": {"recommendationId": "r-1", "title": "첫 손님 커피"}}),
        ]:
            answer = gateway.ask("PUT", f"{base}/{part}", dict(body, userId="u-http"))
            self.assertEqual(answer.status, 200, answer.body)
        answer = gateway.ask("POST", f"{base}/content-generation", {"userId": "u-http"})
        self.assertEqual((answer.status, answer.json["status"]), (202, "PENDING"))
        job = answer.json["jobId"]
        self.assertEqual(answer.headers["location"], f"/api/jobs/{job}")
        gateway.ask("GET", f"/api/jobs/{job}/wait", accept="text/event-stream")
        answer = gateway.ask("PUT", f"{base}/content", {"userId": "u-http", "jobId": job, "style": "SIMPLE"})
        self.assertEqual(answer.status, 200, answer.body)
        body = {"userId": "u-http", "selectedChannels": ["GENIE_TV", "INSTAGRAM"]}
        answer = gateway.ask("POST", f"{base}/publish", body, idempotency_key=f"publish-{base[-36:]}")
        self.assertEqual((answer.status, answer.json["status"]), (200, "ACTIVE"), answer.body)
        self.assertEqual(answer.json["eventId"], base[-36:])
        self.assertEqual({result["channel"] for result in answer.json["distributionResults"]}, {"GENIE_TV", "INSTAGRAM"})
        listed = gateway.ask("GET", "/api/events?userId=u-http&pageSize=100").json["events"]
        event = next(one for one in listed if one["eventDraftId"] == base[-36:])
        self.assertEqual(event["deliveries"], [{"channel": channel, "state": "PUBLISHED", "attempted": True}
                                               for channel in ("GENIE_TV", "INSTAGRAM")])
        self.assertEqual({len(one["deliveries"]) for one in listed if one["status"] == "DRAFT"} - {0}, set())
        again = gateway.ask("POST", f"{base}/publish", body, idempotency_key=f"publish-{base[-36:]}")
        self.assertEqual(again.body, answer.body)

    def test_a_repeat_gives_the_same_bytes(self):
        first = create(idempotency_key='"key-1-%d"' % os.getpid())
        again = create(idempotency_key="key-1-%d" % os.getpid())
        self.assertEqual((first.status, again.status), (201, 201))
        self.assertEqual(first.body, again.body)
        self.assertEqual(first.headers["idempotency-key"], '"key-1-%d"' % os.getpid())
        other = gateway.ask("POST", "/api/events", {"userId": "u-http", "title": "x", "storeInfo": STORE},
                            idempotency_key="key-1-%d" % os.getpid())
        self.assertEqual((other.status, other.json["reason"]), (422, "IDEMPOTENCY_KEY_REUSED"))

    def test_what_was_made_is_where_location_says(self):
        made = create()
        self.assertEqual(made.headers["location"], f"/api/events/{made.json['event']['eventDraftId']}")
        found = gateway.ask("GET", made.headers["location"] + "?userId=u-http")
        self.assertEqual(found.json["event"], made.json["event"])
        self.assertNotIn("location", found.headers)
        self.assertNotIn("location", gateway.ask("POST", "/api/events", {"userId": "u-http"}).headers)

    def test_a_minted_key_is_told(self):
        first = create()
        again = create(idempotency_key=first.headers["idempotency-key"])
        self.assertEqual(first.body, again.body)
        self.assertEqual(create(idempotency_key="a b").json["reason"], "BAD_IDEMPOTENCY_KEY")
        self.assertEqual(create(idempotency_key="x" * 129).status, 400)

    def test_an_event_is_read_as_it_was_written(self):
        event = create().json["event"]
        answer = gateway.ask("GET", f"/api/events/{event['eventDraftId']}?userId=u-http")
        self.assertEqual(answer.json["event"], event)
        self.assertEqual(gateway.ask("GET", f"/api/events/{event['eventDraftId']}?user_id=u-http").body, answer.body)
        same = gateway.ask("GET", f"/api/events/{event['eventDraftId']}?userId=u-http", if_none_match=answer.headers["etag"])
        self.assertEqual((same.status, same.body), (304, b""))
        head = gateway.ask("HEAD", f"/api/events/{event['eventDraftId']}?userId=u-http")
        self.assertEqual((head.status, head.headers["content-length"], head.headers["etag"]),
                         (200, str(len(answer.body)), answer.headers["etag"]))

    def test_missing_and_foreign_events_look_the_same(self):
        event = create().json["event"]["eventDraftId"]
        foreign = gateway.ask("GET", f"/api/events/{event}?userId=u-other")
        missing = gateway.ask("GET", f"/api/events/{MISSING}?userId=u-other")
        self.assertEqual((foreign.status, missing.status), (404, 404))
        self.assertEqual({k: v for k, v in foreign.json.items() if k != "callId"},
                         {k: v for k, v in missing.json.items() if k != "callId"})

    def test_larger_answers_are_packed_for_who_takes_that(self):
        plain = gateway.ask("GET", "/api/channels")
        packed = gateway.ask("GET", "/api/channels", accept_encoding="br, gzip;q=0.5")
        self.assertEqual(packed.headers["content-encoding"], "gzip")
        for answer in (plain, packed):
            self.assertIn("accept-encoding", answer.headers["vary"])
        self.assertEqual(json.loads(gzip.decompress(packed.body)).keys(), plain.json.keys())
        self.assertLess(len(packed.body), len(plain.body) / 2)
        self.assertNotIn("content-encoding", gateway.ask("GET", "/api/channels", accept_encoding="gzip;q=0").headers)

    def test_a_body_without_bytes_is_an_empty_message(self):
        self.assertEqual(gateway.ask("POST", f"/api/events/{MISSING}/end").json["reason"], "INVALID_FIELD")


class Slow(unittest.TestCase):
    def test_a_slow_head_is_ended(self):
        with gateway.connect() as connection:
            start = time.monotonic()
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
            threading.Thread(target=self.drip, args=(connection,), daemon=True).start()
            answer = parse_answers(read_all(connection))[0]
            self.assertEqual((answer.status, answer.json["reason"]), (408, "REQUEST_TIMEOUT"))
            self.assertLess(time.monotonic() - start, 10)

    @staticmethod
    def drip(connection):
        try:
            while True:
                connection.sendall(b"x: y\r\n")
                time.sleep(0.1)
        except OSError:
            pass

    def test_a_slow_body_is_ended(self):
        with gateway.connect() as connection:
            connection.sendall(b"POST /api/events HTTP/1.1\r\n" + HOST + b"content-length: 10\r\n\r\nab")
            self.assertEqual(parse_answers(read_all(connection))[0].status, 408)

    def test_silent_connections_are_ended(self):
        with gateway.connect() as connection:
            self.assertEqual(read_all(connection), b"")
        with gateway.connect() as connection:
            connection.sendall(get(b"/healthz").replace(CLOSE, b""))
            self.assertEqual(parse_answers(read_all(connection))[0].status, 200)

    def test_ten_thousand_idle_connections_keep_nobody_out(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20000), hard))
        other = Gateway(FOLDER, max_connections=2000, max_connections_per_address=0, head_ms=60000)
        idle = []
        try:
            for _ in range(10000):
                connection = socket.socket()
                connection.setblocking(False)
                try:
                    connection.connect(("127.0.0.1", other.port))
                except BlockingIOError:
                    pass
                idle.append(connection)
            self.assertEqual(other.ask("GET", "/healthz").status, 200)
            self.assertLessEqual(other.metric("herald_http_connections "), 2001)
        finally:
            for connection in idle:
                connection.close()
        self.assertEqual(other.stop(), 0)

    def test_too_many_requests_at_once_are_refused(self):
        other = Gateway(FOLDER, max_requests=2)
        job = LongPolls().job()
        waiting = [other.connect() for _ in range(2)]
        for connection in waiting:
            connection.sendall(get(f"/api/jobs/{job}/wait?version=1000000&waitMs=20000".encode()))
        Gateway.wait(lambda: other.ask("GET", "/healthz").status == 503, "there is no room for one more")
        refused = other.ask("GET", "/healthz")
        self.assertEqual((refused.headers["retry-after"], refused.json["reason"]), ("1", "GATEWAY_BUSY"))
        waiting[0].close()
        Gateway.wait(lambda: other.ask("GET", "/healthz").status == 200, "there is room again")
        waiting[1].close()
        self.assertEqual(other.stop(), 0)

    def test_one_address_has_its_share(self):
        other = Gateway(FOLDER, max_connections_per_address=10, head_ms=60000)
        idle = [other.connect() for _ in range(50)]
        self.assertEqual(other.ask("GET", "/healthz").status, 200)
        self.assertLessEqual(other.metric("herald_http_connections "), 11)
        for connection in idle:
            connection.close()
        self.assertEqual(other.stop(), 0)


class LongPolls(unittest.TestCase):
    def job(self):
        body = {"eventDraftId": create().json["event"]["eventDraftId"], "userId": "u-http", "title": "t", "storeInfo": STORE}
        answer = gateway.ask("POST", "/api/jobs", body)
        self.assertEqual(answer.status, 202, answer.body)
        return answer.json["jobId"]

    def test_a_job_is_followed_to_its_end(self):
        job = self.job()
        events = gateway.ask("GET", f"/api/jobs/{job}/wait", accept="text/event-stream")
        self.assertEqual(events.headers["content-type"], "text/event-stream; charset=utf-8")
        blocks = [block for block in events.body.decode().split("\n\n") if block]
        changes = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks if "event: change" in block]
        self.assertEqual(json.loads(changes[-1]["data"])["job"]["status"], "COMPLETED")
        versions = [int(change["id"]) for change in changes]
        self.assertEqual(versions, sorted(set(versions)))
        self.assertIn("event: end", blocks[-1])
        again = gateway.ask("GET", f"/api/jobs/{job}/wait", accept="text/event-stream", last_event_id=changes[-1]["id"])
        self.assertEqual((again.status, again.body), (204, b""))  # an EventSource comes back no more
        for seen in (str(versions[-1] - 1), "none of ours"):
            behind = gateway.ask("GET", f"/api/jobs/{job}/wait", accept="text/event-stream", last_event_id=seen)
            self.assertIn(f"id: {versions[-1]}\nevent: change", behind.body.decode())
            self.assertIn("event: end", behind.body.decode())

    def test_a_poll_ends_in_time(self):
        job = self.job()
        start = time.monotonic()
        answer = gateway.ask("GET", f"/api/jobs/{job}/wait?version=1000000&waitMs=60000", x_request_timeout_ms="300")
        self.assertEqual((answer.status, answer.json["changed"]), (200, False))
        self.assertLess(time.monotonic() - start, 10)

    def test_what_cannot_be_followed_is_a_problem(self):
        answer = gateway.ask("GET", f"/api/jobs/{MISSING}/wait", accept="text/event-stream")
        self.assertEqual((answer.status, answer.headers["content-type"]), (404, "application/problem+json"))

    def waiting(self):
        servers = gateway.ask("GET", "/api/servers").json["servers"]
        jobs = next(server for server in servers if server["name"] == "herald-job")
        return sum(method["inFlight"] for method in jobs["methods"] if method["method"].endswith("/WaitJob"))

    def test_a_client_that_goes_away_cancels_its_call(self):
        job = self.job()
        connection = gateway.connect()
        connection.sendall(get(f"/api/jobs/{job}/wait?version=1000000&waitMs=60000".encode()))
        Gateway.wait(lambda: self.waiting() == 1, "the call waits at the server")
        connection.close()
        Gateway.wait(lambda: self.waiting() == 0, "the call was cancelled at the server", 10)

    def test_a_drain_answers_who_waits(self):
        other = Gateway(FOLDER)
        job = self.job()
        with other.connect() as connection, other.connect() as silent, other.connect() as follower:
            connection.sendall(get(f"/api/jobs/{job}/wait?version=1000000&waitMs=1500".encode()).replace(CLOSE, b""))
            follower.sendall(get(f"/api/jobs/{job}/wait?version=1000000".encode(), b"accept: text/event-stream\r\n"))
            Gateway.wait(lambda: other.metric("herald_http_requests_in_flight ") >= 3, "the calls wait")
            start = time.monotonic()
            other.process.send_signal(signal.SIGTERM)
            answer = parse_answers(read_all(connection))[0]
            self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"))
            read_all(follower)
            self.assertEqual(read_all(silent), b"")
            self.assertEqual(other.process.wait(15), 0)
            self.assertLess(time.monotonic() - start, 8)  # nobody who said nothing was waited for


class Servers(unittest.TestCase):
    def test_a_killed_server_is_not_noticed_by_readers(self):
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        probe.close()
        second = subprocess.Popen([f"{FOLDER}/herald-job"], env=dict(os.environ, HERALD_JOB_URL=url))
        other = Gateway(FOLDER, job_url=f"{os.environ['HERALD_JOB_URL']},{url}")
        Gateway.wait(lambda: sum(server["status"] == "SERVING" for server in other.ask("GET", "/api/servers").json["servers"]
                                 if server["name"] == "herald-job") == 2, "both serve")
        statuses = []
        for i in range(300):
            if i == 100:
                second.kill()
            statuses.append(other.ask("GET", f"/api/jobs/{MISSING}").status)
        self.assertEqual(set(statuses), {404})
        second.wait()
        self.assertEqual(other.stop(), 0)

    def test_a_missing_server_is_told_with_a_time_to_come_back(self):
        other = Gateway(FOLDER, job_url="tcp://127.0.0.1:1")
        answer = other.ask("GET", f"/api/jobs/{MISSING}")
        self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
        self.assertNotIn("127.0.0.1", answer.body.decode())
        self.assertIn("no server of herald.job.v1.JobService took the call: ", answer.json["detail"])
        self.assertTrue(answer.json["mayRepeat"])
        ready = other.ask("GET", "/readyz")
        self.assertEqual(ready.status, 503)
        self.assertIn({"name": "herald-job", "status": "UNREACHABLE"}, ready.json["dependencies"])
        self.assertEqual(other.stop(), 0)

    def test_the_servers_show_themselves(self):
        servers = gateway.ask("GET", "/api/servers").json["servers"]
        self.assertEqual({server["name"] for server in servers},
                         {"herald-event", "herald-job", "herald-distribution", "herald-content"})
        event = next(server for server in servers if server["name"] == "herald-event")
        self.assertEqual(event["status"], "SERVING")
        self.assertIn("database", [dependency["name"] for dependency in event["dependencies"]])

    @staticmethod
    def heraldctl(*arguments, urls):
        """Runs heraldctl, which looks at gateways. Returns: exit status, the JSON that it prints"""
        ended = subprocess.run([f"{FOLDER}/heraldctl", "-o", "json", *arguments], env=dict(os.environ, HERALD_GATEWAY_URL=urls),
                               capture_output=True, text=True, timeout=60)
        return ended.returncode, json.loads(ended.stdout)

    def test_heraldctl_knows_a_gateway_that_serves(self):
        gateway.ask("GET", f"/api/jobs/{MISSING}")
        _, servers = self.heraldctl("health", urls=gateway.url)
        found = next(server for server in servers if server["server"] == "herald-gateway")
        self.assertEqual((found["url"], found["status"]), (gateway.url, "SERVING"))
        self.assertIn({"name": "herald-job", "status": "SERVING", "message": ""}, found["services"][0]["components"])
        status, look = self.heraldctl("top", "--once", "--interval", "300ms", urls=gateway.url)
        self.assertEqual(status, 0)
        shown, = look["gateways"]
        self.assertEqual(shown["state"], "SERVING")
        self.assertRegex(shown["version"], r"^\d+\.\d+")
        self.assertGreater(shown["requestsPerS"], 0)  # its own
        self.assertGreaterEqual(shown["connections"], 1)
        _, findings = self.heraldctl("doctor", urls=gateway.url)
        finding = next(one for one in findings if one["check"] == "herald-gateway")
        self.assertTrue(finding["ok"])
        self.assertIn(f"version {shown['version']}, ", finding["message"])

    def test_heraldctl_says_what_a_gateway_lacks_and_what_to_do(self):
        lacking = Gateway(FOLDER, job_url="tcp://127.0.0.1:1")
        self.addCleanup(lacking.stop)
        self.assertEqual(lacking.ask("GET", f"/api/jobs/{MISSING}").status, 503)
        gone = Gateway(FOLDER)
        self.assertEqual(gone.stop(), 0)
        no_gateway = socket.create_server(("127.0.0.1", 0))
        stranger = f"http://127.0.0.1:{no_gateway.getsockname()[1]}"
        thread = threading.Thread(target=self.answer_404, args=(no_gateway,), daemon=True)
        thread.start()
        urls = f"{lacking.url},{gone.url},{stranger}"
        status, servers = self.heraldctl("health", urls=urls)
        self.assertEqual(status, 5)
        states = {server["url"]: server for server in servers if server["server"] == "herald-gateway"}
        self.assertEqual({url: state["status"] for url, state in states.items()},
                         {lacking.url: "NOT_SERVING", gone.url: "UNREACHABLE", stranger: "UNKNOWN"})
        self.assertIn("herald-job: UNREACHABLE", states[lacking.url]["message"])
        status, findings = self.heraldctl("doctor", urls=urls)
        self.assertEqual(status, 5)
        first, second, third = [one for one in findings if one["check"] == "herald-gateway"]
        self.assertFalse(first["ok"] or second["ok"] or third["ok"])
        self.assertIn("start", first["remedy"])
        self.assertIn("start herald-gateway", second["remedy"])
        self.assertIn("HTTP 404", third["message"])
        _, look = self.heraldctl("top", "--once", "--interval", "100ms", urls=urls)
        self.assertEqual([one["state"] for one in look["gateways"]], ["NOT_SERVING", "UNREACHABLE", "UNKNOWN"])
        self.assertEqual(look["gateways"][0]["backends"]["herald-job"], "UNREACHABLE")
        self.assertGreaterEqual(look["gateways"][0]["errors"], 1)
        no_gateway.close()

    @staticmethod
    def answer_404(listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            connection.close()

    def test_it_does_not_listen_to_strangers_unless_told(self):
        ended = subprocess.run([f"{FOLDER}/herald-gateway"], env=dict(os.environ, HERALD_GATEWAY_LISTEN="http://0.0.0.0:0"),
                               capture_output=True, text=True, timeout=30)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("insecure = true in section [gateway]", ended.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
