"""The example cascade's data, and the plainest way to ask for answers to it."""

import functools
import gzip

import numpy as np
import tritonclient.grpc as triton

from daemon import DATA, FASHION_MNIST

CONFIG = FASHION_MNIST / "escand.yaml"
MODEL = "fashion_mnist"


def _read_idx(path):
    with gzip.open(path, "rb") as file:
        data = file.read()
    dimensions = data[3]
    shape = np.frombuffer(data, dtype=">i4", count=dimensions, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


@functools.cache
def test_images():
    return _read_idx(DATA / "t10k-images-idx3-ubyte.gz")


@functools.cache
def test_labels():
    return _read_idx(DATA / "t10k-labels-idx1-ubyte.gz")


def image_input(images):
    """The request's inputs for `images`, uint8 [N, 28, 28]."""
    tensor = triton.InferInput("image", list(images.shape), "UINT8")
    tensor.set_data_from_numpy(np.ascontiguousarray(images))
    return [tensor]


def infer_all(address, images, rows=100, model=MODEL):
    """{output name: array over all images}, asked for in requests of `rows`."""
    parts = []
    with triton.InferenceServerClient(address) as client:
        for start in range(0, len(images), rows):
            parts.append(client.infer(model, image_input(images[start:start + rows])))
    return {name: np.concatenate([part.as_numpy(name) for part in parts])
            for name in ("probabilities", "exit_stage", "confidence")}
