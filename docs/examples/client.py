"""client.py ADDR:PORT: asks the Fashion-MNIST cascade for two images. Needs tritonclient[grpc]."""

import sys

import numpy as np
import tritonclient.grpc as triton

client = triton.InferenceServerClient(sys.argv[1])
images = np.zeros((2, 28, 28), np.uint8)
image = triton.InferInput("image", list(images.shape), "UINT8")
image.set_data_from_numpy(images)
answer = client.infer("fashion_mnist", [image], client_timeout=10)
for probabilities, stage in zip(answer.as_numpy("probabilities"), answer.as_numpy("exit_stage")):
    print(f"class {probabilities.argmax()} from stage {stage}")
