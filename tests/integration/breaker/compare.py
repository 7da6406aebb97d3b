"""Feeds random sequences to breaker_replay --strict and to resilience4j, and compares each line that they print.
usage: compare.py REPLAY CLASS_PATH SEQUENCES SEED      the last line is 'N passed, N failed'

A sequence that differs is written to stderr with its seed and number; the same two make the same sequence again."""

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

STATES = ("CLOSED", "OPEN", "HALF_OPEN", "DISABLED", "FORCED_OPEN", "METRICS_ONLY")
# What the sequences must bring about, lest the comparison proves little.
WANTED = [f" state={state} " for state in STATES] + [
    "permitted=false", "error=ILLEGAL_TRANSITION", "error=NO_WINDOW", "IGNORED_ERROR", "NOT_PERMITTED", "RESET",
    "ERROR,FAILURE_RATE_EXCEEDED,STATE", "SUCCESS,SLOW_CALL_RATE_EXCEEDED,STATE", "(HALF_OPEN>CLOSED)", "(HALF_OPEN>OPEN)",
    "FAILURE_RATE_EXCEEDED,SLOW_CALL_RATE_EXCEEDED",
]
SHOWN_MAX = 5


def percent(rng):
    return rng.choice(("50", "100", "33.333332", "33.3333", "66.66667", "0.1", "25", "20", f"{rng.uniform(0.01, 100):.3f}"))


def config_of(rng):
    """The numbers of a breaker. Small ones, so that a sequence passes through many states; sometimes the defaults."""
    if rng.random() < 0.05:
        return {"slidingWindowSize": 100}  # the default, as all others
    config = {
        "slidingWindowSize": rng.choice((1, 2, 3, 5, 10, 20, 100)),
        "minimumNumberOfCalls": rng.choice((1, 2, 3, 5, 10, 30)),
        "failureRateThreshold": percent(rng),
        "slowCallRateThreshold": percent(rng),
        "slowCallDurationThresholdMs": rng.choice((1, 50, 100)),
        "waitDurationInOpenStateMs": rng.choice((1, 20, 200)),
        "permittedNumberOfCallsInHalfOpenState": rng.choice((1, 2, 3, 5, 12)),
        "maxWaitDurationInHalfOpenStateMs": rng.choice((0, 0, 1, 30, 300)),
    }
    return {key: value for key, value in config.items() if rng.random() < 0.95}


def sequence(seed, number):
    """The lines of one sequence, its config first."""
    rng = random.Random(f"{seed}/{number}")
    config = config_of(rng)
    lines = ["config " + " ".join(f"{key}={value}" for key, value in config.items())]
    waits = [config.get("waitDurationInOpenStateMs", 60000), config.get("maxWaitDurationInHalfOpenStateMs", 0)]
    slow = config.get("slowCallDurationThresholdMs", 60000)
    operator = rng.choice((0.0, 0.02, 0.15))  # how often somebody forces a state
    failing = rng.random()
    time = 0
    for _ in range(rng.choice((40, 150, 400))):
        time += rng.choice((0, 0, 0, 1, 1, rng.randrange(20), rng.choice(waits), rng.choice(waits) + 1))
        duration = rng.choice((0, 0, 1, slow, slow + 1, slow - 1, rng.randrange(2 * slow + 1)))
        if rng.random() < operator:
            operation = rng.choice([f"transition {state}" for state in STATES] + ["reset"])
        elif rng.random() < 0.45:
            operation = "acquire"
        else:
            kind = rng.random()
            if kind < 0.1:
                operation = "ignore"
            elif kind < 0.13:
                operation = "advance"
            else:
                operation = ("error" if rng.random() < failing else "success") + f" {duration}"
        lines.append(f"{time} {operation}")
    return lines


def ours(replay, lines):
    done = subprocess.run([replay, "--strict"], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stderr:
        return [f"exit status {done.returncode}: {done.stderr}"]
    return done.stdout.splitlines()


def theirs(class_path, sequences):
    lines = [line for each in sequences for line in each]
    done = subprocess.run(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path, "Replay"],
                          input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"resilience4j's side failed:\n{done.stderr}")
    return done.stdout.splitlines()


def show(seed, number, lines, expected, got):
    at = next((i for i, pair in enumerate(zip(expected, got)) if pair[0] != pair[1]), min(len(expected), len(got)))
    print(f"sequence {number} of seed {seed} differs after operation {at + 1}:", file=sys.stderr)
    for line in [lines[0], *lines[max(1, at - 8) : at + 2]]:
        print(f"    {line}", file=sys.stderr)
    print(f"  resilience4j:   {expected[at] if at < len(expected) else '-'}", file=sys.stderr)
    print(f"  breaker_replay: {got[at] if at < len(got) else '-'}", file=sys.stderr)


def main():
    replay, class_path, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    sequences = [sequence(seed, number) for number in range(count)]
    expected = theirs(class_path, sequences)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda lines: ours(replay, lines), sequences))
    at = failed = 0
    for number, (lines, got) in enumerate(zip(sequences, results)):
        right = expected[at : at + len(lines) - 1]
        at += len(lines) - 1
        if got != right:
            failed += 1
            if failed <= SHOWN_MAX:
                show(seed, number, lines, right, got)
    print(f"seed {seed}: {count} sequences, {at} operations compared with resilience4j")
    for text in WANTED:
        if not any(text in line for line in expected):
            print(f"no operation led to \"{text}\"", file=sys.stderr)
            failed += 1
    if at != len(expected):
        print(f"{at} operations, but resilience4j answered {len(expected)}", file=sys.stderr)
        failed += 1
    print(f"{max(count - failed, 0)} passed, {failed} failed")
    sys.exit(failed > 0)


main()
