"""The served form of a network: pre-processing, the network, temperature and softmax."""

import torch
from torch.nn import functional

NORMALIZATIONS = {  # mean and standard deviation of each channel, of values in [0, 1]
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class Served(torch.nn.Module):
    """Maps a batch of samples to class probabilities [N, C], FP32.

    `size` is the side that images uint8 [N, H, W, 3] are resized to and `normalize` a key of
    NORMALIZATIONS; without one the inputs are what the network takes. `probabilities`: the network
    returns probabilities p and not logits; then log p takes the logits' place, which the softmax at
    temperature 1 turns back into p. The logits are divided by `temperature` (Guo et al. 2017, On
    Calibration of Modern Neural Networks), which calibration sets.
    """

    def __init__(self, network, normalize=None, size=None, probabilities=False):
        super().__init__()
        self.network = network
        self.image = normalize is not None
        self.size = size
        self.probabilities = probabilities
        self.register_buffer("temperature", torch.ones(1))
        if normalize is not None:
            mean, deviation = NORMALIZATIONS[normalize]
            self.register_buffer("mean", 255.0 * torch.tensor(mean).view(3, 1, 1))
            self.register_buffer("deviation", 255.0 * torch.tensor(deviation).view(3, 1, 1))

    def prepared(self, image):
        """What the network sees of uint8 [N, H, W, 3]."""
        x = (image.permute(0, 3, 1, 2).to(self.mean.dtype) - self.mean) / self.deviation
        if self.size is not None and self.size != (x.shape[2], x.shape[3]):
            x = functional.interpolate(x, self.size, mode="bilinear", antialias=True, align_corners=False)
        return x

    def forward(self, *inputs):
        y = self.network(self.prepared(inputs[0])) if self.image else self.network(*inputs)
        logits = y.clamp_min(1e-30).log() if self.probabilities else y
        return torch.softmax(logits.float() / self.temperature, dim=1)
