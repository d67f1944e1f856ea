"""The daemon of a package on a GPU: what it serves, and what it leaves behind."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from daemon import BIN, Daemon, wait_until

CONFIG = BIN.parent / "share" / "escan" / "configs" / "fashion_mnist" / "escand.yaml"


def mps_processes():
    """The MPS processes of this test's daemons, by their process ids."""
    pipes = f"CUDA_MPS_PIPE_DIRECTORY={os.environ['XDG_RUNTIME_DIR']}/".encode()
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes()
        except OSError:  # it ended in between, or is another user's
            continue
        of_mps = b"nvidia-cuda-mps" in command.split(b"\0")[0]
        if of_mps and any(entry.startswith(pipes) for entry in environment.split(b"\0")):
            found.append(int(folder.name))
    return found


def load(daemon):
    """Sends random images; returns the load generator's report."""
    done = subprocess.run(
        [BIN / "escan-loadgen", "--target", daemon.address(), "--rows", "4", "--concurrency",
         "16", "--requests", "2000", "--json", "-"],
        capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


class GpuDaemonTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folders = tempfile.TemporaryDirectory()
        for name in ("XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
            os.environ[name] = cls.folders.name
        cls.start_times = []

    @classmethod
    def tearDownClass(cls):
        cls.folders.cleanup()
        print("ready after", ", ".join(f"{seconds:.1f} s" for seconds in cls.start_times),
              "(the first with nothing cached)")

    def start(self):
        begin = time.monotonic()
        daemon = Daemon(CONFIG)
        self.addCleanup(daemon.kill)
        self.start_times.append(time.monotonic() - begin)
        return daemon

    def assert_serves(self, daemon):
        report = load(daemon)
        self.assertEqual(report["errors"], [])
        self.assertEqual(report["samples"], 8000)

    def test_serves_on_the_gpu_and_leaves_nothing(self):
        daemon = self.start()
        status = daemon.status()
        self.assertEqual(status["devices"][0]["kind"], "gpu")
        self.assertTrue(status["mps"]["running"])
        for worker in status["cascades"][0]["workers"]:
            self.assertGreater(worker["multiprocessors"], 0)
            self.assertGreater(int(worker["device_memory_bytes"]), 0)
        self.assert_serves(daemon)
        self.assertNotEqual(mps_processes(), [])
        self.assertEqual(daemon.terminate(), 0)
        self.assertEqual(mps_processes(), [])

    def test_takes_over_from_a_daemon_that_was_killed(self):
        first = self.start()
        workers = first.worker_pids()
        first.kill()
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers),
                   "its workers end")
        self.assertNotEqual(mps_processes(), [])
        second = self.start()
        self.assertTrue(any("mps leftover" in line for line in second.log), second.log)
        self.assert_serves(second)
        self.assertEqual(second.terminate(), 0)
        self.assertEqual(mps_processes(), [])


if __name__ == "__main__":
    unittest.main()
