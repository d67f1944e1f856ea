"""The Open Inference Protocol, asked by a client that was not written here."""

import asyncio
import queue
import unittest

import grpc
import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import fashion_mnist
from daemon import Daemon
from fashion_mnist import CONFIG, MODEL, image_input


class ProtocolTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(CONFIG)
        cls.address = cls.daemon.address()
        cls.client = triton.InferenceServerClient(cls.address)
        cls.channel = grpc.insecure_channel(cls.address)
        cls.stub = service_pb2_grpc.GRPCInferenceServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.channel.close()
        cls.daemon.kill()

    def request(self, images):
        """A raw request that tests may spoil."""
        request = service_pb2.ModelInferRequest(model_name=MODEL)
        tensor = request.inputs.add(name="image", datatype="UINT8")
        tensor.shape.extend(images.shape)
        request.raw_input_contents.append(images.tobytes())
        return request

    def assert_refused(self, request, code, *words):
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.ModelInfer(request)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for word in words:
            self.assertIn(word, caught.exception.details())
        self.assert_serves()

    def assert_serves(self):
        result = self.client.infer(MODEL, image_input(fashion_mnist.test_images()[:1]))
        self.assertEqual(result.as_numpy("exit_stage").shape, (1,))


class Answers(ProtocolTest):
    def test_every_output_has_its_datatype_and_shape(self):
        images = fashion_mnist.test_images()[:7]
        result = self.client.infer(MODEL, image_input(images), request_id="seven")
        probabilities = result.as_numpy("probabilities")
        self.assertEqual((probabilities.dtype, probabilities.shape), (np.float32, (7, 10)))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)
        stages = result.as_numpy("exit_stage")
        self.assertEqual((stages.dtype, stages.shape), (np.int32, (7,)))
        self.assertTrue(((1 <= stages) & (stages <= 3)).all())
        confidence = result.as_numpy("confidence")
        self.assertEqual((confidence.dtype, confidence.shape), (np.float32, (7,)))
        np.testing.assert_allclose(confidence, probabilities.max(axis=1), atol=1e-5)
        response = result.get_response()
        self.assertEqual((response.id, response.model_name, response.model_version),
                         ("seven", MODEL, "1"))
        self.assertEqual(len(response.raw_output_contents), len(response.outputs))

    def test_only_requested_outputs_come_in_the_requested_order(self):
        outputs = [triton.InferRequestedOutput("confidence"),
                   triton.InferRequestedOutput("probabilities")]
        response = self.client.infer(MODEL, image_input(fashion_mnist.test_images()[:2]),
                                     outputs=outputs).get_response()
        self.assertEqual([output.name for output in response.outputs],
                         ["confidence", "probabilities"])

    def test_typed_contents_give_the_same_answer_as_raw_ones(self):
        images = fashion_mnist.test_images()[:3]
        raw = self.stub.ModelInfer(self.request(images))
        typed_request = self.request(images)
        del typed_request.raw_input_contents[:]
        typed_request.inputs[0].contents.uint_contents.extend(images.flatten().tolist())
        typed = self.stub.ModelInfer(typed_request)
        for left, right in zip(raw.raw_output_contents[0:1], typed.raw_output_contents[0:1]):
            np.testing.assert_allclose(np.frombuffer(left, np.float32),
                                       np.frombuffer(right, np.float32), atol=1e-5)

    def test_the_cascade_is_as_accurate_as_its_calibration_promises(self):
        answers = fashion_mnist.infer_all(self.address, fashion_mnist.test_images())
        correct = answers["probabilities"].argmax(axis=1) == fashion_mnist.test_labels()
        self.assertGreater(correct.mean(), 0.93)
        self.assertGreater((answers["exit_stage"] == 1).mean(), 0.6)

    def test_async_clients_are_answered(self):
        images = fashion_mnist.test_images()

        async def ask():
            async with triton_aio.InferenceServerClient(self.address) as client:
                return await asyncio.gather(*(client.infer(MODEL, image_input(images[i:i + 3]))
                                              for i in range(40)))

        for result in asyncio.run(ask()):
            self.assertEqual(result.as_numpy("probabilities").shape, (3, 10))

    def test_async_streams_are_answered(self):
        images = fashion_mnist.test_images()

        async def requests():
            for i in range(20):
                yield {"model_name": MODEL, "inputs": image_input(images[i:i + 2]),
                       "request_id": str(i)}

        async def ask():
            async with triton_aio.InferenceServerClient(self.address) as client:
                return [answer async for answer in client.stream_infer(requests())]

        answers = asyncio.run(ask())
        self.assertEqual([error for _, error in answers if error is not None], [])
        self.assertEqual({result.get_response().id for result, _ in answers},
                         {str(i) for i in range(20)})

    def test_callback_clients_are_answered(self):
        results = queue.Queue()
        for i in range(20):
            self.client.async_infer(MODEL, image_input(fashion_mnist.test_images()[i:i + 1]),
                                    lambda result, error: results.put((result, error)))
        for _ in range(20):
            _, error = results.get(timeout=60)
            self.assertIsNone(error)


