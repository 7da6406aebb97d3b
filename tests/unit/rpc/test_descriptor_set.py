#!/usr/bin/python3
"""Loads what Reflection/Describe says of the schemas into the reference implementation of protobuf.

Usage: test_descriptor_set.py SERVER HERALDCTL"""

import base64
import json
import os
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

# A name to ask for, and a method or message that must be in the answer.
ASKED = {
    "herald.event.v1.EventService/PublishEvent": ("herald.event.v1.EventService", "PublishEvent"),
    "herald.distribution.v1.DistributionService": ("herald.distribution.v1.DistributionService", "Distribute"),
    "herald.job.v1.JobService/GetJob": ("herald.job.v1.JobService", "GetJob"),
    "herald.rpc.v1.Introspection/ListTasks": ("herald.rpc.v1.Introspection", "ListTasks"),
    "herald.rpc.v1.Request": None,
    "herald.event.v1.EventDraft": None,
}


def describe(heraldctl, url, name):
    """The FileDescriptorSet in which the server's answer puts a name."""
    command = [heraldctl, "-o", "json", "call", "herald.rpc.v1.Reflection/Describe", "--url", url]
    answer = subprocess.run(command + ["-d", json.dumps({"name": name})], check=True, capture_output=True, timeout=30)
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString(base64.b64decode(json.loads(answer.stdout)["fileDescriptorSet"]))
    return files


def load(files):
    """A pool with the files, added in the order of the set: imports must come first."""
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
        pool.FindFileByName(file.name)  # builds it, which fails when an import is missing
    return pool


def check(heraldctl, url, name, method):
    files = describe(heraldctl, url, name)
    pool = load(files)
    if method is None:
        pool.FindMessageTypeByName(name)
    else:
        service = pool.FindServiceByName(method[0])
        assert service.methods_by_name[method[1]].input_type.full_name.endswith(method[1] + "Request")
    print(f"{name}: {len(files.file)} files")
    return pool


def main():
    server, heraldctl = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        url = f"ipc://{folder}/server"
        process = subprocess.Popen([server], env=dict(os.environ, HERALD_JOB_URL=url), stdout=subprocess.DEVNULL)
        try:
            for name, method in ASKED.items():
                pool = check(heraldctl, url, name, method)
            # A message made from the schema alone reads what our JSON says.
            draft = message_factory.MessageFactory(pool).GetPrototype(
                pool.FindMessageTypeByName("herald.event.v1.EventDraft")
            )()
            json_format.Parse('{"eventDraftId": "e-1", "status": "APPROVED"}', draft)
            assert draft.event_draft_id == "e-1" and draft.status == 2, draft
        finally:
            process.terminate()
            status = process.wait(timeout=60)
    assert status == 0, f"the server ended with {status}"


main()
