"""The systems of tests/bench/peers: programs that measure one cell each and print its figures. README.md there says how."""

import json
import os
import pathlib
import resource
import subprocess
from typing import Any

from stack import ROOT

FOLDER = ROOT / "tests/bench/peers"
NAMES = ["sp", "nng", "grpc", "capnp", "herald"]
OVERHEAD_S = 90  # connections, certificates, the warm-up
BUILD_S = 1800


class Peer:
    """A program, and which of its rows it has."""

    def __init__(self, program: pathlib.Path) -> None:
        self.program, self.name = program, program.name
        done = subprocess.run([str(program), "--list"], capture_output=True, text=True, check=False, timeout=OVERHEAD_S)
        if done.returncode != 0:
            raise RuntimeError(f"{program} --list: {done.stderr.strip()}")
        self._rows = done.stdout.split()

    def rows(self) -> list[str]:
        return self._rows

    def measure(self, row: str, seconds: float) -> dict[str, Any]:
        with subprocess.Popen([str(self.program), "--row", row, "--seconds", str(seconds)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                out, err = process.communicate(timeout=seconds + OVERHEAD_S)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise RuntimeError(f"did not end within {seconds + OVERHEAD_S:g} s") from error
            if process.returncode != 0:
                raise RuntimeError(f"exit status {process.returncode}: {err.strip()[-400:]}")
        lines = out.splitlines()
        if len(lines) != 1:
            raise RuntimeError(f"printed {len(lines)} lines, not one")
        figures: dict[str, Any] = json.loads(lines[0])
        if (figures.get("row"), figures.get("system")) != (row, self.name):
            raise RuntimeError(f"printed figures of {figures.get('row')}, {figures.get('system')}")
        return figures


def allow_files() -> int:
    """1,024 connections need more files than many shells allow. Returns: how many are"""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16384 if hard == resource.RLIM_INFINITY else min(16384, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def build(name: str, folder: pathlib.Path, herald: pathlib.Path) -> list[pathlib.Path]:
    """Builds one peer. @herald  the build folder of Herald. Returns: its programs, as its script puts them into @folder"""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.is_file() and os.access(old, os.X_OK):
            old.unlink()
    done = subprocess.run([str(FOLDER / name / "build"), str(folder)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=BUILD_S, env=os.environ | {"HERALD_BENCH_BUILD": str(herald)})
    if done.returncode != 0:
        raise RuntimeError(f"tests/bench/peers/{name}/build: {(done.stdout + done.stderr).strip()[-2000:]}")
    return sorted(file for file in folder.iterdir() if file.is_file() and os.access(file, os.X_OK))
