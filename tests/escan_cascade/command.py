"""Runs escan-cascade as a user does."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
COMMAND = ROOT / "scripts" / "escan-cascade"
PATIENCE = 300  # seconds before a test gives up, never a measurement


def run(*arguments, folder, check=True):
    """The finished escan-cascade; in `folder`."""
    done = subprocess.run([COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True,
                          timeout=PATIENCE, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    if check and done.returncode != 0:
        raise AssertionError(f"escan-cascade {arguments}:\n{done.stderr}")
    return done
