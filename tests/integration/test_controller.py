"""Plans that follow the load, and what clients see while plans change."""

import contextlib
import json
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from daemon import BIN, PATIENCE, Daemon, wait_until

# Clients decide where a sample exits, see tests/worker/torch/test_models.h.
CASCADE = """
devices: [cpu]
cascades:
  - name: graded
    max_rows: 16
    deadline: 20s
    inputs:  [{name: difficulty, datatype: FP32, shape: [1]}]
    outputs: [{name: y, datatype: FP32, shape: [1]}]
    stages:
      - name: small
        model: graded.pt
        buckets: [1, 8]
        outputs: [{name: y, datatype: FP32, shape: [1]}, {name: score, datatype: FP32, shape: [1]}]
        exit: {score: output, output: score, threshold: 0}
      - name: large
        model: graded.pt
        buckets: [1, 8]
        outputs: [{name: y, datatype: FP32, shape: [1]}, {name: score, datatype: FP32, shape: [1]}]
    profile: profile.json
    plan: PLAN
"""

SEPARATE = """
workers:
  - {count: 1, thread_percent: 50, stages: [small]}
  - {count: 1, thread_percent: 50, stages: [large]}
"""
TOGETHER = "workers: [{count: 1, thread_percent: 100, stages: [small, large]}]\n"
HALVES = "workers: [{count: 2, thread_percent: 50, credits: 2, stages: [small, large]}]\n"
CHANGES = 50


