#!/usr/bin/env python3
"""Checks that what is broken in nng, or dangerous without a setting, is not used: platform facts of nng 1.5. What can be
seen at run time only is in tests/unit/transport."""

import re

import sources

# Never, anywhere.
FORBIDDEN = {
    r"\bnng_rep0_open_raw\b|\bnng_req0_open_raw\b|\bnng_respondent0_open_raw\b":
        "raw sockets drop replies when a connection's queue is full: use contexts",
    r"\bnng_msg_(?:header_)?insert(?:_u\d+)?\b": "nng_msg_insert() can corrupt memory: append only",
    r"\bnng_http_\w+|<nng/supplemental/http/": "nng's HTTP server over-reads before any authentication: use libmicrohttpd",
    r"\bnng_stats?_\w+": "nng_stat_find_socket() finds the wrong socket: count yourself",
}
# Where connections are made to servers.
FORBIDDEN_IN_CLIENT = {
    r"\bNNG_TLS_AUTH_MODE_(?:NONE|OPTIONAL)\b": "a server's certificate is always verified",
}
# With one goes the other, in the same file.
TOGETHER = {
    r"\bnng_req0_open\b": [
        (r"\bNNG_OPT_REQ_RESENDTIME\b", "a REQ socket sends again by itself unless NNG_OPT_REQ_RESENDTIME is infinite"),
    ],
    r"\bnng_tls_config_alloc\s*\([^;]*NNG_TLS_MODE_CLIENT": [
        (r"\bnng_tls_config_server_name\b", "without nng_tls_config_server_name() the server's name is not verified"),
    ],
}
# As above, in the product only: what tests open talks to tests.
TOGETHER_IN_PRODUCT = {
    r"\bnng_(?:req|rep)0_open\b": [
        (r"\bNNG_OPT_RECVMAXSZ\b", "NNG_OPT_RECVMAXSZ is unlimited unless set, and the claimed length is allocated"),
    ],
    r"\bnng_url_parse\b": [
        (r"\bherald_url_is_plain\b", "nng_url_parse() reads beyond the end of some URLs: herald_url_is_plain() first"),
    ],
}
# Closing a socket may hang for ever before 1.8 (nng#1813): one place knows how to.
CLOSE = re.compile(r"\bnng_close\s*\(")
MAY_CLOSE = ("client/src/close_socket.c",)
# What makes the cure of nng#1813 right holds for nng's own transports only: nobody else uses streams, but its test.
STREAM = re.compile(r"\bnng_stream_\w+\s*\(")
MAY_USE_STREAMS = (
    "client/src/stream_shim.c",
    "tests/unit/transport/fake_nng.c",
    "tests/unit/transport/test_stream_shim.c",
    "tests/unit/transport/test_vanishing.c",
)


def together(path, text, code, table):
    problems = []
    for pattern, needed in table.items():
        found = re.search(pattern, code)
        if not found:
            continue
        problems += [
            f"{path}:{sources.line_of(code, found.start())}: {why}" for other, why in needed if not re.search(other, text)
        ]
    return problems


def check(path, text):
    code = sources.code_only(text) if path.startswith("tests/") else without_comments(text)
    problems = []
    forbidden = FORBIDDEN | FORBIDDEN_IN_CLIENT if path.startswith("client/") else FORBIDDEN
    for pattern, why in forbidden.items():
        for match in re.finditer(pattern, code):
            problems.append(f"{path}:{sources.line_of(code, match.start())}: {why}")
    if path not in MAY_USE_STREAMS:
        for match in STREAM.finditer(code):
            problems.append(f"{path}:{sources.line_of(code, match.start())}: nng's streams are none of ours: stream_shim.c")
    problems += together(path, text, code, TOGETHER)
    if path.startswith("tests/"):
        return problems
    problems += together(path, text, code, TOGETHER_IN_PRODUCT)
    if path not in MAY_CLOSE and "herald_close_socket" not in code:
        for match in CLOSE.finditer(code):
            problems.append(f"{path}:{sources.line_of(code, match.start())}: nng_close() may hang: herald_close_socket()")
    return problems


def without_comments(text):
    """Includes stay, unlike in sources.code_only()."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda match: re.sub(r"[^\n]", " ", match.group()), text, flags=re.DOTALL)


def self_test():
    """The lint must see what it is there for."""
    bad = [
        "nng_rep0_open_raw(&s);",
        "nng_msg_insert(m, d, 1);",
        "#include <nng/supplemental/http/http.h>",
        "nng_stat *stats; nng_stats_get(&stats);",
        "nng_req0_open(&s); set(s, NNG_OPT_RECVMAXSZ, 1); ",
        "nng_req0_open(&s); set(s, NNG_OPT_REQ_RESENDTIME, -1);",
        "nng_tls_config_alloc(&c, NNG_TLS_MODE_CLIENT);",
        "nng_url_parse(&u, t);",
        "nng_close(s);",
        "nng_stream_recv(s, a);",
    ]
    for text in bad:
        assert check("server/rpc/self_test.c", text), text
    assert check("client/src/self_test.c", "nng_tls_config_auth_mode(c, NNG_TLS_AUTH_MODE_NONE);")
    assert not check("server/rpc/self_test.c", "/* nng_msg_insert() is broken */ nng_msg_append(m, d, 1);")


def main():
    self_test()
    problems = []
    paths = [path for path in sources.files(".c", ".h") if not path.startswith("gen/")]
    for path in paths:
        problems += check(path, sources.read(path))
    sources.finish("nng", problems, len(paths))


main()
