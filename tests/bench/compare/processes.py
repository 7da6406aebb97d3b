"""What processes of this machine have used: processor time and memory."""

import os
import pathlib
import subprocess
import tempfile
import time

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
PROC = pathlib.Path("/proc")
LOOK_S = 0.02


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none if the process has ended."""
    try:
        return (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_us(pid: int) -> float:
    """User and system time of a process; children do not count. 0 if it has ended."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * TICK_US if fields else 0


def cpu_us_of_tree(pid: int) -> float:
    """User and system time of a process, its children, and those children that have ended."""
    fields = _stat(pid)
    own_us = sum(int(field) for field in fields[11:15]) * TICK_US if fields else 0
    return own_us + sum(cpu_us(child) for child in children(pid))


def memory_kib(pid: int, what: str) -> int:
    """@what  VmRSS or VmHWM, which is the most that it ever was. 0 if the process has ended."""
    try:
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(what + ":"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def reset_peak(pid: int) -> None:
    """VmHWM begins anew at what the process has now."""
    (PROC / str(pid) / "clear_refs").write_text("5")


def run_program(command: list[str], env: dict[str, str] | None = None, limit_s: float = 600) -> tuple[str, float, int]:
    """Returns: what it printed; its processor time, µs, and its peak memory, KiB, as last seen. Raises: when it failed"""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        peak_kib, deadline, ended = 0, time.monotonic() + limit_s, 0
        while not ended:
            # What wait4() tells of memory begins with that of this process.
            peak_kib = max(peak_kib, memory_kib(process.pid, "VmHWM"))
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if not ended and time.monotonic() > deadline:
                process.kill()
            if not ended:
                time.sleep(LOOK_S)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            name = pathlib.Path(command[0]).name
            raise RuntimeError(f"{name}: exit status {process.returncode}: {err.read().strip()[-400:]}")
        return out.read(), (used.ru_utime + used.ru_stime) * 1e6, peak_kib
