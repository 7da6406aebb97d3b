#!/usr/bin/env python3
"""Checks that each planted bug, a patch, can still be applied: else nobody learns whether its bug would be found."""

import os
import subprocess

import sources

FOLDERS = ("tests/fault/campaign/planted", "tests/simulation/bugs")


def applies(path):
    """None, or what patch(1) says against it."""
    done = subprocess.run(
        ["patch", "--dry-run", "--force", "--silent", "-p1", "-d", sources.ROOT, "-i", os.path.join(sources.ROOT, path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    return None if done.returncode == 0 else done.stdout.strip().replace("\n", " ")


def main():
    paths = [path for path in sources.files(".patch") if path.startswith(FOLDERS)]
    problems = [f"{path}: does not apply: {why}" for path in paths if (why := applies(path))]
    sources.finish("planted", problems, len(paths))


main()
