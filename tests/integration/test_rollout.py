"""Other models while requests are answered: reload, load and unload, rollout."""

import collections
import json
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import unittest
import zipfile

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from daemon import FASHION_MNIST, Daemon, child_pids, wait_until
import fashion_mnist


class Load:
    """Asks all the time on a thread of its own; counts versions and errors."""

    def __init__(self, address, images):
        self.outcomes = collections.Counter()
        self._address, self._images = address, images
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _run(self):
        position = 0
        with triton.InferenceServerClient(self._address) as client:
            while not self._done.is_set():
                batch = self._images[position:position + 4]
                position = (position + 4) % (len(self._images) - 4)
                tensor = triton.InferInput("image", list(batch.shape), "UINT8")
                tensor.set_data_from_numpy(batch)
                try:
                    answer = client.infer("fashion_mnist", [tensor], client_timeout=20)
                    self.outcomes[answer.get_response().model_version] += 1
                except InferenceServerException as error:
                    self.outcomes[str(error)] += 1

    def wait_for(self, outcome, count=20):
        before = self.outcomes[outcome]
        wait_until(lambda: self.outcomes[outcome] >= before + count, f"{count} times {outcome}")


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "cascade"
        shutil.copytree(FASHION_MNIST, self.folder)
        self.config = self.folder / "escand.yaml"
        self.images = fashion_mnist.test_images()
        self.daemon = Daemon(self.config)
        self.addCleanup(self.daemon.kill)

    def edit(self, text, replacement):
        written = self.config.read_text()
        self.assertIn(text, written)
        self.config.write_text(written.replace(text, replacement))

    def load(self):
        return Load(self.daemon.address(), self.images)


class Reload(Case):
    def test_a_new_model_takes_over_without_one_failed_request(self):
        with self.load() as load:
            load.wait_for("1")
            self.edit("model: small.pt", "model: medium.pt")
            self.daemon.process.send_signal(signal.SIGHUP)
            load.wait_for("2", 50)
        self.assertEqual(set(load.outcomes), {"1", "2"})
        self.assertEqual(self.daemon.cascade()["version"], "2")

    def test_a_file_that_was_written_anew_is_a_new_model(self):
        with self.load() as load:
            shutil.copy(self.folder / "medium.pt", self.folder / "next.pt")
            os.replace(self.folder / "next.pt", self.folder / "small.pt")
            self.assertIn("replaced: fashion_mnist", self.daemon.ctl("reload").stdout)
            load.wait_for("2")
        self.assertEqual(set(load.outcomes) - {"1"}, {"2"})

    def test_what_is_wrong_is_refused_as_a_whole_and_the_old_goes_on(self):
        workers = child_pids(self.daemon.process.pid)
        with self.load() as load:
            for text, replacement, message in (
                    ("score: max_probability", "score: best", "escand.yaml:"),
                    ("model: small.pt", "model: broken.pt", "small")):
                written = self.config.read_text()
                (self.folder / "broken.pt").write_bytes(b"no model at all")
                self.edit(text, replacement)
                refused = self.daemon.ctl("reload", check=False)
                self.assertEqual(refused.returncode, 1, refused.stdout)
                self.assertIn(message, refused.stderr)
                self.config.write_text(written)
            load.wait_for("1")
        self.assertEqual(set(load.outcomes), {"1"})
        # The workers of what was refused are gone.
        wait_until(lambda: child_pids(self.daemon.process.pid) == workers, "the others are gone")


