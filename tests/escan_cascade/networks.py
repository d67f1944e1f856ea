"""Small models that learn what they need when they are built: shapes in images, words in texts."""

import torch
from torch import nn

CLASSES = 3
WORDS = 100


def shape_images(samples, side=32, seed=0):
    """uint8 [N, side, side, 3] with noise and one bright band, and where that is: the class."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (samples,), generator=random)
    images = torch.randint(0, 200, (samples, side, side, 3), generator=random)
    third = side // CLASSES
    for image, label in zip(images, labels.tolist()):
        image[label * third:(label + 1) * third] += 25
    return images.clamp(0, 255).to(torch.uint8), labels


def texts(samples, seed=0):
    """Token rows [N, 16] and labels: more tokens of one residue modulo the classes than of others."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (samples,), generator=random)
    tokens = torch.randint(0, WORDS - CLASSES, (samples, 16), generator=random)
    chosen = torch.rand(samples, 16, generator=random) < 0.35
    return torch.where(chosen, tokens // CLASSES * CLASSES + labels[:, None], tokens), labels


def tokenize(lines):
    """Texts of numbers to {"tokens": int64 [N, 16]}."""
    import numpy as np
    return {"tokens": np.array([[int(word) for word in line.split()] for line in lines], np.int64)}


def trained(network, inputs, labels, steps, rate=0.01):
    optimizer = torch.optim.Adam(network.parameters(), rate)
    for step in range(steps):
        chosen = torch.arange(64) + 64 * step
        chosen %= len(labels)
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(inputs[chosen]), labels[chosen]).backward()
        optimizer.step()
    return network


def image_network(side, channels, steps):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, channels, 5, 4, 2), nn.ReLU(), nn.Flatten(),
                            nn.Linear(channels * (side // 4) ** 2, CLASSES))
    images, labels = shape_images(640, seed=1)
    x = nn.functional.interpolate(images.permute(0, 3, 1, 2) / 255, (side, side), mode="bilinear", antialias=True)
    return trained(network, x, labels, steps)


def small():
    return image_network(16, 2, 20)


def medium():
    return image_network(24, 4, 40)


def large():
    return image_network(32, 8, 80)


class Bag(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, tokens):
        return self.head(self.embedding(tokens).mean(1))


def short():
    torch.manual_seed(1)
    return trained(Bag(2), *texts(1280, seed=1), 40, 0.05)


def long():
    torch.manual_seed(1)
    return trained(Bag(32), *texts(1280, seed=1), 120, 0.05)


class Crossing(nn.Module):
    """Rows that depend on each other."""

    def forward(self, x):
        return x - x.mean(0)


class Drawing(nn.Module):
    """Answers that are drawn."""

    def forward(self, x):
        return x + torch.rand_like(x)


def crossing():
    return Crossing()


def drawing():
    return Drawing()


def flat():
    return nn.Flatten(0)
