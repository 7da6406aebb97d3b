#!/usr/bin/python3
"""Compares Herald's JSON mapping with the reference implementation, google.protobuf.json_format.

Random messages of every message type go through both, in both directions; then texts that must be read or refused, and
texts damaged at random. Where the two differ on purpose the table below says so.

Usage: reference_test.py --heraldctl FILE --sample FILE --proto DIR --sample-proto DIR --work DIR [--seed N] [--count N]
"""

import argparse
import importlib
import json
import math
import os
import random
import struct
import subprocess
import sys

from google.protobuf import json_format, timestamp_pb2
from google.protobuf.descriptor import FieldDescriptor as Field

TIMESTAMP = "google.protobuf.Timestamp"
INT_RANGES = {
    Field.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    Field.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    Field.CPPTYPE_UINT32: (0, 2**32 - 1),
    Field.CPPTYPE_UINT64: (0, 2**64 - 1),
}
DOUBLES = [0.0, -0.0, 1.0, 0.1, -2.5, 1e21, 1e-7, 123456789012345680.0, 5e-324, 2.2250738585072014e-308,
           1.7976931348623157e308, 9007199254740993.0, 2.0**-44, math.pi, math.inf, -math.inf, math.nan]
FLOATS = [0.0, -0.0, 1.0, 0.1, 16777216.0, 1e-45, 1.1754943508222875e-38, 3.4e38, 2.0**-44, math.pi, math.inf,
          -math.inf, math.nan]
TEXTS = ["", "a", "한글 이벤트", "😀\u2028\u2029", '"\\/\b\f\n\r\t', "\x01\x1f\x7f", "</script>", "\U0010ffff\ufffd", "é" * 300]
TIMES = [(-62135596800, 0), (253402300799, 999999999), (0, 0), (-1, 999999999), (0, 1), (0, 1000), (0, 1000000),
         (951782399, 500000000), (1709208000, 120000000)]

failures = []


def fail(text):
    failures.append(text)
    if len(failures) <= 20:
        print("FAILED:", text, file=sys.stderr)


# --- messages -------------------------------------------------------------------------------------------------------


def load_classes(proto_dirs, work):
    """Message classes of all schemas by full name, made by protoc."""
    output = os.path.join(work, "python")
    os.makedirs(output, exist_ok=True)
    files = []
    for folder in proto_dirs:
        for at, _, names in os.walk(folder):
            files += [os.path.relpath(os.path.join(at, name), folder) for name in names if name.endswith(".proto")]
    includes = [argument for folder in proto_dirs for argument in ("-I", folder)]
    subprocess.run(["protoc", *includes, "--python_out=" + output, *sorted(files)], check=True)
    sys.path.insert(0, output)
    classes = {TIMESTAMP: timestamp_pb2.Timestamp}

    def add(message_class):
        classes[message_class.DESCRIPTOR.full_name] = message_class
        for nested in message_class.DESCRIPTOR.nested_types:
            add(getattr(message_class, nested.name))

    for file in sorted(files):
        module = importlib.import_module(file[: -len(".proto")].replace("/", ".") + "_pb2")
        for name in module.DESCRIPTOR.message_types_by_name:
            add(getattr(module, name))
    return classes


