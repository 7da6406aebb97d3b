#!/usr/bin/env python3
"""The client of flow.py that has nothing installed but nng's own nngcat: each call is a probe in plain text.

    nngcat_client.py [--bearer TOKEN] [--ca FILE [--cert FILE]] URL - < LINES
"""
import argparse
import base64
import concurrent.futures
import json
import subprocess
import sys


def call(url, bearer, tls, line):
    probe = {"method": line["method"], "request": line.get("request", {})}
    for name in ("timeoutMs", "idempotencyKey"):
        if name in line:
            probe[name] = line[name]
    if bearer:
        probe["auth"] = {"bearer": bearer}
    patience_s = line.get("timeoutMs", 85000) // 1000 + 5
    done = subprocess.run(["nngcat", "--req", "--dial", url, "--raw", "--recv-timeout", str(patience_s), "--data",
                           json.dumps(probe, ensure_ascii=False), *tls], stdout=subprocess.PIPE, check=True)
    if not done.stdout:
        return {"outcome": "MAYBE_EXECUTED", "code": "UNAVAILABLE"}
    reply = json.loads(done.stdout)
    if isinstance(reply.get("error"), dict):
        return {"outcome": "EXECUTED", **reply["error"]}
    return {"outcome": "EXECUTED", "code": "OK", "response": reply, "payload": base64.b64encode(done.stdout).decode()}


def main():
    parser = argparse.ArgumentParser()
    for name in ("--bearer", "--ca", "--cert"):
        parser.add_argument(name)
    parser.add_argument("url")
    parser.add_argument("lines")
    options = parser.parse_args()

    tls = ["--cacert", options.ca] if options.ca else []
    tls += ["--cert", options.cert] if options.cert else []

    def run(line):
        sys.stdout.write(json.dumps({"id": line["id"], **call(options.url, options.bearer, tls, line)}) + "\n")
        sys.stdout.flush()

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        list(threads.map(run, map(json.loads, sys.stdin)))


if __name__ == "__main__":
    main()
