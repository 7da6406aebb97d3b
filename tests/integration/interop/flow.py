#!/usr/bin/env python3
"""Has a client that is not from this repository call every method of every service, through the whole flow from draft
to publication, and checks results, errors, repeats and deadlines. Under build/…/tests/with-stack.

    flow.py [--sign CALLER:KEY_ID:FILE | --bearer CALLER:KEY_ID:FILE] COMMAND…

COMMAND… is the client's command line; it is given URL and "-", and speaks JSON lines (see client/interop). With a key, the
servers require credentials: --sign KEY_ID:FILE, or --bearer and a token made with the key, is added to the command line.
"""
import argparse
import base64
import datetime
import hashlib
import hmac
import json
import os
import subprocess
import tempfile
import threading
import time
import uuid

PATIENCE_S = 90
EVENTS, JOBS, DISTRIBUTION = "herald.event.v1.EventService/", "herald.job.v1.JobService/", "herald.distribution.v1.DistributionService/"
STORE = {"name": "모퉁이 카페", "address": "서울 마포구 연남로 12"}


START = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def ahead(**how_long):
    """An instant after the start of the flow, as JSON says it."""
    return (START + datetime.timedelta(**how_long)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Client:
    """The client under test, connected to one server."""

    def __init__(self, command, url):
        self.process = subprocess.Popen(command + [url, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        encoding="utf-8")
        self.arrived, self.answers, self.last_id, self.ended = threading.Condition(), {}, 0, False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            with self.arrived:
                self.answers[answer["id"]] = answer
                self.arrived.notify_all()
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def start(self, method, request=None, **how):
        self.last_id += 1
        self.process.stdin.write(json.dumps({"id": self.last_id, "method": method, "request": request or {}, **how}) + "\n")
        self.process.stdin.flush()
        return self.last_id

    def wait(self, call):
        with self.arrived:
            self.arrived.wait_for(lambda: call in self.answers or self.ended, PATIENCE_S)
            assert call in self.answers, "the client did not answer"
            return self.answers.pop(call)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(PATIENCE_S) == 0, "the client did not end well"


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_token(key, user, age_s=0):
    caller, key_id, path = key.split(":", 2)
    with open(path, encoding="ascii") as file:
        key = base64.b64decode(file.read())
    made = int(time.time()) - age_s
    claims = {"sub": caller, "iat": made, "exp": made + 600, "jti": str(uuid.uuid4()), "user": user}
    text = ".".join(url64(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": key_id}, claims))
    return text + "." + url64(hmac.new(key, text.encode(), hashlib.sha256).digest())


class Flow:
    def __init__(self, command, sign, bearer):
        self.command, self.sign, self.bearer = command, sign, bearer
        self.called, self.user = set(), f"u-{uuid.uuid4().hex[:12]}"
        urls = [os.environ[f"HERALD_{name}_URL"] for name in ("EVENT", "JOB", "DISTRIBUTION")]
        self.clients = [Client(command + self.credential(), url) for url in urls]
        self.event, self.job, self.distribution = self.clients

    def credential(self):
        if self.sign:
            return ["--sign", self.sign.split(":", 1)[1], "--user", self.user]
        return ["--bearer", make_token(self.bearer, self.user)] if self.bearer else []

    def call(self, client, method, request=None, expect="OK", **how):
        answer = client.wait(client.start(method, request, **how))
        self.called.add((client, method))
        assert answer["outcome"] == "EXECUTED", f"{method}: {answer}"
        assert answer["code"] == expect, f"{method} should be {expect}: {answer}"
        return answer["response"] if expect == "OK" and not how.get("whole") else answer

    def raw(self, client, method, request, **how):
        answer = client.wait(client.start(method, request, **how))
        assert answer["code"] == "OK", answer
        return base64.b64decode(answer["payload"]), answer["response"]

    # ---- what every server has ----

    def common(self, client):
        rpc = "herald.rpc.v1."
        assert self.call(client, rpc + "Health/Check")["status"] == "SERVING"
        self.call(client, rpc + "Health/Check", {"service": "no.such.Service"}, expect="NOT_FOUND")
        services = self.call(client, rpc + "Reflection/ListServices")["services"]
        described = self.call(client, rpc + "Reflection/Describe", {"name": services[-1]["methods"][0]["name"]})
        assert described["text"] and described["fileDescriptorSet"]
        self.call(client, rpc + "Reflection/Describe", {"name": "no.Such"}, expect="NOT_FOUND")
        assert self.call(client, rpc + "Introspection/GetInfo")["pid"] > 0
        assert self.call(client, rpc + "Introspection/GetStats")["methods"]
        methods = {method["name"] for service in services for method in service["methods"]}
        more = [("Introspection/ListRecentCalls", {}), ("Introspection/ListTasks", {}), ("Introspection/ListFailpoints", {}),
                ("Introspection/SetLogLevel", {"level": "INFO"}), ("Calls/Cancel", {"ticket": str(2**63)})]
        for name, request in more:
            self.call(client, rpc + name, request)
        # NOT_FOUND, but UNIMPLEMENTED where failpoints are not built in.
        answer = client.wait(client.start(rpc + "Introspection/SetFailpoint",
                                          {"failpoint": {"name": "no.such_failpoint", "action": "off"}}))
        self.called.add((client, rpc + "Introspection/SetFailpoint"))
        assert answer["code"] in ("NOT_FOUND", "UNIMPLEMENTED"), answer
        return methods

    # ---- draft, pictures, publication ----

    def draft(self):
        request = {"userId": self.user, "title": "봄맞이 감사 이벤트", "prize": "아메리카노 1잔", "brandColor": "#2B6CB0",
                   "storeInfo": STORE}
        key = f"create-{uuid.uuid4()}"
        first, response = self.raw(self.event, EVENTS + "CreateEvent", request, idempotencyKey=key)
        for _ in range(3):
            again, _ = self.raw(self.event, EVENTS + "CreateEvent", request, idempotencyKey=key)
            assert again == first, "a repeat with the same key must get the same bytes"
        answer = self.call(self.event, EVENTS + "CreateEvent", dict(request, title="another"), idempotencyKey=key,
                           expect="INVALID_ARGUMENT")
        assert answer["reason"] == "IDEMPOTENCY_KEY_REUSED", answer
        self.draft_id = response["event"]["eventDraftId"]
        self.own = {"eventDraftId": self.draft_id, "userId": self.user}

    def choose(self):
        got = self.call(self.event, EVENTS + "GetEvent", self.own)["event"]
        assert got["title"] == "봄맞이 감사 이벤트" and got["storeInfo"]["name"] == STORE["name"] and got["status"] == "DRAFT"
        listed = self.call(self.event, EVENTS + "ListEvents", {"userId": self.user})["events"]
        assert [event["eventDraftId"] for event in listed] == [self.draft_id]
        answer = self.call(self.event, EVENTS + "PublishEvent", self.own, expect="FAILED_PRECONDITION")
        assert len(answer["details"]) >= 3, "everything that is missing is listed at once"
        self.call(self.event, EVENTS + "SelectObjective", dict(self.own, objective="NEW_CUSTOMERS"))
        self.call(self.event, EVENTS + "SelectRecommendation", dict(self.own, recommendation={
            "recommendationId": "r-1", "title": "첫 방문 쿠폰", "summary": "처음 오신 분께 아메리카노 한 잔을 드려요."}))
        period = self.call(self.event, EVENTS + "SelectPeriod", dict(self.own, endsAt=ahead(days=30)))["event"]
        assert period["endsAt"] == ahead(days=30) and "startsAt" not in period, period
        purpose = self.call(self.event, EVENTS + "GetPurpose", {"userId": self.user})
        assert purpose["objective"] == "NEW_CUSTOMERS", purpose

    def pictures(self):
        started = self.call(self.event, EVENTS + "RequestImageGeneration", self.own)
        job_id, version, job = started["jobId"], "0", {}
        while job.get("status") not in ("COMPLETED", "FAILED"):
            job = self.call(self.job, JOBS + "WaitJob", {"jobId": job_id, "version": version, "waitMs": 20000})["job"]
            version = job.get("version", "0")
        assert job["status"] == "COMPLETED" and len(job["pictures"]) == 3, job
        assert self.call(self.job, JOBS + "GetJob", {"jobId": job_id})["job"] == job
        self.call(self.event, EVENTS + "SelectContent", dict(self.own, jobId=job_id, style="SIMPLE"))
        self.finished_job = job

    def publish(self):
        request = dict(self.own, selectedChannels=["INSTAGRAM", "KAKAO_CHANNEL", "NAVER_BLOG"])
        key = f"publish-{uuid.uuid4()}"
        first, response = self.raw(self.event, EVENTS + "PublishEvent", request, idempotencyKey=key)
        assert response["status"] == "ACTIVE" and len(response["distributionResults"]) == 3, response
        assert all(result["accepted"] for result in response["distributionResults"])
        again, _ = self.raw(self.event, EVENTS + "PublishEvent", request, idempotencyKey=key)
        assert again == first
        stored = self.call(self.distribution, DISTRIBUTION + "GetDistribution", {"eventId": self.draft_id})
        assert stored["completed"] and len(stored["results"]) == 3, stored
        steps = [entry["step"] for entry in self.call(self.event, EVENTS + "GetEventTimeline", self.own)["entries"]]
        assert steps.index("APPROVED") < steps.index("POSTED") < steps.index("ACTIVATED"), steps
        now = self.call(self.event, EVENTS + "WaitEvent", self.own)
        assert now["event"]["status"] == "ACTIVE" and len(now["distributionResults"]) == 3, now
        while now.get("changed"):  # the last steps of the timeline are told a little later
            now = self.call(self.event, EVENTS + "WaitEvent", dict(self.own, version=now["version"], waitMs=1000))

    def deliveries(self):
        """What an owner does about deliveries: waits for them, has them retried, reports a post that a person made."""
        of_event = {"eventId": self.draft_id, "userId": self.user}
        retried = self.call(self.event, EVENTS + "RetryDelivery", self.own)
        assert not retried.get("retried") and len(retried["distributionResults"]) == 3, retried
        at_blog = dict(of_event, channel="NAVER_BLOG")
        preview = self.call(self.distribution, DISTRIBUTION + "GetDeliveryPreview", at_blog)
        assert "봄맞이 감사 이벤트" in preview["html"] and not preview.get("problems"), preview
        url = os.environ["HERALD_NAVER_BLOG_URL"] + "/shop/1"
        confirmed = self.call(self.distribution, DISTRIBUTION + "ConfirmAssistedPublish", dict(at_blog, url=url))
        assert (confirmed["result"]["state"], confirmed["result"]["postUrl"]) == ("PUBLISHED", url), confirmed
        waited = self.call(self.distribution, DISTRIBUTION + "WaitDistribution", dict(of_event, waitMs=1000))["distribution"]
        assert {result["state"] for result in waited["results"]} == {"PUBLISHED"}, waited
        again = self.call(self.distribution, DISTRIBUTION + "WaitDistribution",
                          dict(of_event, afterVersion=waited["version"], waitMs=100))["distribution"]
        assert again["version"] == waited["version"], again

    def channels(self):
        """What an operator does: pauses a channel, moves and cancels what waits, begins it anew."""
        content = {"title": "t", "storeInfo": STORE, "pngUrl": self.finished_job["pictures"][0]["pngUrl"],
                   "jpegUrl": self.finished_job["pictures"][0]["jpegUrl"]}
        of_event = {"eventId": str(uuid.uuid4()), "userId": self.user}
        at_tv = dict(of_event, channel="GENIE_TV")
        listed = self.call(self.distribution, DISTRIBUTION + "ListChannels")["channels"]
        assert len(listed) == 6 and all(channel["configured"] for channel in listed), listed
        paused = self.call(self.distribution, DISTRIBUTION + "ControlChannel", {"channel": "GENIE_TV", "action": "PAUSE"})
        assert paused["channel"]["pause"] == "PAUSED_BY_OPERATOR", paused
        sent = self.call(self.distribution, DISTRIBUTION + "Distribute",
                         dict(of_event, channels=["GENIE_TV"], content=content, scheduledAt=ahead(hours=1)))
        assert sent["results"][0]["state"] == "DEFERRED" and not sent.get("completed"), sent
        moved = self.call(self.distribution, DISTRIBUTION + "ScheduleDistribution",
                          dict(of_event, scheduledAt=ahead(hours=2), timeZone="Asia/Seoul"))
        assert moved["scheduledAt"] == ahead(hours=2), moved
        cancelled = self.call(self.distribution, DISTRIBUTION + "CancelDistribution", of_event)
        assert cancelled["cancelled"] == 1 and cancelled["results"][0]["state"] == "CANCELLED", cancelled
        resumed = self.call(self.distribution, DISTRIBUTION + "ControlChannel", {"channel": "GENIE_TV", "action": "RESUME"})
        assert resumed["channel"].get("pause", "NOT_PAUSED") == "NOT_PAUSED", resumed
        assert self.call(self.distribution, DISTRIBUTION + "RetryDelivery", at_tv)["retried"] == 1
        sent = {"version": "0"}
        while not sent.get("completed"):
            sent = self.call(self.distribution, DISTRIBUTION + "WaitDistribution",
                             dict(of_event, afterVersion=sent["version"], waitMs=20000))["distribution"]
        assert sent["results"][0]["state"] == "PUBLISHED", sent
        assert not self.call(self.distribution, DISTRIBUTION + "ListUnknownDeliveries").get("deliveries")
        known = self.call(self.distribution, DISTRIBUTION + "ResolveDelivery",
                          {"eventId": of_event["eventId"], "channel": "GENIE_TV", "resolution": "SEND_AGAIN"}, expect="FAILED_PRECONDITION")
        assert known["reason"] == "OUTCOME_KNOWN", known

    def direct_calls(self):
        """What other servers usually call."""
        content = {"title": "t", "storeInfo": STORE, "pngUrl": self.finished_job["pictures"][0]["pngUrl"],
                   "jpegUrl": self.finished_job["pictures"][0]["jpegUrl"]}
        sent = self.call(self.distribution, DISTRIBUTION + "Distribute",
                         {"eventId": str(uuid.uuid4()), "channels": ["GENIE_TV"], "content": content})
        assert sent["results"][0]["accepted"], sent
        created = self.call(self.job, JOBS + "CreateImageJob", dict(
            self.own, title="직접", storeInfo=STORE))
        updated = self.call(self.job, JOBS + "UpdateJob", {"jobId": created["jobId"], "status": "FAILED", "failure": "by hand"})
        assert (updated["job"]["jobId"], updated["job"]["status"]) == (created["jobId"], "FAILED"), updated
        listed = self.call(self.job, JOBS + "ListJobs", {"eventDraftId": self.draft_id, "status": "FAILED"})["jobs"]
        assert [job["jobId"] for job in listed] == [created["jobId"]], listed
        requeued = self.call(self.job, JOBS + "RequeueJob", {"jobId": created["jobId"]})["job"]
        assert (requeued["jobId"], requeued["status"]) == (created["jobId"], "PENDING"), requeued

    def ending(self):
        assert self.call(self.event, EVENTS + "EndEvent", self.own)["event"]["status"] == "ENDED"
        other = self.call(self.event, EVENTS + "CreateEvent", {"userId": self.user, "title": "t", "storeInfo": STORE})
        other = {"eventDraftId": other["event"]["eventDraftId"], "userId": self.user}
        self.call(self.event, EVENTS + "DeleteEvent", other)
        self.call(self.event, EVENTS + "GetEvent", other, expect="NOT_FOUND")

    # ---- errors, deadlines, many at once ----

    def errors(self):
        answer = self.call(self.event, EVENTS + "CreateEvent", {"userId": self.user, "brandColor": "red", "storeInfo": {}}, expect="INVALID_ARGUMENT")
        found = {(detail["field"], detail["reason"]) for detail in answer["details"]}
        assert found == {("title", "REQUIRED"), ("brandColor", "INVALID_FORMAT"), ("storeInfo.name", "REQUIRED")}, answer
        if self.sign or self.bearer:
            answer = self.call(self.event, EVENTS + "GetEvent", dict(self.own, userId="u-other"), expect="PERMISSION_DENIED")
            assert answer["reason"] == "NOT_YOUR_USER", answer
            assert self.call(self.event, EVENTS + "GetEvent", {"eventDraftId": self.draft_id}), "the credential names the user"
            return
        mine = self.call(self.event, EVENTS + "GetEvent", dict(self.own, userId="u-other"), expect="NOT_FOUND")
        nobodys = self.call(self.event, EVENTS + "GetEvent", dict(self.own, eventDraftId=str(uuid.uuid4())), expect="NOT_FOUND")
        assert mine["reason"] == nobodys["reason"], "somebody else's draft looks like none"

    def strangers(self):
        """Without a credential, or with a bad one, only what anyone may call."""
        if not self.sign and not self.bearer:
            return
        bad = {"CREDENTIAL_MISSING": []}
        with tempfile.NamedTemporaryFile("w") as other:
            other.write(base64.b64encode(os.urandom(32)).decode())
            other.flush()
            if self.sign:
                bad["BAD_CREDENTIAL"] = ["--sign", f"{self.sign.split(':')[1]}:{other.name}", "--user", self.user]
            else:
                forged = f"{self.bearer.rsplit(':', 1)[0]}:{other.name}"
                bad["BAD_TOKEN"] = ["--bearer", make_token(forged, self.user)]
                bad["TOKEN_EXPIRED"] = ["--bearer", make_token(self.bearer, self.user, age_s=900)]
            for reason, options in bad.items():
                client = Client(self.command + options, os.environ["HERALD_EVENT_URL"])
                answer = client.wait(client.start(EVENTS + "GetEvent", self.own))
                assert (answer["code"], answer["reason"]) == ("UNAUTHENTICATED", reason), answer
                client.close()

    def deadline(self):
        request = {"jobId": self.finished_job["jobId"], "version": str(2**62), "waitMs": 60000}
        answer = self.job.wait(self.job.start(JOBS + "WaitJob", request, timeoutMs=300))
        assert answer["code"] in ("DEADLINE_EXCEEDED", "OK"), answer
        assert answer["outcome"] in ("EXECUTED", "MAYBE_EXECUTED"), answer

    def many_at_once(self):
        calls = [self.event.start(EVENTS + "GetEvent", self.own) for _ in range(200)]
        answers = [self.event.wait(call) for call in reversed(calls)]
        assert all(answer["response"]["event"]["eventDraftId"] == self.draft_id for answer in answers)

    def run(self):
        expected = {(client, method) for client in self.clients for method in self.common(client)}
        for part in (self.draft, self.choose, self.pictures, self.publish, self.deliveries, self.channels, self.direct_calls, self.errors,
                     self.strangers, self.deadline, self.many_at_once, self.ending):
            part()
            print(f"{part.__name__}: good", flush=True)
        missing = {method for _, method in expected - self.called}
        assert not missing, f"never called: {sorted(missing)}"
        for client in self.clients:
            client.close()
        print(f"{len(expected)} methods of {len(self.clients)} servers called")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sign")
    parser.add_argument("--bearer")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    Flow(options.command, options.sign, options.bearer).run()