class WithCascade(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="escan-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        subprocess.run([BIN / "escan-make-test-models", self.folder], check=True, timeout=PATIENCE)

    def write(self, name, text):
        file = self.folder / name
        file.write_text(text)
        return file


class Load(threading.Thread):
    """`escan-loadgen` with these exit ratios until it is stopped; then `report` is its report."""

    def __init__(self, daemon, exit_ratio, rate):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            [BIN / "escan-loadgen", "--target", daemon.address(), "--exit-ratios", str(exit_ratio),
             "--rate", str(rate), "--duration", f"{PATIENCE}s", "--warmup", "0s", "--deadline",
             "20s", "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.report = None
        self.start()

    def run(self):
        self.report = json.loads(self.process.communicate()[0])

    def stop(self):
        self.process.terminate()
        self.join(PATIENCE)


@contextlib.contextmanager
def load(test, daemon, exit_ratio, rate=200):
    """Puts load on the daemon; afterwards no request of it has failed."""
    generator = Load(daemon, exit_ratio, rate)
    try:
        yield
    finally:
        generator.stop()
    test.assertEqual(generator.report["requests"]["failed"], 0, generator.report["errors"])
    test.assertGreater(generator.report["requests"]["succeeded"], 0)


def history(daemon):
    return json.loads(daemon.ctl("--json", "plan", "history").stdout)["decisions"]


class Controller(WithCascade):
    def measure_profile(self):
        """What `escand` measures, with other times: under which the plans to choose are plain.

        A step of `large` takes long, one of `small` hardly any time; the device is never full, and
        has memory for four workers and one to replace another.
        """
        config = self.write("escand.yaml", CASCADE.replace("PLAN", "auto"))
        profile = self.folder / "profile.json"
        subprocess.run([BIN / "escand", "--config", config, "--listen", "127.0.0.1:0", "--metrics",
                        "off", "--admin", f"unix:{self.folder}/profile.sock", "--write-profile",
                        profile], check=True, timeout=PATIENCE, capture_output=True)
        made_up = json.loads(profile.read_text())
        for stage, step in zip(made_up["stages"], (100, 4000)):
            steps = [step, 8 * step]
            shares = range(len(made_up["thread_percents"]))
            stage["step_us"] = stage["steady_step_us"] = [steps for _ in shares]
            stage["device_time_us"] = [[[0.01 * time for time in steps]
                                        for _ in made_up["client_counts"]] for _ in shares]
            stage["memory_bytes"] = 0
        made_up["context_bytes"] = 1 << 30
        made_up["device"]["memory_bytes"] = int(5.1 * (1 << 30) / 0.9)
        profile.write_text(json.dumps(made_up))
        return config

    def test_the_plan_follows_the_exit_ratios_and_no_request_fails(self):
        with Daemon(self.measure_profile()) as daemon:
            self.assertTrue(any("plan from the profile" in line for line in daemon.log), daemon.log)
            self.assertEqual(daemon.cascade()["plan_mode"], "auto")
            self.assertEqual(history(daemon), [])
            with load(self, daemon, 0.999):
                wait_until(lambda: history(daemon), "a plan is searched for the first estimates")
                first = history(daemon)[0]
                self.assertEqual(first["trigger"], "first_estimates")
                self.assertGreater(first["exit_ratios"][0], 0.98)
                wait_until(lambda: not daemon.cascade()["plan_change_in_progress"], "it is settled")
                before = daemon.ctl("plan", "show").stdout
            with load(self, daemon, 0.05):
                wait_until(lambda: any(decision["trigger"] == "exit_ratio"
                                       and decision["action"] == "changed"
                                       for decision in history(daemon)),
                           "the plan follows the exit ratio")
                self.assertNotEqual(daemon.ctl("plan", "show").stdout, before)
                cascade = daemon.cascade()
                self.assertLess(cascade["stages"][0]["exit_ratio"]["ratio"], 0.15)
                self.assertGreater(cascade["arrivals"]["samples_per_second"], 100)
                self.assertFalse(cascade["plan_differs_from_file"])
            changed = [line for line in daemon.log if "plan decision" in line]
            self.assertTrue(any("action=changed" in line for line in changed), changed)
            self.assertIn("exit_ratio", daemon.ctl("plan", "history").stdout)
            self.assertGreaterEqual(
                daemon.metrics()['escan_plan_decisions_total{model="graded",action="changed"}'], 1)
            self.freeze_and_thaw(daemon)

    def freeze_and_thaw(self, daemon):
        daemon.ctl("plan", "freeze")
        self.assertEqual(daemon.cascade()["plan_mode"], "frozen")
        daemon.ctl("plan", "thaw")
        self.assertEqual(daemon.cascade()["plan_mode"], "auto")
        said = daemon.ctl("plan", "set", str(self.write("plan.yaml", TOGETHER))).stdout
        self.assertIn("frozen", said)
        self.assertEqual(daemon.cascade()["plan_mode"], "frozen")
        decisions = len(history(daemon))
        with load(self, daemon, 0.9):
            wait_until(lambda: daemon.cascade()["stages"][0]["exit_ratio"]["ratio"] > 0.8,
                       "the exit ratio has moved")
        self.assertEqual(len(history(daemon)), decisions)

    def test_a_plan_that_was_chosen_stays(self):
        config = self.write("escand.yaml", CASCADE.replace("PLAN", "plan.yaml"))
        self.write("plan.yaml", TOGETHER)
        with Daemon(config) as daemon:
            self.assertEqual(daemon.cascade()["plan_mode"], "fixed")
            refused = daemon.ctl("plan", "freeze", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("the plan of model 'graded' is fixed", refused.stderr)
            self.assertEqual(daemon.ctl("plan", "history").stdout,
                             "no better plan was looked for\n")


class Client(threading.Thread):
    """Asks again and again, and remembers each latency with its end, every error and wrong answer."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address = address
        self.stop = threading.Event()
        self.latencies = []  # (end, seconds)
        self.errors = []
        self.start()

    def run(self):
        rows = np.array([[0.5], [1.5], [0.25], [1.75]], dtype=np.float32)
        tensor = triton.InferInput("difficulty", list(rows.shape), "FP32")
        tensor.set_data_from_numpy(rows)
        with triton.InferenceServerClient(self.address) as client:
            while not self.stop.is_set():
                begun = time.monotonic()
                try:
                    result = client.infer("graded", [tensor])
                except InferenceServerException as error:
                    self.errors.append(str(error))
                    continue
                ended = time.monotonic()
                self.latencies.append((ended, ended - begun))
                if not np.array_equal(result.as_numpy("y"), rows) or \
                        result.as_numpy("exit_stage").tolist() != [1, 2, 1, 2]:
                    self.errors.append(f"wrong answer: {result.as_numpy('y').tolist()}")

    def finish(self):
        self.stop.set()
        self.join(PATIENCE)


class Replanning(WithCascade):
    def test_no_request_is_lost_or_wrong_while_plans_change_back_and_forth(self):
        plans = [self.write(f"plan{number}.yaml", text)
                 for number, text in enumerate((SEPARATE, TOGETHER, HALVES))]
        config = self.write("escand.yaml", CASCADE.replace("PLAN", "plan1.yaml"))
        with Daemon(config) as daemon:
            clients = [Client(daemon.address()) for _ in range(4)]
            wait_until(lambda: sum(len(client.latencies) for client in clients) > 2000,
                       "clients are answered while nothing changes")
            begun = time.monotonic()
            for change in range(CHANGES):
                daemon.ctl("plan", "set", str(plans[change % len(plans)]))
            ended = time.monotonic()
            for client in clients:
                client.finish()
            self.assertEqual(int(daemon.cascade()["plan_changes"]), CHANGES)
            self.assertTrue(daemon.is_ready())
        self.assertEqual([error for client in clients for error in client.errors], [])
        latencies = np.array([latency for client in clients for latency in client.latencies])
        during = latencies[latencies[:, 0] >= begun, 1]
        without = latencies[latencies[:, 0] < begun, 1]
        self.assertGreater(len(during), CHANGES)
        print(f"{CHANGES} plan changes in {ended - begun:.1f} s, {len(during)} requests: p99 "
              f"{1e3 * np.percentile(during, 99):.1f} ms, most {1e3 * during.max():.1f} ms; without "
              f"changes {len(without)} requests: p99 {1e3 * np.percentile(without, 99):.1f} ms",
              *(line for line in daemon.log if " warning " in line or " error " in line), sep="\n")


if __name__ == "__main__":
    unittest.main()
