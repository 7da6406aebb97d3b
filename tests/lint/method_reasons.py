#!/usr/bin/env python3
"""Checks that the policy of each method names the reasons that its handler may answer, and no others.

What a handler may answer is found by names: the functions and tables that its text mentions, that theirs mention, and so
on through the servers; each HERALD_REASON_… in them counts. A call to another server adds what that method's policy
names. Only reasons of stage HANDLER are named; one of stage REFUSED must not be found at all, since a client would repeat
a call that has begun.
"""

import glob
import os
import re

import sources

# What handlers are made of. Processes and transport, which call them, are not followed.
FOLLOWED = ("server/", "client/json/")
NOT_FOLLOWED = ("server/process/", "server/transport/")
# Where another server's answer, or a refusal, becomes the handler's own: reasons pass no further.
FOLDED = {
    "signatures_take": "the statement that takes a signature beside its first effect has made nothing when this is asked",
    "channel_admit": "distribute.c and look.c make a delivery's result of it",
    "signatures_take": "distribute.c takes it with its only effect: the call is refused, as nothing was made",
    "herald_distribution_v1_distribution_service_distribute_task": "publish_finish.c makes one of DISTRIBUTION_… of it",
    "herald_distribution_v1_distribution_service_get_distribution_task": "publish_event.c then answers what is stored, and "
    "get_event_timeline.c without it",
    "herald_distribution_v1_distribution_service_wait_distribution_task": "event_watch.c asks again",
}

ROW = re.compile(r'^    X\((\w+), \d+, \w+, (\w+), "', re.MULTILINE)
REASON = re.compile(r"\bHERALD_REASON_([A-Z0-9_]+)")
# Asks, and sets nothing.
QUESTION = re.compile(r"\bherald_error_is\s*\([^()]*\)")
WORD = re.compile(r"\b[A-Za-z_]\w*")
TABLE = re.compile(r"\b(\w+)(?:\s*\[[^\]]*\])*\s*=\s*\{")
HANDLER = re.compile(
    r"\b(\w+)\s*\(\s*void\s*\*\s*self\s*,\s*const\s+(\w+)\s*\*\s*request\s*,\s*\w+\s*\*\s*response\s*,"
    r"\s*struct\s+herald_error\s*\*\s*reterr\s*\)\s*\{"
)


class Method:
    def __init__(self, path, package, service, name, request, reasons):
        self.path, self.name, self.reasons = path, f"{service}/{name}", reasons
        self.request = "__".join(part.capitalize() for part in package.split(".")) + "__" + request
        self.task = "_".join([*package.split("."), snake(service), snake(name), "task"])


