"""breaker_replay from outside: its lines, its complaints, and the example of its page. usage: replay_test.py REPLAY PAGE"""

import re
import subprocess
import sys

FIELDS = ["state", "permitted", "permitsLeft", "failureRate", "slowCallRate", "bufferedCalls", "failedCalls", "slowCalls",
          "notPermittedCalls", "error", "events"]
# Each wrong input, the line that is named, and what the message must say.
WRONG = [
    ("0 acquire\nacquire\n", 2, "expected TIME_MS OP [ARGS] or config KEY=VALUE"),
    ("-1 acquire\n", 1, 'got "-1"'),
    ("1.5 acquire\n", 1, 'got "1.5"'),
    ("9007199254740992 acquire\n", 1, "9007199254740991"),
    ("99999999999999999999999 acquire\n", 1, "9007199254740991"),
    ("\n# first\n5 acquire\n4 acquire\n", 4, "expected a TIME_MS of at least 5"),
    ("0\n", 1, "expected an operation after TIME_MS"),
    ("0 aquire\n", 1, 'unknown operation "aquire"; expected acquire'),
    ("0 acquire 1\n", 1, 'acquire: expected no argument, got "1"'),
    ("0 success\n", 1, "success: expected one argument, DURATION_MS"),
    ("0 success 1 2\n", 1, 'got "2" besides'),
    ("0 error -5\n", 1, 'error: expected one argument, DURATION_MS: a whole number from 0 to 9007199254740991, got "-5"'),
    ("0 error 9007199254740992\n", 1, "9007199254740991"),
    ("0 ignore 5\n", 1, "ignore: expected no argument"),
    ("0 transition\n", 1, "STATE: CLOSED, OPEN, HALF_OPEN"),
    ("0 transition open\n", 1, 'got "open"'),
    ("0 reset now\n", 1, "reset: expected no argument"),
    ("0 advance 7\n", 1, "advance: expected no argument"),
    ("config\n", 1, "expected KEY=VALUE after config"),
    ("config slidingWindowSize\n", 1, 'expected KEY=VALUE after config, got "slidingWindowSize"'),
    ("config windowSize=3\n", 1, 'unknown key "windowSize"; expected one of slidingWindowSize'),
    ("config =3\n", 1, 'unknown key ""'),
    ("config slidingWindowSize=0\n", 1, 'slidingWindowSize: expected a whole number from 1 to 1000000, got "0"'),
    ("config slidingWindowSize=1000001\n", 1, "1 to 1000000"),
    ("config slidingWindowSize=3x\n", 1, 'got "3x"'),
    ("config slidingWindowSize=\n", 1, 'got ""'),
    ("config failureRateThreshold=0\n", 1, "failureRateThreshold: expected percent above 0 and at most 100"),
    ("config failureRateThreshold=100.1\n", 1, 'got "100.1"'),
    ("config failureRateThreshold=nan\n", 1, 'got "nan"'),
    ("config slowCallRateThreshold=1e1\n", 1, 'got "1e1"'),
    ("config slowCallRateThreshold=5.\n", 1, 'got "5."'),
    ("config waitDurationInOpenStateMs=0\n", 1, "1 to 4294967295"),
    ("config waitDurationInOpenStateMs=4294967296\n", 1, "1 to 4294967295"),
    ("config minimumNumberOfCalls=1\nconfig minimumNumberOfCalls=2\n", 2, "minimumNumberOfCalls: is given twice"),
    ("0 advance\nconfig minimumNumberOfCalls=1\n", 2, "config comes after an operation"),
    ("0 advance\n0 \0advance\n", 2, "NUL"),
    ("0" + " x" * 40 + "\n", 1, "more than 32 words"),
]


