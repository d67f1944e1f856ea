"""Starts the real daemon for one test and ends it again, whatever happens."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ["ESCAN_BIN"])
FASHION_MNIST = ROOT / "configs" / "fashion_mnist"
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")

# A cascade that needs no model: its worker is there in a moment.
ZEROS = """
devices: [cpu]
shutdown: {grace: 0s, drain_timeout: 5s}
cascades:
  - name: zeros
    deadline: 30s
    inputs:  [{name: x, datatype: FP32, shape: [4]}]
    outputs: [{name: y, datatype: FP32, shape: [2]}]
    stages: [{name: a, executor: "null"}]
"""

# How long anything may take before a test gives up. Never a measurement.
PATIENCE = 90.0


def wait_until(condition, what):
    """Polls `condition` until it is true; fails with `what` when the patience is over."""
    ended = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if condition():
            return
        ended.wait(0.02)
    raise AssertionError(f"did not happen: {what}")


def child_pids(pid):
    """The processes that `pid` started."""
    return [int(child) for file in pathlib.Path(f"/proc/{pid}/task").glob("*/children")
            for child in file.read_text().split()]


class Daemon:
    """One `escand` with its addresses; a context manager.

    The log is kept in `log` (a list of lines), read by a thread of its own. `folder` holds the program
    and its workers'. `wrapper` is a command that executes the daemon.
    """

    def __init__(self, config, *arguments, ready=True, folder=BIN, listen="127.0.0.1:0", wrapper=(),
                 environment=None, admin=None):
        self.folder = tempfile.mkdtemp(prefix="escan-test-")
        self.admin = admin or f"unix:{self.folder}/admin.sock"
        self.log = []
        self._addresses = {}
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [*wrapper, folder / "escand", "--config", config, "--listen", listen,
             "--metrics", "127.0.0.1:0", "--admin", self.admin, *arguments],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        try:
            if ready:
                wait_until(self.is_ready, "the daemon is ready\n" + "\n".join(self.log))
        except BaseException:
            self.kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _read_log(self):
        for line in self.process.stderr:
            with self._news:
                self.log.append(line.rstrip("\n"))
                found = re.search(r"(listening|http|metrics|admin) address=(\S+)", line)
                if found:
                    self._addresses[found[1]] = found[2]
                self._news.notify_all()
        with self._news:
            self._addresses.setdefault("listening", "")
            self._news.notify_all()

    def address(self, name="listening"):
        """The bound address; empty when the daemon ended before it had one."""
        with self._news:
            assert self._news.wait_for(lambda: name in self._addresses, PATIENCE), self.log
            return self._addresses[name]

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("the daemon ended:\n" + "\n".join(self.log))
        return self.ctl("health", check=False).returncode == 0

    def ctl(self, *arguments, check=True):
        """Runs escanctl; returns the completed process."""
        done = subprocess.run([BIN / "escanctl", "--admin", self.admin, *arguments],
                              capture_output=True, text=True, timeout=PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"escanctl {arguments}: {done.stderr}")
        return done

    def status(self):
        return json.loads(self.ctl("--json", "status").stdout)

    def cascade(self):
        """The status of the only cascade."""
        return self.status()["cascades"][0]

    def metrics(self):
        """{name with labels: value} of the metrics page."""
        with urllib.request.urlopen(f"http://{self.address('metrics')}/metrics") as page:
            lines = page.read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in lines if line and not line.startswith("#")}

    def worker_pids(self):
        return [int(worker["pid"]) for worker in self.cascade()["workers"]
                if int(worker.get("pid", 0)) != 0]

    def terminate(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(PATIENCE)
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)
