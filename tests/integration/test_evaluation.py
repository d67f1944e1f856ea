"""scripts/evaluate.py end to end: a cascade of null stages on the processor, with tiny lengths."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

from daemon import BIN, ROOT

EVALUATE = ROOT / "scripts" / "evaluate.py"
TIME_OVER = 3

# Every sample goes on to the last stage, whatever its difficulty: null stages score 0.
CONFIGURATION = """
devices: [cpu]
cascades:
  - name: idle
    deadline: 10s
    slots: 2048
    inputs:
      - {name: image, datatype: UINT8, shape: [16]}
      - {name: difficulty, datatype: FP32, shape: [1]}
    outputs: [{name: probabilities, datatype: FP32, shape: [10]}]
    stages:
      - {name: small, executor: "null", buckets: [8], exit: {score: max_probability, threshold: 0.5}}
      - {name: large, executor: "null", buckets: [8]}
    plan: plans/sequential.yaml
"""
ALL = "{count: %d, thread_percent: %d, credits: 2, stages: [small, large]}"
ONE_EACH = ("workers: [{thread_percent: 100, stages: [small]}, "
            "{thread_percent: 100, stages: [large]}]\n")
PLANS = {
    "all_parallel": ONE_EACH + "stages: {large: {speculate: true}}\noptions: {cancel: never}\n",
    "sequential": "workers: [" + ALL % (1, 100) + "]\noptions: {regroup: false}\n",
    "pipeline": ONE_EACH,
    "replicas_6x30": "workers: [" + ALL % (2, 30) + "]\n",
}
SHORT = ["--rows", "2", "--in-flight", "64", "--probe-seconds", "0.3", "--sweep-seconds", "2",
         "--closed-loop-seconds", "0.3", "--still-seconds", "0.5", "--pause-seconds", "0.3"]


def write_cascade(folder, right):
    """Writes the cascade as evaluate.py cascades does; `right` are its probabilities."""
    (folder / "plans").mkdir(parents=True)
    (folder / "escand.yaml").write_text(CONFIGURATION)
    for name, text in PLANS.items():
        (folder / "plans" / f"{name}.yaml").write_text(text)
    samples = 3
    np.savez(folder / "samples.npz", difficulty=np.full((samples, 1), 0.5, np.float32),
             image=np.arange(samples * 16, dtype=np.uint8).reshape(samples, 16))
    np.savez_compressed(folder / "expected.npz",
                        probabilities=np.full((2, samples, 10), right, np.float32))


class Evaluation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="escan-test-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.results = cls.folder / "results"
        write_cascade(cls.folder / "idle", right=0.0)
        cls.evaluate("profile")

    @classmethod
    def evaluate(cls, command, *arguments, status=0):
        done = subprocess.run(
            [sys.executable, EVALUATE, command, "--cascade", "idle", "--bin", BIN,
             "--folder", cls.folder, "--results", cls.results, *SHORT, *arguments],
            capture_output=True, text=True, check=False)
        if done.returncode != status:
            raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    @classmethod
    def lines(cls, what):
        return [json.loads(line)
                for line in (cls.results / f"{what}_idle.json").read_text().splitlines()]

    @classmethod
    def report(cls):
        return subprocess.run([sys.executable, EVALUATE, "report", cls.results],
                              capture_output=True, text=True, check=True).stdout

    def test_a_grid_goes_on_where_its_time_was_over_and_is_reported(self):
        ratios = ["--ratios", "0.3,0.8"]
        said = self.evaluate("grid", *ratios, "--max-seconds", "0", status=TIME_OVER)
        self.assertIn("the same command goes on", said)
        said = self.evaluate("grid", *ratios)
        self.assertIn("10 to measure", said)
        sweeps = [line for line in self.lines("grid") if line["key"]["what"] == "sweep"]
        self.assertEqual({(line["key"]["plan"], line["key"]["objective"]) for line in sweeps},
                         {(plan, objective) for plan in (*PLANS, "allocated")
                          for objective in ("tight", "loose")})
        for line in sweeps:
            self.assertGreater(line["closed_loop_samples_per_s"], 0)
            self.assertGreater(line["probes"][0]["rate_requests_per_s"], 0)
        self.assertEqual(self.evaluate("grid", *ratios), "")
        report = self.report()
        self.assertIn("### Goodput of idle on cpu, samples/s (loose ", report)
        self.assertRegex(report, r"\| 0.3 \| loose \| [\d,]+\*? \| [\d,]+\*? \|")
        self.assert_drift_is_measured_against_the_grid()

    def assert_drift_is_measured_against_the_grid(self):
        self.evaluate("drift", "--rate", "500", "--phase-seconds", "2", "--settle-seconds", "1")
        line = self.lines("drift")[0]
        self.assertEqual([phase["exit_ratio"] for phase in line["phases"]], [0.8, 0.3, 0.8])
        self.assertEqual(len(line["timeline"]), 6)
        self.assertEqual(line["decisions"][0]["trigger"], "first_estimates")
        self.assertGreater(sum(interval["succeeded"] for interval in line["timeline"]), 0)
        self.assertIn("### Exit ratios of idle on cpu that change, 500 samples/s", self.report())
        self.assertTrue(list(self.results.glob("drift_*.svg")))
        stale = json.loads((self.results / "profile_idle.json").read_text())
        stale["device"]["name"] = "another processor"
        (self.folder / "stale.json").write_text(json.dumps(stale))
        said = self.evaluate("drift", "--rate", "501", "--profile", self.folder / "stale.json",
                             status=1)
        self.assertIn("expected auto\n", said)
        self.assertRegex(said, r"warning .*it was measured with another processor")

    def test_all_of_it_goes_on_where_its_time_was_over(self):
        results = self.folder / "all"
        command = [sys.executable, EVALUATE, "all", "--cascades", "idle", "--bin", BIN, "--folder",
                   self.folder, "--results", results, *SHORT]
        # Of one exit ratio only: the drift then has nothing to compare with.
        short = ["--limits", "8", "--ratios", "0.8", "--rate", "500", "--phase-seconds", "1"]
        done = subprocess.run([*command, *short, "--max-seconds", "0"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, TIME_OVER, done.stderr)
        self.assertIn("no time left for profile_idle", done.stderr)
        shutil.copy(self.results / "profile_idle.json", results)
        done = subprocess.run([*command, *short], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("evaluate.py: not measured: drift_idle; ", done.stderr)
        self.assertIn("no goodput at exit ratio 0.3",
                      (results / "logs" / "drift_idle.log").read_text())
        self.assertEqual({file.name for file in results.glob("*_idle.json")},
                         {f"{what}_idle.json" for what in ("profile", "grid", "model", "plans",
                                                           "simulator", "replan")})

    def test_plan_changes_under_load_lose_nothing(self):
        self.evaluate("replan", "--ratios", "0", "--changes", "3")
        line = self.lines("replan")[0]
        self.assertEqual(len(line["change_seconds"]), 3)
        self.assertGreater(line["requests"], 0)
        self.assertEqual((line["failed"], line["not_sent"], line["misplaced_samples"]), (0, 0, 0))
        self.assertIn("### Changes of plan under load", self.report())

    def test_simulations_stand_beside_measurements(self):
        self.evaluate("simulator", "--ratios", "0")
        self.assertEqual([line["key"]["plan"] for line in self.lines("simulator")],
                         ["sequential", "pipeline", "replicas_6x30"])
        self.assertIn("### The simulator beside idle on cpu", self.report())

    def test_predictions_stand_beside_measurements(self):
        self.evaluate("model", "--limits", "1,8")
        lines = self.lines("model")
        self.assertEqual({(line["key"]["plan"], line["key"]["limit"]) for line in lines},
                         {(plan, limit) for plan in PLANS for limit in (1, 8)})
        for line in lines:
            self.assertGreater(line["measured_samples_per_s"], 0)
            self.assertGreater(line["predicted"]["simulated_rate"], 0)
        self.evaluate("model", "--limits", "1,8")
        self.assertEqual(self.lines("model"), lines)
        report = self.report()
        self.assertIn("### Predicted rates of idle on cpu, samples/s", report)
        self.assertRegex(report, r"Error of the simulator: median [\d.,]+%, worst ")

    def test_a_wrong_answer_takes_the_place_of_every_figure(self):
        # Null stages answer zeros, which are not right here.
        folder = self.folder / "wrong"
        results = folder / "results"
        write_cascade(folder / "idle", right=0.25)
        results.mkdir()
        shutil.copy(self.results / "profile_idle.json", results)
        for command in (["grid", "--ratios", "0.5", "--plans", "allocated,sequential"],
                        ["model", "--limits", "8"], ["simulator", "--ratios", "0"],
                        ["replan", "--ratios", "0"]):
            done = subprocess.run(
                [sys.executable, EVALUATE, *command, "--cascade", "idle", "--bin", BIN, "--folder",
                 folder, "--results", results, *SHORT], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            for line in (results / f"{command[0]}_idle.json").read_text().splitlines():
                record = json.loads(line)
                self.assertRegex(record["wrong"], "'probabilities'.0. is 0 where 0.25 is right$")
                self.assertLessEqual(set(record), {"key", "wrong", "plan_text"})
        report = subprocess.run([sys.executable, EVALUATE, "report", results],
                                capture_output=True, text=True, check=True).stdout
        self.assertIn("### Goodput of idle on cpu, samples/s (loose unknown, tight unknown)", report)
        self.assertIn("| 0.5 | tight | *wrong* |  | *wrong* |  |  |  |  |  |", report)
        self.assertIn("| pipeline | 8 | *wrong* |", report)
        self.assertIn("| replicas_6x30 |  | *wrong* |", report)
        self.assertIn("| idle on cpu | pipeline ↔ replicas_6x30 | 5 | *wrong* |", report)
        self.assertRegex(report, "\\*wrong\\*: .*'probabilities'.0. is 0 where 0.25 is right")

    def test_a_plan_is_not_measured_without_right_answers(self):
        folder = self.folder / "bare"
        write_cascade(folder / "idle", right=0.0)
        (folder / "idle" / "expected.npz").unlink()
        done = subprocess.run(
            [sys.executable, EVALUATE, "replan", "--cascade", "idle", "--bin", BIN, "--folder",
             folder, "--results", folder / "results", *SHORT],
            capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, f"evaluate.py: {folder}/idle/expected.npz is not there: write "
                                      "the cascade again with evaluate.py cascades\n")

    def test_a_mistake_is_one_line(self):
        said = self.evaluate("model", "--profile", "nowhere.json", status=1)
        self.assertEqual(said, "evaluate.py: nowhere.json is not there: measure the profile first\n")


if __name__ == "__main__":
    unittest.main()
