"""What the fuzzing has of its own: the user of the credential in bodies, and the check that a request which fits the
document breaks no rule of a field."""

import re

import schemathesis
from schemathesis import GenerationMode

RULES = {"INVALID_FIELD", "INVALID_JSON", "BAD_QUERY", "BAD_TIMEOUT", "BAD_IDEMPOTENCY_KEY", "BODY_NOT_TAKEN"}
# What no schema says: that a text is empty once what cannot be seen is taken out, that an item is there twice, that one of two
# fields must be set, and that a worker may not report any state.
BEYOND_SCHEMAS = {"REQUIRED", "DUPLICATE", "BAD_TIME", "NOT_ALLOWED"}


def is_beyond_schemas(error):
    """Nor does a schema know what time it is."""
    return error["reason"] in BEYOND_SCHEMAS or (error["reason"] == "OUT_OF_RANGE" and error["field"].endswith("At"))


@schemathesis.hook
def map_body(context, body):
    """Every other user is refused before anything else is looked at."""
    user = body.get("userId") if isinstance(body, dict) else None
    if isinstance(user, str) and re.fullmatch("[!-~]{1,64}", user):
        body["userId"] = "owner-1"
    return body


@schemathesis.check
def document_has_all_rules(context, response, case):
    if case.meta.generation.mode is not GenerationMode.POSITIVE or response.status_code != 400:
        return
    problem = response.json()
    told = problem.get("errors", [{"reason": problem["reason"]}])
    if problem["reason"] in RULES and not all(is_beyond_schemas(error) for error in told):
        raise AssertionError(f"the document allows it, and it is refused: {problem['detail']}")
