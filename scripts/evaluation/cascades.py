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

import pathlib
import time

import torch
from torch import nn

from evaluation.networks import ResNet, Stage, TextEncoder
from evaluation.npz_file import write_npz
from evaluation.recipes import (
    CASCADES, CONFIGURATION, EXIT, STAGE, STAGES, TOKENS, VOCABULARY, Cascade,
    build_plans)

NETWORKS = {'ResNet': ResNet, 'TextEncoder': TextEncoder}
LOGIT_SPREAD = 2.0  # Standard deviation of a logit over the samples.
# In samples.npz. A prime: where they are repeated to fill a batch, rows that
# are a power of two apart differ.
SAMPLES = 7
# A sample repeats so many values. Of independent ones a network sees little
# but their mean, and answers to all samples alike.
VALUES = 4


def make_samples(cascade: Cascade, seed: int) -> torch.Tensor:
  """Returns samples that differ in what a network makes of them."""
  torch.manual_seed(seed)
  if cascade.network == 'TextEncoder':
    tokens = torch.randint(VOCABULARY, (SAMPLES, VALUES), dtype=torch.int32)
    return tokens.repeat_interleave(TOKENS // VALUES, dim=1)
  side = cascade.shape[0] // VALUES
  tiles = torch.randint(
      256, (SAMPLES, VALUES, VALUES, cascade.shape[2]), dtype=torch.uint8)
  return tiles.repeat_interleave(side, 1).repeat_interleave(side, 2)


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


def build_network(cascade: Cascade, recipe: dict) -> nn.Module:
  if cascade.network == 'ResNet':
    recipe = {'side': cascade.shape[0], **recipe}
  return NETWORKS[cascade.network](classes=cascade.classes, **recipe)


def write_stage(cascade: Cascade, recipe: dict, number: int, seed: int,
                samples: torch.Tensor, path: pathlib.Path):
  """Builds and saves one stage; prints its size."""
  start = time.perf_counter()
  torch.manual_seed(seed + number)
  network = build_network(cascade, recipe).eval()
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
  samples = make_samples(cascade, seed)
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


def write_cascades(arguments):
  for name in arguments.cascades:
    write_cascade(
        name, arguments.output / name, arguments.seed, arguments.small)
