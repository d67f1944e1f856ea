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
from daemon import BIN, PATIENCE, ZEROS, Daemon, wait_until


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
        config.write_text(f"server: {json.dumps(server)}\n{ZEROS}")
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
            config.write_text(f"server: {json.dumps({'tls': self.files | change})}\n{ZEROS}")
            done = subprocess.run([BIN / "escand", "--config", config, "--check-config"],
                                  capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)


class Tokens(Case):
    def write_clients(self, **limits):
        """Clients by name, each with its limits; the token is the name and -token."""
        clients = [{"name": name,
                    "token_sha256": hashlib.sha256(f"{name}-token".encode()).hexdigest(), **more}
                   for name, more in limits.items()]
        path = self.folder / "clients.yaml"
        path.write_text(json.dumps({"clients": clients}))
        return {"clients": str(path)}

    def test_only_clients_with_a_token_come_in(self):
        daemon = self.start(self.write_clients(camera={}))
        address = daemon.address()
        self.assertEqual(asked(address, token="camera-token"), ("OK", ""))
        code, details = asked(address)
        self.assertEqual(code, "UNAUTHENTICATED")
        self.assertIn("authorization: Bearer TOKEN", details)
        self.assertEqual(asked(address, token="other-token"),
                         ("UNAUTHENTICATED", "the token is of no client"))
        with grpc.insecure_channel(address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            with self.assertRaises(grpc.RpcError) as caught:
                stub.ModelMetadata(service_pb2.ModelMetadataRequest(name="zeros"), timeout=20)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
            with self.assertRaises(grpc.RpcError) as caught:
                list(stub.ModelStreamInfer(iter([request()]), timeout=20))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
            # What probes ask needs none.
            self.assertTrue(stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=20).ready)
            health = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=20)
            self.assertEqual(health.status, health_pb2.HealthCheckResponse.SERVING)

    def test_limits_and_counts_are_of_each_client(self):
        daemon = self.start(self.write_clients(
            slow={"requests_per_second": 0.01}, small={"rows_per_second": 0.01}, free={}))
        address = daemon.address()
        self.assertEqual(asked(address, token="slow-token")[0], "OK")
        self.assertEqual(asked(address, token="slow-token"),
                         ("RESOURCE_EXHAUSTED", "client 'slow' may have 0.01 requests per second"))
        self.assertEqual(asked(address, token="small-token", message=request(5))[0], "OK")
        self.assertEqual(asked(address, token="small-token")[0], "RESOURCE_EXHAUSTED")
        for _ in range(3):
            self.assertEqual(asked(address, token="free-token"), ("OK", ""))
        metrics = daemon.metrics()
        self.assertEqual(metrics['escan_client_requests_total{client="free"}'], 3)
        self.assertEqual(metrics['escan_client_rows_total{client="small"}'], 5)
        self.assertEqual(metrics['escan_client_refused_total{client="slow"}'], 1)

    def test_clients_come_and_go_by_a_reload(self):
        daemon = self.start(self.write_clients(camera={}))
        self.assertEqual(asked(daemon.address(), token="robot-token")[0], "UNAUTHENTICATED")
        self.write_clients(robot={})
        daemon.ctl("reload")
        self.assertEqual(asked(daemon.address(), token="robot-token"), ("OK", ""))
        self.assertEqual(asked(daemon.address(), token="camera-token")[0], "UNAUTHENTICATED")
        (self.folder / "clients.yaml").write_text("clients: [{name: robot}]\n")
        refused = daemon.ctl("reload", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("clients[0].token_sha256: missing", refused.stderr)
        self.assertEqual(asked(daemon.address(), token="robot-token"), ("OK", ""))

    def test_the_load_generator_sends_a_token(self):
        address = self.start(self.write_clients(camera={})).address()
        token = self.folder / "token"
        token.write_text("camera-token\n")
        done = subprocess.run(
            [BIN / "escan-loadgen", "--target", address, "--rate", "200", "--duration", "1s",
             "--warmup", "0s", "--token-file", token, "--json", "-"],
            capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)


class Headers(Case):
    @staticmethod
    def literal(name, value):
        """A header as HPACK has it, neither indexed nor compressed (RFC 7541, 6.2.2)."""
        def text(data):
            if len(data) < 127:
                return bytes([len(data)]) + data
            rest, length = len(data) - 127, bytes([127])
            while rest >= 128:
                rest, length = rest // 128, length + bytes([rest % 128 + 128])
            return length + bytes([rest]) + data
        return b"\0" + text(name.encode()) + text(value.encode())

    @staticmethod
    def frame(kind, flags, stream, payload):
        return (len(payload).to_bytes(3, "big") + bytes([kind, flags]) +
                stream.to_bytes(4, "big") + payload)

    def send(self, address, headers):
        """A call's headers in frames of 16,000 bytes, on a connection of its own; what comes back."""
        block = b"".join(self.literal(*header) for header in headers)
        parts = [block[i:i + 16000] for i in range(0, len(block), 16000)]
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, b""))
            for i, part in enumerate(parts):
                connection.sendall(self.frame(9 if i else 1, 4 if part is parts[-1] else 0, 1, part))
            return connection.recv(1 << 16)

    def test_too_many_are_refused_and_end_nothing(self):
        daemon = self.start({})
        usual = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), ("te", "trailers"),
                 (":path", "/inference.GRPCInferenceService/ServerLive"),
                 ("content-type", "application/grpc")]
        many = [(f"x{i}", "v" * 4000) for i in range(6)]
        # With these, versions of gRPC ended themselves: CVE-2023-1428.
        for odd in ((":scheme", "x"), ("te", "x"), ("grpclb_client_stats", "x")):
            self.send(daemon.address(),
                      [header for header in usual if header[0] != odd[0]] + [odd] + many)
            self.assertEqual(asked(daemon.address()), ("OK", ""), odd)
        with grpc.insecure_channel(daemon.address(),
                                   [("grpc.max_metadata_size", 1 << 20)]) as channel:
            code, _ = outcome(channel, metadata=[("x", "v" * (20 << 10))])
            self.assertEqual(code, "RESOURCE_EXHAUSTED")


class Workers(Case):
    def test_gain_no_privileges_and_open_no_sockets(self):
        daemon = self.start({})
        for pid in daemon.worker_pids():
            status = dict(line.split(":\t", 1) for line in
                          pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertEqual(asked(daemon.address()), ("OK", ""))


if __name__ == "__main__":
    unittest.main()
