#!/usr/bin/env python3
"""Checks that proto/WIRE.md agrees with what it describes: its examples with the vectors, each reason that it names with
a line of code, its tables of fields with the envelope's schema."""
import base64
import json
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Words in capitals that are no reasons.
OTHER_WORDS = {"NNG_OPT_REQ_RESENDTIME", "NOT_SENT", "EXECUTED", "MAYBE_EXECUTED", "READ", "IDEMPOTENT", "ONCE"}


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def sources():
    for top in ("client", "db", "server"):
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    yield read(folder, name)


def vector(file, name):
    return next(each for each in json.loads(read("tests", "wire", "vectors", file)) if each["name"] == name)


def check_reasons(page):
    code = "".join(sources())
    for word in sorted(set(re.findall(r"`([A-Z][A-Z0-9_]{3,})`", page)) - OTHER_WORDS):
        if f'"{word}"' not in code and f"X({word}," not in code:
            yield f"the reason {word} is in no source file"


def check_examples(page):
    example = vector("signature.json", "signature/worked-example")
    key = base64.b64encode(bytes.fromhex(example["sign"]["keyHex"])).decode()
    if any(part not in page for part in (example["text"], example["hex"], example["sign"]["payloadHex"], key)):
        yield "the worked example of a signature is not that of its vector"
    bootstrap = vector("request.json", "request/describe-envelope")
    shown = "".join(part.encode().hex() if quoted else part.replace(" ", "") for quoted, part in (
        (piece.startswith('"'), piece.strip('"')) for piece in re.findall(r'"[^"]*"|[0-9a-f ]+',
                                                                         re.search(r"```\n(0a 21 .*)\n```", page).group(1))))
    if shown != bootstrap["hex"]:
        yield f"the bytes that ask for the envelope's schema are {bootstrap['hex']}, not {shown}"


def check_fields(page):
    schema = read("proto", "herald", "rpc", "v1", "envelope.proto")
    for message in ("Request", "Response"):
        body = re.search(rf"^message {message} {{(.*?)^}}", schema, re.DOTALL | re.MULTILINE).group(1)
        wanted = re.findall(r"^  (?:repeated )?\w+ (\w+) = (\d+)", body, re.MULTILINE)
        table = page[page.index(f"`{message}`:"):]
        shown = re.findall(r"^\| (\d+) \| `(\w+)`", table, re.MULTILINE)[:len(wanted)]
        if [(name, number) for number, name in shown] != wanted:
            yield f"the table of {message} has {shown}, the schema {wanted}"


def main():
    page = read("proto", "WIRE.md")
    problems = [*check_reasons(page), *check_examples(page), *check_fields(page)]
    for problem in problems:
        print(f"proto/WIRE.md: {problem}")
    print(f"WIRE.md: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
