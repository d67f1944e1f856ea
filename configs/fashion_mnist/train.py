#!/usr/bin/env python3
"""Trains and calibrates the Fashion-MNIST cascade (small, medium, large).

The networks learn from 50,000 of the 60,000 training images; medium and small
are distilled from large. The other 10,000 images, held back by a fixed split,
fit the softmax temperatures and the exit thresholds. The test images serve
the final report only.

Each saved TorchScript module maps uint8 images [N, 28, 28] to float32 class
probabilities [N, 10]. A sample leaves at stage i when its largest probability
is at least threshold i; the last stage always answers.

A full run took six minutes on one NVIDIA H100. On a CPU with two threads it
takes about 5.7 hours (extrapolated from 2,560 images per stage on an Intel
Xeon); --epochs 0.1 shortens it accordingly, for less accuracy.
"""

import argparse
import dataclasses
import gzip
import json
import math
import pathlib
import statistics
import time
import zipfile

import torch
from torch import nn
from torch.nn import functional

from networks import ProbabilityModule, build_network

SPLIT_SEED = 20240  # Independent of --seed: held-back images stay held back.
HELD_BACK = 10_000
BATCH_SIZES = (1, 16, 64)
ALLOWED_LOSS = 0.003  # Accuracy that the cascade may lose against large.
FUTURE_SAMPLES = 10_000  # The bound is for the accuracy on so many images.
NORMAL_QUANTILE = 1.6449  # One-sided, 95 %.
SECOND_STAGE_RATIO = 2.0  # (1 - threshold 2) / (1 - threshold 1).


@dataclasses.dataclass(frozen=True)
class Recipe:
  """How one stage is trained."""
  epochs: int
  batch_size: int
  learning_rate: float
  weight_decay: float
  flip: bool = False
  cutout: int = 0  # Side of the erased square, 0 for none.
  mixup: float = 0.0  # Parameter of the beta distribution, 0 for none.
  distillation_weight: float = 0.0
  distillation_temperature: float = 1.0


RECIPES = {  # In the order of the cascade; training goes backwards.
    'small': Recipe(
        epochs=120, batch_size=256, learning_rate=0.1, weight_decay=1e-4,
        distillation_weight=0.9),
    'medium': Recipe(
        epochs=100, batch_size=256, learning_rate=0.1, weight_decay=2e-4,
        distillation_weight=0.9, distillation_temperature=2.0),
    'large': Recipe(
        epochs=80, batch_size=512, learning_rate=0.2, weight_decay=5e-4,
        flip=True, cutout=10, mixup=0.2),
}


def read_idx(path: pathlib.Path) -> torch.Tensor:
  """Reads a gzip-compressed idx file of unsigned bytes."""
  data = bytearray(gzip.decompress(path.read_bytes()))
  sizes = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], 'big')
           for i in range(data[3])]
  offset = 4 + 4 * len(sizes)
  return torch.frombuffer(data, dtype=torch.uint8, offset=offset).view(sizes)


def load_split(directory: pathlib.Path, split: str):
  """Returns images and labels of 'train', 'held_back' or 'test'."""
  prefix = 't10k' if split == 'test' else 'train'
  images = read_idx(directory / f'{prefix}-images-idx3-ubyte.gz')
  labels = read_idx(directory / f'{prefix}-labels-idx1-ubyte.gz').long()
  if split == 'test':
    return images, labels
  order = torch.randperm(
      len(images), generator=torch.Generator().manual_seed(SPLIT_SEED))
  chosen = order[:HELD_BACK] if split == 'held_back' else order[HELD_BACK:]
  return images[chosen], labels[chosen]


