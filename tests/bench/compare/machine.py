"""On what is measured: the machine, what it may use of it, what else it does, and versions of all that takes part."""

import os
import pathlib
import platform
import re
import subprocess

from stack import ROOT

LIBRARIES = {"nng": "nng", "gRPC": "grpc++", "Cap'n Proto": "capnp-rpc", "libuv": "libuv", "OpenSSL": "openssl",
             "libpq": "libpq", "librdkafka": "rdkafka", "curl": "libcurl"}
PROGRAMS = {"Postgres": ["pg_config", "--version"], "Redis": ["redis-server", "--version"], "wrk": ["wrk", "--version"],
            "cc": ["cc", "--version"], "Java": ["java", "--version"], "Python": ["python3", "--version"]}


def output(*command: str) -> str:
    """The first line that a command prints, on whichever channel; empty where there is none such."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    text = (done.stdout or done.stderr).strip()
    return text.splitlines()[0] if text else ""


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def cpu_model() -> str:
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.machine()


def memory_mib() -> int:
    found = re.search(r"^MemTotal:\s*(\d+)", _read("/proc/meminfo"), re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def version_of(text: str) -> str:
    """The number in what a program says of itself."""
    found = re.search(r"\d+\.\d[\w.+-]*", text)
    return found[0] if found else text


def nng_version() -> str:
    for header in ("/usr/include/nng/nng.h", "/usr/local/include/nng/nng.h"):
        numbers = re.findall(r"#define NNG_(?:MAJOR|MINOR|PATCH)_VERSION (\d+)", _read(header))
        if len(numbers) == 3:
            return ".".join(numbers)
    return ""


def versions() -> dict[str, str]:
    commit = output("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12")
    found = {"Herald": commit or "not from git", "nng": nng_version()}
    for name, package in LIBRARIES.items():
        found.setdefault(name, output("pkg-config", "--modversion", package) if name != "nng" else "")
    for name, command in PROGRAMS.items():
        found[name] = version_of(output(*command))
    pom = re.search(r"<kafka.version>([^<]+)<", "".join(_read(str(path)) for path in (ROOT / "deploy/kafka").rglob("pom.xml")))
    found["Apache Kafka"] = pom[1] if pom else ""
    return {name: value for name, value in found.items() if value}


def load() -> dict[str, str]:
    """How busy the machine is: to be read before anything is built or started."""
    return {"load at start": " ".join(f"{load:.2f}" for load in os.getloadavg())}


def describe(at_start: dict[str, str]) -> dict[str, object]:
    system = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read("/etc/os-release"), re.MULTILINE)
    return {
        "cpu": cpu_model(), "cores": os.cpu_count(), "cores that may be used": sorted(os.sched_getaffinity(0)),
        "quota of cores": _read("/sys/fs/cgroup/cpu.max") or "none known",
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not said",
        "memory, MiB": memory_mib(), "kernel": f"{platform.system()} {platform.release()}",
        "system": system[1] if system else "not said", **at_start, "versions": versions(),
    }


def text_of(machine: dict[str, object]) -> str:
    lines = []
    for name, value in machine.items():
        if isinstance(value, dict):
            value = ", ".join(f"{one} {version}" for one, version in value.items())
        lines.append(f"{name}: {value}")
    return "\n".join(lines)
