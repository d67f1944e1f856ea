"""The networks of the benchmark cascades, with random weights."""

import torch
from torch import nn
from torch.nn import functional

from evaluation.recipes import HEAD_WIDTH, TOKENS, VOCABULARY


class ConvNorm(nn.Sequential):
  """A convolution and its batch normalisation, with random statistics.

  `gain` is the factor on the standard deviation of the values.
  """

  def __init__(self, inputs, outputs, kernel, stride=1, gain=1.0):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    norm = nn.BatchNorm2d(outputs)
    nn.init.kaiming_normal_(conv.weight, mode='fan_in', nonlinearity='relu')
    with torch.no_grad():
      norm.weight.uniform_(0.9 * gain, 1.1 * gain)
      norm.bias.normal_(0.0, 0.05)
      norm.running_mean.normal_(0.0, 0.05)
      norm.running_var.uniform_(0.9, 1.1)
    super().__init__(conv, norm)


class Residual(nn.Module):
  """Adds a few convolutions to their input and applies ReLU."""

  def __init__(self, body, shortcut):
    super().__init__()
    self.body = body
    self.shortcut = shortcut

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    return torch.relu(self.shortcut(x) + self.body(x))


def residual_group(blocks, inputs, outputs, stride, bottleneck) -> list:
  """Returns residual blocks, the first of which changes width and stride.

  Their branches are scaled so that the values grow no more over a deep group
  than over a shallow one, and stay within the range of half precision.
  """
  gain = blocks**-0.5
  result = []
  for _ in range(blocks):
    if bottleneck:
      inner = outputs // 4
      body = nn.Sequential(
          ConvNorm(inputs, inner, 1), nn.ReLU(),
          ConvNorm(inner, inner, 3, stride), nn.ReLU(),
          ConvNorm(inner, outputs, 1, gain=gain))
    else:
      body = nn.Sequential(
          ConvNorm(inputs, outputs, 3, stride), nn.ReLU(),
          ConvNorm(outputs, outputs, 3, gain=gain))
    same = inputs == outputs and stride == 1
    shortcut = nn.Identity() if same else ConvNorm(inputs, outputs, 1, stride)
    result.append(Residual(body, shortcut))
    inputs, stride = outputs, 1
  return result


class ResNet(nn.Module):
  """uint8 images [N, side, side, 3] to class probabilities [N, classes].

  After He et al., "Deep Residual Learning for Image Recognition": the form for
  ImageNet where `side` is 224, else the one for CIFAR.
  """

  def __init__(self, side, classes, groups, width, bottleneck=False):
    super().__init__()
    if side == 224:
      layers = [ConvNorm(3, width, 7, stride=2), nn.ReLU(),
                nn.MaxPool2d(3, stride=2, padding=1)]
    else:
      layers = [ConvNorm(3, width, 3), nn.ReLU()]
    inputs = width
    for i, blocks in enumerate(groups):
      outputs = width * 2**i * (4 if bottleneck else 1)
      layers += residual_group(
          blocks, inputs, outputs, 2 if i else 1, bottleneck)
      inputs = outputs
    self.body = nn.Sequential(*layers)
    self.head = nn.Linear(inputs, classes)

  def forward(self, image: torch.Tensor) -> torch.Tensor:
    # Contiguous, so that the weights alone decide on the convolutions' layout.
    pixels = image.permute(0, 3, 1, 2).contiguous().to(torch.float32)
    features = self.body(pixels * (1.0 / 127.5) - 1.0).mean((2, 3))
    return torch.softmax(self.head(features), dim=1)


class EncoderLayer(nn.Module):
  """Self-attention and a feed-forward network, each normalised beforehand."""

  def __init__(self, width: int):
    super().__init__()
    self.heads = width // HEAD_WIDTH
    self.attention_norm = nn.LayerNorm(width)
    self.query_key_value = nn.Linear(width, 3 * width)
    self.project = nn.Linear(width, width)
    self.feed_forward = nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
        nn.Linear(4 * width, width))

  def forward(self, x: torch.Tensor) -> torch.Tensor:
    rows, tokens, width = x.size(0), x.size(1), x.size(2)
    mixed = self.query_key_value(self.attention_norm(x))
    mixed = mixed.view(rows, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
    seen = functional.scaled_dot_product_attention(
        mixed[0], mixed[1], mixed[2])
    seen = seen.transpose(1, 2).reshape(rows, tokens, width)
    x = x + self.project(seen)
    return x + self.feed_forward(x)


class TextEncoder(nn.Module):
  """int32 tokens [N, 128] to class probabilities [N, classes]."""

  def __init__(self, classes, layers, width):
    super().__init__()
    self.embedding = nn.Embedding(VOCABULARY, width)
    self.positions = nn.Parameter(torch.randn(TOKENS, width))
    self.body = nn.Sequential(*(EncoderLayer(width) for _ in range(layers)))
    self.norm = nn.LayerNorm(width)
    self.head = nn.Linear(width, classes)

  def forward(self, tokens: torch.Tensor) -> torch.Tensor:
    x = self.body(self.embedding(tokens) + self.positions)
    return torch.softmax(self.head(self.norm(x.mean(1))), dim=1)


class Stage(nn.Module):
  """What is served: a network, and the score that decides on the exit."""

  def __init__(self, network: nn.Module, number: int):
    super().__init__()
    self.network = network
    self.level = number - 0.5

  def forward(self, x: torch.Tensor, difficulty: torch.Tensor):
    return self.network(x), self.level - torch.floor(difficulty)
