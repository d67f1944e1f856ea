#!/usr/bin/env python3
"""Measures what a change of the plan does to requests, on a CPU.

Starts the daemon with one worker, finds what it serves in a closed loop, then sends a part of that
in an open loop twice: left alone, and with `plan set` to several workers after a third of the time.
Prints the failed requests and the p99 of both, and the ratio. Timings of a busy machine are noisy:
--repeat takes the median.

    scripts/measure_plan_change.py --programs build/release/bin
"""

import argparse
import json
import pathlib
import re
import signal
import statistics
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FASHION_MNIST = ROOT / "configs/fashion_mnist"
PATIENCE = 300  # seconds


class Server:
    """The daemon with one worker that hosts every stage; a context manager."""

    def __init__(self, programs, work):
        self.programs = programs
        self.work = work
        self.admin = f"unix:{work}/admin.sock"
        text = (FASHION_MNIST / "escand.yaml").read_text()
        text = re.sub(r"model: (\w+\.pt)", rf"model: {FASHION_MNIST}/\1", text)
        text = text.replace("devices: [auto]", "devices: [cpu]")
        text = text.replace("plans/default.yaml", "{workers: [{stages: [small, medium, large]}]}")
        self.config = work / "escand.yaml"
        self.config.write_text(text)

    def __enter__(self):
        with open(self.work / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [self.programs / "escand", "--config", self.config, "--listen", "127.0.0.1:0",
                 "--metrics", "off", "--admin", self.admin], stderr=log)
        deadline = time.monotonic() + PATIENCE
        while self.ctl("health").returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the daemon did not become ready:\n{self.log()}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    def log(self):
        return (self.work / "log").read_text()

    def ctl(self, *arguments):
        return subprocess.run([self.programs / "escanctl", "--admin", self.admin, *arguments],
                              capture_output=True, text=True, check=False)

    def load(self, *flags):
        """The load generator's report."""
        address = re.search(r"listening address=(\S+)", self.log())[1]
        report = subprocess.run(
            [self.programs / "escan-loadgen", "--target", address, "--quiet", "--json", "-",
             "--deadline", "5s", *flags], capture_output=True, text=True, check=False)
        if not report.stdout:
            raise SystemExit(f"escan-loadgen: {report.stderr}")
        return json.loads(report.stdout)


def set_plan_later(server, plan, delay, result):
    time.sleep(delay)
    begun = time.monotonic()
    done = server.ctl("plan", "set", str(plan))
    result["seconds"] = time.monotonic() - begun
    result["error"] = done.stderr.strip()


def measure(options):
    """(failed, requests, p99 in ms) without a change and with one, and how long that took in s."""
    with tempfile.TemporaryDirectory() as folder, \
            Server(options.programs, pathlib.Path(folder)) as server:
        plan = pathlib.Path(folder) / "more.yaml"
        plan.write_text(f"workers: [{{count: {options.workers}, thread_percent: 50, "
                        "stages: [small, medium, large]}]\n")
        capacity = server.load("--duration", "3s")["achieved_requests_per_s"]
        flags = ["--rate", str(capacity * options.part), "--duration", f"{options.seconds}s"]
        alone = server.load(*flags)
        result = {}
        change = threading.Thread(target=set_plan_later,
                                  args=(server, plan, 2 + options.seconds / 3, result))
        change.start()
        during = server.load(*flags)
        change.join()
    if result["error"]:
        raise SystemExit(f"plan set: {result['error']}")
    return [figures(report) for report in (alone, during)], result["seconds"]


def figures(report):
    requests = report["requests"]
    sent = sum(count for what, count in requests.items() if what not in ("succeeded", "failed"))
    return sent - requests["succeeded"], sent, report["latency_ms"]["p99"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--workers", type=int, default=4, help="of the new plan")
    parser.add_argument("--part", type=float, default=0.5, help="of the capacity that is sent")
    parser.add_argument("--seconds", type=int, default=15, help="of each load")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    ratios = []
    for _ in range(options.repeat):
        (alone, during), seconds = measure(options)
        ratios.append(during[2] / alone[2])
        print(f"alone: {alone[0]} of {alone[1]} failed, p99 {alone[2]:.1f} ms; "
              f"change of {seconds:.1f} s: {during[0]} of {during[1]} failed, "
              f"p99 {during[2]:.1f} ms; ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
