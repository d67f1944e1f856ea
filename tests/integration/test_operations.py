"""What an operator does to a serving daemon: plans, thresholds, metrics, draining."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest
from unittest import mock

import fashion_mnist
from daemon import BIN, DATA, FASHION_MNIST, PATIENCE, Daemon, wait_until
from fashion_mnist import CONFIG
from test_faults import Client


class Plans(unittest.TestCase):
    def test_workers_change_under_load_without_a_failed_request(self):
        with Daemon(CONFIG) as daemon:
            clients = [Client(daemon.address()) for _ in range(3)]
            for name in ("pipeline", "replicas", "default", "sequential"):
                before = set(daemon.worker_pids())
                answered = sum(client.answered for client in clients)
                said = daemon.ctl("plan", "set", str(FASHION_MNIST / "plans" / f"{name}.yaml"))
                self.assertIn("started", said.stdout)
                self.assertNotEqual(set(daemon.worker_pids()), before)
                wait_until(lambda: sum(client.answered for client in clients) > answered + 20,
                           f"the clients are answered under {name}")
            for client in clients:
                client.finish()
            self.assertEqual([error for client in clients for error in client.errors], [])
            cascade = daemon.cascade()
            self.assertTrue(cascade["plan_differs_from_file"])
            self.assertEqual(int(cascade["plan_changes"]), 4)

    def test_batches_and_delays_change_without_new_workers(self):
        with Daemon(CONFIG) as daemon, tempfile.TemporaryDirectory() as folder:
            before = daemon.worker_pids()
            plan = daemon.ctl("plan", "show").stdout
            self.assertIn("max_batch", plan)
            lines = [line.split("max_batch")[0] + "max_batch: 2, " + line.split(",", 1)[1].lstrip()
                     if "max_batch" in line and "," in line else line
                     for line in plan.splitlines()]
            changed = pathlib.Path(folder) / "plan.yaml"
            changed.write_text("\n".join(lines))
            daemon.ctl("plan", "set", str(changed))
            self.assertEqual(daemon.worker_pids(), before)

    def test_a_wrong_plan_is_refused_with_file_line_and_key(self):
        with Daemon(CONFIG) as daemon, tempfile.TemporaryDirectory() as folder:
            wrong = pathlib.Path(folder) / "wrong.yaml"
            wrong.write_text("workers:\n  - {count: 1, stages: [small, huge]}\n")
            refused = daemon.ctl("plan", "set", str(wrong), check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("wrong.yaml:2", refused.stderr)
            self.assertIn("huge", refused.stderr)
            self.assertTrue(daemon.is_ready())


class Thresholds(unittest.TestCase):
    def test_a_new_threshold_decides_at_once_and_status_says_that_it_differs(self):
        images = fashion_mnist.test_images()[:200]
        with Daemon(CONFIG) as daemon:
            self.assertFalse(daemon.cascade().get("thresholds_differ_from_file", False))
            daemon.ctl("thresholds", "set", "small=0", "medium=0")
            stages = fashion_mnist.infer_all(daemon.address(), images)["exit_stage"]
            self.assertTrue((stages == 1).all())
            daemon.ctl("thresholds", "set", "small=1", "medium=1")
            stages = fashion_mnist.infer_all(daemon.address(), images)["exit_stage"]
            self.assertGreater((stages == 3).mean(), 0.5)
            self.assertTrue(daemon.cascade()["thresholds_differ_from_file"])
            refused = daemon.ctl("thresholds", "set", "small=1.5", check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("1.5", refused.stderr)


class Metrics(unittest.TestCase):
    def test_requests_stages_and_workers_are_counted(self):
        with Daemon(CONFIG) as daemon:
            fashion_mnist.infer_all(daemon.address(), fashion_mnist.test_images()[:500], rows=50)
            page = daemon.metrics()
        self.assertEqual(page['escan_requests_total{model="fashion_mnist",outcome="ok"}'], 10)
        samples = {name: value for name, value in page.items()
                   if name.startswith("escan_stage_samples_total")}
        self.assertEqual(max(samples.values()), 500)
        exits = sum(value for name, value in page.items()
                    if name.startswith("escan_stage_exits_total"))
        self.assertEqual(exits, 500)
        names = {name.split("{")[0] for name in page}
        self.assertGreaterEqual(names, {
            "escan_stage_exit_ratio", "escan_stage_queue_depth", "escan_slots_in_use",
            "escan_stage_batch_rows_bucket", "escan_stage_step_seconds_bucket",
            "escan_stage_queue_seconds_bucket", "escan_worker_restarts_total",
            "escan_plan_changes_total"})


class Draining(unittest.TestCase):
    def test_drain_ends_the_daemon_as_sigterm_does(self):
        with Daemon(CONFIG) as daemon:
            daemon.ctl("drain")
            self.assertEqual(daemon.process.wait(PATIENCE), 0)
            self.assertEqual(daemon.ctl("health", check=False).returncode, 2)


    def test_sigterm_drains_where_the_gpu_driver_has_a_thread_of_its_own(self):
        with mock.patch.dict(os.environ, LD_LIBRARY_PATH=os.environ["ESCAN_FAKE_NVML"]):
            with Daemon(CONFIG) as daemon:
                self.assertEqual(daemon.terminate(), 0)
                self.assertTrue(any("draining" in line for line in daemon.log), daemon.log)


class Hangup(unittest.TestCase):
    def test_a_terminal_that_goes_away_does_not_end_the_daemon(self):
        with Daemon(CONFIG) as daemon:
            daemon.process.send_signal(signal.SIGHUP)
            self.assertTrue(daemon.is_ready())
            self.assertEqual(daemon.terminate(), 0)


class CheckConfig(unittest.TestCase):
    def test_the_effective_configuration_is_printed_and_reads_back(self):
        shown = subprocess.run([BIN / "escand", "--config", CONFIG, "--check-config"],
                               capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn("max_delay", shown.stdout)
        with tempfile.TemporaryDirectory() as folder:
            again = pathlib.Path(folder) / "effective.yaml"
            again.write_text(shown.stdout)
            second = subprocess.run([BIN / "escand", "--config", again, "--check-config"],
                                    capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(second.returncode, 0, second.stderr)
            self.assertEqual(second.stdout, shown.stdout)

    def test_a_mistake_is_one_line_with_file_line_and_key(self):
        with tempfile.TemporaryDirectory() as folder:
            wrong = pathlib.Path(folder) / "wrong.yaml"
            wrong.write_text("server: {listen: 127.0.0.1:8001, lisen: 1}\n")
            refused = subprocess.run([BIN / "escand", "--config", wrong, "--check-config"],
                                     capture_output=True, text=True, timeout=PATIENCE)
        self.assertNotEqual(refused.returncode, 0)
        self.assertTrue(any("wrong.yaml:1: server.lisen" in line
                            for line in refused.stderr.splitlines()), refused.stderr)


class LoadGenerator(unittest.TestCase):
    def test_it_reports_accuracy_exits_and_latencies_of_the_test_set(self):
        with Daemon(CONFIG) as daemon, tempfile.TemporaryDirectory() as folder:
            report = os.path.join(folder, "report.json")
            done = subprocess.run(
                [BIN / "escan-loadgen", "--target", daemon.address(),
                 "--samples", DATA / "t10k-images-idx3-ubyte.gz",
                 "--labels", DATA / "t10k-labels-idx1-ubyte.gz",
                 "--once", "--rows", "16", "--concurrency", "8", "--warmup", "0s",
                 "--json", report],
                capture_output=True, text=True, timeout=300)
            self.assertEqual(done.returncode, 0, done.stderr)
            figures = json.loads(pathlib.Path(report).read_text())
            executed = int(daemon.cascade()["stages"][0]["samples_executed"])
        self.assertEqual(executed, 10_000)
        self.assertGreater(figures["accuracy"], 0.93)


if __name__ == "__main__":
    unittest.main()