def augment(images: torch.Tensor, recipe: Recipe) -> torch.Tensor:
  """Shifts by up to 2 pixels, flips and erases; [N, 28, 28] to [N, 1, ...]."""
  count, side, device = len(images), images.shape[-1], images.device
  axis = torch.arange(side, device=device).expand(count, side)
  columns = axis
  if recipe.flip:
    flipped = torch.rand(count, 1, device=device) < 0.5
    columns = torch.where(flipped, side - 1 - axis, axis)
  shift = torch.randint(0, 5, (2, count, 1), device=device)
  sample = torch.arange(count, device=device)[:, None, None]
  result = functional.pad(images, (2, 2, 2, 2))[
      sample, (axis + shift[0])[:, :, None], (columns + shift[1])[:, None, :]]
  if recipe.cutout:
    start = torch.randint(0, side, (2, count, 1), device=device)
    start = start - recipe.cutout // 2
    inside = (axis >= start) & (axis < start + recipe.cutout)
    result = result.masked_fill(
        inside[0][:, :, None] & inside[1][:, None, :], 0.0)
  return result.unsqueeze(1)


def train_stage(stage, recipe, images, labels, device, teacher=None):
  """Trains one network and returns it in evaluation mode."""
  network = build_network(stage).to(device, memory_format=torch.channels_last)
  images = images.to(device).float() / 255.0
  targets = functional.one_hot(labels.to(device), 10).float()
  steps = len(images) // recipe.batch_size
  optimizer = torch.optim.SGD(
      network.parameters(), recipe.learning_rate, momentum=0.9, nesterov=True,
      weight_decay=recipe.weight_decay)
  schedule = torch.optim.lr_scheduler.OneCycleLR(
      optimizer, recipe.learning_rate, total_steps=recipe.epochs * steps,
      pct_start=0.15, cycle_momentum=False)
  heat = recipe.distillation_temperature
  for _ in range(recipe.epochs):
    order = torch.randperm(len(images), device=device)
    for chosen in order[:steps * recipe.batch_size].split(recipe.batch_size):
      x, target = augment(images[chosen], recipe), targets[chosen]
      if recipe.mixup:
        beta = torch.distributions.Beta(recipe.mixup, recipe.mixup)
        share = beta.sample().item()
        x = share * x + (1 - share) * x.flip(0)
        target = share * target + (1 - share) * target.flip(0)
      x = x.contiguous(memory_format=torch.channels_last)
      with torch.autocast(device.type, dtype=torch.bfloat16,
                          enabled=device.type == 'cuda'):
        logits = network(x).float()
        loss = functional.cross_entropy(logits, target)
        if teacher is not None:
          with torch.no_grad():
            soft = torch.softmax(teacher(x).float() / heat, dim=1)
          distance = functional.kl_div(
              torch.log_softmax(logits / heat, dim=1), soft,
              reduction='batchmean') * heat**2
          loss = torch.lerp(loss, distance, recipe.distillation_weight)
      optimizer.zero_grad(set_to_none=True)
      loss.backward()
      optimizer.step()
      schedule.step()
  return network.eval()


def evaluate(module, images: torch.Tensor) -> torch.Tensor:
  with torch.inference_mode():
    return torch.cat([module(part) for part in images.split(500)])


def strip_debug_records(path: pathlib.Path):
  """Removes the source positions, which hold paths of this machine."""
  with zipfile.ZipFile(path) as archive:
    records = {name: archive.read(name) for name in archive.namelist()
               if not name.endswith('.debug_pkl')}
  with zipfile.ZipFile(path, 'w') as archive:
    for name, content in records.items():
      archive.writestr(zipfile.ZipInfo(name), content)


def save_calibrated(network, path, images, labels) -> float:
  """Fits the temperature, divides the last layer by it, saves the module."""
  network = network.cpu().to(memory_format=torch.contiguous_format)
  logits = evaluate(network, images.unsqueeze(1) / 255.0)
  temperature = min(
      torch.logspace(-1.0, 1.0, 401).tolist(),
      key=lambda heat: functional.cross_entropy(logits / heat, labels).item())
  with torch.no_grad():
    network[-1].weight /= temperature
    network[-1].bias /= temperature
  scripted = torch.jit.script(ProbabilityModule(network).eval())
  torch.jit.freeze(scripted).save(str(path))
  strip_debug_records(path)
  return temperature


