"""What measurements of a cascade share: servers, the load generator, results, time.

A benchmark cascade is a folder as evaluate.py cascades writes it: escand.yaml, whose plan is one
line of it, and plans/.
"""

import ctypes
import fcntl
import json
import os
import pathlib
import re
import signal
import subprocess
import time

START_SECONDS = 300
TIME_OVER = 3  # the exit status of a run that another one goes on with
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)  # loaded here: a child of a process with threads must not
ROWS_OF_A_REQUEST = {"heavy": 1, "cifar": 16, "text": 8}


class Failed(Exception):
    """Said in one line."""


class TimeOver(Exception):
    """The time of this run is over; another one goes on."""


def halves_of_cores():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Failed("one core: servers and generator would share it")
    middle = len(cores) // 2
    return set(cores[:middle]), set(cores[middle:])


def processor_seconds(pid):
    """Of a process and its children that run, so far; user and system."""
    total = 0.0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(") ")[2].split()
        except OSError:  # it ended in between
            continue
        if pid in (int(process.name), int(fields[1])):  # itself, or its child
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def request_flags(cascade):
    """Returns the generator's flags without which the cascade's random requests would be refused."""
    return ["--input-range", "tokens=0:30521"] if cascade == "text" else []


def end_on_sigterm():
    """Lets SIGTERM end what was started, as an exception does."""
    def end(*_):
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, end)


def child_on(cores):
    """Returns what a child process does first: it stays on `cores`, and ends when this one does."""
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, cores)

    return prepare


def start_generator(folder, flags, cores):
    """Starts escan-loadgen of a folder with programs, on `cores`."""
    threads = max(1, len(cores) // 2)
    return subprocess.Popen(
        [folder / "escan-loadgen", "--quiet", "--channels", str(2 * threads),
         "--threads", str(threads), *flags],
        stdin=subprocess.DEVNULL,
        preexec_fn=child_on(cores),
    )


def write_configuration(folder, name, plan, settings=""):
    """Returns a configuration beside the cascade's own with another plan and further settings.

    `plan` is what follows `plan:`, `settings` whole lines of the cascade.
    """
    text = (folder / "escand.yaml").read_text()
    changed, count = re.subn(
        r"^( +)plan: .*$",
        lambda line: "".join(f"{line[1]}{more}\n" for more in settings.splitlines())
        + f"{line[1]}plan: {plan}",
        text,
        flags=re.MULTILINE,
    )
    if count != 1:
        raise Failed(f"{folder}/escand.yaml has {count} lines `plan: ...`, expected one")
    configuration = folder / f"{name}.yaml"
    configuration.write_text(changed)
    return configuration


class Server:
    """A server process on `cores`, asked to end when the block is left."""

    def __init__(self, command, cores, log):
        self.log = log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                preexec_fn=child_on(cores),
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def await_true(self, condition, what):
        end = time.monotonic() + START_SECONDS
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                tail = "\n".join(self.log.read_text().splitlines()[-20:])
                raise Failed(f"{self.process.args[0]}: {what} did not happen:\n{tail}")
            time.sleep(0.1)

    def warnings(self):
        """Returns what it warned of so far, a line each."""
        return [line for line in self.log.read_text().splitlines() if " warning " in line]

    def address(self):
        """Waits until it listens, and returns where."""
        pattern = re.compile(r"\blistening address=(\S+)")
        self.await_true(lambda: pattern.search(self.log.read_text()), "listening")
        return pattern.search(self.log.read_text())[1]


class Escand(Server):
    """escand with one cascade; entered, it is ready."""

    def __init__(self, folder, configuration, work, cores):
        self.folder = folder
        self.admin = f"unix:{work}/admin.sock"
        super().__init__(
            [
                folder / "escand", "--config", configuration, "--admin", self.admin,
                "--listen", "127.0.0.1:0", "--metrics", "off",
            ],
            cores,
            work / "escand.log",
        )

    def __enter__(self):
        try:
            self.await_true(lambda: self.ask("health").returncode == 0, "being ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def ask(self, *arguments):
        return subprocess.run(
            [self.folder / "escanctl", "--admin", self.admin, *arguments],
            capture_output=True, text=True, check=False,
        )

    def set_plan(self, file):
        done = self.ask("plan", "set", str(file))
        if done.returncode != 0:
            raise Failed(f"plan set {file}: {done.stderr.strip()}")

    def status(self):
        return json.loads(self.ask("--json", "status").stdout)

    def plan_history(self):
        return json.loads(self.ask("--json", "plan", "history").stdout)["decisions"]


class Records:
    """Measurements as JSON lines, each under a key; what is there is not measured again.

    Several runs may add to one file at once. None sees what another one adds after its own start.
    """

    def __init__(self, file):
        self.file = file
        self.by_key = {}
        if file.exists():
            for line in file.read_text().splitlines():
                try:
                    record = json.loads(line)
                except ValueError:  # the line at which a run was killed
                    continue
                self.by_key[self.name(record["key"])] = record

    @staticmethod
    def name(key):
        return json.dumps(key, sort_keys=True)

    def find(self, **key):
        return self.by_key.get(self.name(key))

    def all(self):
        return list(self.by_key.values())

    def add(self, key, **figures):
        record = {"key": key, **figures}
        with open(self.file, "a", encoding="utf-8") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX)
            # The line of a run that was killed has no end.
            torn = not (b"\n" + self.file.read_bytes()).endswith(b"\n")
            lines.write(("\n" if torn else "") + json.dumps(record) + "\n")
        self.by_key[self.name(key)] = record
        return record


class Budget:
    """The time of one run."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()

    def need(self, seconds, what):
        if self.left() < seconds:
            raise TimeOver(f"no time left for {what}, which takes {seconds:.0f} s")
