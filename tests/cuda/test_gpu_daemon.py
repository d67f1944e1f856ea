"""The daemon of a package on a GPU: what it answers, and what it leaves behind.

What is right is computed by torch in FP32 on the CPU.
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import torch

from daemon import BIN, Daemon, wait_until
from evaluation.cascades import write_cascade
from evaluation.measuring import Escand, halves_of_cores
from evaluation.npz_file import write_npz
from evaluation.recipes import CASCADES
from evaluation.verification import find_wrong_answer

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


def write_images(folder):
    """Writes images, and what each stage of the example answers to them."""
    torch.manual_seed(1)
    images = torch.randint(256, (64, 28, 28), dtype=torch.uint8)
    with torch.no_grad():
        answers = [torch.jit.load(CONFIG.parent / f"{stage}.pt")(images)
                   for stage in ("small", "medium", "large")]
    write_npz(folder / "images.npz", {"image": images})
    write_npz(folder / "answers.npz", {"probabilities": torch.stack(answers)})


def start_load(daemon, folder, *flags):
    """Starts to send images and compare the answers."""
    return subprocess.Popen(
        [BIN / "escan-loadgen", "--target", daemon.address(), "--rows", "4", "--concurrency",
         "16", *flags, "--samples", folder / "images.npz", "--expect",
         folder / "answers.npz", "--json", "-"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def report_of(generator):
    """Returns the report of a load, at its end."""
    output, _ = generator.communicate()
    return json.loads(output)


def plan_on(devices, folder):
    """Writes a plan of two workers on each of so many devices, which host all stages."""
    groups = [f"  - {{count: 2, device: {device}, thread_percent: 50, "
              "stages: [small, medium, large]}" for device in range(devices)]
    file = folder / f"on_{devices}.yaml"
    file.write_text("\n".join(["workers:", *groups, ""]))
    return file


class GpuDaemonTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folders = tempfile.TemporaryDirectory()
        for name in ("XDG_CACHE_HOME", "XDG_RUNTIME_DIR"):
            os.environ[name] = cls.folders.name
        cls.folder = pathlib.Path(cls.folders.name)
        write_images(cls.folder)
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
        report = report_of(start_load(daemon, self.folder, "--requests", "2000"))
        self.assertEqual(report["errors"], [])
        self.assertEqual(report["samples"], 8000)
        self.assertEqual(report["compared_samples"]["right"], 8000)

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

    def test_a_fault_on_one_gpu_costs_no_answer(self):
        daemon = self.start()
        if len(daemon.status()["devices"]) < 2:
            self.skipTest("one GPU")
        daemon.ctl("plan", "set", str(plan_on(2, self.folder)))

        def workers_on(device):
            return [worker for worker in daemon.cascade()["workers"]
                    if worker.get("device_index", 0) == device]

        def are_ready():
            return all(worker["state"] == "ready" for worker in daemon.cascade()["workers"])

        generator = start_load(daemon, self.folder, "--duration", "600s", "--deadline", "60s")
        try:
            undisturbed = {worker["id"]: worker["pid"] for worker in workers_on(0)}
            self.assertEqual(len(undisturbed), 2)
            for _ in range(3):
                victims = {worker["id"]: int(worker["pid"]) for worker in workers_on(1)}
                for pid in victims.values():
                    os.kill(pid, signal.SIGKILL)
                wait_until(lambda: are_ready() and not any(
                    int(worker["pid"]) in victims.values() for worker in workers_on(1)),
                    "the workers of the second GPU serve again")
            self.assertEqual({worker["id"]: worker["pid"] for worker in workers_on(0)}, undisturbed)
            for pid in mps_processes():
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: int(daemon.status()["mps"].get("restarts", 0)) > 0, "MPS is back")
            wait_until(are_ready, "all workers serve again")
        finally:
            generator.send_signal(signal.SIGINT)
            report = report_of(generator)
        self.assertEqual(report["errors"], [])
        self.assertGreater(report["samples"], 0)
        self.assertEqual(report["compared_samples"]["right"], report["samples"])

    def test_benchmark_cascades_answer_rightly(self):
        # In FP16, at all batch sizes and exits, by replicas, a pipeline, and with speculation.
        server_cores, generator_cores = halves_of_cores()
        for cascade in CASCADES:
            folder = self.folder / "cascades" / cascade
            write_cascade(cascade, folder, seed=1, small=True)
            with Escand(BIN, folder / "escand.yaml", self.folder, server_cores) as daemon:
                for plan in ("replicas_3x50", "pipeline", "all_parallel"):
                    with self.subTest(cascade=cascade, plan=plan):
                        daemon.set_plan(folder / "plans" / f"{plan}.yaml")
                        self.assertIsNone(find_wrong_answer(daemon, folder, generator_cores))


if __name__ == "__main__":
    unittest.main()
