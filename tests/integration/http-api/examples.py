#!/usr/bin/env python3
"""Checks what a validator of OpenAPI does not look at: that each example fits its schema, that ids of operations are used
once, and that every method of the three services is there.

    examples.py DOCUMENT ROUTES     ROUTES: gen/herald/routes.c
"""
import json
import re
import sys

import jsonschema

VERBS = ("get", "put", "post", "patch", "delete")


def examples(operation):
    """Each example of an operation with its schema and where it stands."""
    for parameter in operation.get("parameters", []):
        if "example" in parameter:
            yield parameter["name"], parameter["schema"], parameter["example"]
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            if "example" in content:
                yield f"answer {status}", content["schema"], content["example"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "body", content["schema"], content["example"]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        document = json.load(file)
    with open(sys.argv[2], encoding="utf-8") as file:
        routes = re.findall(r'\.http_method = HERALD_HTTP_(\w+),\s+\.template = "([^"]*)"', file.read())
    operations = {(verb, path): operation for path, verbs in document["paths"].items() for verb, operation in verbs.items() if verb in VERBS}
    problems, count = [], 0
    for (verb, path), operation in operations.items():
        for where, schema, example in examples(operation):
            count += 1
            validator = jsonschema.Draft202012Validator(dict(schema, components=document["components"]),
                                                        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
            problems += [f"{verb} {path}: example of {where}: {error.message}" for error in validator.iter_errors(example)]
        if "x-method" in operation and not any(where.startswith("answer 2") for where, _, _ in examples(operation)):
            problems.append(f"{verb} {path}: no example of its answer")
    ids = [operation["operationId"] for operation in operations.values()]
    problems += [f"{name} is the id of several operations" for name in sorted(set(ids)) if ids.count(name) > 1]
    shapes = {(verb, re.sub(r"\{[^}]*\}", "{}", path)) for verb, path in operations}
    problems += [f"{verb} {path} is not in the document" for verb, path in routes
                 if (verb.lower(), re.sub(r"\{[^}]*\}", "{}", path)) not in shapes]
    if not routes or count < len(routes):
        problems.append(f"only {count} examples for {len(routes)} routes")
    print("\n".join(problems) if problems else f"{count} examples of {len(operations)} operations fit")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
