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
GROUND = {"server/settings", "server/runtime"}
TRANSPORT = BASE | GROUND | {"client/src", "server/auth"}
CALLS = MESSAGES | GROUND | {"client/src", "client/json", "server/auth", "server/transport", "server/rpc"}
SERVICE = CALLS | STORES | {"server/outgoing", "server/inspect", "server/durable", "server/process"}
LAYERS = {
    "gen/plugin": {"gen", "client/include"},
    "client/base": BASE,
    "client/include": PUBLIC,
    "client/message": PUBLIC,
    "client/json": MESSAGES,
    "client/src": MESSAGES,
    "server/settings": BASE,
    "server/runtime": BASE | {"gen"},
    "server/store/postgres": BASE | {"server/runtime"},
    "server/store/redis": BASE | {"server/runtime"},
    "server/store/kafka": BASE | {"server/runtime"},
    "server/auth": MESSAGES | GROUND | {"client/src", "client/json"},
    "server/outgoing": MESSAGES | GROUND | {"client/src", "server/auth"},
    "server/transport": TRANSPORT,
    "server/rpc": CALLS,
    "server/inspect": CALLS,
    "server/durable": PUBLIC | GROUND | STORES | {"client/json", "server/rpc"},
    "server/process": CALLS | {"server/inspect"},
    "server/event": SERVICE,
    "server/job": SERVICE,
    "server/distribution": SERVICE,
    "server/content": SERVICE,
    "deploy/ctl": PUBLIC | GROUND | {"client/json", "server/auth", "server/outgoing", "server/store/postgres"},
    "deploy/kafka": BASE,
    "deploy/fakes": BASE | GROUND | {"server/outgoing"},  # the channels' side of the webhooks
    "deploy/demo": PUBLIC,
}

# Public headers that lower layers may use: they need nothing but libc.
BASE_HEADERS = {"herald/code.h", "herald/error.h", "herald/reason.h", "herald/uuid.h", "herald/utf8.h"}
JSON_HEADERS = {"herald/json.h"}

# Outside libraries: which folders may include their headers.
LIBRARIES = {
    r"nng/": {"client/src", "deploy/ctl", "server/transport"},
    r"libpq": {"server/store/postgres", "deploy/ctl"},
    r"hiredis/": {"server/store/redis", "deploy/ctl"},
    r"librdkafka/": {"server/store/kafka", "deploy/ctl", "deploy/kafka"},
    r"curl/": {"server/outgoing", "deploy/ctl"},
    r"uv\.h": STORES | {"server/runtime", "server/inspect", "server/outgoing", "server/content"},
    r"jansson\.h": {
        "deploy/ctl",
        "server/auth",
        "server/rpc",
        "server/inspect",
        "server/job",
        "server/distribution",
        "deploy/fakes",
    },
    r"ini\.h": {"server/settings"},
    r"ucontext\.h": {"server/runtime"},
    r"microhttpd\.h": {"server/content", "deploy/fakes"},
    r"cairo|pango/|jpeglib|qrencode": {"server/content"},
    r"openssl/": {
        "client/base",
        "client/message",
        "client/src",
        "server/auth",
        "server/rpc",  # the comparison of credentials
        "server/transport",  # TLS
        "server/outgoing",
        "server/store/postgres",
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
