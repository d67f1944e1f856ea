#!/usr/bin/env python3
"""Writes cascades with random weights and controllable exits for benchmarks.

  heavy  ResNet-18, -50 and -152 on images [224, 224, 3]
  cifar  residual networks on images [32, 32, 3]: 1, 3 and 9 blocks in each of
         three groups, whose widths double from 16, 32 and 64
  text   transformer encoders on 128 tokens: 2 layers of width 128, 6 of 384
         and 12 of 768

Each becomes a folder with the stages small.pt, medium.pt and large.pt
(TorchScript), escand.yaml and plans/. What a model answers means nothing, but
it is computed in full, and its activations are as large as a trained one's.
What is right all the same: samples.npz has a few samples of every input, and
expected.npz what each stage answers to them, [stages, samples, classes],
computed from the saved models one sample at a time, in FP32 on the CPU. Workers
are checked with these samples before they are ready.

Exits are up to the client: beside its image or tokens every sample has a
number, `difficulty` (FP32 [1]). Stage i, counted from 1, scores it with
i - 0.5 - floor(difficulty), and a sample exits where the score is at least 0:
one with a difficulty in [k, k + 1) at stage k + 1. Scores are odd multiples of
0.5, so that rounding to half precision never moves one across the threshold;
difficulties themselves are best whole numbers or k + 0.5, which is what
`escan-loadgen --exit-ratios` sends.
"""

import argparse
import dataclasses
import pathlib
import re
import time

import torch
from torch import nn
from torch.nn import functional

from npz_file import write_npz

STAGES = ('small', 'medium', 'large')
TOKENS = 128
VOCABULARY = 30_522
HEAD_WIDTH = 64  # Of an attention head.
LOGIT_SPREAD = 2.0  # Standard deviation of a logit over the samples.
# In samples.npz. A prime: where they are repeated to fill a batch, rows that
# are a power of two apart differ.
SAMPLES = 7
# A sample repeats so many values. Of independent ones a network sees little
# but their mean, and answers to all samples alike.
VALUES = 4


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