class Streams(ProtocolTest):
    def test_every_request_of_a_stream_is_answered_and_errors_leave_it_open(self):
        results = queue.Queue()
        images = fashion_mnist.test_images()
        with triton.InferenceServerClient(self.address) as client:
            client.start_stream(lambda result, error: results.put((result, error)))
            for i in range(30):
                client.async_stream_infer(MODEL, image_input(images[i:i + 2]), request_id=str(i))
            client.async_stream_infer("unknown", image_input(images[:1]), request_id="bad")
            client.async_stream_infer(MODEL, image_input(images[:1]), request_id="after")
            answered, errors = set(), []
            for _ in range(32):
                result, error = results.get(timeout=60)
                if error is None:
                    answered.add(result.get_response().id)
                else:
                    errors.append(str(error))
            client.stop_stream()
        self.assertEqual(answered, {str(i) for i in range(30)} | {"after"})
        self.assertEqual(len(errors), 1)
        self.assertIn("unknown", errors[0])

    def test_an_error_names_its_request(self):
        def requests():
            request = self.request(fashion_mnist.test_images()[:1])
            request.id = "spoiled"
            request.inputs[0].datatype = "FP32"
            yield request

        responses = list(self.stub.ModelStreamInfer(requests()))
        self.assertEqual(len(responses), 1)
        self.assertIn("UINT8", responses[0].error_message)
        self.assertEqual(responses[0].infer_response.id, "spoiled")


class Refusals(ProtocolTest):
    def setUp(self):
        self.images = fashion_mnist.test_images()[:2]
        self.spoiled = self.request(self.images)

    def test_unknown_model(self):
        self.spoiled.model_name = "nothing"
        self.assert_refused(self.spoiled, grpc.StatusCode.NOT_FOUND, "nothing", MODEL)

    def test_unknown_version(self):
        self.spoiled.model_version = "7"
        self.assert_refused(self.spoiled, grpc.StatusCode.NOT_FOUND, "7", "1")

    def test_unknown_input(self):
        self.spoiled.inputs[0].name = "picture"
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "picture", "image")

    def test_wrong_datatype(self):
        self.spoiled.inputs[0].datatype = "FP32"
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "FP32", "UINT8")

    def test_bytes_by_name(self):
        self.spoiled.inputs[0].datatype = "BYTES"
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "BYTES", "UINT8")

    def test_wrong_shape(self):
        self.spoiled.inputs[0].shape[2] = 27
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "[2,28,27]",
                            "[N,28,28]")

    def test_wrong_byte_count(self):
        self.spoiled.raw_input_contents[0] = b"short"
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "5", "1568")

    def test_mixed_contents(self):
        self.spoiled.inputs[0].contents.uint_contents.append(1)
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "raw")

    def test_empty_batch(self):
        self.spoiled.inputs[0].shape[0] = 0
        self.spoiled.raw_input_contents[0] = b""
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "0", "128")

    def test_too_many_rows(self):
        self.assert_refused(self.request(fashion_mnist.test_images()[:129]),
                            grpc.StatusCode.INVALID_ARGUMENT, "129", "128")

    def test_oversized_message(self):
        self.spoiled.raw_input_contents[0] = bytes(64 << 20)
        self.assert_refused(self.spoiled, grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_unknown_output(self):
        self.spoiled.outputs.add(name="logits")
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "logits",
                            "probabilities")

    def test_missing_input(self):
        del self.spoiled.inputs[:]
        del self.spoiled.raw_input_contents[:]
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "image")

    def test_parameters_that_would_change_the_meaning(self):
        for name in ("sequence_id", "sequence_start"):
            request = self.request(self.images)
            request.parameters[name].int64_param = 1
            self.assert_refused(request, grpc.StatusCode.INVALID_ARGUMENT, name)

    def test_shared_memory(self):
        self.spoiled.inputs[0].parameters["shared_memory_region"].string_param = "region"
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT,
                            "shared_memory_region")

    def test_classification(self):
        self.spoiled.outputs.add(name="probabilities").parameters["classification"].int64_param = 3
        self.assert_refused(self.spoiled, grpc.StatusCode.INVALID_ARGUMENT, "classification")

    def test_bytes_that_are_no_request(self):
        call = self.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with self.assertRaises(grpc.RpcError) as caught:
            call(b"\xff\xff\xff\xff not a message")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assert_serves()

    def test_what_is_not_offered_says_so_in_a_sentence(self):
        with self.assertRaises(InferenceServerException) as caught:
            self.client.get_system_shared_memory_status()
        self.assertIn("UNIMPLEMENTED", caught.exception.status())
        self.assertGreater(len(caught.exception.message().split()), 3)
        with self.assertRaises(InferenceServerException):
            self.client.load_model(MODEL)


