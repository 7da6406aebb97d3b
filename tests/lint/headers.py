#!/usr/bin/env python3
"""Checks that every header compiles alone: headers.py COMPILER BUILD, with the build folder that
holds what the build writes (server/store/postgres/db_query.h)."""

import concurrent.futures
import os
import subprocess
import sys

import sources

PACKAGES = [
    "libprotobuf-c", "libuv", "libpq", "hiredis", "rdkafka", "libcurl", "libcrypto", "jansson", "inih", "pangocairo",
]  # fmt: skip


def flags(build):
    packages = subprocess.run(["pkg-config", "--cflags", *PACKAGES], check=True, capture_output=True, text=True).stdout
    return ["-std=gnu11", "-D_GNU_SOURCE", "-DHERALD_VERSION=\"\"", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
            "-I.", "-Iclient/include", "-Igen", f"-I{build}", *packages.split()]  # fmt: skip


def generated_headers():
    found = []
    for parent, _, names in os.walk(os.path.join(sources.ROOT, "gen/herald")):
        found += [os.path.relpath(os.path.join(parent, name), sources.ROOT) for name in names if name.endswith(".h")]
    return sorted(found)


def compile_alone(compiler, options, path):
    source = f'#include "{path}"\ntypedef int herald_not_empty;\n'
    run = subprocess.run([compiler, *options, "-x", "c", "-"], input=source, cwd=sources.ROOT, capture_output=True,
                         text=True, check=False)  # fmt: skip
    return None if run.returncode == 0 else f"{path}: does not compile alone:\n{run.stderr}"


def main():
    compiler, build = sys.argv[1:3]
    options = flags(build)
    paths = [path for path in sources.files(".h") if not path.startswith("tests/gen")] + generated_headers()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: compile_alone(compiler, options, path), paths)
    sources.finish("headers", [result for result in results if result], len(paths))


main()
