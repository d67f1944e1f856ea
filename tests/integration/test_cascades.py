"""Cascades other than the example: a shared backbone, models that fail, a null stage."""

import pathlib
import subprocess
import tempfile
import unittest

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from daemon import BIN, PATIENCE, Daemon

HEAD = """
cascades:
  - name: test
    max_rows: 64
    deadline: 60s
    inputs:  [{name: image, datatype: UINT8, shape: [4]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [3]}]
"""

BACKBONE = HEAD + """
    stages:
      - name: head
        model: backbone_small.pt
        outputs:
          - {name: probabilities, datatype: FP32, shape: [3]}
          - {name: features, datatype: FP32, shape: [8]}
        exit: {score: max_probability, threshold: %s}
      - {name: tail, model: backbone_large.pt, inputs: [head.features]}
    plan:
      workers:
        - {count: 1, stages: [head]}
        - {count: 1, stages: [tail]}
"""

ONE_STAGE = HEAD + """
    stages: [{name: only, model: %s}]
    plan: {workers: [{count: 2, thread_percent: 50, stages: [only]}]}
"""


def infer(daemon, rows):
    with triton.InferenceServerClient(daemon.address()) as client:
        rows = np.asarray(rows, dtype=np.uint8)
        tensor = triton.InferInput("image", list(rows.shape), "UINT8")
        tensor.set_data_from_numpy(rows)
        return client.infer("test", [tensor])


class Cascades(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([BIN / "escan-make-test-models", cls.folder.name], check=True,
                       timeout=PATIENCE)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def config(self, text):
        path = pathlib.Path(self.folder.name) / "escand.yaml"
        path.write_text(text)
        return path

    def test_a_later_stage_reads_what_an_earlier_one_computed(self):
        rows = np.random.default_rng(1).integers(0, 250, (40, 4))
        with Daemon(self.config(BACKBONE % "0.0")) as daemon:
            head = infer(daemon, rows)
        self.assertTrue((head.as_numpy("exit_stage") == 1).all())
        with Daemon(self.config(BACKBONE % "1.0")) as daemon:
            together = infer(daemon, rows)
            alone = np.concatenate([infer(daemon, rows[i:i + 1]).as_numpy("probabilities")
                                    for i in range(len(rows))])
        self.assertTrue((together.as_numpy("exit_stage") == 2).all())
        np.testing.assert_allclose(together.as_numpy("probabilities"), alone, atol=1e-5)
        self.assertGreater(np.abs(together.as_numpy("probabilities")
                                  - head.as_numpy("probabilities")).max(), 1e-3)

    def test_a_sample_that_the_model_throws_on_fails_its_request_alone(self):
        with Daemon(self.config(ONE_STAGE % "thrower.pt")) as daemon:
            with self.assertRaises(InferenceServerException) as caught:
                infer(daemon, [[1, 2, 3, 4], [1, 255, 3, 4]])
            self.assertIn("INTERNAL", caught.exception.status())
            self.assertIn("only", caught.exception.message())
            self.assertEqual(infer(daemon, [[1, 2, 3, 4]]).as_numpy("exit_stage").tolist(), [1])
            self.assertEqual(sum(worker.get("restarts", 0)
                                 for worker in daemon.cascade()["workers"]), 0)

    def test_a_sample_that_kills_its_worker_fails_alone_after_two(self):
        with Daemon(self.config(ONE_STAGE % "aborter.pt")) as daemon:
            with self.assertRaises(InferenceServerException) as caught:
                infer(daemon, [[254, 2, 3, 4]])
            self.assertIn("INTERNAL", caught.exception.status())
            self.assertEqual(infer(daemon, [[1, 2, 3, 4]]).as_numpy("exit_stage").tolist(), [1])
            self.assertEqual(sum(worker.get("restarts", 0)
                                 for worker in daemon.cascade()["workers"]), 2)

    def test_a_null_stage_answers_zeros(self):
        config = HEAD + """
    stages: [{name: only, executor: "null"}]
"""
        with Daemon(self.config(config)) as daemon:
            answer = infer(daemon, [[1, 2, 3, 4]] * 5)
        np.testing.assert_array_equal(answer.as_numpy("probabilities"), np.zeros((5, 3)))


if __name__ == "__main__":
    unittest.main()
