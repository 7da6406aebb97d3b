#!/usr/bin/env python3
"""Checks that a function with a row of the database ends the reading of it with db_row_end(), and does not return before:
what it has read of a row of another type is nothing."""

import re

import sources

ROW = re.compile(r"\bstruct db_row (\w+)\s*[=;,)]")


def check(path, code):
    for name, _, start, end in sources.functions(code):
        head = max(code.rfind("}", 0, start), code.rfind(";", 0, start)) + 1
        for row in ROW.finditer(code, head, end):
            ending = re.search(rf"\bdb_row_end\(&{row.group(1)}\b", code[row.end() : end])
            line = sources.line_of(code, row.start())
            if not ending:
                yield f"{path}:{line}: {name}() reads the row {row.group(1)} without db_row_end()"
            elif re.search(r"\breturn\b", code[row.end() : row.end() + ending.start()].rpartition("\n")[0]):
                yield f"{path}:{line}: {name}() may return before db_row_end() of the row {row.group(1)}"


def self_test():
    """The lint must see what it is there for."""
    read = "struct db_row r = db_row_of(&reply, 0, 0, NULL);\n int n = db_get_int(&r, A);\n"
    bad = [
        f"int f(void) {{ {read} return n; }}",
        f"int f(void) {{ {read} if (n) {{ return 0; }}\n return db_row_end(&r, e); }}",
        "int f(struct db_row row, int *out) { *out = db_get_int(&row, A); return 0; }",
        f"int f(void) {{ {read} return db_row_end(&other, e); }}",
    ]
    for text in bad:
        assert len(list(check("self_test.c", text))) == 1, text
    good = f"int f(void) {{ {read} return db_row_end(&r, e); }}\nvoid g(struct db_row *row) {{ db_get_int(row, A); }}\n"
    assert not list(check("self_test.c", good))


def main():
    self_test()
    problems = []
    checked = 0
    for path in sources.files(".c"):
        code = sources.code_only(sources.read(path))
        if path.startswith("server/") and ROW.search(code):
            checked += 1
            problems += check(path, code)
    sources.finish("rows", problems, checked)


main()
