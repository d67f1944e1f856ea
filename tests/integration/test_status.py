"""What people see of a running daemon: the status page and `escanctl top`."""

import json
import os
import pty
import select
import time
import unittest
import urllib.request

import browser
import fashion_mnist
from daemon import BIN, PATIENCE, Daemon
from fashion_mnist import CONFIG


class StatusTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(CONFIG)
        cls.page = f"http://{cls.daemon.address('metrics')}"
        fashion_mnist.infer_all(cls.daemon.address(), fashion_mnist.test_images()[:200])

    @classmethod
    def tearDownClass(cls):
        cls.daemon.kill()

    def test_the_metrics_port_leads_to_the_status_page(self):
        with urllib.request.urlopen(f"{self.page}/") as page:
            self.assertEqual(page.url, f"{self.page}/status")
            self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])

    def test_the_page_is_made_of_the_daemons_status(self):
        with urllib.request.urlopen(f"{self.page}/status.json") as page:
            told = json.load(page)
        cascade = told["status"]["cascades"][0]
        self.assertEqual([stage["name"] for stage in cascade["stages"]],
                         ["small", "medium", "large"])
        self.assertEqual(int(cascade["request_status"]["answered"]), 2)
        self.assertEqual(sum(map(int, cascade["request_status"]["latency_counts"])), 2)

    @unittest.skipUnless(browser.PROGRAM, "no browser here")
    def test_a_browser_shows_the_cascade(self):
        page = browser.seen(f"{self.page}/")
        for text in (">ready<", "medium", "Workers", "Latency", "Verification", "fixed, the file"):
            self.assertIn(text, page)

    def test_top_prints_one_screen_where_there_is_no_terminal(self):
        text = self.daemon.ctl("top", "--interval", "100ms").stdout
        self.assertIn("fashion_mnist: ", text)
        self.assertIn("medium", text)
        self.assertNotIn("\x1b", text)

    def test_top_goes_on_until_q_is_pressed_and_leaves_the_terminal_as_it_was(self):
        child, terminal = pty.fork()
        if child == 0:
            os.execv(BIN / "escanctl", ["escanctl", "--admin", self.daemon.admin, "top",
                                        "--interval", "50ms"])
        shown = b""
        asked = False
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    shown += os.read(terminal, 65536)
                except OSError:  # the other side is closed
                    break
            if not asked and shown.count(b"\x1b[H") >= 3:
                os.write(terminal, b"q")
                asked = True
        os.close(terminal)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertIn(b"fashion_mnist: ", shown)
        self.assertTrue(shown.endswith(b"\x1b[?25h\x1b[?1049l"))


if __name__ == "__main__":
    unittest.main()
