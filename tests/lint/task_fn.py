#!/usr/bin/env python3
"""Checks the marker TASK_FN: a function that calls one that may suspend the running task may suspend it too, and must
say so with the marker. Task bodies, which is where tasks begin, need none."""

import re

import sources

MARKED = re.compile(r"\bTASK_FN\b([^;{}]*?)(?:\(\s*\*\s*(\w+)\s*\)|\b(\w+))\s*\(")
CALL = re.compile(r"(\w+)\s*\(")
# Functions that begin a task with a body given by name.
SPAWN = re.compile(r"\b(?:task_spawn|task_group_spawn|task_spawn_\w+|loop_spawn)\s*\(")


def marked_names(code):
    """Names of the functions and function pointers that this text marks."""
    names = set()
    for match in MARKED.finditer(code):
        names.add(match.group(2) or match.group(3))
    return names


def arguments(code, opening):
    """The text between a call's parentheses."""
    depth = 0
    for position in range(opening, len(code)):
        if code[position] == "(":
            depth += 1
        elif code[position] == ")":
            depth -= 1
            if depth == 0:
                return code[opening + 1 : position]
    return code[opening + 1 :]


def task_bodies(code):
    """Names handed to a function that begins a task."""
    names = set()
    for match in SPAWN.finditer(code):
        names |= set(re.findall(r"\w+", arguments(code, match.end() - 1)))
    return names


def check_file(path, code, marked):
    problems = []
    known = marked | marked_names(code)
    bodies = task_bodies(code)
    for name, before, start, end in sources.functions(code):
        if name in known or name in bodies or "TASK_FN" in before:
            continue
        for call in CALL.finditer(code, start, end):
            if call.group(1) in known:
                problems.append(
                    f"{path}:{sources.line_of(code, call.start())}: {name}() calls {call.group(1)}(), which may "
                    f"suspend the task, so it must be marked TASK_FN too"
                )
                break
    return problems


def self_test():
    """The lint must see what it is there for."""
    code = sources.code_only(
        "TASK_FN int waits(void);\n"
        "TASK_FN static int fine(void) { return waits(); }\n"
        "static void body(void *arg) { waits(); }\n"
        "static void start(void) { task_spawn(loop, NULL, \"x\", body, NULL, NULL); }\n"
        "static int forgot(void) { if (1) { waits(); } return 0; }\n"
        "static int innocent(void) { /* waits() */ return 0; }\n"
    )
    found = check_file("self-test", code, set())
    assert len(found) == 1 and ":5: forgot()" in found[0], found


def main():
    self_test()
    paths = [path for path in sources.files(".c", ".h") if path.startswith(("server/", "client/include/"))]
    texts = {path: sources.code_only(sources.read(path)) for path in paths}
    marked = set()
    for path, code in texts.items():
        if path.endswith(".h"):
            marked |= marked_names(code)
    problems = []
    for path, code in texts.items():
        problems += check_file(path, code, marked)
    sources.finish("task_fn", problems, len(paths))


main()
