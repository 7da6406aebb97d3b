#!/usr/bin/env python3
"""Checks that each function of a header that returns a code says which: its comment has a line "Returns:", names codes
(HERALD_…), or refers to another function's ("as foo_bar()"). A comment may stand above a block of declarations."""

import re

import sources

# A declaration of a function, or of a pointer to one in a struct, that returns a code.
DECLARATION = re.compile(
    r"^[ \t]*(?:TASK_FN |HERALD_API |static inline |extern )*enum herald_code\s+(?:\(\s*\*\s*(\w+)\s*\)|(\w+))\s*\(", re.MULTILINE
)
SAYS = re.compile(r"Returns|HERALD_[A-Z]|\bas \w+\(\)|\bsee \w+\(\)|Ends with", re.IGNORECASE)


def comment_before(text, position):
    """The comment that ends just before a line; of a block of declarations without blank lines, the block's."""
    before = text[:position].rstrip(" \t\n")
    while before and not before.endswith("*/"):
        line_start = before.rfind("\n") + 1
        line = before[line_start:]
        if not line.strip() or text[len(before) : position].count("\n\n"):
            return ""
        before = before[:line_start].rstrip("\n")
        if text[len(before) : len(before) + 2] == "\n\n":
            return ""
    return before[before.rfind("/*") :] if before.endswith("*/") else ""


def check(path, text):
    problems = []
    for match in DECLARATION.finditer(text):
        name = match.group(1) or match.group(2)
        if not SAYS.search(comment_before(text, match.start())):
            line = sources.line_of(text, match.start())
            problems.append(f"{path}:{line}: {name}() returns a code and does not say which (\"Returns:\")")
    return problems


def self_test():
    """The lint must see what it is there for."""
    assert check("self_test.h", "/** Opens it. */\nenum herald_code file_open(void);\n")
    assert check("self_test.h", "enum herald_code file_open(void);\n")
    assert not check("self_test.h", "/** Opens it.\n * Returns: HERALD_OK | HERALD_NOT_FOUND */\nenum herald_code file_open(void);\n")


def main():
    self_test()
    problems = []
    paths = [path for path in sources.files(".h") if not path.startswith("tests/")]
    for path in paths:
        problems += check(path, sources.read(path))
    sources.finish("contracts", problems, len(paths))


main()
