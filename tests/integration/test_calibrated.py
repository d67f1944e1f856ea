"""A served cascade is watched for what no longer is as it was calibrated."""

import json
import pathlib
import tempfile
import unittest

import fashion_mnist
import tritonclient.grpc as triton
from daemon import FASHION_MNIST, Daemon, wait_until

CONFIG = f"""
cascades:
  - name: fashion
    audit: {{every: 5}}
    calibration: calibration.json
    feedback: {{samples: 1000}}
    overload: {{lower_thresholds_to: {{small: 0.6}}}}
    inputs:  [{{name: image, datatype: UINT8, shape: [28, 28]}}]
    outputs: [{{name: probabilities, datatype: FP32, shape: [10]}}]
    stages:
      - name: small
        model: {FASHION_MNIST}/small.pt
        exit: {{score: max_probability, threshold: 0.8}}
      - {{name: large, model: {FASHION_MNIST}/large.pt}}
    plan: {{workers: [{{count: 2, thread_percent: 50, stages: [small, large]}}]}}
"""

CALIBRATION = {
    "version": 1, "cascade": "fashion",
    "stages": [
        {"name": "small", "score": "max_probability", "threshold": 0.8, "lowest_threshold": 0.6,
         "scores": {"edges": [0.7, 0.9, 0.99], "counts": [100, 100, 100, 100]}},
        {"name": "large", "score": "max_probability",
         "scores": {"edges": [0.7, 0.9], "counts": [30, 30, 30]}}]}

SMALL = '{model="fashion",stage="small"}'


class Calibrated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.images, cls.labels = fashion_mnist.test_images(), fashion_mnist.test_labels()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="escan-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "calibration.json").write_text(json.dumps(CALIBRATION))

    def config(self, text=CONFIG):
        (self.folder / "escand.yaml").write_text(text)
        return self.folder / "escand.yaml"

    def infer(self, daemon, begin, count, **arguments):
        inputs = fashion_mnist.image_input(self.images[begin:begin + count])
        with triton.InferenceServerClient(daemon.address()) as client:
            return client.infer("fashion", inputs, **arguments)

    def test_audits_labels_and_scores_are_in_status_and_metrics(self):
        with Daemon(self.config()) as daemon:
            right = {1: 0, 2: 0}
            answered = {1: 0, 2: 0}
            for i in range(20):
                answer = self.infer(daemon, 10 * i, 10, request_id=f"r{i}")
                labels = self.labels[10 * i:10 * i + 10]
                classes = answer.as_numpy("probabilities").argmax(axis=1)
                for stage, correct in zip(answer.as_numpy("exit_stage"), classes == labels):
                    answered[int(stage)] += 1
                    right[int(stage)] += int(correct)
                daemon.ctl("feedback", "fashion", f"r{i}", *map(str, labels))
            self.assertGreater(answered[1], 50)
            refused = daemon.ctl("feedback", "fashion", "r0", "1", check=False)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("no answer to a request with the id 'r0' is remembered", refused.stderr)

            def audited():
                self.infer(daemon, 0, 10)
                return "disagreement" in daemon.cascade()["stages"][0]
            wait_until(audited, "an exit is audited")
            small, large = daemon.cascade()["stages"]
            self.assertEqual(int(small["accuracy"]["samples"]), answered[1])
            self.assertAlmostEqual(small["accuracy"]["ratio"], right[1] / answered[1])
            self.assertAlmostEqual(large["accuracy"]["ratio"], right[2] / answered[2])
            self.assertEqual(small["drift"]["state"], "waiting")
            metrics = daemon.metrics()
            self.assertGreaterEqual(metrics["escan_audited_exits_total" + SMALL], 1)
            self.assertEqual(metrics["escan_labelled_samples_total" + SMALL], answered[1])
            self.assertEqual(metrics["escan_correct_samples_total" + SMALL], right[1])
            self.assertEqual(metrics["escan_scores_drifted" + SMALL], 0)
            self.assertEqual(metrics['escan_brown_out_level{model="fashion"}'], 0)
            text = daemon.ctl("status").stdout
            for line in ("exits that the last stage disagrees with: small",
                         "accuracy by labels: small", "scores: small waits for a full window"):
                self.assertIn(line, text)

    def test_a_ground_truth_that_comes_with_the_request_counts_at_once(self):
        with Daemon(self.config()) as daemon:
            labels = ",".join(map(str, self.labels[:4]))
            self.infer(daemon, 0, 4, parameters={"ground_truth": labels})
            counted = sum(int(stage["accuracy"]["samples"])
                          for stage in daemon.cascade()["stages"] if "accuracy" in stage)
            self.assertEqual(counted, 4)
            with self.assertRaisesRegex(triton.InferenceServerException, "3 classes for 4 rows"):
                self.infer(daemon, 0, 4, parameters={"ground_truth": "1,2,3"})

    def test_other_thresholds_than_the_calibrations_are_not_compared(self):
        with Daemon(self.config()) as daemon:
            daemon.ctl("thresholds", "set", "small=0.7")
            small, large = daemon.cascade()["stages"]
            self.assertEqual(small["drift"]["state"], "waiting")
            self.assertEqual(large["drift"]["state"], "other_thresholds")


if __name__ == "__main__":
    unittest.main()
