#!/usr/bin/env python3
"""Checks that one hand wrote all C, where clang-format has no say:

- `sizeof(x)`, with parentheses;
- a number that stands for itself is a #define; an enum is a set of alternatives that count up or bear a name;
- the comment of a static function is /* … */: /** … */ is a contract, and stands in a header;
- random numbers come from client/base/random.h: without a seed each process draws the same ones from random();
- that memory is short is said by herald_error_no_memory(), and of a call's memory by arena_full();
- a static function has a name of its own: a reader who searches for it finds one."""

import re

import sources

SIZEOF = re.compile(r"\bsizeof\b(?!\()")
LONE_ENUM = re.compile(r"^enum \{\s*[A-Z]\w* = [^{}]*\};", re.MULTILINE)
CONSTANT = re.compile(r"^static const (?:size_t|double|float|u?int\d*_t|int|unsigned|long) \w+ =", re.MULTILINE)
CONTRACT_OF_STATIC = re.compile(r"/\*\*(?:[^*]|\*(?!/))*\*/\n(?:TASK_FN )?static (?!inline\b)[^;={]*\(")

# What is done in one file alone, and how the others say it.
ONE_WAYS = [
    (
        re.compile(r"\b(?:s?rand(?:om)?(?:_r)?|[dlmsejn]+rand48|getrandom|uv_random|RAND_\w+)\("),
        "client/base/random.c",
        "random numbers come from client/base/random.h",
    ),
    (
        re.compile(r"\bherald_error_set\([^,;]*,\s*HERALD_REASON_OUT_OF_MEMORY,"),
        "client/base/error.c",
        "herald_error_no_memory() says that",
    ),
    (
        re.compile(r"\bherald_error_set\([^,;]*,\s*HERALD_REASON_ARENA_FULL,"),
        "server/runtime/arena.c",
        "arena_full() says that",
    ),
]


STATIC_FUNCTION = re.compile(
    r"^(?:TASK_FN )?static (?!inline\b)(?:__attribute__\(\(.*?\)\) ?)?[^;={}()]*?"
    r"(?:__attribute__\(\(format\([^)]*\)\)\) )?\b(\w+)\([^;{}]*\)\s*\{",
    re.MULTILINE,
)


def all_given(body):
    """Whether each enumerator has its own number."""
    return all("=" in item for item in re.sub(r"[^{]*\{|\}.*", "", body, flags=re.DOTALL).split(",") if item.strip())


def check(path, text):
    code = sources.code_only(text)
    rules = [
        (SIZEOF.finditer(code), "sizeof wants parentheses"),
        ((m for m in LONE_ENUM.finditer(code) if all_given(m.group())), "a number that stands for itself is a #define"),
        (CONSTANT.finditer(code), "a number that stands for itself is a #define"),
        (CONTRACT_OF_STATIC.finditer(text), "the comment of a static function begins with /*"),
    ]
    if not path.startswith("tests/"):
        rules += [(pattern.finditer(code), why) for pattern, only, why in ONE_WAYS if path != only]
    return [f"{path}:{sources.line_of(text, match.start())}: {why}" for found, why in rules for match in found]


def check_names(texts):
    """texts: {path: text} of the product. Names that two files give to a static function."""
    found = {}
    for path, text in texts.items():
        code = sources.code_only(text)
        for match in STATIC_FUNCTION.finditer(code):
            found.setdefault(match.group(1), {}).setdefault(path, sources.line_of(text, match.start()))
    return [
        f"{path}:{line}: {name}() is also a static function of {', '.join(sorted(set(places) - {path}))}: add its noun"
        for name, places in sorted(found.items())
        if len(places) > 1
        for path, line in sorted(places.items())
    ]


def self_test():
    """The lint must see what it is there for."""
    bad = [
        "size_t n = sizeof *x;\n",
        "enum { ROWS_MAX = 8 };\n",
        "static const size_t rows_max = 8;\n",
        "/** Counts. */\nstatic int count(void) {\n}\n",
    ]
    for text in bad:
        assert check("self_test.c", text), text
    for text, other in [
        ("int n = (int)random() % 6;\n", "uint64_t n = herald_random() + next_random(&state);\n"),
        ('herald_error_set(&error, HERALD_REASON_OUT_OF_MEMORY, "x");\n', 'herald_error_no_memory(&error, "x");\n'),
        ('herald_error_set(reterr, HERALD_REASON_ARENA_FULL, "x");\n', 'arena_full(reterr, "x");\n'),
    ]:
        assert check("server/self_test.c", text), text
        assert not check("server/self_test.c", other), other
    same = "static int count(void) {\n}\n"
    assert len(check_names({"a.c": same, "b.c": same})) == 2
    assert not check_names({"a.c": same, "b.c": "static int count_rows(void) {\n}\n"})
    assert not check("self_test.c", "enum { A = 1, B };\nenum colour { RED = 1 };\nsize_t n = sizeof(*x);\n/* Counts. */\nstatic int count(void);\n")


def main():
    self_test()
    problems = []
    paths = [path for path in sources.files(".c", ".h") if not path.startswith("tests/gen/data")]
    texts = {path: sources.read(path) for path in paths}
    for path, text in texts.items():
        problems += check(path, text)
    problems += check_names({path: text for path, text in texts.items() if not path.startswith("tests/")})
    sources.finish("hand", problems, len(paths))


main()
