"""What processes of this machine have used: processor time and memory."""

import os
import pathlib

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")
PROC = pathlib.Path("/proc")


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
