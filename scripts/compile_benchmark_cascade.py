#!/usr/bin/env python3
"""Compiles the stages of a benchmark cascade to packages of AOTInductor.

Takes a folder that `evaluate.py cascades` wrote and writes another one with
the same configuration, plans and samples, whose stages are small.pt2,
medium.pt2 and large.pt2: the same weights, compiled for a device, with the
TorchScript file as their reference. With --precision fp16, as the configuration
says, what is computed and answered is in half precision.
"""

import argparse
import json
import pathlib
import shutil
import time

import torch
from torch import nn

import compile_package
from evaluation.cascades import build_network, make_samples
from evaluation.networks import ResNet, Stage
from evaluation.recipes import CASCADES, STAGES, Cascade


def build_stage(cascade: Cascade, number: int, small: bool,
                script: torch.jit.ScriptModule) -> Stage:
  """Returns the module that a stage's TorchScript was made of."""
  recipe = (cascade.small_recipes if small else cascade.recipes)[number - 1]
  stage = Stage(build_network(cascade, recipe), number)
  stage.load_state_dict(script.state_dict())
  return stage.eval()


def to_half(stage: Stage) -> Stage:
  """Has the network compute in half precision; scores stay in FP32."""
  stage.network.half()
  if isinstance(stage.network, ResNet):
    # Pixels become FP32 in its forward().
    stage.network.body.register_forward_pre_hook(
        lambda _, arguments: (arguments[0].half(),))
  return stage


def examples(cascade: Cascade, rows: int) -> tuple:
  samples = make_samples(cascade, seed=1)
  data = samples.repeat(-(-rows // len(samples)), *[1] * (samples.dim() - 1))
  return data[:rows].contiguous(), torch.full((rows, 1), 0.5)


def parse_option(text: str) -> tuple:
  name, _, value = text.partition('=')
  try:
    return name, json.loads(value)
  except json.JSONDecodeError:
    return name, value


def main():
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('source', type=pathlib.Path,
                      help='folder of one cascade, named as the cascade is')
  parser.add_argument('--output', type=pathlib.Path, required=True,
                      help='folder that gets the packages and all else')
  parser.add_argument('--device', choices=('cpu', 'cuda'), default='cuda')
  parser.add_argument('--precision', choices=('fp16', 'fp32'), default='fp16')
  parser.add_argument('--stages', default=','.join(STAGES),
                      metavar='NAME,...', help='default: %(default)s')
  parser.add_argument('--small', action='store_true',
                      help='the source was written with --small')
  parser.add_argument('--rows', type=int, default=16, metavar='N',
                      help='of the batch that code is chosen for; any other '
                      'number is computed too (default: %(default)s)')
  parser.add_argument('--option', type=parse_option, action='append',
                      default=[], metavar='NAME=JSON',
                      help='of torch._inductor, such as max_autotune=true')
  arguments = parser.parse_args()
  cascade = CASCADES[arguments.source.name]
  shutil.copytree(arguments.source, arguments.output, dirs_exist_ok=True,
                  ignore=shutil.ignore_patterns('*.pt'))
  configuration = arguments.output / 'escand.yaml'
  text = configuration.read_text()
  for number, name in enumerate(STAGES, start=1):
    if name not in arguments.stages.split(','):
      continue
    start = time.perf_counter()
    script = torch.jit.load(str(arguments.source / f'{name}.pt'))
    stage = build_stage(cascade, number, arguments.small, script)
    if arguments.precision == 'fp16':
      stage = to_half(stage)
    path = arguments.output / f'{name}.pt2'
    compile_package.write_package(
        path, {arguments.device: stage}, examples(cascade, arguments.rows),
        script, dict(arguments.option))
    text = text.replace(f'model: {name}.pt\n', f'model: {name}.pt2\n')
    print(f'{path}: {path.stat().st_size / 1e6:.1f} MB, '
          f'{time.perf_counter() - start:.1f} s', flush=True)
  if arguments.precision == 'fp32':
    text = text.replace('precision: fp16', 'precision: fp32')
  configuration.write_text(text)


if __name__ == '__main__':
  main()
