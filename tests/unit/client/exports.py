#!/usr/bin/env python3
"""Checks that libherald and libherald-json, shared and static, export what their installed headers declare, all of it
and nothing else: exports.py COMPILER PREFIX."""

import os
import re
import subprocess
import sys

# google.protobuf's headers are there for their types: each program makes its own functions, where it needs any.
TYPES_ONLY = "google/"
JSON_HEADERS = {"herald/json.h"}
# What a sanitizer adds beside each variable.
SANITIZERS = re.compile(r"^(?:__odr_asan|__asan|__tsan|__ubsan)")
LINE_MARKER = re.compile(r'^# \d+ "([^"]+)"')
FUNCTION = re.compile(r"\b(\w+) ?\([^()]*(?:\([^()]*\)[^()]*)*\)(?: ?__attribute__ ?\(\(.*\)\))?$")
VARIABLE = re.compile(r"^extern\b.*?\b(\w+)(?:\[\d*\])?$")


def run(*command, text=None):
    return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout


def installed_headers(include):
    found = []
    for parent, _, names in os.walk(include):
        found += [os.path.relpath(os.path.join(parent, name), include) for name in names if name.endswith(".h")]
    return sorted(header for header in found if not header.startswith(TYPES_ONLY))


def statements(preprocessed, path):
    """What a file declares at its top level, in one line each; bodies are gone."""
    ours, text = False, []
    for line in preprocessed.split("\n"):
        marker = LINE_MARKER.match(line)
        if marker:
            ours = os.path.realpath(marker.group(1)) == path
        elif ours and not line.startswith("#"):
            text.append(line)
    flat = re.sub(r"\s+", " ", " ".join(text))
    while "{" in flat:
        flat = re.sub(r"\{[^{}]*\}", "", flat)
    return [statement.strip() for statement in flat.split(";")]


def declared(compiler, include, header):
    """Names of functions and variables that a header declares."""
    path = os.path.realpath(os.path.join(include, header))
    flags = run("pkg-config", "--cflags", "herald").split()
    preprocessed = run(compiler, "-E", *flags, "-x", "c", "-", text=f'#include "{header}"\n')
    names = set()
    for statement in statements(preprocessed, path):
        if statement.startswith(("typedef", "static")):
            continue
        found = VARIABLE.search(statement) if statement.startswith("extern") else FUNCTION.search(statement)
        if found:
            names.add(found.group(1))
    return names


def exported(library):
    options = ["-D"] if library.endswith(".so") else ["-g"]
    rows = run("nm", "--defined-only", "-P", *options, library).split("\n")
    names = {row.split()[0] for row in rows if len(row.split()) > 1}
    return {name for name in names if not SANITIZERS.match(name)}


def check(library, public):
    there = exported(library)
    problems = [f"{library}: exports {name}, which no public header declares" for name in sorted(there - public)]
    problems += [f"{library}: lacks {name}, which a public header declares" for name in sorted(public - there)]
    return problems


def main():
    compiler, prefix = sys.argv[1:3]
    include = run("pkg-config", "--variable=includedir", "herald").strip()
    public = {"herald": set(), "herald-json": set()}
    for header in installed_headers(include):
        public["herald-json" if header in JSON_HEADERS else "herald"] |= declared(compiler, include, header)
    assert "herald_call" in public["herald"] and "herald_schemas" in public["herald"], "no declaration is found"
    problems = []
    for name, names in public.items():
        for suffix in ("so", "a"):
            library = run("find", prefix, "-name", f"lib{name}.{suffix}").strip()
            problems += check(library, names)
    print("\n".join(problems) or f"{len(public['herald'])} names in libherald, {len(public['herald-json'])} in libherald-json")
    sys.exit(bool(problems))


main()