def snake(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def methods_of(path, text):
    """The methods of a schema, with the reasons that their policies name."""
    package = re.search(r"^package ([\w.]+);", text, re.MULTILINE).group(1)
    for service in re.finditer(r"^service (\w+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        for rpc in re.finditer(r"^  rpc (\w+)\((\w+)\)(.*?)^  \}", service.group(2), re.MULTILINE | re.DOTALL):
            listed = re.search(r"\breasons: \[(.*?)\]", rpc.group(3), re.DOTALL)
            reasons = re.findall(r'"(\w+)"', listed.group(1)) if listed else []
            yield Method(path, package, service.group(1), rpc.group(1), rpc.group(2), reasons)


class Part:
    """A function or a table: what it mentions. One of two branches of #if is one with the other."""

    def __init__(self, path, name):
        self.path, self.name = path, name
        self.reasons, self.words = set(), set()

    def add(self, text):
        text = QUESTION.sub(" ", text)
        self.reasons.update(REASON.findall(text))
        self.words.update(WORD.findall(text))


class Code:
    def __init__(self):
        self.parts = {}  # (path, name): part
        self.shared = {}  # name: parts that other files may use
        self.handlers = {}  # type of the request: (path, name)

    def add(self, path, text):
        text = sources.code_only(text)
        outside = 0
        for name, before, start, end in sources.functions(text):
            self.add_tables(path, text[outside:start])
            self.add_part(path, name, text[start:end], "static" not in before or path.endswith(".h"))
            outside = end
        self.add_tables(path, text[outside:])
        for match in HANDLER.finditer(text):
            self.handlers[match.group(2)] = (path, match.group(1))

    def add_tables(self, path, text):
        for match in TABLE.finditer(text):
            body = text[match.end() : sources.body_end(text, match.end() - 1)]
            self.add_part(path, match.group(1), body, False)

    def add_part(self, path, name, text, shared):
        part = self.parts.setdefault((path, name), Part(path, name))
        part.add(text)
        if shared and part not in self.shared.setdefault(name, []):
            self.shared[name].append(part)

    def mentioned(self, part):
        for word in sorted(part.words - {part.name} - set(FOLDED)):
            if (part.path, word) in self.parts:
                yield self.parts[part.path, word]
            else:
                yield from self.shared.get(word, ())

    def reached(self, start):
        """(part, the names on the way to it) of all that a handler is made of."""
        ways = {start: [start[1]]}
        queue = [start]
        for key in queue:
            yield self.parts[key], ways[key]
            for part in self.mentioned(self.parts[key]):
                if (part.path, part.name) not in ways:
                    ways[part.path, part.name] = [*ways[key], part.name]
                    queue.append((part.path, part.name))


def found_reasons(code, method, methods):
    """Each reason that the method's handler may set, with the way to where it does."""
    by_task = {other.task: other for other in methods if other.task not in FOLDED}
    found = {}
    for part, way in code.reached(code.handlers[method.request]):
        for reason in part.reasons:
            found.setdefault(reason, " > ".join(way))
        for task in part.words & set(by_task):
            for reason in by_task[task].reasons:
                found.setdefault(reason, " > ".join([*way, task]))
    return found


def check_method(code, method, methods, stages):
    if method.request not in code.handlers:
        yield f"{method.path}: {method.name} has no handler that was found, by the type {method.request} of its request"
        return
    found = found_reasons(code, method, methods)
    for reason in sorted(found):
        stage = stages.get(reason)
        if stage == "REFUSED":
            yield f"{method.path}: {method.name} may answer {reason}, after which clients repeat every call: {found[reason]}"
        elif stage == "HANDLER" and reason not in method.reasons:
            yield f"{method.path}: {method.name} may answer {reason} and does not name it: {found[reason]}"
    for reason in method.reasons:
        if reason not in found:
            yield f"{method.path}: {method.name} names {reason}, which nothing sets that its handler calls"


def check(code, methods, stages):
    for method in methods:
        yield from check_method(code, method, methods, stages)
    named = {reason for method in methods for reason in method.reasons}
    for reason, stage in stages.items():
        if stage == "HANDLER" and reason not in named:
            yield f"reason.h: {reason} is of stage HANDLER, and no method names it"


SELF_TEST_SCHEMA = """
package a.v1;
service Shop {
  rpc Sell(SellRequest) returns (SellResponse) {
    option (herald.rpc.v1.policy) = {effect: READ, reasons: ["SOLD_OUT", "CLOSED"]};
  }
  rpc Buy(BuyRequest) returns (BuyResponse) {
    option (herald.rpc.v1.policy) = {effect: READ,
      reasons: ["SOLD_OUT"]};
  }
}
"""
SELF_TEST_CODE = """
#if ON
static int run(int (*step)(void)) { return herald_error_set(e, HERALD_REASON_IN_A_BRANCH, "x"); }
#else
static int run(int (*step)(void)) { return 0; }
#endif
static const struct row rows[] = {{1, HERALD_REASON_IN_A_TABLE}};
static int deep(struct herald_error *e) { return herald_error_set(e, HERALD_REASON_SOLD_OUT, "x"); }
static int apart(struct herald_error *e) { return herald_error_set(e, HERALD_REASON_APART, "x"); }
int sell(void *self, const A__V1__SellRequest *request, A__V1__SellResponse *response, struct herald_error *reterr) {
    if (herald_error_is(reterr, HERALD_REASON_ASKED)) { /* HERALD_REASON_SAID */ return rows[0].code; }
    return run(deep, request, "HERALD_REASON_QUOTED");
}
int buy(void *self, const A__V1__BuyRequest *request, A__V1__BuyResponse *response,
        struct herald_error *reterr) {
    return herald_error_set(reterr, HERALD_REASON_BUSY, "x") ? a_v1_shop_sell_task(self, request) : 0;
}
"""


def self_test():
    """The lint must see what it is there for."""
    code = Code()
    code.add("server/self_test.c", SELF_TEST_CODE)
    methods = list(methods_of("shop.proto", SELF_TEST_SCHEMA))
    words = ("SOLD_OUT", "CLOSED", "IN_A_BRANCH", "IN_A_TABLE", "ASKED", "SAID", "QUOTED", "APART")
    problems = list(check(code, methods, {word: "HANDLER" for word in words} | {"BUSY": "REFUSED"}))
    wanted = [
        "Shop/Sell may answer IN_A_BRANCH and does not name it: sell > run",
        "Shop/Sell may answer IN_A_TABLE and does not name it: sell > rows",
        "Shop/Sell names CLOSED, which nothing sets",
        "Shop/Buy may answer BUSY, after which clients repeat every call: buy",
        "Shop/Buy may answer CLOSED and does not name it: buy > a_v1_shop_sell_task",
        "IN_A_BRANCH is of stage HANDLER, and no method",
        "IN_A_TABLE is of stage HANDLER, and no method",
        "ASKED is of stage HANDLER, and no method",
        "SAID is of stage HANDLER, and no method",
        "QUOTED is of stage HANDLER, and no method",
        "APART is of stage HANDLER, and no method",
    ]
    assert len(problems) == len(wanted) and all(map(str.__contains__, problems, wanted)), problems


def main():
    self_test()
    code = Code()
    for path in sources.files(".c", ".h"):
        if path.startswith(FOLLOWED) and not path.startswith(NOT_FOLLOWED):
            code.add(path, sources.read(path))
    stages = dict(ROW.findall(sources.read("client/include/herald/reason.h")))
    methods = []
    for path in sorted(glob.glob(os.path.join(sources.ROOT, "proto", "herald", "**", "*.proto"), recursive=True)):
        path = os.path.relpath(path, sources.ROOT)
        methods += methods_of(path, sources.read(path))
    sources.finish("method_reasons", list(check(code, methods, stages)), len(methods))


main()
