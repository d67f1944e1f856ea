"""Answers and scores that are wrong are found, before a worker serves and while it does."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

import numpy as np
import tritonclient.grpc as triton

from daemon import BIN, FASHION_MNIST, PATIENCE, Daemon, wait_until

CASCADE = """
cascades:
  - name: test
    max_rows: 64
    deadline: 60s
    verify: {every: 1}
    inputs:  [{name: image, datatype: UINT8, shape: [4]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [3]}]
    stages:
"""

LOGITS = CASCADE + """
      - {name: lite0, model: logits.pt, exit: {score: max_probability, threshold: 0.5}}
      - {name: large, model: slow.pt}
    plan: {workers: [{count: 2, thread_percent: 50, stages: [lite0, large]}]}
"""

NULL = CASCADE + """
      - {name: only, executor: null}
    plan: {workers: [{count: 2, thread_percent: 50, stages: [only]}]}
"""

ON_CPU = "devices: [cpu]"

ONE_STAGE = ON_CPU + CASCADE + """
      - {name: only, model: MODEL}
"""

# What cannot be compared, and why.
UNKNOWN = {"mixed": "its rows depend on each other",
           "stateful": "it keeps state between calls",
           "random": "its answers are random"}

ODD = ON_CPU + CASCADE.replace("deadline", "probe: rows.npz\n    deadline") + """
      - name: slow
        model: hog.pt
        buckets: [1]
        exit: {score: max_probability, threshold: 0.99}
      - {name: fast, model: thrower.pt, buckets: [1]}
