"""Tries the bugs in planted/*.patch: a campaign on Herald with such a bug must fail, and say why.

A patch begins with lines '# …': what the bug is; '# finds: KIND', what the campaign must call it; '# arguments: …',
which faults it takes. The bugs go into a copy of the sources, with a build folder of its own, one after the other."""

import filecmp
import pathlib
import shutil
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGETS = ["herald-event", "herald-distribution", "herald-job", "herald-content", "herald-fakes", "herald-kafka",
           "heraldctl", "fault-proxy", "campaign-load", "campaign-records"]


def about(patch: pathlib.Path) -> dict[str, str]:
    """Of a patch: what, finds and arguments."""
    lines = [line[2:] for line in patch.read_text().splitlines() if line.startswith("# ")]
    named = dict(line.split(": ", 1) for line in lines[1:])
    return {"what": lines[0], **named}


def _copy_sources(source: pathlib.Path, build: pathlib.Path) -> None:
    """What git knows, and what is new, as it stands."""
    source.mkdir(parents=True, exist_ok=True)
    files = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"], text=True, check=True,
                           stdout=subprocess.PIPE).stdout
    for name in files.splitlines():
        old, new = ROOT / name, source / name
        if old.is_file() and not (new.exists() and filecmp.cmp(old, new, shallow=False)):
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(old, new)  # with a new time, so that the build sees it
    if not (build / "build.ninja").exists():
        subprocess.run(["cmake", "-S", str(source), "-B", str(build), "-G", "Ninja",
                        "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O2 -g",
                        "-DHERALD_TESTS=ON", "-DHERALD_WERROR=OFF"], check=True, stdout=subprocess.DEVNULL)


def _try(patch: pathlib.Path, source: pathlib.Path, build: pathlib.Path, engine: str) -> bool:
    """Whether the campaign finds the bug."""
    facts, log = about(patch), build / f"{patch.stem}.log"
    began = time.monotonic()
    subprocess.run(["patch", "-s", "-p1", "-d", str(source), "-i", str(patch)], check=True)
    try:
        subprocess.run(["ninja", "-C", str(build), *TARGETS], check=True, stdout=subprocess.DEVNULL)
        with open(log, "w", encoding="utf-8") as output:
            status = subprocess.run([str(HERE / "run"), "--smoke", "--engine", engine, "--build", str(build),
                                     *facts["arguments"].split()], stdout=output, stderr=output, check=False).returncode
    finally:
        subprocess.run(["patch", "-s", "-R", "-p1", "-d", str(source), "-i", str(patch)], check=True)
    found = [line for line in log.read_text().splitlines() if line.startswith(facts["finds"] + ": ")]
    good = status == 1 and bool(found)
    print(f"{patch.stem}: {'found' if good else 'NOT FOUND'} in {time.monotonic() - began:.0f} s: "
          f"{found[0] if found else log}", flush=True)
    return good


def run(name: str, build: pathlib.Path, engine: str) -> int:
    """Tries one bug, or all of them. @build  where the folders go. @engine  rpc.engine of the servers"""
    patches = sorted(path for path in (HERE / "planted").glob("*.patch") if name in ("", path.stem))
    if not patches:
        print(f"no planted bug is named '{name}'")
        return 64
    source, folder = build / "planted/source", build.resolve() / "planted/build"
    folder.mkdir(parents=True, exist_ok=True)
    _copy_sources(source, folder)
    results = [_try(patch, source, folder, engine) for patch in patches]
    print(f"{sum(results)} found, {len(results) - sum(results)} not found")
    return 0 if all(results) else 1
