#!/usr/bin/env python3
"""Compares the reasons of server/gateway/http_problem.h with those of the table in docs/http.md: each stands there, with its
status, and no other. With --self-test: only the checks of the check."""

import os
import re
import sys

import sources

HEADER, PAGE = "server/gateway/http_problem.h", "docs/http.md"
ROW = re.compile(r"^ *X\(([A-Z_]+), (\d{3}), ", re.MULTILINE)
HEADING = "| reason of HTTP | status | when |"


def table_of(page):
    """The statuses of each reason in the table: one status for all of a row's, or as many as it has."""
    found, lines = {}, page[page.index(HEADING) :].splitlines()[2:]
    for line in lines:
        if not line.startswith("|"):
            break
        reasons, statuses = (cell.strip() for cell in line.split("|")[1:3])
        words, numbers = re.findall(r"`([A-Z_]+)`", reasons), re.findall(r"\d{3}", statuses)
        found.update(zip(words, numbers * len(words) if len(numbers) == 1 else numbers))
        if len(numbers) not in (1, len(words)):
            found.update({word: "?" for word in words})
    return found


def problems(header, page):
    rows, told = dict(ROW.findall(header)), table_of(page)
    for word in sorted(rows.keys() | told.keys()):
        if rows.get(word) != told.get(word):
            yield f"{PAGE}: {word} has status {told.get(word, 'none')}, and {HEADER} says {rows.get(word, 'none')}"


def self_test():
    header = '#define HTTP_PROBLEMS(X) \\\n    X(BAD_A, 400, C, "a") \\\n    X(BAD_B, 501, C, "b")\n'
    page = HEADING + "\n|---|---|---|\n| `BAD_A`, `BAD_B` | 400, 501 | x |\n\n| `BAD_C` | 400 | other |\n"
    assert not list(problems(header, page))
    assert len(list(problems(header, page.replace(", 501", "")))) == 1
    assert len(list(problems(header, page.replace(", `BAD_B`", "")))) == 2
    assert len(list(problems(header.replace("BAD_B", "BAD_D"), page))) == 2


def main():
    self_test()
    if sys.argv[1:] == ["--self-test"]:
        return 0
    texts = [open(os.path.join(sources.ROOT, path), encoding="utf-8").read() for path in (HEADER, PAGE)]
    found = list(problems(*texts))
    print("\n".join(found + [f"http_reasons: {len(ROW.findall(texts[0]))} checked, {len(found)} problems"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
