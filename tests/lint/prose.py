#!/usr/bin/env python3
"""Checks the pages: no sentence longer than SENTENCE_WORDS, none that begins with a relative without an antecedent
("What is over a limit …", "so who calls …"), no link to a file or heading that is not there, and no path, file or
function in backticks that the tree does not have. With --self-test: only the checks of the checks."""

import fnmatch
import os
import re
import sys

import sources

SENTENCE_WORDS = 30
PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "proto/WIRE.md")
FOLDERS = ("docs", "client", "tests", "deploy", "gen", "db", "server")
# Where a path in backticks may begin besides the root of the checkout.
ROOTS = ("", "client/include", "gen", "proto")
SUFFIXES = (".c", ".h", ".py", ".sql", ".proto", ".sh", ".md", ".go", ".cmake")
# Files and functions in backticks that a reader has or makes, or that a library has.
OTHER_FILES = {"publish.c", "config.h"}
OTHER_FUNCTIONS = {"random", "sendmsg", "nng_url_parse", "nng_close"}


def pages():
    found = [page for page in PAGES if os.path.exists(os.path.join(sources.ROOT, page))]
    for folder in FOLDERS:
        for parent, _, names in os.walk(os.path.join(sources.ROOT, folder)):
            relative = os.path.relpath(parent, sources.ROOT)
            found += [os.path.join(relative, name) for name in names if name.endswith(".md")]
    return sorted(found)


def tree():
    """All files and folders of the checkout, but what a build makes."""
    found = set()
    for parent, folders, names in os.walk(sources.ROOT):
        relative = os.path.relpath(parent, sources.ROOT)
        if relative == ".":
            folders[:] = [folder for folder in folders if folder not in ("build", ".git", ".state")]
            relative = ""
        found.update(os.path.join(relative, name) for name in [*folders, *names])
    return found


# ---- text: what a page says, without code blocks ----


def cells_of(line):
    """The cells of a table's row; a bar in backticks or behind a backslash is none."""
    return [cell.strip() for cell in re.findall(r"(?:`[^`]*`|\\.|[^|`])+", line)]


def blocks(text):
    """(line number, text) of each paragraph, list item and cell; code blocks, headings and comments left out."""
    block, start, fenced = [], 0, False

    def flush():
        if block:
            yield start, " ".join(block)
        block.clear()

    text = re.sub(r"<!--.*?-->", lambda match: re.sub(r"[^\n]", " ", match.group()), text, flags=re.DOTALL)
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("```"):
            fenced = not fenced
        if fenced or stripped.startswith(("```", "#")) or not stripped:
            yield from flush()
        elif stripped.startswith("|"):
            yield from flush()
            for cell in cells_of(stripped):
                if not re.fullmatch(r":?-+:?", cell):  # a cell is a list: its parts are sentences
                    yield from ((number, part) for part in re.split(r"; | · ", cell))
        else:
            item = re.match(r"(?:[-*]|\d+\.) +", stripped)
            if item:
                yield from flush()
                stripped = stripped[item.end():]
            if not block:
                start = number
            block.append(stripped)
    yield from flush()


def plain(text):
    """Prose alone: code is one word, a link is its text, emphasis is gone."""
    text = re.sub(r"`[^`]*`", "CODE", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"https?://\S+", "URL", text)
    return re.sub(r"\*+", "", text)


def sentences(text):
    # The next one may begin in lower case, with a name. Abbreviations end none, a bracket's own full stop does.
    text = re.sub(r"\b(e\.g|i\.e|etc|vs|no|cf)\.", r"\1", text)
    return [part.strip() for part in re.split(r"(?<=[.!?])[\"”)]*\s+", text) if part.strip()]


def words(sentence):
    return sum(1 for word in sentence.split() if re.search(r"\w", word))


# ---- the checks ----

VERBS = "is|has|are|does|can|may|calls|asks|wants|needs|reads|sends|signs|comes|gets|goes"
BARE = re.compile(
    r"^(?:What|Who|Whom|Whoever|Whatever|Whose|That which) (?!.*\?$)"  # as the subject; a question is none
    rf"|(?:[;:(] |\b(?:so|for|to|by|of|than|from|with) )who(?:ever)? (?:{VERBS})\b"
)


def check_sentences(text):
    for number, block in blocks(text):
        for sentence in sentences(plain(block)):
            count = words(sentence)
            if count > SENTENCE_WORDS:
                yield number, f"a sentence of {count} words: {sentence[:60]}…"
            bare = BARE.search(sentence)
            if bare:
                shown = sentence[max(0, bare.start() - 10) : bare.end() + 30]
                yield number, f"a relative without an antecedent: {shown}…"


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower().replace("`", "")).replace(" ", "-")


