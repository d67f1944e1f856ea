"""Three daemons behind the shipped Envoy, under load from clients with the shipped retry policy: one is
killed, one drained, then all are replaced one after the other. Prints what came of it as JSON.

    unshare --net python balanced_cluster.py [ROUNDS]

Started in a network namespace of its own, it gives each daemon another one with an address of its
own. With --loopback, for where there can be none, the daemons have loopback addresses of their own.
"""

import argparse
import collections
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from daemon import ROOT, ZEROS, Daemon, wait_until

BALANCER = ROOT / "configs" / "balancer"
# One that drains admits requests for longer than the balancer takes to notice.
CONFIG = ZEROS.replace("grace: 0s", "grace: 2s")
CLIENTS = 8
HOSTS = 3


class Host:
    """Where one daemon runs; `wrapper` is the command that runs a program there."""

    def __init__(self, number, loopback):
        self._holder = None
        if loopback:
            self.address, self.wrapper = f"127.0.0.{number + 1}", ()
            return
        self.address = f"10.77.0.{number}"
        # unshare tells by its output that the namespace is there.
        self._holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 600"],
                                        stdout=subprocess.PIPE)
        self._holder.stdout.readline()
        self.wrapper = ("nsenter", "--net", f"--target={self._holder.pid}", "--")
        run("ip", "link", "add", f"host{number}", "type", "veth", "peer", "name", "eth0", "netns",
            str(self._holder.pid))
        run("ip", "link", "set", f"host{number}", "master", "hosts", "up")
        run(*self.wrapper, "ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        run(*self.wrapper, "ip", "link", "set", "lo", "up")
        run(*self.wrapper, "ip", "link", "set", "eth0", "up")

    def close(self):
        if self._holder:
            self._holder.kill()
            self._holder.wait()
            self._holder.stdout.close()


def run(*command):
    subprocess.run(command, check=True, timeout=60)


def make_network():
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "hosts", "type", "bridge")
    run("ip", "address", "add", "10.77.0.254/24", "dev", "hosts")
    run("ip", "link", "set", "hosts", "up")


class Balancer:
    """The shipped Envoy before `hosts`."""

    def __init__(self, folder, hosts):
        text = (BALANCER / "envoy.yaml").read_text()
        for number, host in enumerate(hosts, 1):
            text = text.replace(f"10.77.0.{number},", f"{host.address},")
        config = pathlib.Path(folder) / "envoy.yaml"
        config.write_text(text)
        self.log = open(pathlib.Path(folder) / "envoy.log", "w+")
        envoy = pathlib.Path(sys.executable).parent / "envoy"
        self.process = subprocess.Popen(
            [envoy, "--config-path", config, "--disable-hot-restart", "--concurrency", "1",
             "--log-level", "warning"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def _get(self, path):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError("envoy ended:\n" + self.log.read())
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:9901/{path}", timeout=20) as page:
                return page.read().decode()
        except OSError:
            return ""

    def healthy(self):
        """Addresses that get requests."""
        return set(re.findall(r"escan::(\S+):\d+::health_flags::healthy$", self._get("clusters"),
                              re.MULTILINE))

    def active(self, address):
        """Requests under way at an address."""
        found = re.search(rf"escan::{re.escape(address)}:\d+::rq_active::(\d+)",
                          self._get("clusters"))
        return int(found[1]) if found else 0

    def statistic(self, name):
        return int(re.search(rf"^cluster\.escan\.{name}: (\d+)$", self._get("stats"),
                             re.MULTILINE)[1])

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Load:
    """Clients that ask one request after the other, each on a connection of its own."""

    def __init__(self, target):
        self.answered = 0
        self.errors = collections.Counter()
        self._policy = (BALANCER / "retry_policy.json").read_text()
        self._target = target
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self):
        options = [("grpc.service_config", self._policy), ("grpc.enable_http_proxy", 0),
                   ("grpc.use_local_subchannel_pool", 1)]
        rows = triton.InferInput("x", [2, 4], "FP32")
        rows.set_data_from_numpy(np.ones((2, 4), np.float32))
        with triton.InferenceServerClient(self._target, channel_args=options) as client:
            while not self._stop.is_set():
                try:
                    answer = client.infer("zeros", [rows]).as_numpy("y").tolist()
                    error = None if answer == [[0, 0], [0, 0]] else f"wrong answer {answer}"
                except (InferenceServerException, grpc.RpcError) as failure:
                    error = str(failure)
                with self._lock:
                    if error:
                        self.errors[error] += 1
                    else:
                        self.answered += 1

    def goes_on(self):
        """Waits until each client had time for some more requests."""
        enough = self.answered + 50 * CLIENTS
        wait_until(lambda: self.answered >= enough or self.errors, "the load goes on")

    def finish(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()


class Cluster:
    def __init__(self, folder, loopback):
        self.config = pathlib.Path(folder) / "escand.yaml"
        self.config.write_text(CONFIG)
        self.hosts = [Host(number, loopback) for number in range(1, HOSTS + 1)]
        self.daemons = [self._start(host) for host in self.hosts]
        self.balancer = Balancer(folder, self.hosts)
        self._wait_for(self.hosts)

    def _start(self, host):
        return Daemon(self.config, listen=f"{host.address}:8001", wrapper=host.wrapper)

    def _wait_for(self, hosts):
        wait_until(lambda: self.balancer.healthy() == {host.address for host in hosts},
                   f"the balancer sees {[host.address for host in hosts]}")

    def _others(self, number):
        return [host for other, host in enumerate(self.hosts) if other != number]

    def kill(self, number):
        """SIGKILL while it surely has requests inside; the requests that were broken off."""
        host, process = self.hosts[number], self.daemons[number].process
        before = self.balancer.statistic("upstream_cx_destroy_remote_with_active_rq")
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: self.balancer.active(host.address) > 0, "a request is in there")
        self.daemons[number].kill()
        self._wait_for(self._others(number))
        return self.balancer.statistic("upstream_cx_destroy_remote_with_active_rq") - before

    def drain(self, number):
        """As `systemctl stop` does; AssertionError where it ends with another status than 0."""
        status = self.daemons[number].terminate()
        assert status == 0, f"the daemon ended with {status}"
        self.daemons[number].kill()
        self._wait_for(self._others(number))

    def start(self, number):
        """Starts it again and waits until it gets requests."""
        self.daemons[number] = self._start(self.hosts[number])
        self._wait_for(self.hosts)
        wait_until(lambda: int(self.daemons[number].cascade()["stages"][0].get(
            "samples_executed", 0)) > 0, "the new daemon gets requests")

    def close(self):
        self.balancer.close()
        for daemon in self.daemons:
            daemon.kill()
        for host in self.hosts:
            host.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", nargs="?", type=int, default=1)
    parser.add_argument("--loopback", action="store_true")
    arguments = parser.parse_args()
    if not arguments.loopback:
        make_network()
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(folder, arguments.loopback)
        load = Load("127.0.0.1:8001")
        broken = 0
        try:
            for _ in range(arguments.rounds):
                load.goes_on()
                broken += cluster.kill(0)
                load.goes_on()
                cluster.start(0)
                load.goes_on()
                cluster.drain(1)
                load.goes_on()
                cluster.start(1)
                for number in range(HOSTS):
                    cluster.drain(number)
                    cluster.start(number)
                load.goes_on()
        finally:
            load.finish()
            cluster.close()
    print(json.dumps({"answered": load.answered, "connections_broken_with_requests": broken,
                      "errors": load.errors}))


if __name__ == "__main__":
    main()
