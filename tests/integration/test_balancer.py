"""Several daemons behind a balancer: no request that the retry policy covers fails."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

SCENARIO = pathlib.Path(__file__).parent / "balanced_cluster.py"


def name_space():
    """The command that runs another in a network namespace of its own; empty where none may be made."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else [
        "unshare", "--user", "--map-root-user", "--net"]
    probe = subprocess.run([*command, "ip", "link", "add", "hosts", "type", "bridge"],
                           capture_output=True)
    return command if probe.returncode == 0 else []


class Balancer(unittest.TestCase):
    def test_no_request_fails_while_daemons_are_killed_drained_and_replaced(self):
        isolated = name_space()
        done = subprocess.run([*isolated, sys.executable, SCENARIO,
                               *([] if isolated else ["--loopback"])],
                              capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["errors"], {})
        self.assertGreater(report["answered"], 400)
        # Else the kill has shown nothing.
        self.assertGreater(report["connections_broken_with_requests"], 0)


if __name__ == "__main__":
    unittest.main()