@dataclasses.dataclass(frozen=True)
class Cascade:
  """A benchmark cascade. A recipe is the arguments of one stage's network."""
  network: type
  datum: str  # The input beside `difficulty`, as in escand.yaml.
  shape: tuple
  classes: int
  recipes: tuple
  small_recipes: tuple

  @property
  def datum_name(self) -> str:
    return re.search(r'name: (\w+)', self.datum)[1]

  def samples(self, seed: int) -> torch.Tensor:
    """Returns samples that differ in what a network makes of them."""
    torch.manual_seed(seed)
    if self.network is TextEncoder:
      tokens = torch.randint(VOCABULARY, (SAMPLES, VALUES), dtype=torch.int32)
      return tokens.repeat_interleave(TOKENS // VALUES, dim=1)
    side = self.shape[0] // VALUES
    tiles = torch.randint(
        256, (SAMPLES, VALUES, VALUES, self.shape[2]), dtype=torch.uint8)
    return tiles.repeat_interleave(side, 1).repeat_interleave(side, 2)


CASCADES = {
    'heavy': Cascade(
        ResNet, '{name: image, datatype: UINT8, shape: [224, 224, 3]}',
        (224, 224, 3), 1000,
        ({'groups': (2, 2, 2, 2), 'width': 64},
         {'groups': (3, 4, 6, 3), 'width': 64, 'bottleneck': True},
         {'groups': (3, 8, 36, 3), 'width': 64, 'bottleneck': True}),
        ({'groups': (1,), 'width': 4},
         {'groups': (1, 1), 'width': 4, 'bottleneck': True},
         {'groups': (1, 2), 'width': 4, 'bottleneck': True})),
    'cifar': Cascade(
        ResNet, '{name: image, datatype: UINT8, shape: [32, 32, 3]}',
        (32, 32, 3), 10,
        tuple({'groups': (blocks,) * 3, 'width': width}
              for blocks, width in ((1, 16), (3, 32), (9, 64))),
        tuple({'groups': (blocks,) * 3, 'width': width}
              for blocks, width in ((1, 4), (1, 8), (2, 8)))),
    'text': Cascade(
        TextEncoder, '{name: tokens, datatype: INT32, shape: '
        f'[{TOKENS}], range: [0, {VOCABULARY - 1}]}}',
        (TOKENS,), 4,
        tuple({'layers': layers, 'width': width}
              for layers, width in ((2, 128), (6, 384), (12, 768))),
        tuple({'layers': layers, 'width': HEAD_WIDTH}
              for layers in (1, 2, 3))),
}

CONFIGURATION = """\
# Written by make_benchmark_cascades.py. A sample whose `difficulty` lies in
# [k, k + 1) exits at stage k + 1.
devices: [auto]
cascades:
  - name: {name}
    max_rows: 64
    probe: samples.npz
    deadline: 10s
    slots: {slots}
    inputs:
      - {datum}
      - {{name: difficulty, datatype: FP32, shape: [1]}}
    outputs:
      - {{name: probabilities, datatype: FP32, shape: [{classes}]}}
    stages:
{stages}\
    plan: plans/replicas_3x50.yaml
"""

STAGE = """\
      - name: {stage}
        model: {stage}.pt
        precision: fp16
        buckets: [1, 4, 16, 32, 64]
        outputs:
          - {{name: probabilities, datatype: FP32, shape: [{classes}]}}
          - {{name: score, datatype: FP32, shape: [1]}}
"""
EXIT = """\
        exit: {score: output, output: score, threshold: 0.0}
"""

# With equal credits and batch limits everywhere: plans differ in who runs what.
POLICIES = """\
stages:
  small: {max_batch: 32, max_delay: 1ms}
  medium: {max_batch: 32, max_delay: 2ms}
  large: {max_batch: 32, max_delay: 4ms}
"""


def workers(count, percent, stages) -> str:
  return (f'  - {{count: {count}, thread_percent: {percent}, credits: 2, '
          f'stages: [{", ".join(stages)}]}}\n')


def build_plans() -> dict:
  """Returns the plans that are compared: file name to text."""
  one_each = 'workers:\n' + ''.join(
      workers(1, 100, [stage]) for stage in STAGES)
  all_stages = 'workers:\n' + workers(1, 100, STAGES)
  speculate = POLICIES.replace('2ms}', '2ms, speculate: true}').replace(
      '4ms}', '4ms, speculate: true}')
  plans = {
      'sequential': all_stages + POLICIES + 'options: {regroup: false}\n',
      'all_parallel': one_each + speculate + 'options: {cancel: never}\n',
      'pipeline': one_each + POLICIES,
  }
  for count in (3, 6):
    for percent in (30, 50, 100):
      plans[f'replicas_{count}x{percent}'] = (
          'workers:\n' + workers(count, percent, STAGES) + POLICIES)
  return plans


def spread_logits(network: nn.Module, samples: torch.Tensor):
  """Adjusts the last layer, so that probabilities depend on the sample.

  They are neither flat nor 0 or 1, and no class is likelier than another.
  """
  outputs = []
  hook = network.head.register_forward_hook(
      lambda _, __, output: outputs.append(output))
  network(samples)
  hook.remove()
  logits = outputs[0]
  centre = logits.mean(0)
  gain = LOGIT_SPREAD / (logits - centre).std()
  network.head.bias.sub_(centre).mul_(gain)
  network.head.weight.mul_(gain)


def write_stage(cascade: Cascade, recipe: dict, number: int, seed: int,
                samples: torch.Tensor, path: pathlib.Path):
  """Builds and saves one stage; prints its size."""
  start = time.perf_counter()
  torch.manual_seed(seed + number)
  if cascade.network is ResNet:
    recipe = {'side': cascade.shape[0], **recipe}
  network = cascade.network(classes=cascade.classes, **recipe).eval()
  with torch.no_grad():
    spread_logits(network, samples)
  parameters = sum(p.numel() for p in network.parameters())
  torch.jit.script(Stage(network, number).eval()).save(str(path))
  print(f'{path}: {parameters / 1e6:.2f} M parameters, '
        f'{time.perf_counter() - start:.1f} s', flush=True)


def write_samples(cascade: Cascade, samples: torch.Tensor,
                  folder: pathlib.Path):
  """Writes samples, and what the saved stages answer to them."""
  stage = torch.arange(SAMPLES).remainder(len(STAGES))
  difficulty = stage.to(torch.float32).add(0.5).reshape(-1, 1)
  write_npz(folder / 'samples.npz',
            {cascade.datum_name: samples, 'difficulty': difficulty})
  with torch.no_grad(), torch.jit.optimized_execution(False):
    models = [torch.jit.load(str(folder / f'{stage}.pt')) for stage in STAGES]
    expected = torch.stack([
        torch.cat([model(samples[i:i + 1], difficulty[i:i + 1])[0]
                   for i in range(SAMPLES)]) for model in models])
  write_npz(folder / 'expected.npz', {'probabilities': expected})


def write_cascade(name: str, folder: pathlib.Path, seed: int, small: bool):
  """Writes one cascade's stages, configuration, plans and samples."""
  cascade = CASCADES[name]
  (folder / 'plans').mkdir(parents=True, exist_ok=True)
  samples = cascade.samples(seed)
  recipes = cascade.small_recipes if small else cascade.recipes
  for number, (stage, recipe) in enumerate(zip(STAGES, recipes), start=1):
    write_stage(
        cascade, recipe, number, seed, samples, folder / f'{stage}.pt')
  stages = EXIT.join(
      STAGE.format(stage=stage, classes=cascade.classes) for stage in STAGES)
  (folder / 'escand.yaml').write_text(CONFIGURATION.format(
      name=name, slots=512 if small else 4096, datum=cascade.datum,
      classes=cascade.classes, stages=stages))
  for plan, text in build_plans().items():
    (folder / 'plans' / f'{plan}.yaml').write_text(text)
  write_samples(cascade, samples, folder)


def parse_cascades(text: str) -> list:
  names = text.split(',')
  for name in names:
    if name not in CASCADES:
      raise argparse.ArgumentTypeError(
          f"no cascade '{name}', expected some of {','.join(CASCADES)}")
  return names


def main():
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('--output', type=pathlib.Path, required=True,
                      help='folder that gets one folder for each cascade')
  parser.add_argument('--cascades', type=parse_cascades,
                      default=','.join(CASCADES), metavar='NAME,...',
                      help='default: %(default)s')
  parser.add_argument('--seed', type=int, default=1)
  parser.add_argument('--small', action='store_true',
                      help='tiny networks of the same kinds and names, to try '
                      'everything around them on a CPU')
  arguments = parser.parse_args()
  for name in arguments.cascades:
    write_cascade(
        name, arguments.output / name, arguments.seed, arguments.small)


if __name__ == '__main__':
  main()
