"""The protocol over HTTP, asked by clients that were not written here: curl, tritonclient, fetch."""

import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import unittest

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

import browser
import fashion_mnist
from daemon import PATIENCE, Daemon
from fashion_mnist import CONFIG, MODEL, image_input

IMAGES = 5


def curl(*arguments):
    done = subprocess.run(["curl", "--silent", "--show-error", *arguments], capture_output=True,
                          timeout=PATIENCE, check=True)
    return done.stdout


class _Page(http.server.BaseHTTPRequestHandler):
    """A page of another origin, whose script asks for inference and shows the answer."""

    text = ""

    def do_GET(self):
        body = self.text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class RestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.page_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
        threading.Thread(target=cls.page_server.serve_forever, daemon=True).start()
        cls.origin = f"http://127.0.0.1:{cls.page_server.server_port}"
        cls.folder = tempfile.TemporaryDirectory(prefix="escan-rest-")
        config = pathlib.Path(cls.folder.name) / "escand.yaml"
        text = CONFIG.read_text()
        for name in ("small.pt", "medium.pt", "large.pt", "plans/default.yaml"):
            text = text.replace(f" {name}", f" {CONFIG.parent / name}")
        config.write_text(f'http: {{listen: "127.0.0.1:0", allow_origins: ["{cls.origin}"]}}\n{text}')
        cls.daemon = Daemon(config)
        cls.address = cls.daemon.address("http")
        cls.images = fashion_mnist.test_images()[:IMAGES]
        with triton_grpc.InferenceServerClient(cls.daemon.address()) as client:
            result = client.infer(MODEL, image_input(cls.images))
            cls.expected = {name: result.as_numpy(name)
                            for name in ("probabilities", "exit_stage", "confidence")}

    @classmethod
    def tearDownClass(cls):
        cls.daemon.kill()
        cls.page_server.shutdown()
        cls.page_server.server_close()
        cls.folder.cleanup()

    def request(self):
        return {"inputs": [{"name": "image", "datatype": "UINT8", "shape": list(self.images.shape),
                            "data": self.images.tolist()}]}

    def assert_expected(self, name, values):
        # Other buckets may run other kernels.
        np.testing.assert_allclose(np.reshape(values, self.expected[name].shape),
                                   self.expected[name], rtol=1e-4, atol=1e-6)

    def infer_path(self):
        return f"http://{self.address}/v2/models/{MODEL}/infer"

    def test_curl_gets_in_json_what_grpc_answers(self):
        file = pathlib.Path(self.folder.name) / "request.json"
        file.write_text(json.dumps(self.request()))
        answer = json.loads(curl("--data-binary", f"@{file}", self.infer_path()))
        self.assertEqual(answer["model_name"], MODEL)
        for output in answer["outputs"]:
            self.assert_expected(output["name"], output["data"])

    def test_curl_gets_binary_what_grpc_answers(self):
        head = json.dumps({
            "inputs": [{"name": "image", "datatype": "UINT8", "shape": list(self.images.shape),
                        "parameters": {"binary_data_size": self.images.nbytes}}],
            "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}]}).encode()
        file = pathlib.Path(self.folder.name) / "request.bin"
        file.write_bytes(head + self.images.tobytes())
        headers = pathlib.Path(self.folder.name) / "headers"
        body = curl("--header", f"Inference-Header-Content-Length: {len(head)}",
                    "--header", "Content-Type: application/octet-stream", "--dump-header", headers,
                    "--data-binary", f"@{file}", self.infer_path())
        lines = dict(line.split(": ", 1) for line in headers.read_text().splitlines() if ": " in line)
        length = int(lines["Inference-Header-Content-Length"])
        output, = json.loads(body[:length])["outputs"]
        self.assertEqual(output["parameters"]["binary_data_size"], len(body) - length)
        self.assert_expected("probabilities", np.frombuffer(body[length:], dtype=np.float32))

    def test_tritonclient_asks_over_http_as_over_grpc(self):
        with triton_http.InferenceServerClient(self.address) as client:
            self.assertTrue(client.is_server_live())
            self.assertTrue(client.is_server_ready())
            self.assertTrue(client.is_model_ready(MODEL))
            self.assertIn("binary_tensor_data", client.get_server_metadata()["extensions"])
            self.assertEqual(client.get_model_metadata(MODEL)["inputs"][0]["shape"], [-1, 28, 28])
            for binary in (False, True):
                tensor = triton_http.InferInput("image", list(self.images.shape), "UINT8")
                tensor.set_data_from_numpy(np.ascontiguousarray(self.images), binary_data=binary)
                result = client.infer(MODEL, [tensor], request_id="seven")
                self.assertEqual(result.get_response()["id"], "seven")
                for name in self.expected:
                    self.assert_expected(name, result.as_numpy(name))
            with self.assertRaisesRegex(InferenceServerException, "unknown model 'other'"):
                client.infer("other", [tensor])

    def test_requests_are_counted_with_those_of_grpc(self):
        key = f'escan_requests_total{{model="{MODEL}",outcome="ok"}}'
        before = self.daemon.metrics()[key]
        curl("--data", json.dumps(self.request()), self.infer_path())
        self.assertEqual(self.daemon.metrics()[key], before + 1)

    def script(self):
        return (f"fetch('{self.infer_path()}', {{method: 'POST', body: JSON.stringify("
                f"{json.dumps(self.request())})}}).then((response) => response.json())"
                ".then((answer) => answer.outputs[1].data.join(','))")

    @unittest.skipUnless(shutil.which("node"), "no node here")
    def test_fetch_gets_an_answer(self):
        done = subprocess.run(["node", "--input-type=module", "-"], timeout=PATIENCE, text=True,
                              input=self.script() + ".then(console.log)", capture_output=True,
                              check=True)
        self.assertEqual([int(stage) for stage in done.stdout.split(",")],
                         self.expected["exit_stage"].tolist())

    @unittest.skipUnless(browser.PROGRAM, "no browser here")
    def test_a_page_of_an_allowed_origin_gets_an_answer(self):
        _Page.text = (f"<p id=answer>nothing</p><script>{self.script()}"
                      ".then((text) => { document.getElementById('answer').textContent = text; })"
                      "</script>")
        stages = ",".join(str(stage) for stage in self.expected["exit_stage"])
        self.assertIn(f'<p id="answer">{stages}</p>', browser.seen(self.origin))


if __name__ == "__main__":
    unittest.main()