def as_float(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def random_scalar(rng, field):
    kind = field.cpp_type
    if kind in INT_RANGES:
        least, most = INT_RANGES[kind]
        return rng.choice([least, most, max(least, -1), 0, 1, rng.randint(least, most), min(most, 2**53 + 1)])
    if kind == Field.CPPTYPE_DOUBLE:
        bits = struct.unpack("d", rng.getrandbits(64).to_bytes(8, "little"))[0]
        return rng.choice(DOUBLES + [rng.uniform(-1e6, 1e6), math.nan if math.isnan(bits) else bits])
    if kind == Field.CPPTYPE_FLOAT:
        bits = struct.unpack("f", rng.getrandbits(32).to_bytes(4, "little"))[0]
        return as_float(rng.choice(FLOATS + [rng.uniform(-1e6, 1e6), math.nan if math.isnan(bits) else bits]))
    if kind == Field.CPPTYPE_BOOL:
        return rng.random() < 0.5
    if kind == Field.CPPTYPE_ENUM:
        unknown = [987654, -987654, 2**31 - 1, -(2**31)]
        return rng.choice([value.number for value in field.enum_type.values] * 4 + unknown)
    if field.type == Field.TYPE_BYTES:
        return rng.choice([b"", b"\0", rng.randbytes(rng.randint(1, 20)), b"\xff\xfe\xfd\xfc"])
    return rng.choice(TEXTS + ["".join(chr(rng.choice([rng.randint(1, 127), rng.randint(0xA0, 0xD7FF),
                                                       rng.randint(0x10000, 0x10FFFF)])) for _ in range(8))])


def fill(rng, message, depth=0):
    descriptor = message.DESCRIPTOR
    if descriptor.full_name == TIMESTAMP:
        seconds = rng.randint(-62135596800, 253402300799)
        nanos = rng.choice([0, 1, 1000, 1000000]) * rng.randint(0, 999)
        message.seconds, message.nanos = rng.choice(TIMES + [(seconds, nanos)])
        return message
    for field in descriptor.fields:
        if rng.random() < 0.3:
            continue
        is_message = field.cpp_type == Field.CPPTYPE_MESSAGE
        if is_message and depth > 3:
            continue
        if field.label == Field.LABEL_REPEATED:
            for _ in range(rng.choice([0, 1, 2, 5])):
                if is_message:
                    fill(rng, getattr(message, field.name).add(), depth + 1)
                else:
                    getattr(message, field.name).append(random_scalar(rng, field))
        elif field.containing_oneof and rng.random() < 0.7:
            continue
        elif is_message:
            getattr(message, field.name).SetInParent()
            fill(rng, getattr(message, field.name), depth + 1)
        else:
            setattr(message, field.name, random_scalar(rng, field))
    return message


# --- the tool -------------------------------------------------------------------------------------------------------


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def split_delimited(data):
    records, at = [], 0
    while at < len(data):
        length = shift = 0
        while True:
            length |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        records.append(data[at : at + length])
        at += length
    return records


class Tool:
    def __init__(self, heraldctl, sample):
        self.heraldctl, self.sample = heraldctl, sample

    def run(self, name, data, *options):
        program = self.sample if name.startswith("sample.") else self.heraldctl
        return subprocess.run([program, "json", "--type", name, *options], input=data, capture_output=True, check=False)

    def stream(self, name, data, direction):
        done = self.run(name, data, direction, "--stream")
        if done.returncode != 0:
            fail(f"{name} {direction}: status {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def to_json(self, name, records):
        text = self.stream(name, b"".join(varint(len(record)) + record for record in records), "--to-json")
        return text.decode().split("\n")[:-1]

    def to_binary(self, name, texts):
        return split_delimited(self.stream(name, "".join(text + "\n" for text in texts).encode(), "--to-binary"))


# --- comparing ------------------------------------------------------------------------------------------------------


def same_tree(a, b):
    """Equal JSON; 1 and 1.0 are equal, 0 and -0.0 are not."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_tree(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_tree, a, b))
    if isinstance(a, bool) or isinstance(b, bool) or isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    # Of a float near 0 the reference writes more digits than it takes to tell it from its neighbours.
    alike = a == b or (0 < abs(b) < 2.0**-126 and as_float(a) == as_float(b))
    return alike and math.copysign(1, a) == math.copysign(1, b)


def packed(message):
    return message.SerializeToString(deterministic=True)


def without_negative_zeros(message):
    """A copy without the -0.0 of fields without presence: protobuf-c takes them for unset when it packs."""
    copy = type(message)()
    copy.CopyFrom(message)

    def clear(at):
        for field, value in at.ListFields():
            repeated = field.label == Field.LABEL_REPEATED
            if field.cpp_type == Field.CPPTYPE_MESSAGE:
                for inner in value if repeated else [value]:
                    clear(inner)
            elif not repeated and not field.containing_oneof and isinstance(value, float) and value == 0:
                at.ClearField(field.name)

    clear(copy)
    return copy


def compare_to_json(tool, name, messages):
    lines = tool.to_json(name, [packed(message) for message in messages])
    if len(lines) != len(messages):
        fail(f"{name}: {len(messages)} messages gave {len(lines)} lines")
    for message, line in zip(messages, lines):
        reference = json_format.MessageToJson(message, indent=None)
        if not same_tree(json.loads(line), json.loads(reference)):
            fail(f"{name} to JSON:\n  ours      {line}\n  reference {reference}")
        back = json_format.Parse(line, type(message)())
        if packed(back) != packed(message):
            fail(f"{name}: the reference reads our JSON as another message: {line}")


def compare_to_binary(tool, name, messages, rng):
    texts = [
        json_format.MessageToJson(
            message,
            indent=None,
            preserving_proto_field_name=rng.random() < 0.5,
            use_integers_for_enums=rng.random() < 0.3,
            including_default_value_fields=rng.random() < 0.3,
            ensure_ascii=rng.random() < 0.5,
        )
        for message in messages
    ]
    records = tool.to_binary(name, texts)
    if len(records) != len(messages):
        fail(f"{name}: {len(messages)} texts gave {len(records)} messages")
    for message, text, record in zip(messages, texts, records):
        if packed(type(message).FromString(record)) != packed(without_negative_zeros(message)):
            fail(f"{name} from JSON: another message of {text}")


# --- texts ----------------------------------------------------------------------------------------------------------

KINDS = "sample.v1.Kinds"

# Read by both, as the same message.
GOOD = [
    '{}', ' {\n} ', '{"aDouble":1}', '{"a_double":1}', '{"aDouble":-0.0}', '{"aDouble":"1.5e3"}', '{"aDouble":1E+2}',
    '{"aDouble":"NaN"}', '{"aDouble":"-Infinity"}', '{"aDouble":100000000000000000000000}', '{"aDouble":1e-400}',
    '{"aFloat":3.4028234e38}', '{"aFloat":1e-46}', '{"aFloat":0.1}', '{"aFloat":"Infinity"}',
    '{"anInt32":1e3}', '{"anInt32":1.0}', '{"anInt32":-2147483648}', '{"anInt32":"2147483647"}', '{"anInt32":-0}',
    '{"anInt64":"-9223372036854775808"}', '{"anInt64":9223372036854775807}', '{"anInt64":9007199254740993}',
    '{"aUint64":18446744073709551615}', '{"aUint64":"18446744073709551615"}', '{"aUint32":4294967295}',
    '{"aBool":true}', '{"aBool":false}', '{"aString":"\\ud83d\\ude00\\u00e9\\/\\b"}', '{"aString":"\\u003c"}',
    '{"someBytes":"//79/A=="}', '{"someBytes":"__79_A"}', '{"someBytes":"__79_A=="}', '{"someBytes":"//79/A"}', '{"someBytes":"++++"}', '{"someBytes":"----"}',
    '{"someBytes":""}', '{"aColour":"BLUE"}', '{"aColour":"AZURE"}', '{"aColour":7}', '{"aColour":-3}', '{"aColour":99}',
    '{"aList":{}}', '{"aList":{"order":"BY_NAME","parts":["","a"]}}',
    '{"aTime":"1970-01-01T00:00:00Z"}', '{"aTime":"2026-01-01T09:00:00.5+09:00"}', '{"aTime":"0001-01-01T00:00:00Z"}',
    '{"aTime":"9999-12-31T23:59:59.999999999Z"}', '{"aTime":"2025-12-31T19:30:00-04:30"}',
    '{"other-name":5}', '{"renamed":5}', '{"aDouble":null,"aList":null,"doubles":null,"aTime":null,"oneString":null}',
    '{"oneString":"","oneInt32":null}', '{"oneInt32":0}', '{"oneBytes":""}', '{"oneThing":{}}',
    '{"doubles":[1,"2",3.5e0,"NaN"]}', '{"int32s":[]}', '{"strings":["",""]}', '{"manyBytes":["",""]}',
    '{"unpacked":[1,2,3]}', '{"times":["1970-01-01T00:00:00.123456Z"]}', '{"things":[{},{"points":null}]}',
    '{"things":[{"bonusPoints":"1"},{"points":2}]}',
]

# Refused by both.
BAD = [
    '', ' ', '{', '}', 'null', '1', '"a"', '{} {}', '{"aDouble"}', '{"aDouble":}', '{"aDouble":1,}', '{aDouble:1}',
    "{'aDouble':1}", '{"aDouble":01}', '{"aDouble":1.}', '{"aDouble":.5}', '{"aDouble":+1}', '{"aDouble":0x10}',
    '{"aDouble":1e}', '{"aDouble":tru}', '{"aDouble":NaN}', '{"aDouble":-Infinity}', '{"aDouble":[]}', '{"aDouble":{}}', '{"aDouble":"x"}',
    '{"aDouble":""}', '{"aDouble":1e400}', '{"aFloat":3.5e38}', '{"aFloat":-3.5e38}',
    '{"anInt32":1.5}', '{"anInt32":"1.5"}', '{"anInt32":""}', '{"anInt32":" 1"}', '{"anInt32":"1 "}', '{"anInt32":true}',
    '{"anInt32":2147483648}', '{"anInt32":-2147483649}', '{"anInt32":1e10}', '{"anInt32":"x"}', '{"anInt32":[1]}',
    '{"anInt64":9223372036854775808}', '{"anInt64":"-9223372036854775809"}', '{"aUint32":-1}', '{"aUint64":-1}',
    '{"aUint64":18446744073709551616}', '{"aUint64":"18446744073709551616"}', '{"aUint32":4294967296}',
    '{"aBool":1}', '{"aBool":"true"}', '{"aString":1}', '{"aString":true}', '{"aString":["a"]}', '{"aString":"\\x"}',
    '{"aString":"\\u12"}', '{"aString":"\\ud800"}', '{"aString":"\\udc00"}', '{"aString":"\\ud800\\ud800"}',
    '{"aString":"a\tb"}', '{"aString":"a', '{"someBytes":1}', '{"aColour":"PINK"}', '{"aColour":""}',
    '{"aColour":2147483648}', '{"aList":"a"}', '{"aList":{"nope":1}}', '{"nope":1}',
    '{"aDouble":1,"aDouble":2}', '{"oneInt32":1,"oneString":"a"}', '{"int32s":1}',
    '{"int32s":[null]}', '{"int32s":{}}', '{"int32s":[1,"x"]}', '{"things":[null]}', '{"strings":["a",null]}',
    '{"aTime":"1970-01-01"}', '{"aTime":"1970-01-01T00:00:00"}', '{"aTime":"1970-13-01T00:00:00Z"}', '{"aTime":""}',
    '{"aTime":"2025-02-29T00:00:00Z"}', '{"aTime":"0000-01-01T00:00:00Z"}', '{"aTime":0}', '{"aTime":{"seconds":1}}',
    '{"aTime":"1970-01-01T00:00:00.1234567890Z"}', '{"aTime":"10000-01-01T00:00:00Z"}', '{"things":[1]}',
    '{"aString":"a\\', '{"aList":{"parts":{"a":1}}}', '{"bonusPoints":1}',
]

# Where Herald differs on purpose: text, whether Herald reads it, why.
DIFFERENT = [
    ('{"aString":"\\u0000"}', False, "a C string cannot hold NUL"),
    ('{"anInt32":"1e3"}', True, "a number in quotes is read like one without"),
    ('[]', False, "a list is no object, not even an empty one"),
    ('{"aList":[]}', False, "the same"),
    ('{"things":[[]]}', False, "the same"),
    ('{"aDouble":true}', False, "a bool is no number"),
    ('{"aDouble":"1e400"}', False, "too large in quotes, too"),
    ('{"aDouble":1,"a_double":2}', False, "one field under both its names"),
    ('{"aDouble":"1_0"}', False, "Python's own number syntax"),
    ('{"aDouble":" 1"}', False, "the same"),
    ('{"anInt32":"+1"}', False, "the same"),
    ('{"anInt32":"01"}', False, "the same"),
    ('{"aColour":"7"}', False, "the number of an enum's value in quotes is not its name"),
    ('{"anInt32":"１"}', False, "digits of other scripts are none of JSON's"),
    ('{"anInt32":1e-400}', False, "it is not 0: no number goes through a double"),
    ('{"anInt64":1.0000000000000000000000001}', False, "it is not 1"),
    ('{"aDouble":"inf"}', False, "infinity has one name"),
    ('{"aDouble":".5"}', False, "a number in quotes is read like one without"),
    ('{"aColour":true}', False, "a bool is no value of an enum"),
    ('{"aColour":1.5}', False, "nor is a fraction"),
    ('{"someBytes":"Zg="}', False, "padding is whole or absent"),
    ('{"someBytes":"Z g=="}', False, "Python passes over what is no base64"),
    ('{"someBytes":"Zg==Zg=="}', False, "nothing follows the padding"),
    ('{"aTime":"1970-01-01t00:00:00z"}', True, "RFC 3339 allows lower case"),
    ('{"aTime":"1970-1-1T0:0:0Z"}', False, "RFC 3339 wants all digits"),
    ('{"aTime":"1970-01-01T00:00:00+1:00"}', False, "the same"),
    ('{"aTime":"1970-01-01T00:00:00.Z"}', False, "RFC 3339 wants a digit behind the point"),
    ('{"aTime":"1970-01-01T00:00:00+24:00"}', False, "an offset is less than a day"),
    ('{"aTime":"1970-01-01T00:00:00+00:60"}', False, "the same, of an hour"),
    ('{"aTime":"0001-01-01T00:00:00+01:00"}', False, "in UTC it is before the year 1"),
    ('{"aTime":"9999-12-31T23:59:59-01:00"}', False, "in UTC it is after the year 9999"),
    ('{"someBytes":"\\u00e9"}', False, "Python passes over what is no base64"),
]

# Read by both, and exactly by Herald alone: text, the number that Herald reads.
EXACT = [
    ('{"anInt64":9007199254740993.0}', 9007199254740993),
    ('{"anInt64":9007199254740993e0}', 9007199254740993),
]


def reference_reads(message_class, text):
    try:
        return packed(without_negative_zeros(json_format.Parse(text, message_class())))
    except (json_format.ParseError, ValueError, TypeError, OverflowError, AttributeError):
        return None


def herald_reads(tool, name, text, message_class):
    done = tool.run(name, text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"), "--to-binary")
    if done.returncode == 2:
        if not done.stderr:
            fail(f"refused without a word: {text}")
        return None
    if done.returncode != 0:
        fail(f"status {done.returncode} for {text}")
        return None
    return packed(message_class.FromString(done.stdout))


def compare_texts(tool, message_class):
    for text in GOOD:
        ours, theirs = herald_reads(tool, KINDS, text, message_class), reference_reads(message_class, text)
        if ours is None or ours != theirs:
            fail(f"should be read alike: {text}: ours {ours} reference {theirs}")
    for text in BAD:
        ours, theirs = herald_reads(tool, KINDS, text, message_class), reference_reads(message_class, text)
        if ours is not None or theirs is not None:
            fail(f"should be refused by both: {text}: ours {ours} reference {theirs}")
    for text, read, why in DIFFERENT:
        ours, theirs = herald_reads(tool, KINDS, text, message_class), reference_reads(message_class, text)
        if (ours is not None) != read or (theirs is not None) == read:
            fail(f"differs no more as the table says ({why}): {text}: ours {ours} reference {theirs}")
    for text, number in EXACT:
        ours, theirs = herald_reads(tool, KINDS, text, message_class), reference_reads(message_class, text)
        if ours != packed(message_class(an_int64=number)) or ours == theirs:
            fail(f"not read exactly, or by the reference too: {text}: ours {ours} reference {theirs}")


def damage(rng, text):
    pieces = ["{", "}", "[", "]", ",", ":", '"', "\\", "0", "1", "e", ".", "-", "null", "true", " ", "\\u00e9", "a"]
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(pieces + [""]) + text[at + rng.randint(0, 2) :]
    return text


def compare_damaged(tool, message_class, rng, count):
    """What Herald reads, the reference reads as the same."""
    read = 0
    for _ in range(count):
        text = damage(rng, rng.choice(GOOD))
        ours = herald_reads(tool, KINDS, text, message_class)
        if ours is None:
            continue
        read += 1
        theirs = reference_reads(message_class, text)
        if theirs != ours and not quoted_exponent(text):
            fail(f"damaged text is read differently: {text}: ours {ours} reference {theirs}")
    return read


def quoted_exponent(text):
    """Whole numbers in quotes with a point or exponent: Herald reads them, the reference does not."""
    try:
        tree = json.loads(text)
    except ValueError:
        return False
    values = [item for value in tree.values() for item in (value if isinstance(value, list) else [value])]
    return any(isinstance(value, str) and any(mark in value for mark in ".eE") for value in values)


def compare_ignored(tool, message_class):
    text = '{"nope":{"a":[1,"}]",{"b":null}]},"aDouble":1.5,"aList":{"what":1e99,"order":"BY_NAME"},"é":"\\ud83d\\ude00"}'
    done = tool.run(KINDS, text.encode(), "--to-binary", "--ignore-unknown")
    theirs = packed(json_format.Parse(text, message_class(), ignore_unknown_fields=True))
    if done.returncode != 0 or packed(message_class.FromString(done.stdout)) != theirs:
        fail(f"unknown names are not ignored alike: {done.stderr.decode()}")


def main():
    parser = argparse.ArgumentParser()
    for name in ("--heraldctl", "--sample", "--proto", "--sample-proto", "--work"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40, help="messages of each type")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    tool = Tool(arguments.heraldctl, arguments.sample)
    classes = load_classes([arguments.proto, arguments.sample_proto], arguments.work)
    compared = 0
    for name, message_class in sorted(classes.items()):
        count = arguments.count * (20 if name == KINDS else 1)
        messages = [fill(rng, message_class()) for _ in range(count)]
        compare_to_json(tool, name, messages)
        compare_to_binary(tool, name, messages, rng)
        compared += count
    compare_texts(tool, classes[KINDS])
    compare_ignored(tool, classes[KINDS])
    read = compare_damaged(tool, classes[KINDS], rng, 400)
    print(f"{compared} messages of {len(classes)} types, {len(GOOD) + len(BAD) + len(DIFFERENT)} texts, "
          f"400 damaged ones of which {read} were read; {len(failures)} differences")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
