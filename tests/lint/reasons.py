#!/usr/bin/env python3
"""Checks that a reason is written as its name of herald/reason.h and never as a string, that each row of the table is
used, that no row's number has changed, and that proto/WIRE.md gives each reason the table's code."""

import re

import sources

ROW = re.compile(r'^    X\((\w+), (\d+), (\w+), (\w+), "', re.MULTILINE)
NUMBERS = "tests/unit/client/reason_numbers.txt"
# Rows that nothing uses any more. They stay, because programs know their names and numbers.
RETIRED = {"HTTP_RESPONSE_TOO_BIG", "ROUND_COMPLETED"}
# Strings and comments, the longest first: what is in a comment may name a word.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
# The same text where it is no reason: an outcome of a call, an environment variable, the heading of a column.
OTHER_USES = {
    "NOT_SENT": r"return\s*$",
    "HERALD_FAILPOINT": r"getenv\(\s*$|settings file \*/\s*$",
    "FAILPOINT": r'"SERVER",\s*$',
    "QUOTA": r'"UNKNOWN",\s*$',
}
CODES = {
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
}  # fmt: skip


def is_table(path):
    return path.endswith(("/herald/reason.h", "/herald/code.h"))


def check_literals(path, text, table):
    for match in TOKEN.finditer(text):
        word = match.group()[1:-1]
        if match.group()[0] != '"' or word not in table:
            continue
        if word in OTHER_USES and re.search(OTHER_USES[word], text[: match.start()]):
            continue
        yield f'{path}:{sources.line_of(text, match.start())}: write HERALD_REASON_{word}, not "{word}"'


def check_rows(texts, table):
    used = set()
    for text in texts:
        used.update(re.findall(r"\bHERALD_REASON_([A-Z0-9_]+)", text))
    for word in sorted(set(table) - used - RETIRED):
        yield f"reason.h: {word} is used nowhere; if it once was, add it to RETIRED in tests/lint/reasons.py"


def check_numbers(rows, pinned):
    """Compares (word, number) of the table with the lines of NUMBERS, which has each row that was ever added."""
    numbers = [number for _, number in rows]
    if len(set(numbers)) != len(rows) or min(numbers, default=1) < 1:
        yield f"reason.h: the numbers of {len(rows)} rows are not each above 0 and its row's alone"
    table = dict(rows)
    last = 0
    for place, line in enumerate(pinned, 1):
        word, _, number = line.partition(" ")
        if not number.isdecimal() or int(number) <= last:
            yield f"{NUMBERS}:{place}: the line is no word with a number above {last}; lines are added at the end only"
        elif word not in table:
            yield f"reason.h: {word} {number} is gone; a row stays, and its number is never used again ({NUMBERS})"
        elif table[word] != int(number):
            yield f"reason.h: {word} has the number {table[word]}, not {number}; a number never changes ({NUMBERS})"
        last = max(last, int(number)) if number.isdecimal() else last
    known = {line.partition(" ")[0] for line in pinned}
    for word, number in rows:
        if word not in known:
            yield f'{NUMBERS}: add the line "{word} {number}" at the end; a new row takes a number above {last}'


def rows_of_page(page):
    """(code, reason) of each row of a table that gives both; the table of limits says one code for all."""
    for line in page.split("\n"):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        codes = [i for i, cell in enumerate(cells) if cell in CODES]
        if codes and codes[0] + 1 < len(cells):
            found = re.fullmatch(r"`([A-Z][A-Z0-9_]+)`", cells[codes[0] + 1])
            if found:
                yield cells[codes[0]], found.group(1)
    limits = re.search(r"^## \d+\. Limits$(.*?)^## ", page, re.DOTALL | re.MULTILINE).group(1)
    for line in limits.split("\n"):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        for word in re.findall(r"`([A-Z][A-Z0-9_]{3,})`", cells[-1] if cells else ""):
            code = re.match(r"([A-Z_]+), `", cells[-1])
            yield (code.group(1) if code else "RESOURCE_EXHAUSTED"), word


def check_page(page, table):
    rows = list(rows_of_page(page))
    if len(rows) < 25:
        yield f"proto/WIRE.md: only {len(rows)} rows with a code and a reason were found"
    for code, word in rows:
        if word not in table:
            yield f"proto/WIRE.md: {word} is not in reason.h"
        elif table[word][0] != code:
            yield f"proto/WIRE.md: {word} goes with {code}, in reason.h with {table[word][0]}"
    listed = re.search(r"^(`DRAINING`.*?)\n\n", page, re.DOTALL | re.MULTILINE)
    listed = set(re.findall(r"`(\w+)`", listed.group(1))) if listed else set()
    refused = {word for word, (_, stage) in table.items() if stage == "REFUSED"}
    for word in sorted(listed ^ refused):
        yield f"proto/WIRE.md: {word} is a refusal after which every call may be repeated, there or in reason.h alone"


def self_test():
    """The lint must see each way to change a number."""
    pinned = ["A 1", "B 2"]
    assert not list(check_numbers([("B", 2), ("A", 1)], pinned))
    for rows, lines, wanted in (
        ([("A", 2), ("B", 1)], pinned, ["A has the number 2, not 1", "B has the number 1, not 2"]),
        ([("A", 1), ("C", 2)], pinned, ["B 2 is gone", 'add the line "C 2" at the end; a new row takes a number above 2']),
        ([("A", 1), ("B", 2), ("C", 3)], pinned, ['add the line "C 3"']),
        ([("A", 1), ("B", 3)], pinned, ["B has the number 3, not 2"]),
        ([("A", 1), ("B", 1)], pinned, ["the numbers of 2 rows are not each", "B has the number 1, not 2"]),
        ([("A", 1), ("B", 2)], ["B 2", "A 1"], [":2: the line is no word"]),
        ([("A", 1), ("B", 7)], ["A 1", "B x"], [":2: the line is no word"]),
    ):
        problems = list(check_numbers(rows, lines))
        assert len(problems) == len(wanted) and all(part in text for part, text in zip(wanted, problems)), problems


def main():
    self_test()
    paths = sources.files(".c", ".h")
    header = [path for path in paths if path.endswith("/herald/reason.h")]
    rows = ROW.findall(sources.read(header[0])) if header else []
    table = {name: (code, stage) for name, _, code, stage in rows}
    problems = [] if table else ["no herald/reason.h with rows"]
    texts = []
    for path in paths:
        if is_table(path) or path.startswith("tests/"):
            continue
        text = sources.read(path)
        texts.append(text)
        problems += check_literals(path, text, table)
    problems += check_rows(texts, table)
    problems += check_numbers([(row[0], int(row[1])) for row in rows], sources.read(NUMBERS).splitlines())
    problems += check_page(sources.read("proto/WIRE.md"), table)
    sources.finish("reasons", problems, len(texts))


main()
