"""What a client sees when processes die, time runs out, or too much is asked."""

import glob
import os
import pathlib
import signal
import subprocess
import threading
import time
import unittest

import grpc
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import fashion_mnist
from daemon import BIN, PATIENCE, Daemon, wait_until
from fashion_mnist import CONFIG, MODEL, image_input


LONGER_THAN_THE_HEARTBEAT_TIMEOUT = 6  # seconds


class Client(threading.Thread):
    """Asks for the same rows again and again; remembers every error and wrong answer."""

    def __init__(self, address, rows=4):
        super().__init__(daemon=True)
        self.address = address
        self.images = fashion_mnist.test_images()[:rows]
        self.stop = threading.Event()
        self.answered = 0
        self.errors = []
        self.start()

    def run(self):
        with triton.InferenceServerClient(self.address) as client:
            expected = None
            while not self.stop.is_set():
                try:
                    result = client.infer(MODEL, image_input(self.images))
                except InferenceServerException as error:
                    self.errors.append(str(error))
                    continue
                classes = result.as_numpy("probabilities").argmax(axis=1).tolist()
                expected = expected or classes
                if classes != expected:
                    self.errors.append(f"wrong answer: {classes} instead of {expected}")
                self.answered += 1

    def finish(self):
        self.stop.set()
        self.join(PATIENCE)


