#!/usr/bin/env python3
"""Checks that each layer includes only what the table of layers in ARCHITECTURE.md allows, and that each outside
library stays behind the modules that wrap it."""

import os
import re

import sources

# What a folder may include besides itself. The longest matching folder counts.
BASE = {"client/include/base", "client/base"}
PUBLIC = BASE | {"client/include", "gen"}
MESSAGES = PUBLIC | {"client/message"}
STORES = {"server/store/postgres", "server/store/redis", "server/store/kafka"}
SERVICE = PUBLIC | STORES | {"client/json", "server/runtime", "server/auth", "server/rpc", "server/durable"}
LAYERS = {
    "gen/plugin": {"gen", "client/include"},
    "client/base": BASE,
    "client/include": PUBLIC,
    "client/message": PUBLIC,
    "client/json": MESSAGES,
    "client/src": MESSAGES,
    "deploy/ctl": PUBLIC | {"client/json", "server/runtime", "server/auth", "server/store/postgres"},
    "server/runtime": BASE | {"gen"},
    "server/auth": MESSAGES | {"client/src", "client/json", "server/runtime"},
    "server/rpc": MESSAGES | {"client/src", "client/json", "server/runtime", "server/auth"},
    "server/store/postgres": BASE | {"server/runtime"},
    "server/store/redis": BASE | {"server/runtime"},
    "server/store/kafka": BASE | {"server/runtime"},
    "server/durable": PUBLIC | STORES | {"client/json", "server/runtime", "server/rpc"},
    "server/event": SERVICE,
    "server/job": SERVICE,
    "server/distribution": SERVICE,
    "server/content": SERVICE,
    "deploy/kafka": BASE,
    "deploy/fakes": BASE | {"server/runtime", "server/distribution"},  # the channels' side of the webhooks
    "deploy/demo": PUBLIC,
}

# Public headers that lower layers may use: they need nothing but libc.
BASE_HEADERS = {"herald/error.h", "herald/uuid.h", "herald/utf8.h"}
JSON_HEADERS = {"herald/json.h"}

# Outside libraries: which folders may include their headers.
LIBRARIES = {
    r"nng/": {"client/src", "deploy/ctl", "server/rpc"},
    r"libpq": {"server/store/postgres", "deploy/ctl"},
    r"hiredis/": {"server/store/redis", "deploy/ctl"},
    r"librdkafka/": {"server/store/kafka", "deploy/ctl", "deploy/kafka"},
    r"curl/": {"server/distribution", "deploy/ctl"},
    r"uv\.h": STORES | {"server/runtime", "server/rpc", "server/distribution", "server/content"},
    r"jansson\.h": {
        "deploy/ctl",
        "server/auth",
        "server/rpc",
        "server/job",
        "server/distribution",
        "deploy/fakes",
    },
    r"ini\.h": {"server/runtime"},
    r"ucontext\.h": {"server/runtime"},
    r"microhttpd\.h": {"server/content", "deploy/fakes"},
    r"cairo|pango/|jpeglib|qrencode": {"server/content"},
    r"openssl/": {
        "client/base",
        "client/message",
        "client/src",
        "server/store/postgres",
        "server/auth",
        "server/rpc",  # TLS
        "server/store/redis",
        "server/durable",
        "server/distribution",
        "deploy/fakes",
    },
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of_file(path):
    folder = os.path.dirname(path)
    while folder and folder not in LAYERS:
        folder = os.path.dirname(folder)
    return folder


def layer_of_include(name):
    """The folder that a quoted include comes from; None: not one of ours."""
    if name in BASE_HEADERS:
        return "client/include/base"
    if name in JSON_HEADERS:
        return "client/json"
    if name.startswith("herald/"):
        # gen/herald/event/v1/… against client/include/herald/….
        return "gen" if name.count("/") > 1 else "client/include"
    if name.startswith("google/"):
        return "gen"
    folder = os.path.dirname(name)
    while folder and folder not in LAYERS:
        folder = os.path.dirname(folder)
    return folder or None


def check_own(path, layer, name):
    target = layer_of_include(name)
    if target is None:
        return f'"{name}" is no path from the root of the checkout, client/include or gen'
    if target == layer or target in LAYERS[layer]:
        return None
    return f'{layer} may not use {target} ("{name}")'


def check_library(layer, name):
    for pattern, allowed in LIBRARIES.items():
        if re.match(pattern, name) and layer not in allowed:
            return f"<{name}> may only be included in {', '.join(sorted(allowed))}"
    return None


def main():
    problems = []
    checked = 0
    for path in sources.files(".c", ".h"):
        layer = layer_of_file(path)
        if not layer:
            continue  # tests may look at everything
        checked += 1
        text = sources.read(path)
        for match in INCLUDE.finditer(text):
            quote, name = match.groups()
            problem = check_own(path, layer, name) if quote == '"' else check_library(layer, name)
            if problem:
                problems.append(f"{path}:{sources.line_of(text, match.start(1))}: {problem}")
    sources.finish("layers", problems, checked)


main()
