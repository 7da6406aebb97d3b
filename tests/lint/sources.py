"""What the lints have in common: which files are written by hand, C text without comments, and its functions."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("client", "db", "deploy", "gen/plugin", "server", "tests")
GENERATED = ("tests/gen/golden",)


def files(*suffixes):
    """Paths, relative to the root, of hand-written files with these suffixes, sorted."""
    found = []
    for folder in FOLDERS:
        for parent, _, names in os.walk(os.path.join(ROOT, folder)):
            relative = os.path.relpath(parent, ROOT)
            if relative.startswith(GENERATED) or "/jars" in relative:
                continue
            found += [os.path.join(relative, name) for name in names if name.endswith(suffixes)]
    return sorted(found)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*',
    re.DOTALL | re.MULTILINE,
)


def code_only(text):
    """The text with comments, strings and preprocessor lines blanked; line numbers stay right."""

    def blank(match):
        token = match.group()
        if token[0] == '"':
            return '"' + " " * (len(token) - 2) + '"'
        return re.sub(r"[^\n]", " ", token)

    return _TOKENS.sub(blank, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


_FUNCTION = re.compile(r"(?:^|[;}])([^;{}=]*?)\b(\w+)\s*\(([^;{}]*)\)\s*(?:__attribute__\s*\(\(.*?\)\)\s*)?\{", re.DOTALL)
_KEYWORDS = {"if", "while", "for", "switch", "return", "sizeof", "defined", "do", "else"}


def body_end(code, start):
    depth = 0
    for position in range(start, len(code)):
        if code[position] == "{":
            depth += 1
        elif code[position] == "}":
            depth -= 1
            if depth == 0:
                return position
    return len(code)


def functions(code):
    """(name, text before the name, body's start, body's end) of each function definition in what code_only() gives."""
    position = 0
    while True:
        match = _FUNCTION.search(code, position)
        if not match:
            return
        start = match.end() - 1
        end = body_end(code, start)
        if match.group(2) not in _KEYWORDS:
            yield match.group(2), match.group(1), start, end
        position = end


def finish(name, problems, checked):
    """Prints the problems and ends the lint."""
    for problem in problems:
        print(problem)
    print(f"{name}: {checked} checked, {len(problems)} problems")
    if checked == 0:
        print(f"{name}: nothing was checked, which is wrong too")
    sys.exit(1 if problems or checked == 0 else 0)