def anchors(page):
    text = re.sub(r"^```.*?^```", "", sources.read(page), flags=re.DOTALL | re.MULTILINE)
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def check_links(page, text):
    for match in re.finditer(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        if not os.path.exists(os.path.join(sources.ROOT, path)):
            yield sources.line_of(text, match.start()), f"a link to {path}, which is not there"
        elif anchor and path.endswith(".md") and anchor not in anchors(path):
            yield sources.line_of(text, match.start()), f"a link to a heading of {path} that is not there: {anchor}"


def alternatives(path):
    """server/store/{redis,kafka}/x.c as two paths."""
    braces = re.search(r"\{([^{}]*)\}", path)
    if not braces:
        return [path]
    return [each for choice in braces.group(1).split(",")
            for each in alternatives(path[:braces.start()] + choice + path[braces.end():])]


def exists(path, known):
    """Whether the tree has it. <…>, *, NAME and NNNN stand for anything."""
    pattern = re.sub(r"<[^<>]+>|(?<![A-Za-z])(?:NAME|NNNN)(?![A-Za-z])", "*", path.rstrip("/"))
    if "*" in pattern:
        return bool(fnmatch.filter(known, pattern))
    return pattern in known


def check_paths(text, known, names, tops):
    prose = re.sub(r"^```.*?^```", lambda match: re.sub(r"[^\n]", " ", match.group()), text,
                   flags=re.DOTALL | re.MULTILINE)
    for match in re.finditer(r"`([^`\n]+)`", prose):
        path = match.group(1).split()[0].removeprefix("./")
        number = sources.line_of(prose, match.start())
        if re.fullmatch(r"[\w.*<>-]+", path):
            if path.endswith(SUFFIXES) and path not in OTHER_FILES and not exists(path, names):
                yield number, f"there is no file {path}"
        elif re.fullmatch(r"[\w.*<>{},-]+(?:/[\w.*<>{},-]+)*/?", path) and path.split("/")[0] in tops:
            for each in alternatives(path):
                if not any(exists(os.path.join(root, each), known) for root in ROOTS):
                    yield number, f"there is no {each}"


def check_functions(text, code):
    for match in re.finditer(r"`(\w+)\(\)", text):
        if match.group(1) not in OTHER_FUNCTIONS and not re.search(rf"\b{match.group(1)}\(", code):
            yield sources.line_of(text, match.start()), f"there is no function {match.group(1)}()"


def self_test():
    long = "One " + "word " * SENTENCE_WORDS + "more."
    wrong = [long, "What is over a limit is refused.", "Who calls is known.", "It is closed, so who calls again waits.",
             "A list for who has none.", "| a | What a peer sends is checked. |"]
    right = ["One " + "word " * (SENTENCE_WORDS - 2) + "more.", "What may a peer send?",
             "A server, who has a key, signs.", "It says what is wrong. It is short.", "```\n" + long + "\n```",
             "- a\n- b", "| a `|` b | c |", "`" + long + "`", "Peers who ask are answered. See 1.2 and e.g. this."]
    problems = [f"not found: {text}" for text in wrong if not list(check_sentences(text))]
    problems += [f"found: {text}: {list(check_sentences(text))}" for text in right if list(check_sentences(text))]
    known = {"server", "server/rpc", "server/rpc/a.c", "server/rpc/b.c", "db/migrations/0001_x.sql"}
    names = {"a.c", "b.c"}
    for text, count in (("`server/rpc/{a,b}.c`", 0), ("`server/rpc/c.c`", 1), ("`b.c`", 0), ("`c.c`", 1), ("`a/b`", 0),
                        ("`db/migrations/NNNN_*.sql`", 0), ("`server/<service>/*.c --x`", 0), ("`server/job`", 1)):
        found = list(check_paths(text, known, names, {"server", "db"}))
        if len(found) != count:
            problems.append(f"{text}: {found}")
    return problems


def main():
    problems = self_test()
    if "--self-test" in sys.argv or problems:
        sources.finish("prose, self-test", problems, 1)
    known = tree()
    names = {os.path.basename(path) for path in known}
    tops = {path.split(os.sep)[0] for path in known if os.sep in path} | {"herald"}
    code = "\n".join(sources.read(path) for path in sources.files(".c", ".h", ".py"))
    code += "\n".join(sources.read(path) for path in sorted(known) if path.startswith("gen/") and path.endswith(".h"))
    checked = pages()
    for page in checked:
        text = sources.read(page)
        found = [*check_sentences(text), *check_links(page, text), *check_paths(text, known, names, tops),
                 *check_functions(text, code)]
        problems += [f"{page}:{number}: {what}" for number, what in sorted(found)]
    sources.finish("prose", problems, len(checked))


main()
