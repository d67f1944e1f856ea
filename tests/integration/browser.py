"""A headless browser, where the machine has one."""

import shutil
import subprocess
import tempfile

from daemon import PATIENCE

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")


def seen(url):
    """The page at `url` as a browser has it after its scripts ran for some seconds."""
    with tempfile.TemporaryDirectory(prefix="escan-browser-", ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={profile}", "--virtual-time-budget=8000", "--dump-dom", url],
            capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout
