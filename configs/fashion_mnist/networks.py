"""The networks of the Fashion-MNIST cascade."""

import torch
from torch import nn


def conv_block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1):
  """Returns convolution, batch normalisation and ReLU."""
  return nn.Sequential(
      nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
      nn.BatchNorm2d(outputs), nn.ReLU())


class Residual(nn.Module):
  """Two 3x3 convolutions with an identity shortcut."""

  def __init__(self, channels: int):
    super().__init__()
    self.body = nn.Sequential(
        conv_block(channels, channels),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels))

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x + self.body(x))


def build_network(stage: str) -> nn.Module:
  """Returns the untrained network of a stage: scaled images to logits."""
  if stage == 'small':
    return nn.Sequential(
        conv_block(1, 32, kernel=5, stride=2), conv_block(32, 32, stride=2),
        conv_block(32, 32), nn.Flatten(), nn.Linear(32 * 7 * 7, 10))
  if stage == 'medium':
    return nn.Sequential(
        conv_block(1, 32, kernel=5, stride=2), conv_block(32, 32, stride=2),
        conv_block(32, 64), Residual(64),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 10))
  return nn.Sequential(
      conv_block(1, 32), conv_block(32, 64, stride=2), Residual(64),
      conv_block(64, 128, stride=2), Residual(128),
      conv_block(128, 192, stride=2), Residual(192),
      nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(192, 10))


class ProbabilityModule(nn.Module):
  """The served form of a network: uint8 images in, probabilities out."""

  def __init__(self, network: nn.Module):
    super().__init__()
    self.network = network

  def forward(self, image: torch.Tensor) -> torch.Tensor:
    scaled = image.unsqueeze(1) * (1.0 / 255.0)
    return torch.softmax(self.network(scaled), dim=1)
