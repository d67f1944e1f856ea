"""Held under load: nothing is kept that was taken, whatever clients do.

ESCAN_RELIABILITY_SECONDS is how long each load lasts; scripts/reliability.sh sets it. Prints figures.
"""

import json
import os
import pathlib
import socket
import subprocess
import unittest

from daemon import BIN, wait_until
from test_alive import ask, serving

SECONDS = float(os.environ.get("ESCAN_RELIABILITY_SECONDS", "4"))
CONNECTIONS = int(250 * SECONDS)
ZERO = [[0.0, 0.0]]


def figures(test, **values):
    print(f"{test}: " + " ".join(f"{name}={value}" for name, value in values.items()), flush=True)


def load(daemon, seconds, *arguments):
    """Starts escan-loadgen; report() waits for it."""
    return subprocess.Popen(
        [BIN / "escan-loadgen", "--target", daemon.address(), "--duration", f"{seconds}s",
         "--warmup", "0s", "--deadline", "60s", "--json", "-", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def report(process):
    out, errors = process.communicate()
    if process.returncode != 0:
        raise AssertionError(f"escan-loadgen ended with {process.returncode}: {errors}\n{out}")
    return json.loads(out)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


class Soaked(unittest.TestCase):
    def test_memory_and_descriptors_stay_under_mixed_load(self):
        with serving() as daemon:
            pid = daemon.process.pid

            def mixed(seconds):
                clients = [load(daemon, seconds, "--concurrency", "16"),
                           load(daemon, seconds, "--concurrency", "2", "--rows", "32"),
                           load(daemon, seconds, "--rate", "200", "--channels", "8")]
                return sum(report(client)["requests"]["succeeded"] for client in clients)

            mixed(min(SECONDS, 30))  # What is taken once is taken.
            before = resident_kib(pid)
            open_before = descriptors(pid)
            answered = mixed(SECONDS)
            wait_until(lambda: descriptors(pid) <= open_before, "descriptors are given back")
            after = resident_kib(pid)
        figures("soaked", seconds=SECONDS, answered=answered, resident_kib_before=before,
                resident_kib_after=after, descriptors=open_before)
        self.assertGreater(answered, 0)
        # A byte kept of each request shows in an hour; so short, only what is kept wholesale.
        self.assertLess(after, before * 1.25)


class Disturbed(unittest.TestCase):
    """By clients that connect and do little."""

    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])

    def held(self, disturb):
        """The daemon answers while `disturb(address)`'s sockets are open, and gets them back."""
        with serving() as daemon:
            self.assertEqual(ask(daemon.address()), ZERO)
            host, port = daemon.address().rsplit(":", 1)
            pid = daemon.process.pid
            before = descriptors(pid)
            sockets = disturb((host, int(port)))
            self.assertEqual(ask(daemon.address()), ZERO)
            for one in sockets:
                one.close()
            wait_until(lambda: descriptors(pid) <= before, "descriptors are given back")
            self.assertEqual(ask(daemon.address()), ZERO)

    def test_connections_opened_and_dropped(self):
        def disturb(address):
            for number in range(CONNECTIONS):
                with socket.create_connection(address) as one:
                    if number % 2:
                        one.sendall(self.PREFACE)
            return []
        self.held(disturb)
        figures("dropped", connections=CONNECTIONS)

    def test_half_sent_requests_and_open_streams(self):
        # A frame of headers that promises 100 bytes and sends three; a stream without its end.
        half = bytes([0, 0, 100, 1, 4, 0, 0, 0, 1]) + b"abc"

        def disturb(address):
            sockets = [socket.create_connection(address) for _ in range(100)]
            for one in sockets:
                one.sendall(self.PREFACE + half)
            return sockets
        self.held(disturb)

    def test_readers_that_read_nothing(self):
        # Pings are answered; the answers wait in the daemon when nobody reads them.
        ping = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8)

        def disturb(address):
            sockets = [socket.create_connection(address) for _ in range(10)]
            for one in sockets:
                one.setblocking(False)
                one.send(self.PREFACE + ping * 1000)
            return sockets
        self.held(disturb)


class FullDisk(unittest.TestCase):
    def test_it_serves_with_a_full_log(self):
        with serving(wrapper=["sh", "-c", 'exec "$@" 2>/dev/full', "sh"]) as daemon:
            self.assertEqual(daemon.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