class Rollout(Case):
    def roll_out(self, model, *terms):
        """Begins a rollout of `model`, a file of the folder, as stage small."""
        return self.daemon.ctl("rollout", "fashion_mnist", "--stage",
                               f"small={self.folder / model}", *terms)

    def status(self):
        return json.loads(self.daemon.ctl("--json", "rollout", "status").stdout)

    def wait_until_ended(self):
        wait_until(lambda: self.status()["state"] != "running", "the rollout ends")
        return self.status()

    def test_a_part_of_the_requests_goes_to_the_new_version_until_it_is_promoted(self):
        shutil.copy(self.folder / "small.pt", self.folder / "same.pt")
        with self.load() as load:
            self.roll_out("same.pt", "--canary", "20%", "--for", "1h")
            load.wait_for("2")
            status = self.status()
            self.assertEqual(status["state"], "running")
            share = int(status["after"]["requests"]) / (
                int(status["after"]["requests"]) + int(status["before"]["requests"]))
            self.assertAlmostEqual(share, 0.2, delta=0.1)
            # The same weights agree, wherever they were compared.
            wait_until(lambda: int(self.status()["compared_rows"]) > 40, "answers are compared")
            status = self.status()
            self.assertEqual(status["agreeing_rows"], status["compared_rows"])
            metrics = self.daemon.metrics()
            self.assertEqual(metrics['escan_rollout_running{model="fashion_mnist"}'], 1)
            self.assertGreater(
                metrics['escan_rollout_requests{model="fashion_mnist",version="2"}'], 0)

            refused = self.daemon.ctl("reload", check=False)
            self.assertIn("is being rolled out", refused.stderr)
            self.daemon.ctl("rollout", "promote")
            self.assertEqual(self.status()["state"], "promoted")
            before = load.outcomes["1"]
            load.wait_for("2", 50)
            self.assertLessEqual(load.outcomes["1"], before + 1)
            # What was promoted stays, also where the file says it by now.
            self.daemon.ctl("reload")
            self.edit("model: small.pt", "model: same.pt")
            self.assertIn("unchanged: fashion_mnist", self.daemon.ctl("reload").stdout)
        self.assertEqual(set(load.outcomes), {"1", "2"})

    def test_a_version_that_answers_otherwise_is_aborted(self):
        self.make_wrong("wrong.pt")
        with self.load() as load:
            self.roll_out("wrong.pt", "--canary", "50%", "--abort-if", "agreement<97%",
                          "--for", "1h")
            status = self.wait_until_ended()
            self.assertEqual(status["state"], "aborted")
            self.assertIn("below 97%", status["reason"])
            load.wait_for("1", 50)
        self.assertEqual(set(load.outcomes), {"1", "2"})
        wait_until(lambda: "cascade ended model=fashion_mnist version=2" in "".join(self.daemon.log),
                   "the new version is gone")

    def make_wrong(self, name):
        """A copy of the small model with shuffled weights, so large that it is sure of its answers."""
        rng = np.random.default_rng(1)
        with zipfile.ZipFile(self.folder / "small.pt") as source, \
                zipfile.ZipFile(self.folder / name, "w") as target:
            for entry in source.infolist():
                data = source.read(entry)
                if "/constants/" in entry.filename:
                    weights = np.frombuffer(data, np.float32)
                    data = (20 * rng.permutation(weights)).astype(np.float32).tobytes()
                target.writestr(entry, data)

    def test_it_promotes_itself_when_its_time_is_over(self):
        shutil.copy(self.folder / "small.pt", self.folder / "same.pt")
        with self.load() as load:
            self.roll_out("same.pt", "--canary", "50%", "--abort-if",
                          "agreement<97%,p99>10s,errors>1%", "--for", "2s")
            status = self.wait_until_ended()
            self.assertEqual(status["state"], "promoted", status)
        self.assertEqual(set(load.outcomes), {"1", "2"})

    def test_a_version_can_be_asked_for_by_name(self):
        shutil.copy(self.folder / "small.pt", self.folder / "same.pt")
        self.roll_out("same.pt", "--canary", "1%", "--for", "1h")
        with triton.InferenceServerClient(self.daemon.address()) as client:
            for version in ("1", "2"):
                answer = client.infer("fashion_mnist", fashion_mnist.image_input(self.images[:1]),
                                      model_version=version)
                self.assertEqual(answer.get_response().model_version, version)
        self.daemon.ctl("rollout", "abort")
        self.assertEqual(self.status()["state"], "aborted")

    def test_what_cannot_be_rolled_out_is_refused(self):
        for arguments, message in (
                (["--stage", "tiny=small.pt"], "no stage 'tiny'"),
                (["--stage", "small=/no/such.pt"], "/no/such.pt"),
                ([], "no stage gets another model"),
                (["--stage", f"small={self.folder}/escand.yaml"], "small")):
            refused = self.daemon.ctl("rollout", "fashion_mnist", *arguments, check=False)
            self.assertEqual(refused.returncode, 1, refused.stdout)
            self.assertIn(message, refused.stderr)


if __name__ == "__main__":
    unittest.main()