def run(replay, text, *options):
    done = subprocess.run([replay, *options], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def lines_of(replay, text, *options):
    status, out, err = run(replay, text, *options)
    assert (status, err) == (0, ""), (status, err)
    return out.splitlines()


def field(line, name):
    return dict(word.split("=", 1) for word in line.split()[2:])[name]


def check_lines(replay):
    """One line for each operation, with all fields; blanks, comments, CRLF and a last line without its end are taken."""
    out = lines_of(replay, "# c\r\n\nconfig slidingWindowSize=4\t minimumNumberOfCalls=3 # c\r\n7 acquire # c\n 7\tsuccess 0\n8 advance")
    assert [line.split()[:2] for line in out] == [["7", "acquire"], ["7", "success"], ["8", "advance"]], out
    for line in out:
        assert [word.split("=")[0] for word in line.split()[2:]] == FIELDS, line
    assert not lines_of(replay, "")
    assert not lines_of(replay, "config failureRateThreshold=12.5\n")


def check_calls(replay):
    """The oldest call ends; without one, only strict mode records."""
    text = "config slowCallDurationThresholdMs=10\n0 acquire\n5 acquire\n11 advance\n11 ignore\n11 ignore\n11 ignore\n"
    out = lines_of(replay, text)
    assert [field(line, "slowCalls") for line in out] == ["0", "0", "1", "0", "0", "0"], out
    assert [field(line, "error") for line in out] == ["-"] * 5 + ["NO_CALL_IN_FLIGHT"], out
    out = lines_of(replay, "0 success 1\n0 error 1\n", "--strict")
    assert [field(line, "bufferedCalls") for line in out] == ["1", "2"], out
    out = lines_of(replay, "0 success 1\n", )
    assert field(out[0], "bufferedCalls") == "0" and field(out[0], "events") == "-", out


def check_defaults(replay):
    """resilience4j's: 100 calls, 50 %. A minimum beyond the window counts as the window."""
    calls = "0 acquire\n0 error 1\n"
    assert field(lines_of(replay, calls * 99)[-1], "state") == "CLOSED"
    assert field(lines_of(replay, calls * 100)[-1], "state") == "OPEN"
    config = "config slidingWindowSize=2 minimumNumberOfCalls=50\n"
    for options in ([], ["--strict"]):
        assert field(lines_of(replay, config + calls * 2, *options)[-1], "state") == "OPEN"
    assert field(lines_of(replay, "config minimumNumberOfCalls=200\n" + calls * 100)[-1], "state") == "OPEN"


def check_strict(replay):
    text = "0 transition HALF_OPEN\n"
    assert field(lines_of(replay, text)[0], "events") == "STATE_TRANSITION(CLOSED>HALF_OPEN)"
    assert field(lines_of(replay, text, "--strict")[0], "error") == "ILLEGAL_TRANSITION"
    out = lines_of(replay, "0 transition DISABLED\n0 transition OPEN\n0 error 1\n", "--strict")
    assert field(out[2], "error") == "NO_WINDOW" and field(out[2], "bufferedCalls") == "1", out


def check_wrong(replay):
    for text, number, says in WRONG:
        status, out, err = run(replay, text)
        assert status == 2 and err.startswith(f"breaker_replay: line {number}: ") and says in err, (text, status, err)
        assert err.count("\n") == 1, err
        assert len(out.splitlines()) == sum(line[:1].isdigit() for line in text.splitlines()[: number - 1]), (text, out)


def check_options(replay):
    status, out, err = run(replay, "", "--help")
    assert status == 0 and "--strict" in out and not err, (status, out, err)
    for options in (["--sloppy"], ["input.txt"], ["--strict=1"]):
        status, out, err = run(replay, "", *options)
        assert status == 2 and not out and err, (options, status, out, err)
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([replay], input="0 advance\n", stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "cannot be written" in done.stderr, done


def check_page(replay, page):
    """The example of the page prints what the page shows."""
    with open(page, encoding="utf-8") as file:
        example = re.search(r"```\n\$ breaker_replay <<'END'\n(.*?)^END\n(.*?)```", file.read(), re.DOTALL | re.MULTILINE)
    assert example, "no example"
    shown = example.group(2).splitlines()
    assert lines_of(replay, example.group(1)) == shown, "\n".join(lines_of(replay, example.group(1)))


def main():
    replay, page = sys.argv[1:]
    check_lines(replay)
    check_calls(replay)
    check_defaults(replay)
    check_strict(replay)
    check_wrong(replay)
    check_options(replay)
    check_page(replay, page)


main()
