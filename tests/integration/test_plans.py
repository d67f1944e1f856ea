"""Every way to place the stages gives the same answers."""

import pathlib
import shutil
import tempfile
import unittest

import numpy as np

import fashion_mnist
from daemon import FASHION_MNIST, Daemon
from fashion_mnist import CONFIG

SAMPLES = 1500
# Scores of the same row differ with the batch that it was computed in.
TOLERANCE = 1e-4


class Plans(unittest.TestCase):
    def test_all_example_plans_give_equal_answers(self):
        images = fashion_mnist.test_images()[:SAMPLES]
        plans = sorted((FASHION_MNIST / "plans").glob("*.yaml"))
        self.assertGreaterEqual({plan.stem for plan in plans},
                                {"sequential", "all_parallel", "pipeline", "replicas"})
        with Daemon(CONFIG) as daemon:
            thresholds = {stage["name"]: stage["threshold"]
                          for stage in daemon.cascade()["stages"] if "threshold" in stage}
            answers = {}
            for plan in plans:
                daemon.ctl("plan", "set", str(plan))
                answers[plan.stem] = fashion_mnist.infer_all(daemon.address(), images)
            scores = self.early_scores(daemon, images)
        reference = answers["sequential"]
        at_threshold = self.near_a_threshold(scores, thresholds)
        self.assertLess(at_threshold.mean(), 0.01)
        for name, answer in answers.items():
            with self.subTest(plan=name):
                np.testing.assert_array_equal(answer["exit_stage"][~at_threshold],
                                              reference["exit_stage"][~at_threshold])
                np.testing.assert_allclose(answer["probabilities"][~at_threshold],
                                           reference["probabilities"][~at_threshold], atol=1e-3)

    @staticmethod
    def early_scores(daemon, images):
        """{stage: each row's score there} of all stages but the last; changes the thresholds.

        NaN where an earlier stage is so sure that even the threshold 1 lets the row exit there.
        """
        names = [stage["name"] for stage in daemon.cascade()["stages"]][:-1]
        scores = {}
        for number, name in enumerate(names, start=1):
            daemon.ctl("thresholds", "set",
                       *(f"{other}={1 if names.index(other) < number - 1 else 0}"
                         for other in names))
            answers = fashion_mnist.infer_all(daemon.address(), images)
            scores[name] = np.where(answers["exit_stage"] == number, answers["confidence"], np.nan)
        return scores

    @staticmethod
    def near_a_threshold(scores, thresholds):
        """Rows whose exit may differ: their score at any stage lies next to its threshold."""
        return np.any([np.abs(scores[name] - threshold) < TOLERANCE
                       for name, threshold in thresholds.items()], axis=0)


class Auto(unittest.TestCase):
    def test_a_cascade_without_a_plan_is_served_by_the_safe_one(self):
        with tempfile.TemporaryDirectory() as folder:
            target = pathlib.Path(folder) / "cascade"
            shutil.copytree(FASHION_MNIST, target)
            config = target / "escand.yaml"
            text = config.read_text()
            start = text.index("plan:")
            end = text.index("\n", start)
            config.write_text(text[:start] + "plan: auto" + text[end:])
            with Daemon(config) as daemon:
                self.assertEqual(len(daemon.cascade()["workers"]), 1)
                answers = fashion_mnist.infer_all(daemon.address(),
                                                  fashion_mnist.test_images()[:50])
                self.assertEqual(answers["exit_stage"].shape, (50,))


if __name__ == "__main__":
    unittest.main()