def run_cascade(probabilities, labels, thresholds) -> dict:
  """Returns exit ratios, accuracies and the paired accuracy difference."""
  confidences, answers = zip(*(p.max(1) for p in probabilities))
  right = [(answer == labels).float() for answer in answers]
  leaves = confidences[0] >= thresholds[0]
  leaves_second = ~leaves & (confidences[1] >= thresholds[1])
  cascade = torch.where(
      leaves, right[0], torch.where(leaves_second, right[1], right[2]))
  difference = cascade - right[2]
  error = difference.std().item() * math.sqrt(
      1 / len(labels) + 1 / FUTURE_SAMPLES)
  exits = [leaves.float().mean().item(), leaves_second.float().mean().item()]
  return {
      'accuracy': dict(zip(RECIPES, (r.mean().item() for r in right))),
      'cascade_accuracy': cascade.mean().item(),
      'cascade_minus_large': difference.mean().item(),
      'exit_ratios': exits + [1.0 - sum(exits)],
      'lower_bound': difference.mean().item() - NORMAL_QUANTILE * error,
  }


def choose_thresholds(probabilities, labels) -> list:
  """Lowers both thresholds together as long as the accuracy bound holds.

  With d = correctness of the cascade - correctness of large, per sample -1, 0
  or 1, the bound is mean(d) - z * std(d) * sqrt(1 / n + 1 / m) >= -0.003: the
  one-sided normal prediction bound of the mean of m further observations
  (Hahn and Meeker, Statistical Intervals). The pairs of thresholds form one
  sequence fixed beforehand, walked from the strictest and left at the first
  failure, so that trying many costs no confidence (fixed-sequence testing:
  Bauer 1991; Angelopoulos et al. 2021, Learn then Test). A larger error is
  tolerated at stage 2, where an exit saves about twice as much work.
  """
  chosen = [1.0, 1.0]
  for step in range(1, 200):
    slack = 0.0025 * step
    thresholds = [1.0 - slack, 1.0 - SECOND_STAGE_RATIO * slack]
    if run_cascade(probabilities, labels,
                   thresholds)['lower_bound'] < -ALLOWED_LOSS:
      break
    chosen = [round(threshold, 6) for threshold in thresholds]
  return chosen


def count_mmacs(network: nn.Module) -> float:
  """Returns the million multiply-accumulates of one sample."""
  counts = []
  def count(layer, _, output):
    counts.append(layer.weight.numel() * output[0, 0].numel())
  for layer in network.modules():
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
      layer.register_forward_hook(count)
  network.eval()(torch.zeros(1, 1, 28, 28))
  return sum(counts) / 1e6


def time_modules(modules, images: torch.Tensor) -> list:
  """Returns each module's median milliseconds per sample by batch size.

  The modules take turns, so that a change of the machine's speed meets all.
  """
  result = [{} for _ in modules]
  for size in BATCH_SIZES:
    batch = images[:size].clone()
    times = [[] for _ in modules]
    for _ in range(150):
      for module, own in zip(modules, times):
        start = time.perf_counter()
        module(batch)
        own.append(time.perf_counter() - start)
    for medians, own in zip(result, times):
      medians[str(size)] = statistics.median(own[30:]) * 1000 / size
  return result


def cpu_model() -> str:
  """Returns the name of this machine's processor."""
  for line in pathlib.Path('/proc/cpuinfo').read_text().splitlines():
    if line.startswith('model name'):
      return line.split(':')[1].strip()
  return 'unknown'


def rounded(value):
  """Returns a report with its numbers cut to five significant digits."""
  if isinstance(value, dict):
    return {key: rounded(item) for key, item in value.items()}
  if isinstance(value, list):
    return [rounded(item) for item in value]
  return float(f'{value:.5g}') if isinstance(value, float) else value