def alive(pid):
    """True while `pid` runs; a zombie that nobody has reaped yet does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


class WorkersKilled(unittest.TestCase):
    def test_no_request_fails_while_workers_are_killed_again_and_again(self):
        with Daemon(CONFIG) as daemon:
            clients = [Client(daemon.address()) for _ in range(4)]
            for _ in range(6):
                answered = sum(client.answered for client in clients)
                for pid in daemon.worker_pids()[:1]:
                    os.kill(pid, signal.SIGKILL)
                wait_until(lambda: sum(client.answered for client in clients) > answered + 20,
                           "the clients are answered after a kill")
                wait_until(lambda: all(worker["state"] == "ready"
                                       for worker in daemon.cascade()["workers"]),
                           "the worker is back")
            for client in clients:
                client.finish()
            self.assertEqual([error for client in clients for error in client.errors], [])
            self.assertGreaterEqual(
                sum(worker["restarts"] for worker in daemon.cascade()["workers"]), 6)
            self.assertGreaterEqual(
                daemon.metrics()['escan_worker_restarts_total{model="fashion_mnist"}'], 6)


class EverythingPaused(unittest.TestCase):
    def test_a_pause_of_daemon_and_workers_ends_no_worker(self):
        with Daemon(CONFIG) as daemon:
            client = Client(daemon.address())
            wait_until(lambda: client.answered > 20, "the client is served")
            processes = [daemon.process.pid, *daemon.worker_pids()]
            for pid in processes:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(LONGER_THAN_THE_HEARTBEAT_TIMEOUT)
            for pid in processes:
                os.kill(pid, signal.SIGCONT)
            answered = client.answered
            wait_until(lambda: client.answered > answered + 20, "the client is served again")
            client.finish()
            self.assertEqual(client.errors, [])
            self.assertEqual(processes[1:], daemon.worker_pids())


class DaemonEnds(unittest.TestCase):
    def test_sigterm_answers_what_is_inside_and_ends_with_status_0(self):
        with Daemon(CONFIG) as daemon:
            client = Client(daemon.address())
            wait_until(lambda: client.answered > 20, "the client is served")
            workers = daemon.worker_pids()
            daemon.process.send_signal(signal.SIGTERM)
            wait_until(lambda: client.errors or daemon.process.poll() is not None,
                       "requests are refused or the daemon ends")
            self.assertEqual(daemon.process.wait(PATIENCE), 0)
            client.finish()
            # gRPC cancels a call that arrives in the moment in which its server stops, and this
            # client asks again without a pause for as long as it can.
            others = [error for error in client.errors if "UNAVAILABLE" not in error]
            self.assertLessEqual(len(others), 1, others)
            for error in others:
                self.assertIn("CANCELLED", error)
            self.assertFalse(any(alive(pid) for pid in workers))

    def test_a_killed_daemon_leaves_no_worker_and_no_shared_memory(self):
        def leftovers():
            return set(glob.glob("/dev/shm/*")) | set(glob.glob("/tmp/*escan*"))

        before = leftovers()
        with Daemon(CONFIG) as daemon:
            client = Client(daemon.address())
            wait_until(lambda: client.answered > 20, "the client is served")
            workers = daemon.worker_pids()
            self.assertTrue(workers)
            os.kill(workers[0], signal.SIGSTOP)
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait(PATIENCE)
            client.finish()
            wait_until(lambda: not any(alive(pid) for pid in workers), "the workers end")
        self.assertEqual(leftovers() - before, set())

    def test_a_second_daemon_on_the_same_port_fails_and_the_first_goes_on(self):
        with Daemon(CONFIG) as daemon:
            second = subprocess.run(
                [BIN / "escand", "--config", CONFIG, "--listen", daemon.address(),
                 "--metrics", "127.0.0.1:0", "--admin", f"unix:{daemon.folder}/second.sock"],
                capture_output=True, text=True, timeout=PATIENCE)
            self.assertNotEqual(second.returncode, 0)
            self.assertIn(daemon.address(), second.stderr)
            third = subprocess.run(
                [BIN / "escand", "--config", CONFIG, "--listen", "127.0.0.1:0",
                 "--metrics", "127.0.0.1:0", "--admin", daemon.admin],
                capture_output=True, text=True, timeout=PATIENCE)
            self.assertNotEqual(third.returncode, 0)
            self.assertIn("admin.sock", third.stderr)
            self.assertTrue(daemon.is_ready())


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(CONFIG)
        cls.client = triton.InferenceServerClient(cls.daemon.address())
        cls.images = fashion_mnist.test_images()

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.daemon.kill()

    def freeze(self):
        """Stops every worker, so that what is asked now waits."""
        for pid in self.daemon.worker_pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        for pid in self.daemon.worker_pids():
            os.kill(pid, signal.SIGCONT)

    def test_a_timeout_parameter_ends_a_request_that_waits(self):
        self.freeze()
        try:
            with self.assertRaises(InferenceServerException) as caught:
                self.client.infer(MODEL, image_input(self.images[:1]), timeout=30_000)
            self.assertIn("DEADLINE_EXCEEDED", caught.exception.status())
        finally:
            self.thaw()

    def test_a_grpc_deadline_ends_a_request_and_frees_its_slots(self):
        self.freeze()
        try:
            with self.assertRaises(InferenceServerException) as caught:
                self.client.infer(MODEL, image_input(self.images[:1]), client_timeout=0.05)
            self.assertIn("DEADLINE_EXCEEDED", caught.exception.status())
        finally:
            self.thaw()
        wait_until(lambda: int(self.daemon.cascade().get("slots_in_use", 0)) == 0,
                   "the slots are free again")

    def test_overload_is_refused_at_once(self):
        self.freeze()
        refused = threading.Event()
        calls = []

        def answered(result, error):
            if error is not None and "RESOURCE_EXHAUSTED" in str(error.status()):
                refused.set()

        try:
            for _ in range(int(self.daemon.cascade()["slots"]) // 128 + 4):
                calls.append(self.client.async_infer(MODEL, image_input(self.images[:128]),
                                                     answered))
            self.assertTrue(refused.wait(PATIENCE), "no request was refused")
        finally:
            self.thaw()
            for call in calls:
                call.cancel()
        wait_until(lambda: int(self.daemon.cascade().get("slots_in_use", 0)) == 0,
                   "the slots are free again")

    def test_rows_of_a_client_that_is_gone_leave_the_queues(self):
        self.freeze()
        try:
            call = self.client.async_infer(MODEL, image_input(self.images[:100]),
                                           lambda result, error: None)
            wait_until(lambda: int(self.daemon.cascade().get("requests", 0)) > 0,
                       "the request is inside")
            call.cancel()
            wait_until(lambda: int(self.daemon.cascade().get("requests", 0)) == 0,
                       "the request is gone")
            queued = [int(stage.get("queued", 0)) for stage in self.daemon.cascade()["stages"]]
            self.assertEqual(sum(queued), 0)
        finally:
            self.thaw()

    def test_grpc_itself_refuses_what_is_too_large(self):
        channel = grpc.insecure_channel(self.daemon.address())
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with self.assertRaises(grpc.RpcError) as caught:
            call(bytes(64 << 20))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        channel.close()


if __name__ == "__main__":
    unittest.main()
