"""What is shipped for Prometheus and Grafana, before a real daemon and a real Prometheus."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from daemon import PATIENCE, ROOT, ZEROS, wait_until
from test_alive import ANSWER, ask, serving

MONITORING = ROOT / "configs" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "escan.json"
# Of a daemon with a GPU, MPS or a worker that answers wrongly: this one has none of them.
ELSEWHERE = {"escan_mps_up", "escan_mps_restarts_total", "escan_worker_device_memory_bytes",
             "escan_worker_multiprocessors", "escan_answers_checked_total",
             "escan_answers_wrong_total", "escan_answers_doubtful_total"}
# What a cascade whose stage scores nothing and whose plan is fixed has none of.
UNUSED = {"escan_plan_decisions_total"}


def program(name):
    """Prometheus' programs: of the system, else those that scripts/setup.sh --tests unpacked."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    found = shutil.which(name, path=f"{os.environ['PATH']}:{cache}/escan/prometheus/usr/bin")
    if found is None:
        raise AssertionError(f"no {name} here: scripts/setup.sh --tests brings it")
    return found


def expressions():
    """Every expression of the dashboard, with its variables replaced by what fits all."""
    dashboard = json.loads(DASHBOARD.read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    found += [annotation["expr"] for annotation in dashboard["annotations"]["list"]]
    return [re.sub(r"\$(job|instance|model)", ".*", expr).replace("$__rate_interval", "1m")
            for expr in found]


def names_in(text):
    """Metrics that a text names, without the ending of a histogram's parts."""
    return {re.sub(r"_(bucket|sum|count)$", "", name)
            for name in re.findall(r"(?<![\w:/-])escan_\w+", text)}


def families(daemon):
    with urllib.request.urlopen(f"http://{daemon.address('metrics')}/metrics") as page:
        return set(re.findall(r"^# TYPE (\S+)", page.read().decode(), re.MULTILINE))


class Names(unittest.TestCase):
    def test_every_metric_that_is_used_is_exported(self):
        used = names_in((MONITORING / "rules.yml").read_text())
        for expr in expressions():
            used |= names_in(expr)
        self.assertGreater(len(used), 25)
        with serving() as daemon:
            ask(daemon.address())
            exported = families(daemon)
        self.assertEqual(used - exported - ELSEWHERE - UNUSED, set())
        # What this daemon lacks is at least in the code that exports it.
        source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*metrics*.cc"))
        self.assertEqual({name for name in ELSEWHERE | UNUSED if f'"{name}"' not in source}, set())

    def test_every_metric_is_documented(self):
        documented = names_in((ROOT / "docs" / "metrics.md").read_text())
        with serving() as daemon:
            ask(daemon.address())
            exported = {name for name in families(daemon) if name.startswith("escan_")}
        self.assertEqual(exported - documented, set())


class Rules(unittest.TestCase):
    def test_promtool_takes_the_configuration_and_the_rules_do_what_their_tests_say(self):
        for arguments in (["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yml"]):
            done = subprocess.run([program("promtool"), *arguments], cwd=MONITORING, text=True,
                                  capture_output=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Prometheus:
    """A Prometheus with the shipped configuration that scrapes `targets` every second."""

    def __init__(self, targets):
        self.folder = tempfile.mkdtemp(prefix="escan-prometheus-")
        folder = pathlib.Path(self.folder)
        text = (MONITORING / "prometheus.yml").read_text()
        text = re.sub(r"_interval: 5s", "_interval: 1s", text)
        text = re.sub(r"targets: .*?(  #.*)?\n", f"targets: {json.dumps(targets)}\n", text)
        (folder / "prometheus.yml").write_text(text)
        shutil.copy(MONITORING / "rules.yml", folder)
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(
            [program("prometheus"), f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_until(self._find_address, "Prometheus listens")
        wait_until(self._is_ready, "Prometheus is ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _find_address(self):
        """The port was left to the system, and the log does not tell it: the kernel does."""
        descriptors = pathlib.Path(f"/proc/{self.process.pid}/fd")
        sockets = set()
        for link in descriptors.glob("*"):
            with contextlib.suppress(OSError):
                sockets.add(os.readlink(link))
        for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                self.address = f"127.0.0.1:{int(fields[1].rsplit(':', 1)[1], 16)}"
                return True
        return False

    def _is_ready(self):
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=PATIENCE):
                return True
        return False

    def get(self, path, **parameters):
        """The data of the API's answer; AssertionError with its words where it is an error."""
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expr):
        return self.get("query", query=expr)["result"]


class Scaling(unittest.TestCase):
    def test_the_metric_that_pods_are_scaled_on_is_the_time_in_queue(self):
        manifest = (ROOT / "configs" / "kubernetes" / "inference_service.yaml").read_text()
        query = re.search(r"query: >-\n((?: {16}.*\n)+)", manifest)[1]
        query = " ".join(query.split()).replace('model="fashion_mnist"', 'model="zeros"')
        # A batch is never full, so each sample waits for 200 ms at least.
        config = ZEROS + "    plan: {workers: [{stages: [a]}], stages: {a: {max_delay: 200ms}}}\n"
        with serving(config) as daemon, Prometheus([daemon.address("metrics")]) as prometheus:
            wait_until(lambda: prometheus.query("escan_ready == 1"), "a scrape")
            self.assertEqual([float(sample["value"][1]) for sample in prometheus.query(query)], [0])
            wait_until(lambda: ask(daemon.address()) == ANSWER and
                       prometheus.query(f"({query}) > 0"), "requests are seen")
            waited, = prometheus.query(query)
            self.assertGreater(float(waited["value"][1]), 199)


class Scraping(unittest.TestCase):
    def test_prometheus_scrapes_a_daemon_and_answers_every_expression_of_the_dashboard(self):
        with serving() as daemon, Prometheus([daemon.address("metrics")]) as prometheus:
            wait_until(lambda: prometheus.query('escan_ready{model="zeros"} == 1'), "a scrape")
            ask(daemon.address())
            wait_until(lambda: prometheus.query('escan_requests_total{outcome="ok"} > 0'),
                       "the request is counted")
            wait_until(lambda: prometheus.query("escan:slots_in_use:ratio"), "a recorded rule")
            wait_until(lambda: prometheus.query("sum(rate(escan_stage_samples_total[1m])) > -1"),
                       "two scrapes")
            answered = 0
            for expr in expressions():
                answered += bool(prometheus.query(expr))
            # Others are of GPUs, or zero and filtered.
            self.assertGreater(answered, len(expressions()) / 2)
            states = {rule["name"]: rule["health"] for group in prometheus.get("rules")["groups"]
                      for rule in group["rules"]}
            self.assertEqual({name for name, health in states.items() if health == "err"}, set())
            self.assertEqual([target["health"] for target in
                              prometheus.get("targets")["activeTargets"]], ["up"])


if __name__ == "__main__":
    unittest.main()
