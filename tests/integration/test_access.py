"""Who may come in: TLS, clients' certificates, tokens and limits."""

import contextlib
import hashlib
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import unittest

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from certificates import Authority
from daemon import BIN, PATIENCE, Daemon, wait_until

# A cascade that needs no model: its worker is there in a moment.
CASCADE = """
devices: [cpu]
shutdown: {grace: 0s, drain_timeout: 5s}
cascades:
  - name: zeros
    deadline: 30s
    inputs:  [{name: x, datatype: FP32, shape: [4]}]
    outputs: [{name: y, datatype: FP32, shape: [2]}]
    stages: [{name: a, executor: "null"}]
"""


def request(rows=1, model="zeros"):
    message = service_pb2.ModelInferRequest(model_name=model)
    message.inputs.add(name="x", datatype="FP32", shape=[rows, 4])
    message.raw_input_contents.append(bytes(16 * rows))
    return message


def credentials(ca, certificate=None, key=None):
    return grpc.ssl_channel_credentials(
        ca.read_bytes(), key and key.read_bytes(), certificate and certificate.read_bytes())


def outcome(channel, message=None, metadata=()):
    """OK, or the status code's name and its text."""
    try:
        service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(
            message or request(), timeout=20, metadata=metadata)
        return "OK", ""
    except grpc.RpcError as error:
        return error.code().name, error.details()


@contextlib.contextmanager
def infer_channel(address, security=None):
    channel = (grpc.secure_channel(address, security) if security
               else grpc.insecure_channel(address))
    with channel:
        yield channel


def asked(address, security=None, message=None, token=None):
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with infer_channel(address, security) as channel:
        return outcome(channel, message, metadata)


def serial(address):
    """The serial number of the certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        with context.wrap_socket(plain) as secured:
            return hashlib.sha256(secured.getpeercert(binary_form=True)).hexdigest()


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, server, **options):
        config = self.folder / "escand.yaml"
        config.write_text(f"server: {json.dumps(server)}\n{CASCADE}")
        daemon = Daemon(config, **options)
        self.addCleanup(daemon.kill)
        return daemon


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder, "authority")
        self.certificate, self.key = self.authority.sign("server")
        self.files = {"certificate": str(self.certificate), "key": str(self.key)}

    def test_answers_over_tls_and_nothing_else(self):
        address = self.start({"tls": self.files}).address()
        self.assertEqual(asked(address, credentials(self.authority.certificate)), ("OK", ""))
        self.assertEqual(asked(address)[0], "UNAVAILABLE")
        other = Authority(self.folder, "other")
        self.assertEqual(asked(address, credentials(other.certificate))[0], "UNAVAILABLE")

    def test_the_load_generator_speaks_tls(self):
        address = self.start({"tls": self.files}).address()
        for flags, status in ((["--tls-ca", self.authority.certificate], 0), ([], 1)):
            done = subprocess.run(
                [BIN / "escan-loadgen", "--target", address, "--rate", "200", "--duration", "1s",
                 "--warmup", "0s", "--connect-timeout", "2s", "--json", "-", *flags],
                capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, status, done.stderr)

    def test_clients_show_a_certificate_of_the_right_authority(self):
        clients = Authority(self.folder, "clients")
        daemon = self.start({"tls": self.files | {"client_ca": str(clients.certificate)}})
        address, ca = daemon.address(), self.authority.certificate
        self.assertEqual(asked(address, credentials(ca, *clients.sign("camera"))), ("OK", ""))
        self.assertEqual(asked(address, credentials(ca))[0], "UNAVAILABLE")
        stranger = Authority(self.folder, "strangers").sign("stranger")
        self.assertEqual(asked(address, credentials(ca, *stranger))[0], "UNAVAILABLE")
        # The daemon asks itself all the same, and stays ready.
        self.assertTrue(daemon.is_ready())

    def test_a_new_certificate_is_shown_without_a_restart(self):
        daemon = self.start({"tls": self.files})
        address, first = daemon.address(), serial(daemon.address())
        with infer_channel(address, credentials(self.authority.certificate)) as channel:
            self.assertEqual(outcome(channel), ("OK", ""))
            certificate, key = self.authority.sign("renewed")
            os.replace(key, self.key)
            os.replace(certificate, self.certificate)
            wait_until(lambda: serial(address) != first, "the new certificate is shown")
            self.assertEqual(outcome(channel), ("OK", ""))  # the connection from before
        self.assertEqual(asked(address, credentials(self.authority.certificate)), ("OK", ""))

    def test_operators_show_a_certificate(self):
        clients = Authority(self.folder, "operators")
        certificate, key = clients.sign("operator")
        # Asked with flags below, so not waited for without them.
        daemon = self.start({"admin": "127.0.0.1:0", "admin_tls": self.files | {"client_ca": str(clients.certificate)}},
                            admin="127.0.0.1:0", ready=False)
        address = daemon.address("admin")

        def health(*flags):
            return subprocess.run([BIN / "escanctl", "--admin", address, "--timeout", "5s", *flags,
                                   "health"], capture_output=True, text=True, timeout=PATIENCE)

        shown = ["--tls-ca", self.authority.certificate, "--tls-cert", certificate,
                 "--tls-key", key]
        wait_until(lambda: health(*shown).returncode == 0, "the daemon is ready")
        self.assertEqual(health().returncode, 2)
        self.assertEqual(health(*shown[:2]).returncode, 2)

    def test_what_is_wrong_with_the_files_is_said_before_the_start(self):
        _, other_key = self.authority.sign("another")
        (self.folder / "nothing.pem").write_text("no certificate\n")
        for change, message in (
                ({"key": str(other_key)}, "another.key is not the key of the certificate"),
                ({"certificate": str(self.folder / "nothing.pem")}, "holds no certificate"),
                ({"client_ca": str(self.folder / "missing.pem")}, "there is no file")):
            config = self.folder / "bad.yaml"
            config.write_text(f"server: {json.dumps({'tls': self.files | change})}\n{CASCADE}")
            done = subprocess.run([BIN / "escand", "--config", config, "--check-config"],
                                  capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)


if __name__ == "__main__":
    unittest.main()
