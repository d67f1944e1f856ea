"""The clients of docs/examples: each says what another client, which was not written here, says."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import fashion_mnist
from daemon import BIN, ROOT, Daemon

EXAMPLES = ROOT / "docs" / "examples"


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.enterClassContext(Daemon(fashion_mnist.CONFIG))
        answer = fashion_mnist.infer_all(cls.daemon.address(), np.zeros((2, 28, 28), np.uint8))
        cls.expected = "".join(
            f"class {row.argmax()} from stage {stage}\n"
            for row, stage in zip(answer["probabilities"], answer["exit_stage"]))

    def check(self, *command):
        done = subprocess.run([*command, self.daemon.address()], capture_output=True, text=True,
                              timeout=120)
        self.assertEqual((done.returncode, done.stdout), (0, self.expected), done.stderr)

    def build(self, language, *tools):
        """Builds and checks a client; skips where the toolchain is not there."""
        missing = [tool for tool in tools if shutil.which(tool) is None and not
                   pathlib.Path(tool).exists()]
        if missing:
            self.skipTest(f"not here: {' '.join(missing)}")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([EXAMPLES / "build.sh", language, folder], capture_output=True,
                                  text=True, timeout=600)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.check(pathlib.Path(folder) / "client")

    def test_python(self):
        self.check(sys.executable, EXAMPLES / "client.py")

    def test_cc(self):
        self.check(BIN / "escan-example-client")

    def test_go(self):
        self.build("go", "go", "protoc-gen-go", "protoc-gen-go-grpc")

    def test_java(self):
        self.build("java", "javac", "grpc_java_plugin", "/usr/share/java/perfmark-api.jar",
                   "/usr/share/java/netty-common.jar", "/usr/share/java/guava.jar",
                   "/usr/share/java/geronimo-annotation-1.3-spec.jar")


if __name__ == "__main__":
    unittest.main()
