"""Answers and scores that are wrong are found while they are served."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

import numpy as np
import tritonclient.grpc as triton

from daemon import BIN, PATIENCE, Daemon, wait_until

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

    def log_of(self, daemon, *words):
        """The lines that hold all of `words`."""
        return [line for line in daemon.log if all(word in line for word in words)]

    def test_a_stage_without_softmax_is_named_with_its_probable_mistake(self):
        subprocess.run([BIN / "escan-make-test-models", self.folder], check=True, timeout=PATIENCE)
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
        subprocess.run([BIN / "escan-make-test-models", self.folder], check=True, timeout=PATIENCE)
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
        worker = self.folder / "escan-worker"
        worker.write_text(f"#!/bin/sh\nexec {BIN}/escan-misbehaving-worker wrong-as-worker-1\n")
        worker.chmod(0o755)
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
