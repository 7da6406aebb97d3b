#!/usr/bin/env python3
"""Checks that each layer includes only what the table of layers in ARCHITECTURE.md allows, that each outside library
stays behind the modules that wrap it, and that files of some folders use each other one way only. Our own files are
included with quotes, by their plain path from a root, so that each include shows which it is."""

import os
import re

import sources

# What a folder may include besides itself. The longest matching folder counts.
BASE = {"client/include/base", "client/base"}
PUBLIC = BASE | {"client/include", "gen"}
MESSAGES = PUBLIC | {"client/message"}
STORES = {"server/store/postgres", "server/store/redis", "server/store/kafka"}
GROUND = {"server/settings", "server/runtime"}
TRANSPORT = BASE | GROUND | {"client/src", "server/auth", "server/native"}
CALLS = MESSAGES | GROUND | {"client/src", "client/json", "server/auth", "server/transport", "server/rpc", "server/text"}
SERVICE = CALLS | STORES | {"server/breaker", "server/outgoing", "server/inspect", "server/durable", "server/process"}
LAYERS = {
    "gen/plugin": {"gen", "client/include"} | BASE,
    "client/base": BASE,
    "client/include": PUBLIC,
    "client/message": PUBLIC,
    "client/json": MESSAGES,
    "client/src": MESSAGES,
    "server/breaker": BASE,
    "server/settings": BASE,
    "server/runtime": BASE | {"gen"},
    "server/native": BASE | {"server/runtime"},
    "server/text": BASE,
    "server/store/postgres": BASE | GROUND,
    "server/store/redis": BASE | GROUND,
    "server/store/kafka": BASE | GROUND,
    "server/auth": MESSAGES | GROUND | {"client/src", "client/json"},
    "server/outgoing": MESSAGES | GROUND | {"client/src", "server/auth", "server/native"},
    "server/transport": TRANSPORT,
    "server/rpc": CALLS,
    "server/inspect": CALLS,
    "server/durable": PUBLIC | GROUND | STORES | {"client/json", "server/rpc"},
    "server/process": CALLS | STORES | {"server/inspect", "server/durable"},
    "server/event": SERVICE,
    "server/job": SERVICE,
    "server/distribution": SERVICE,
    "server/content": SERVICE,
    "server/gateway": MESSAGES | GROUND | {"client/src", "client/json", "server/auth", "server/outgoing"},
    "server/programs": SERVICE
    | {"server/event", "server/job", "server/distribution", "server/content", "server/gateway"},
    "deploy/ctl": PUBLIC | GROUND | {"client/json", "server/auth", "server/outgoing", "server/programs"} | STORES,
    "deploy/kafka": BASE,
    "deploy/replay": BASE | {"server/breaker"},
    "deploy/fakes": BASE | GROUND | {"gen", "server/outgoing"},  # the channels' side of the webhooks
    "deploy/demo": PUBLIC,
}

# Public headers that lower layers may use: they need nothing but libc.
BASE_HEADERS = {"herald/code.h", "herald/error.h", "herald/reason.h", "herald/uuid.h", "herald/utf8.h"}
JSON_HEADERS = {"herald/json.h"}

# Outside libraries: which folders may include their headers.
LIBRARIES = {
    r"nng/": {"client/src", "deploy/ctl", "server/transport"},
    r"libpq": {"server/store/postgres", "deploy/ctl"},
    r"hiredis/": {"server/store/redis"},
    r"librdkafka/": {"server/store/kafka", "deploy/ctl", "deploy/kafka"},
    r"curl/": {"server/outgoing", "deploy/ctl"},
    r"uv\.h": STORES
    | {
        "server/runtime",
        "server/native",
        "server/transport",
        "server/inspect",
        "server/outgoing",
        "server/content",
        "server/gateway",
    },
    r"jansson\.h": {
        "deploy/ctl",
        "server/auth",
        "server/rpc",
        "server/inspect",
        "server/job",
        "server/distribution",
        "server/gateway",
        "deploy/fakes",
    },
    r"zlib\.h": {"server/gateway"},
    r"utf8proc\.h": {"server/text"},
    r"ini\.h": {"server/settings"},
    r"ucontext\.h": {"server/runtime"},
    r"microhttpd\.h": {"server/content", "deploy/fakes"},
    r"cairo|pango/|hb|jpeglib|qrencode": {"server/content"},
    r"openssl/": {
        "client/base",
        "client/message",
        "client/src",
        "server/auth",
        "server/rpc",  # the comparison of credentials
        "server/transport",  # TLS
        "server/native",
        "server/outgoing",
        "server/store/redis",
        "server/durable",
        "server/distribution",
        "deploy/fakes",
    },
}

