#!/usr/bin/env python3
"""Checks what no compiler looks at: unfinished work, tabs, blanks at line ends, missing final newlines, guards."""

import re

import sources

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def check(path, text):
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        if UNFINISHED.search(line) and not path.startswith("tests/lint/"):
            problems.append(f"{path}:{number}: unfinished work is an issue, not a comment")
        if line != line.rstrip():
            problems.append(f"{path}:{number}: blanks at the end of the line")
        if "\t" in line:
            problems.append(f"{path}:{number}: a tab")
    if text and not text.endswith("\n"):
        problems.append(f"{path}: no newline at the end")
    if path.endswith(".h"):
        guard = re.search(r"^#ifndef (\w+)\n#define (\w+)\n", text, re.MULTILINE)
        if not guard or guard.group(1) != guard.group(2):
            problems.append(f"{path}: no include guard")
    return problems


def main():
    problems = []
    paths = sources.files(".c", ".h", ".sql", ".sh", ".py", "CMakeLists.txt", ".cmake")
    for path in paths:
        if not path.startswith(("tests/gen/bad", "tests/gen/data")):
            problems += check(path, sources.read(path))
    sources.finish("text", problems, len(paths))


main()
