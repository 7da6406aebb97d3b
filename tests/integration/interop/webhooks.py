"""Verifies Herald's signatures with the reference library of Standard Webhooks: webhooks.py SIGNING_PROGRAM"""

import base64
import json
import random
import subprocess
import sys
import time
from datetime import datetime, timezone

from standardwebhooks import Webhook, WebhookVerificationError

SEED = 9
ROUNDS = 200


def new_secret(rng):
    return "whsec_" + base64.b64encode(rng.randbytes(rng.randint(24, 64))).decode()


def sign(program, secrets, post_id, timestamp, body):
    """The value of webhook-signature. @secrets  newest first"""
    separator = random.Random(body).choice([" ", ",", ", "])
    command = [program, separator.join(secrets), post_id, str(timestamp)]
    return subprocess.run(command, input=body, capture_output=True, check=True, timeout=30).stdout.decode().strip()


def accepts(secret, post_id, timestamp, signatures, body):
    headers = {"webhook-id": post_id, "webhook-timestamp": str(timestamp), "webhook-signature": signatures}
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def new_body(rng):
    characters = rng.choices("abc 행사 0123456789\"\\\n", k=rng.randint(0, 4000))
    return json.dumps({"title": "".join(characters)}, ensure_ascii=rng.random() < 0.5).encode()


def check_round(program, rng):
    secrets = [new_secret(rng) for _ in range(rng.randint(1, 4))]
    post_id, timestamp, body = f"evt_{rng.getrandbits(128):032x}", int(time.time()), new_body(rng)
    signatures = sign(program, secrets, post_id, timestamp, body)
    for secret in secrets:
        assert accepts(secret, post_id, timestamp, signatures, body), (secret, post_id, timestamp, signatures, body)
    assert not accepts(new_secret(rng), post_id, timestamp, signatures, body)
    assert not accepts(secrets[0], post_id + "x", timestamp, signatures, body)
    assert not accepts(secrets[0], post_id, timestamp + 1, signatures, body)
    assert not accepts(secrets[0], post_id, timestamp, signatures, body + b" ")


def check_same_signature(program):
    """The library's own signature of the newest secret is the first of ours."""
    rng = random.Random(SEED)
    secrets = [new_secret(rng), new_secret(rng)]
    body = '{"test": 2432232314}'
    theirs = Webhook(secrets[0]).sign("msg_1", datetime.fromtimestamp(1614265330, timezone.utc), body)
    ours = sign(program, secrets, "msg_1", 1614265330, body.encode())
    assert ours.split(" ")[0] == theirs, (ours, theirs)
    assert len(ours.split(" ")) == 2, ours


def main():
    program = sys.argv[1]
    check_same_signature(program)
    rng = random.Random(SEED)
    for _ in range(ROUNDS):
        check_round(program, rng)
    print(f"{ROUNDS} posts verified, each with secrets of its own")


main()
