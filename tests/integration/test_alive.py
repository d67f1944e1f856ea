"""Alive means serving: what a daemon does when its surroundings are poor or in the way."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

import grpc
import numpy as np
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException

import daemon as daemons
from daemon import BIN, PATIENCE, ZEROS, Daemon, wait_until


@contextlib.contextmanager
def serving(config=ZEROS, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "escand.yaml"
        path.write_text(config)
        with Daemon(path, **options) as daemon:
            yield daemon


def ask(address):
    """The answer to one request on a connection of its own; the error's text where there is one."""
    rows = triton.InferInput("x", [1, 4], "FP32")
    rows.set_data_from_numpy(np.zeros((1, 4), np.float32))
    with triton.InferenceServerClient(address) as client:
        try:
            return client.infer("zeros", [rows], client_timeout=20).as_numpy("y").tolist()
        except InferenceServerException as error:
            return str(error)


def health(address):
    with grpc.insecure_channel(address) as channel:
        return health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=20).status


ANSWER = [[0.0, 0.0]]
LIMIT = 200  # open files


class OpenFiles(unittest.TestCase):
    def test_a_daemon_out_of_descriptors_says_so_and_serves_again_when_there_are_some(self):
        with serving(wrapper=["prlimit", f"--nofile={LIMIT}:{LIMIT}", "--"]) as daemon:
            address = daemon.address()
            host, port = address.rsplit(":", 1)
            with grpc.insecure_channel(address) as early:
                stub = health_pb2_grpc.HealthStub(early)
                self.assertEqual(stub.Check(health_pb2.HealthCheckRequest()).status, 1)
                idle = [socket.create_connection((host, int(port))) for _ in range(2 * LIMIT)]
                wait_until(lambda: daemon.ctl("health", check=False).returncode == 1,
                           "health says that no connection is taken")
                self.assertIn("the limit of open files leaves no room for new connections",
                              daemon.ctl("health", check=False).stdout)
                self.assertIn("UNAVAILABLE", ask(address))
                # Who is connected is served, and there is room for a new worker.
                self.assertEqual(stub.Check(health_pb2.HealthCheckRequest()).status,
                                 health_pb2.HealthCheckResponse.NOT_SERVING)
                self.assertEqual(daemon.metrics()['escan_ready{model="zeros"}'], 0)
                self.assertGreater(daemon.metrics()["escan_connections_refused_total"], LIMIT)
                worker = daemon.worker_pids()[0]
                os.kill(worker, signal.SIGKILL)
                wait_until(lambda: daemon.worker_pids() not in ([], [worker]), "a new worker")
            for connection in idle:
                connection.close()
            wait_until(daemon.is_ready, "the daemon takes connections again")
            self.assertEqual(ask(address), ANSWER)
            self.assertEqual(health(address), health_pb2.HealthCheckResponse.SERVING)
            self.assertEqual(daemon.terminate(), 0)

    def test_the_soft_limit_is_raised_to_the_hard_one(self):
        with serving(wrapper=["prlimit", "--nofile=100:3000", "--"]) as daemon:
            limits = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text()
            line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
            self.assertEqual(line.split()[3:5], ["3000", "3000"])
            self.assertTrue(any("open files limit=3000 before=100" in line
                                for line in daemon.log), daemon.log)


class LogNobodyReads(unittest.TestCase):
    def test_requests_health_and_sigterm_go_on_while_the_log_pipe_is_full(self):
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "escand.yaml"
            config.write_text(ZEROS)
            admin = f"unix:{folder}/admin.sock"
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{free.getsockname()[1]}"
            os.set_blocking(write_end, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(write_end, b"-" * 4095 + b"\n")
            os.set_blocking(write_end, True)
            process = subprocess.Popen(
                [BIN / "escand", "--config", config, "--listen", address, "--metrics", "off",
                 "--admin", admin, "--log-level", "debug"],
                stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end)
            os.close(write_end)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)

            def ctl(*arguments):
                return subprocess.run([BIN / "escanctl", "--admin", admin, *arguments],
                                      capture_output=True, text=True, timeout=PATIENCE)
            wait_until(lambda: ctl("health").stdout == "ready\n", "the daemon is ready")
            self.assertEqual(ask(address), ANSWER)
            # Workers say more when they start.
            worker = daemons.child_pids(process.pid)
            for pid in worker:
                os.kill(pid, signal.SIGKILL)
            self.assertEqual(ask(address), ANSWER)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(PATIENCE), 0)


class FirstStart(unittest.TestCase):
    def test_a_model_that_is_none_ends_it_with_status_1_and_the_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            model = pathlib.Path(folder) / "broken.pt"
            model.write_text("no model")
            config = ZEROS.replace('executor: "null"', f"model: {model}")
            with serving(config, ready=False) as daemon:
                self.assertEqual(daemon.process.wait(PATIENCE), 1)
                daemon.kill()
                reasons = [line for line in daemon.log if "cannot serve model=zeros" in line]
                self.assertEqual(len(reasons), 1, daemon.log)
                self.assertIn("expected TorchScript", reasons[0])


class Surroundings(unittest.TestCase):
    def test_it_serves_without_standard_descriptors(self):
        shell = ["sh", "-c", 'exec "$@" <&- >&-', "sh"]
        with serving(wrapper=shell) as daemon:
            self.assertEqual(ask(daemon.address()), ANSWER)
            for number in (0, 1):
                self.assertEqual(os.readlink(f"/proc/{daemon.process.pid}/fd/{number}"),
                                 "/dev/null")
            self.assertEqual(daemon.terminate(), 0)

    def test_it_serves_without_standard_error(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "escand.yaml"
            config.write_text(ZEROS)
            admin = f"unix:{folder}/admin.sock"
            process = subprocess.Popen(
                ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", BIN / "escand", "--config", config,
                 "--listen", "127.0.0.1:0", "--metrics", "off", "--admin", admin])
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            wait_until(lambda: subprocess.run(
                [BIN / "escanctl", "--admin", admin, "health"],
                capture_output=True).returncode == 0, "the daemon is ready")
            for number in (0, 1, 2):
                self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{number}"), "/dev/null")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(PATIENCE), 0)

    def test_it_serves_without_a_home(self):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("HOME", "XDG_CACHE_HOME", "CACHE_DIRECTORY")}
        with serving(environment=environment) as daemon:
            self.assertEqual(ask(daemon.address()), ANSWER)

    def test_it_serves_where_the_cache_cannot_be_written(self):
        # Not even root can write there.
        with serving("cache: /proc/escan\n" + ZEROS) as daemon:
            self.assertEqual(ask(daemon.address()), ANSWER)

    def test_it_serves_on_ipv6(self):
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError:
            self.skipTest("this machine has no IPv6")
        with serving(listen="[::1]:0") as daemon:
            self.assertRegex(daemon.address(), r"^\[::1\]:\d+$")
            self.assertEqual(ask(daemon.address()), ANSWER)


if __name__ == "__main__":
    unittest.main()