"""


def infer(daemon, rows):
    with triton.InferenceServerClient(daemon.address()) as client:
        tensor = triton.InferInput("image", list(rows.shape), "UINT8")
        tensor.set_data_from_numpy(rows)
        return client.infer("test", [tensor])


def rows_of(count):
    rows = np.random.default_rng(3).integers(0, 250, (count, 4), dtype=np.uint8)
    rows[:, 3] = 0  # for which slow.pt is fast
    return rows


class Verification(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def config(self, text):
        path = self.folder / "escand.yaml"
        path.write_text(text)
        return path

    def models(self):
        subprocess.run([BIN / "escan-make-test-models", self.folder], check=True, timeout=PATIENCE)

    def command(self, config, *arguments, cpus=None):
        """Runs escand to its end, on some CPUs only."""
        restrict = None if cpus is None else lambda: os.sched_setaffinity(0, cpus)
        return subprocess.run(
            [BIN / "escand", "--config", config, "--listen", "127.0.0.1:0", "--metrics", "off",
             "--admin", f"unix:{self.folder}/admin.sock", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * PATIENCE,
            preexec_fn=restrict)

    def table(self, output):
        """{(stage, share in percent): its row} of what --verify prints."""
        rows = [[cell.strip() for cell in line.strip("|").split("|")]
                for line in output.splitlines() if re.match(r"\| \S+ \| \d+ %", line)]
        return {(row[0], int(row[1].rstrip("% "))): row for row in rows}

    def misbehaving_worker(self, mode):
        """A worker program in the test's folder."""
        worker = self.folder / "escan-worker"
        worker.write_text(f"#!/bin/sh\nexec {BIN}/escan-misbehaving-worker {mode}\n")
        worker.chmod(0o755)
        return worker

    def test_the_example_is_right_at_every_share(self):
        example = self.folder / "example"
        shutil.copytree(FASHION_MNIST, example)
        config = example / "escand.yaml"
        config.write_text(config.read_text().replace("devices: [auto]", "devices: [cpu]"))
        done = self.command(config, "--verify", "--all-shares")
        self.assertEqual(done.returncode, 0, done.stderr)
        table = self.table(done.stdout)
        self.assertEqual(set(table), {(stage, share) for stage in ("small", "medium", "large")
                                      for share in (25, 50, 75, 100)})
        for row in table.values():
            self.assertEqual(row[3], "right", row)
            self.assertIn(row[4], ("frozen", "optimized"))
            smallest, largest = float(row[5]), float(row[8])  # those that a CPU's worker times
            self.assertGreater(smallest, 0)
            self.assertGreater(largest, 0)

    def test_shares_at_which_a_worker_is_wrong_are_told_and_end_with_status_1(self):
        worker = self.misbehaving_worker("wrong-with-one-thread")
        cpus = sorted(os.sched_getaffinity(0))[:2]
        config = self.config(ON_CPU + NULL)
        done = self.command(config, "--verify", "--all-shares", "--worker", worker, cpus=cpus)
        self.assertEqual(done.returncode, 1, done.stderr)
        wrong = {share for share in (25, 50, 75, 100) if len(cpus) * share // 100 <= 1}
        table = self.table(done.stdout)
        self.assertEqual({share: row[3] for (_, share), row in table.items()},
                         {share: "wrong" if share in wrong else "right"
                          for share in (25, 50, 75, 100)})
        self.assertEqual({share for (_, share), row in table.items() if row[-1]}, wrong)
        for share in wrong:
            self.assertIn(f"test at {share} %: exit status 1: stage 'only' answers wrongly: "
                          "row 0: 1 where 0 is right", done.stderr.splitlines())
        self.assertEqual(len(re.findall("^test at", done.stderr, re.MULTILINE)), len(wrong))

    def test_a_model_of_another_shape_is_told_once_before_anything_is_served(self):
        self.models()
        text = ONE_STAGE.replace("MODEL", "thrower.pt").replace("shape: [3]", "shape: [2]")
        done = self.command(self.config(text), "--check-config", "--load")
        self.assertEqual(done.returncode, 1)
        told = [line for line in done.stderr.splitlines() if line.startswith("test at ")]
        self.assertEqual(len(told), 1, done.stderr)
        self.assertIn(f"stage 'only' ({self.folder}/thrower.pt)", told[0])
        self.assertIn("returned for output 'probabilities' FP32 [1,3], expected FP32 [1,2]",
                      told[0])

    def test_what_is_no_torchscript_is_named(self):
        with zipfile.ZipFile(self.folder / "exported.pt", "w") as archive:
            archive.writestr("m/archive_format", "pt2")
        (self.folder / "empty.pt").touch()
        for file, said in (("exported.pt", "this is a torch.export archive"),
                           ("empty.pt", "the file is empty")):
            with self.subTest(file=file):
                config = self.config(ONE_STAGE.replace("MODEL", file))
                done = self.command(config, "--check-config", "--load")
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr,
                                 rf"(?m)^test at .*stage 'only' \({self.folder}/{file}\): {said}")

    def test_models_that_load_and_answer_rightly_pass(self):
        self.models()
        config = self.config(ONE_STAGE.replace("MODEL", "thrower.pt"))
        done = self.command(config, "--check-config", "--load")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("thrower.pt", done.stdout)

    def test_a_stage_whose_answers_cannot_be_compared_is_served_with_a_warning(self):
        self.models()
        for model, reason in UNKNOWN.items():
            with self.subTest(model=model), \
                 Daemon(self.config(ONE_STAGE.replace("MODEL", f"{model}.pt"))) as daemon:
                answer = infer(daemon, rows_of(2))
                self.assertEqual(answer.as_numpy("probabilities").shape, (2, 3))
                warnings = self.log_of(daemon, "answers checked", "stage=only")
                self.assertEqual(len(warnings), 1, warnings)
                self.assertIn('warning', warnings[0])
                self.assertIn('verdict="unknown"', warnings[0])
                self.assertIn(reason, warnings[0])

    def test_stages_in_the_wrong_order_and_exits_that_never_happen_are_warned_about(self):
        self.models()
        np.savez(self.folder / "rows.npz", image=np.zeros((3, 4), dtype=np.uint8))
        with Daemon(self.config(ODD)) as daemon:
            [no_exit, order] = self.log_of(daemon, "odd cascade", "model=test")
            self.assertIn("no row of the probe leaves at stage 1 'slow' (scores 0.3333 to 0.3333, "
                          "threshold 0.99)", no_exit)
            self.assertRegex(order, r"stage 1 'slow' takes [\d.]+ times as long as stage 2 'fast': "
                                    "are they in the wrong order")

    def log_of(self, daemon, *words):
        """The lines that hold all of `words`."""
        return [line for line in daemon.log if all(word in line for word in words)]

    def test_a_stage_without_softmax_is_named_with_its_probable_mistake(self):
        self.models()
        with Daemon(self.config(LOGITS)) as daemon:
            answer = infer(daemon, np.zeros((20, 4), dtype=np.uint8))
            self.assertEqual(answer.as_numpy("exit_stage").tolist(), [2] * 20)
            wait_until(lambda: self.log_of(daemon, "event=score_nan", "stage=lite0"), "a warning")
            [warning, *_] = self.log_of(daemon, "event=score_nan", "stage=lite0")
            self.assertIn("score=max_probability", warning)
            self.assertIn("\"'probabilities' sums to -12, not 1: no softmax?\"", warning)
            labels = '{model="test",stage="lite0"}'
            self.assertEqual(daemon.metrics()["escan_stage_score_nan_total" + labels], 20)
            self.assertIn("NaN 100 %", daemon.ctl("status").stdout)

    def test_workers_that_answer_alike_are_found_to_be_right(self):
        self.models()
        with Daemon(self.config(LOGITS)) as daemon:
            def checked():
                infer(daemon, rows_of(7))
                return all(int(stage["answers_checked"]) >= 7
                           for stage in daemon.cascade()["stages"])
            wait_until(checked, "answers are checked")
            for stage in daemon.cascade()["stages"]:
                self.assertEqual(int(stage["answers_wrong"]), 0)
                self.assertEqual(int(stage["answers_doubtful"]), 0)
            self.assertEqual(self.log_of(daemon, "answers wrong"), [])

    def test_a_worker_that_answers_wrongly_is_replaced_and_its_share_marked(self):
        shutil.copy(BIN / "escand", self.folder)
        self.misbehaving_worker("wrong-as-worker-1")
        with Daemon(self.config(NULL), folder=self.folder) as daemon:
            def replaced():
                infer(daemon, rows_of(3))
                return daemon.cascade()["workers"][1]["restarts"] > 0
            wait_until(replaced, "worker 1 is replaced")
            cascade = daemon.cascade()
            [share] = cascade["doubtful_shares"]
            self.assertEqual((share["thread_percent"], share["stages"]), (50, ["only"]))
            self.assertEqual(cascade["workers"][0]["restarts"], 0)
            line = self.log_of(daemon, "answers wrong")[0]
            for field in ("model=test", "worker=1", "stage=only", "share=50%", "served_since="):
                self.assertIn(field, line)
            metrics = daemon.metrics()
            wrong = 'escan_answers_wrong_total{model="test",stage="only",worker="1"}'
            self.assertGreater(metrics[wrong], 0)
            self.assertGreater(
                metrics['escan_answers_checked_total{model="test",stage="only"}'], 0)
            self.assertGreaterEqual(
                metrics['escan_doubtful_shares{model="test",device="0",thread_percent="50",'
                        'stages="only"}'], 1)


if __name__ == "__main__":
    unittest.main()
