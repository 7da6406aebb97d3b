#!/usr/bin/env python3
"""Checks that each failpoint of a table is hit somewhere, and that each setting of a table is read somewhere."""

import re

import sources

FAILPOINT_ROW = re.compile(r'^    X\((\w+), "[\w.]+", FAILPOINT_(IN_TASK|OF_REPLY),', re.MULTILINE)
SETTING_ROW = re.compile(r"^    (?:STRING|SECRET|UINT|BOOL|CHOICE)\((\w+), (\w+),", re.MULTILINE)
MACRO = re.compile(r"^#define (?:.*\\\n)*.*$", re.MULTILINE)
# Read nowhere, and kept because a file that sets them must still be accepted.
UNREAD = {"publish_reconcile_after_ms"}


def is_table(path, what):
    return path.startswith("server/") and re.search(rf"_{what}\.[ch]$", path)


def check_failpoints(texts):
    """texts: {path: text}"""
    code = "\n".join(text for path, text in texts.items() if not is_table(path, "failpoints"))
    for path, text in texts.items():
        for match in FAILPOINT_ROW.finditer(text) if is_table(path, "failpoints") else ():
            name, kind = match.groups()
            call = "failpoint_hit" if kind == "IN_TASK" else "failpoint_drops"
            if not re.search(rf"\b{call}\(\s*FAILPOINT_{name}\b", code):
                yield f"{path}:{sources.line_of(text, match.start())}: no {call}(FAILPOINT_{name})"


def check_settings(texts):
    """texts: {path: text}. The room's own check of a setting does not count as a use of it. Rows that several sections
    share are made by a macro whose parameter is called section; what reads them is then made by one, too."""
    code = "\n".join(text for path, text in texts.items() if not is_table(path, "settings"))
    read = set(re.findall(r"(?:->|\.)(\w+)", code)) | {f"section_{key}" for key in re.findall(r"->section##_(\w+)", code)}
    for path, text in texts.items():
        for match in SETTING_ROW.finditer(text) if is_table(path, "settings") else ():
            member = "_".join(match.groups())
            if (member in read) == (member in UNREAD):
                what = "is read: take it from UNREAD" if member in read else "is read nowhere"
                yield f"{path}:{sources.line_of(text, match.start())}: the setting {member} {what}"


def self_test():
    """The lint must see what it is there for."""
    table = {"server/x/x_failpoints.h": '    X(A, "x.a", FAILPOINT_IN_TASK, "…") \\\n    X(B, "x.b", FAILPOINT_OF_REPLY, "…")\n'}
    hit = "failpoint_hit(FAILPOINT_A, e); failpoint_drops(FAILPOINT_B);"
    assert not list(check_failpoints(table | {"server/x/x.c": hit}))
    assert len(list(check_failpoints(table | {"server/x/x.c": "failpoint_hit(FAILPOINT_A, e);"}))) == 1
    assert len(list(check_failpoints(table | {"server/x/x.c": "failpoint_hit(FAILPOINT_AB, e);"}))) == 2
    table = {"server/x/x_settings.h": '    UINT(x, a, 1, 0, 2, "…") \\\n    STRING(x, b, "", "…")\n'}
    table["server/x/x_settings.c"] = "settings->x_b"
    assert not list(check_settings(table | {"server/x/x.c": "settings->x_a + settings.x_b"}))
    assert len(list(check_settings(table | {"server/x/x.c": "settings->x_a"}))) == 1
    table = {"server/x/x_settings.h": '    UINT(section, a, 1, 0, 2, "…") \\\n    STRING(section, b, "", "…")\n'}
    assert len(list(check_settings(table | {"server/x/x.c": "own->section##_a"}))) == 1


def main():
    self_test()
    paths = [path for path in sources.files(".c", ".h") if not path.startswith("tests/")]
    texts = {path: sources.read(path) for path in paths}
    for path in paths:
        if not is_table(path, "(?:failpoints|settings)"):
            macros = "\n".join(MACRO.findall(texts[path]))
            texts[path] = sources.code_only(texts[path]) + macros
    rows = sum(len(FAILPOINT_ROW.findall(text)) + len(SETTING_ROW.findall(text)) for text in texts.values())
    sources.finish("declared", list(check_failpoints(texts)) + list(check_settings(texts)), rows)


main()