def make_report(data: pathlib.Path, output: pathlib.Path) -> dict:
  """Calibrates the saved modules and measures them on the CPU."""
  paths = [str(output / f'{stage}.pt') for stage in RECIPES]
  plain = [torch.jit.load(path) for path in paths]
  optimized = [torch.jit.optimize_for_inference(torch.jit.load(path))
               for path in paths]
  splits = {name: load_split(data, name) for name in ('held_back', 'test')}
  probabilities = {name: [evaluate(module, images) for module in plain]
                   for name, (images, _) in splits.items()}
  thresholds = choose_thresholds(
      probabilities['held_back'], splits['held_back'][1])
  report = {'thresholds': thresholds, 'stages': {}, 'timing_cpu': cpu_model()}
  for name, (_, labels) in splits.items():
    report[name] = run_cascade(probabilities[name], labels, thresholds)
  images = splits['test'][0]
  threads = torch.get_num_threads()
  torch.set_num_threads(1)
  with torch.inference_mode():
    plain_times = time_modules(plain, images)
    optimized_times = time_modules(optimized, images)
  for i, stage in enumerate(RECIPES):
    network = build_network(stage)
    again = evaluate(optimized[i], images)
    report['stages'][stage] = {
        'parameters': sum(p.numel() for p in network.parameters()),
        'mmacs': count_mmacs(network),
        'optimized_max_difference':
            (again - probabilities['test'][i]).abs().max().item(),
        'cpu_ms_per_sample_plain': plain_times[i],
        'cpu_ms_per_sample_optimized': optimized_times[i],
    }
  torch.set_num_threads(threads)
  exits = report['test']['exit_ratios']
  reach = [1.0, 1.0 - exits[0], exits[2]]
  for kind in ('plain', 'optimized'):
    report[f'cascade_to_large_cpu_time_{kind}'] = ratios = {}
    for size in map(str, BATCH_SIZES):
      costs = [stage[f'cpu_ms_per_sample_{kind}'][size]
               for stage in report['stages'].values()]
      ratios[size] = sum(map(lambda r, c: r * c, reach, costs)) / costs[2]
  return report


def main():
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('--data', type=pathlib.Path,
                      default='/usr/share/datasets/fashion-mnist')
  parser.add_argument('--output', type=pathlib.Path,
                      default='configs/fashion_mnist')
  parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'),
                      default='auto')
  parser.add_argument('--seed', type=int, default=1)
  parser.add_argument('--epochs', type=float, default=1.0,
                      help='factor on the epochs of every stage')
  parser.add_argument('--calibrate-only', action='store_true',
                      help='redo thresholds and report from saved modules')
  arguments = parser.parse_args()
  report_path = arguments.output / 'training_report.json'
  if arguments.calibrate_only:
    training = json.loads(report_path.read_text())['training']
  else:
    name = arguments.device
    if name == 'auto':
      name = 'cuda' if torch.cuda.is_available() else 'cpu'
    device = torch.device(name)
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    images, labels = load_split(arguments.data, 'train')
    held_back = load_split(arguments.data, 'held_back')
    training = {
        'device': (torch.cuda.get_device_name() if name == 'cuda' else 'CPU'),
        'torch': torch.__version__, 'seed': arguments.seed, 'stages': {}}
    networks = {}
    for stage in reversed(RECIPES):
      recipe = RECIPES[stage]
      recipe = dataclasses.replace(
          recipe, epochs=max(1, round(recipe.epochs * arguments.epochs)))
      start = time.perf_counter()
      networks[stage] = train_stage(
          stage, recipe, images, labels, device, networks.get('large'))
      seconds = time.perf_counter() - start
      training['stages'][stage] = {'epochs': recipe.epochs, 'seconds': seconds}
      print(f'{stage}: {recipe.epochs} epochs in {seconds:.0f} s', flush=True)
    for stage in RECIPES:
      training['stages'][stage]['temperature'] = save_calibrated(
          networks[stage], arguments.output / f'{stage}.pt', *held_back)
  report = {'training': training, **make_report(arguments.data,
                                                arguments.output)}
  text = json.dumps(rounded(report), indent=2)
  report_path.write_text(text + '\n')
  print(text)


if __name__ == '__main__':
  main()
