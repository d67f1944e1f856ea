"""How an operator measures a profile, and what a daemon says of the one that it finds."""

import json
import pathlib
import signal
import subprocess
import tempfile
import unittest

from daemon import BIN, PATIENCE, Daemon, wait_until

# A stage that computes nothing, so that it is the procedure that takes time.
CASCADE = """
  - name: {name}
    inputs: [{{name: x, datatype: UINT8, shape: [4]}}]
    outputs: [{{name: y, datatype: FP32, shape: [1]}}]
    stages: [{{name: nothing, executor: "null", buckets: [1]}}]
    profile: profile.json
"""


class Profiles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="escan-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.profile = self.folder / "profile.json"
        self.partial = self.folder / "profile.json.partial"
        self.config = self.write_config("nothing")

    def write_config(self, *names):
        config = self.folder / f"{'-'.join(names)}.yaml"
        config.write_text("devices: [cpu]\ncascades:" +
                          "".join(CASCADE.format(name=name) for name in names))
        return config

    def start(self, *arguments, config=None, listen="127.0.0.1:0"):
        return subprocess.Popen(
            [BIN / "escand", "--config", config or self.config, "--listen", listen, "--metrics",
             "off", "--admin", f"unix:{self.folder}/profile.sock", "--write-profile", self.profile,
             *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def measure(self, *arguments, **how):
        """Exit status and what was said on stderr."""
        process = self.start(*arguments, **how)
        said = process.communicate(timeout=PATIENCE)[1]
        return process.returncode, said

    def assert_said(self, daemon, *words):
        wait_until(lambda: any(all(word in line for word in words) for line in daemon.log),
                   f"the log says {words}")

    def test_a_daemon_says_what_it_makes_of_its_profile(self):
        with Daemon(self.config) as daemon:
            self.assert_said(daemon, "safe plan served", f"--config {self.config}",
                             f"--write-profile {self.profile}")
        status, said = self.measure()
        self.assertEqual(status, 0, said)
        self.assertIn("profiling nothing on cpu", said)
        self.assertFalse(self.partial.exists())
        profile = json.loads(self.profile.read_text())
        self.assertEqual(profile["client_counts"], [1, 2, 4])
        self.assertEqual(len(profile["stages"][0]["device_time_us"]),
                         len(profile["thread_percents"]))
        with Daemon(self.config) as daemon:
            self.assert_said(daemon, "plan from the profile", "model=nothing")
            self.assertFalse([line for line in daemon.log if "safe plan" in line
                              or "profile not used" in line])
        profile["device"]["name"] = "another"
        self.profile.write_text(json.dumps(profile))
        with Daemon(self.config) as daemon:
            self.assert_said(daemon, "profile not used", str(self.profile),
                             "device: it was measured with another, and this is cpu")

    def test_an_interrupted_measurement_goes_on(self):
        process = self.start()
        # The first line is what is measured; the others are measurements.
        wait_until(lambda: self.partial.exists() and self.partial.read_text().count("\n") > 1,
                   "something was measured")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=PATIENCE)[1]
        self.assertEqual(process.returncode, 1, said)
        self.assertIn("interrupted; the same command goes on", said)
        measured = self.partial.read_text().count("\n") - 1
        self.assertGreaterEqual(measured, 1)
        self.assertFalse(self.profile.exists())
        status, said = self.measure()
        self.assertEqual(status, 0, said)
        self.assertIn(f": {measured} of ", said)
        self.assertTrue(self.profile.exists())

    def test_nothing_is_measured_beside_a_daemon_that_serves(self):
        with Daemon(self.config) as daemon:
            status, said = self.measure(listen=daemon.address())
            self.assertEqual(status, 1)
            self.assertIn("a daemon serves there and would be disturbed, and disturb", said)
            self.assertIn(daemon.address(), said)
            self.assertFalse(self.partial.exists())

    def test_one_of_several_cascades_is_named(self):
        config = self.write_config("one", "two")
        for arguments, message in ((), "--model: expected one of one, two"), \
                (("--model", "three"), "--model: there is no 'three', expected one of one, two"):
            status, said = self.measure(*arguments, config=config)
            self.assertEqual(status, 2)
            self.assertIn(message, said)