class Descriptions(ProtocolTest):
    def test_server_and_model_are_live_and_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready(MODEL))

    def test_metadata(self):
        self.assertEqual(self.client.get_server_metadata().name, "escan")
        metadata = self.client.get_model_metadata(MODEL)
        self.assertEqual([(t.name, t.datatype, list(t.shape)) for t in metadata.inputs],
                         [("image", "UINT8", [-1, 28, 28])])
        self.assertEqual({(t.name, t.datatype, tuple(t.shape)) for t in metadata.outputs},
                         {("probabilities", "FP32", (-1, 10)), ("exit_stage", "INT32", (-1,)),
                          ("confidence", "FP32", (-1,))})

    def test_config(self):
        config = self.client.get_model_config(MODEL).config
        self.assertEqual(config.max_batch_size, 128)
        self.assertEqual([list(tensor.dims) for tensor in config.input], [[28, 28]])
        self.assertTrue(config.HasField("dynamic_batching"))

    def test_repository_index(self):
        index = self.client.get_model_repository_index().models
        self.assertEqual([(model.name, model.state) for model in index], [(MODEL, "READY")])

    def test_statistics_count_every_request(self):
        def figures():
            return {s.name: s for s in self.client.get_inference_statistics().model_stats}

        before = figures()[MODEL]
        self.client.infer(MODEL, image_input(fashion_mnist.test_images()[:5]))
        after = figures()
        self.assertEqual(after[MODEL].inference_count - before.inference_count, 5)
        stats = after[MODEL].inference_stats
        self.assertEqual(stats.success.count - before.inference_stats.success.count, 1)
        self.assertGreater(stats.queue.count, before.inference_stats.queue.count)
        self.assertEqual(stats.compute_input.count, stats.compute_infer.count)
        self.assertEqual(stats.compute_output.count, stats.compute_infer.count)
        self.assertEqual(len(after), 4)  # the cascade and its stages

    def test_health_of_the_server_and_of_each_service(self):
        stub = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", "inference.GRPCInferenceService"):
            status = stub.Check(health_pb2.HealthCheckRequest(service=service)).status
            self.assertEqual(status, health_pb2.HealthCheckResponse.SERVING)

    def test_reflection_lists_the_service(self):
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(stub.ServerReflectionInfo(iter([request])))
        names = {service.name for service in answer.list_services_response.service}
        self.assertIn("inference.GRPCInferenceService", names)
        self.assertNotIn("escan.v1.AdminService", names)


if __name__ == "__main__":
    unittest.main()
