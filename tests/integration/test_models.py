"""What becomes of a model's file: replaced or overwritten while it is served, or damaged."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import numpy as np
import tritonclient.grpc as triton

from daemon import BIN, PATIENCE, Daemon, wait_until

CONFIG = """
cascades:
  - name: test
    deadline: 60s
    inputs:  [{name: image, datatype: UINT8, shape: [4]}]
    outputs: [{name: probabilities, datatype: FP32, shape: [3]}]
    stages: [{name: only, model: live.pt}]
    plan: {workers: [{count: 2, thread_percent: 50, stages: [only]}]}
"""

DIGEST = "fnv1a64:[0-9a-f]{16}"


class ModelFiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        subprocess.run([BIN / "escan-make-test-models", self.folder], check=True, timeout=PATIENCE)
        self.live = self.folder / "live.pt"
        shutil.copyfile(self.folder / "thrower.pt", self.live)
        self.config = self.folder / "escand.yaml"
        self.config.write_text(CONFIG)

    def winners(self, daemon):
        """The classes that many requests for an image of class 0 are answered with."""
        image = triton.InferInput("image", [1, 4], "UINT8")
        image.set_data_from_numpy(np.array([[250, 0, 0, 0]], dtype=np.uint8))
        with triton.InferenceServerClient(daemon.address()) as client:
            answers = [client.infer("test", [image]).as_numpy("probabilities") for _ in range(40)]
        return {int(answer.argmax()) for answer in answers}

    def kill(self, daemon, pids):
        """Ends workers of the daemon, and waits until it has seen that."""
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(pids) & set(daemon.worker_pids()), "the workers are gone")

    def all_ready(self, daemon):
        return all(worker["state"] == "ready" for worker in daemon.cascade()["workers"])

    def test_a_file_that_takes_its_place_is_served_after_a_restart_only(self):
        with Daemon(self.config) as daemon:
            self.assertEqual(self.winners(daemon), {0})
            os.replace(self.folder / "reversed.pt", self.live)
            for _ in range(2):
                self.kill(daemon, daemon.worker_pids())
                wait_until(lambda: self.all_ready(daemon), "the workers are back")
                self.assertEqual(self.winners(daemon), {0})
            warnings = [line for line in daemon.log if "model changed" in line]
            self.assertEqual(len(warnings), 1, warnings)
            self.assertRegex(warnings[0], rf"warning model changed model=test stage=only "
                             rf"file={self.live} reason=\".*served until a restart\"")
        with Daemon(self.config) as daemon:
            self.assertEqual(self.winners(daemon), {2})

    def test_a_file_that_was_overwritten_is_refused_and_what_serves_goes_on(self):
        with Daemon(self.config) as daemon:
            # One that starts later would refuse the file, too.
            wait_until(lambda: self.all_ready(daemon), "both workers are ready")
            original = self.live.read_bytes()
            self.live.write_bytes((self.folder / "reversed.pt").read_bytes())
            self.kill(daemon, daemon.worker_pids()[:1])
            refusal = re.compile(
                rf"stage 'only' \({self.live}\): the file has changed since the daemon began to "
                rf"serve it \(digest {DIGEST}, expected {DIGEST}\): restart escand to serve the "
                "new one")
            wait_until(lambda: any(refusal.search(line) for line in daemon.log),
                       "the new worker refuses the file")
            self.assertEqual(self.winners(daemon), {0})
            self.assertTrue(any("workers that start from now on refuse it" in line
                                for line in daemon.log))
            self.live.write_bytes(original)
            wait_until(lambda: self.all_ready(daemon), "the worker is back with the old content")
            self.assertEqual(self.winners(daemon), {0})

    def test_a_damaged_file_is_refused_by_the_name_of_its_record(self):
        content = bytearray(self.live.read_bytes())
        weight = content.find(np.float32(8).tobytes())
        self.assertGreater(weight, 0)
        content[weight + 3] ^= 0x80
        self.live.write_bytes(content)
        with Daemon(self.config, ready=False) as daemon:
            refusal = re.compile(rf"stage 'only' \({self.live}\): record '\w+/data/0' is damaged: "
                                 "its checksum is [0-9a-f]{8}, its content's [0-9a-f]{8}")
            wait_until(lambda: any(refusal.search(line) for line in daemon.log),
                       "the worker refuses the file")


if __name__ == "__main__":
    unittest.main()
