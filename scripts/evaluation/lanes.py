"""All measurements of several cascades, on several GPUs side by side."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import threading
import time

from evaluation.bench import ALLOCATED
from evaluation.measuring import TIME_OVER, Failed, TimeOver, child_on

BASE_PLAN = "sequential"  # the sweep of which also measures the objectives


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of evaluate.py."""

    name: str
    arguments: tuple
    after: tuple = ()  # names of jobs that must have ended well


def jobs_of(cascade, plans):
    """What there is to measure of a cascade, what others wait for first."""
    def job(command, *more, name=None, after=()):
        return Job(f"{name or command}_{cascade}", (command, "--cascade", cascade, *more),
                   tuple(f"{other}_{cascade}" for other in after))

    def grid(plan):
        before = "profile" if plan == BASE_PLAN else f"grid_{BASE_PLAN}"
        return job("grid", "--plans", plan, name=f"grid_{plan}", after=[before])

    others = [plan for plan in plans if plan not in (BASE_PLAN, ALLOCATED)]
    sweeps = [grid(plan) for plan in (BASE_PLAN, ALLOCATED, *others) if plan in plans]
    return [job("profile"), *sweeps,
            job("model", after=["profile"]),
            job("simulator", after=[f"grid_{BASE_PLAN}"]),
            job("drift", after=[f"grid_{plan}" for plan in plans]),
            job("replan")]


class Lanes:
    """Runs jobs, one at a time on each GPU, in their order as far as they need not wait."""

    def __init__(self, jobs, program, common, folder, budget):
        self.waiting = list(jobs)
        self.program = program
        self.common = common
        self.folder = folder  # of the logs
        self.budget = budget
        self.done = {}  # {name: exit status}
        self.running = set()
        self.changed = threading.Condition()

    def take(self):
        """Waits for a job that may begin; None when there is none left for this lane."""
        with self.changed:
            while True:
                self.waiting = [job for job in self.waiting if not self.is_hopeless(job)]
                for job in self.waiting:
                    if all(self.done.get(name) == 0 for name in job.after):
                        self.waiting.remove(job)
                        self.running.add(job.name)
                        return job
                if not self.waiting or not self.running:
                    return None
                self.changed.wait()

    def is_hopeless(self, job):
        failed = [name for name in job.after if self.done.get(name, 0) != 0]
        if failed:
            self.done[job.name] = self.done[failed[0]]
        return bool(failed)

    def run_lane(self, gpu, cores):
        # An MPS daemon of its own; its sockets need short names.
        with tempfile.TemporaryDirectory(prefix="escan-gpu-") as runtime:
            own = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu, "XDG_RUNTIME_DIR": runtime}
            self.run_all(gpu, cores, {**os.environ, **own})

    def run_all(self, gpu, cores, environment):
        while (job := self.take()) is not None:
            start = time.monotonic()
            status = self.run_job(job, cores, environment)
            print(f"{job.name}: status {status} after {time.monotonic() - start:.0f} s"
                  + (f" on GPU {gpu}" if gpu is not None else ""), flush=True)
            with self.changed:
                self.done[job.name] = status
                self.running.remove(job.name)
                self.changed.notify_all()

    def run_job(self, job, cores, environment):
        if self.budget.left() <= 0:
            return TIME_OVER
        with open(self.folder / f"{job.name}.log", "ab") as log:
            return subprocess.run(
                [sys.executable, self.program, *job.arguments, *self.common,
                 "--max-seconds", str(self.budget.left())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=environment, preexec_fn=child_on(cores), check=False).returncode


def parts_of_cores(count):
    cores = sorted(os.sched_getaffinity(0))
    size = len(cores) // count
    if size < 2:
        raise Failed(f"{len(cores)} cores for {count} GPUs, expected two each at least")
    return [set(cores[i * size:(i + 1) * size]) for i in range(count)]


def run_jobs(jobs, program, common, gpus, results, budget):
    """Raises Failed or TimeOver, naming the jobs, unless all end well."""
    folder = results / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    lanes = Lanes(jobs, program, common, folder, budget)
    threads = [threading.Thread(target=lanes.run_lane, args=lane, daemon=True)
               for lane in zip(gpus, parts_of_cores(len(gpus)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [name for name, status in lanes.done.items() if status not in (0, TIME_OVER)]
    if failed:
        raise Failed(f"not measured: {', '.join(failed)}; {folder} says why")
    over = [name for name, status in lanes.done.items() if status == TIME_OVER]
    if over:
        raise TimeOver(f"no time left for {', '.join(over)}")