# Folders without circles of files, where a .c and its .h count as one.
ONE_WAY = ("client/json", "client/src")

# How the paths of our own files begin.
OURS = {folder.split("/")[0] for folder in LAYERS} | {"db", "google", "herald", "tests"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def layer_of_file(path):
    folder = os.path.dirname(path)
    while folder and folder not in LAYERS:
        folder = os.path.dirname(folder)
    return folder


def layer_of_include(name):
    """The folder that a quoted include comes from; None: not one of ours."""
    if os.path.normpath(name) != name:
        return None  # server/event/../rpc/gates.h would count as server/event
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
    if os.path.normpath(name).split("/")[0] in OURS:
        return f"<{name}>: ours are included with quotes"
    for pattern, allowed in LIBRARIES.items():
        if re.match(pattern, name) and layer not in allowed:
            return f"<{name}> may only be included in {', '.join(sorted(allowed))}"
    return None


def check_file(path, text):
    layer = layer_of_file(path)
    for match in INCLUDE.finditer(text):
        quote, name = match.groups()
        problem = check_own(path, layer, name) if quote == '"' else check_library(layer, name)
        if problem:
            yield f"{path}:{sources.line_of(text, match.start(1))}: {problem}"


def circles(uses):
    """One problem for each file of a folder that includes itself by way of others. @uses  stem: stems included"""
    for stem in sorted(uses):
        seen, todo = set(), list(uses[stem])
        while todo:
            other = todo.pop()
            if other not in seen:
                seen.add(other)
                todo += uses.get(other, ())
        if stem in seen:
            yield f"{stem}: is in a circle of files of its folder"


def stem_of(path):
    return os.path.splitext(path)[0]


def uses_within(texts):
    """Of each file in the folders that are one way: the others of its folder that it includes."""
    uses = {}
    for path, text in texts.items():
        folder = os.path.dirname(path)
        if folder in ONE_WAY:
            names = [name for quote, name in INCLUDE.findall(text) if quote == '"' and os.path.dirname(name) == folder]
            uses.setdefault(stem_of(path), set()).update({stem_of(name) for name in names} - {stem_of(path)})
    return uses


def self_test():
    """The lint must see what it is there for."""
    bad = [
        '#include "server/rpc/gates.h"',  # upwards
        "#include <server/rpc/gates.h>",
        "#  include <./server/rpc/gates.h>",
        "#include <server/runtime/task.h>",
        "#include <herald/error.h>",
        '#include "server/runtime/../rpc/gates.h"',
        '#include "gates.h"',
        "#include <nng/nng.h>",
    ]
    for text in bad:
        found = list(check_file("server/store/postgres/self_test.c", f"\n{text}\n"))
        assert len(found) == 1 and found[0].startswith("server/store/postgres/self_test.c:2: "), text
    good = '#include "server/runtime/task.h"\n#include "herald/error.h"\n#include <libpq-fe.h>\n#include <stdio.h>\n'
    assert not list(check_file("server/store/postgres/self_test.c", good))
    include = '#include "client/src/{}.h"\n'
    circle = {"client/src/a.c": include.format("b"), "client/src/b.h": "", "client/src/b.c": include.format("a")}
    assert len(list(circles(uses_within(circle)))) == 2
    assert not list(circles(uses_within(circle | {"client/src/b.c": include.format("b")})))


def main():
    self_test()
    problems = []
    checked = 0
    texts = {}
    for path in sources.files(".c", ".h"):
        if not layer_of_file(path):
            continue  # tests may look at everything
        checked += 1
        texts[path] = sources.read(path)
        problems += check_file(path, texts[path])
    problems += circles(uses_within(texts))
    sources.finish("layers", problems, checked)


main()
