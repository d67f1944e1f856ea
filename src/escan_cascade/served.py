"""Asks models and cascades through escand, as clients do."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

import numpy as np
import yaml

from .errors import UserError
from .progress import progress

START_SECONDS = 300
OUTPUT = "probabilities"


def contract(manifest):
    return {"inputs": manifest["inputs"],
            "outputs": [{"name": OUTPUT, "datatype": "FP32", "shape": [manifest["classes"]]}]}


class Server:
    """One escand on loopback with `configuration` (a dictionary); a context manager.

    Its workers and folder end with the block. UserError where it does not become ready.
    """

    def __init__(self, configuration, batch):
        self.batch = batch
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="escan-cascade-"))
        self.log = self.folder / "log"
        file = self.folder / "escand.yaml"
        file.write_text(yaml.safe_dump(configuration, sort_keys=False))
        binary = pathlib.Path(os.environ.get("ESCAN_BIN", "")) / "escand"
        if not binary.is_file():
            raise UserError(f"{binary}: no such program: build ESCAN, or set ESCAN_BIN to the folder of escand")
        environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(
                [binary, "--config", file, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0",
                 "--admin", f"unix:{self.folder}/admin.sock"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)

    def __enter__(self):
        try:
            self._await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.terminate()  # the second one does not drain
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _address(self, what):
        found = re.search(rf"\b{what} address=(\S+)", self.log.read_text())
        return found[1] if found else None

    def _await_ready(self):
        end = time.monotonic() + START_SECONDS
        while True:
            address = self._address("metrics")
            ready = re.findall(r'^escan_ready\{.*\} (\d)', self._metrics() if address else "", re.MULTILINE)
            if ready and all(each == "1" for each in ready):
                return
            failures = re.findall(r".*\b(?:reason|error)=.*", self.log.read_text())
            if self.process.poll() is not None or time.monotonic() > end or len(failures) > 5:
                tail = "\n".join(failures[:3] or self.log.read_text().splitlines()[-5:])
                raise UserError(f"escand does not serve these models:\n{tail}")
            time.sleep(0.05)

    def _metrics(self):
        try:
            with urllib.request.urlopen(f"http://{self._address('metrics')}/metrics", timeout=10) as page:
                return page.read().decode()
        except OSError:
            return ""

    def ask(self, model, inputs, what):
        """{"probabilities": [N, C], "exit_stage": [N], "confidence": [N]} of all samples."""
        import tritonclient.grpc as triton
        datatypes = {"uint8": "UINT8", "int32": "INT32", "int64": "INT64", "float32": "FP32"}
        samples = len(next(iter(inputs.values())))
        parts = []
        with triton.InferenceServerClient(self._address("listening")) as client:
            for start in progress(range(0, samples, self.batch), what):
                tensors = []
                for name, values in inputs.items():
                    rows = values[start:start + self.batch]
                    tensors.append(triton.InferInput(name, list(rows.shape), datatypes[str(rows.dtype)]))
                    tensors[-1].set_data_from_numpy(np.ascontiguousarray(rows))
                parts.append(client.infer(model, tensors))
        return {name: np.concatenate([part.as_numpy(name) for part in parts])
                for name in (OUTPUT, "exit_stage", "confidence")}

    def step_time(self, model):
        """(sum of seconds, number) of the steps of the model's only stage so far."""
        text = self._metrics()
        return tuple(float(re.search(rf'^escan_stage_step_seconds_{what}\{{[^}}]*model="{model}"[^}}]*\}} (\S+)',
                                     text, re.MULTILINE)[1]) for what in ("sum", "count"))


def single_stages(manifest, folder, batch):
    """The configuration in which each model is a cascade of its own: nothing exits before it."""
    return {"cascades": [{
        "name": model["name"], **contract(manifest), "max_rows": batch, "deadline": "10m",
        "slots": 4 * batch, "verify": {"every": 0},
        "stages": [{"name": "only", "model": str((pathlib.Path(folder) / model["file"]).resolve()),
                    "buckets": [1, batch] if batch > 1 else [1]}],
        "plan": {"workers": [{"count": 1, "stages": ["only"]}]}} for model in manifest["models"]]}


def collect(manifest, folder, inputs, batch):
    """What every model answers, and what it costs.

    Returns probabilities [models, N, C] and microseconds a sample [models] in full batches, from
    dispatch to result, while nothing else runs.
    """
    probabilities, costs = [], []
    with Server(single_stages(manifest, folder, batch), batch) as server:
        for model in manifest["models"]:
            name = model["name"]
            answers = server.ask(name, inputs, f"asking {name}")[OUTPUT]
            if not np.isfinite(answers).all():
                raise UserError(f"{name} answers NaN to sample {int(np.argwhere(~np.isfinite(answers))[0][0])}: "
                                "check its data and --normalize")
            probabilities.append(answers)
            samples = len(answers)
            full = {key: np.resize(values[:batch], (max(8 * batch, min(samples, 64 * batch) // batch * batch),
                                                    *values.shape[1:])) for key, values in inputs.items()}
            before = server.step_time(name)
            server.ask(name, full, f"timing {name}")
            after = server.step_time(name)
            costs.append(1e6 * (after[0] - before[0]) / (after[1] - before[1]) / batch)
    return np.stack(probabilities), np.array(costs)
