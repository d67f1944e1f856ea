"""Other models while requests are answered: reload, load and unload, rollout."""

import collections
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import unittest

import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from daemon import FASHION_MNIST, Daemon, wait_until
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
        wait_until(lambda: len(self.daemon.cascade()["workers"]) == 1, "one worker is left")


if __name__ == "__main__":
    unittest.main()
