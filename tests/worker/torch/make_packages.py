"""Writes the packages of AOTInductor that tests load, and their models in TorchScript.

    make_packages.py [--device cuda] FOLDER

  lookup   tokens UINT8 [N,4], none above 99, to probabilities FP32 [N,3] and
           a sum FP32 [N]; it fails on other tokens, and wants two rows
  bare     the same without a reference
  lying    the same with the reference of another model
  images   (for cuda only) convolutions of images UINT8 [N,8,8,3], in FP16
"""

import argparse
import copy
import pathlib
import shutil
import sys

import torch
from torch import nn

# In this folder, where the tests are installed.
sys.path.append(str(pathlib.Path(__file__).resolve().parent / '../../../scripts'))
import compile_package

# What takes the compiler long is left out: nothing here is timed.
QUICK = {'aot_inductor.compile_wrapper_opt_level': 'O0',
         'aot_inductor.precompile_headers': False,
         'aot_inductor.check_lowerbound': True}


class Lookup(nn.Module):
  def __init__(self, seed: int):
    super().__init__()
    torch.manual_seed(seed)
    self.embedding = nn.Embedding(100, 8)
    self.head = nn.Linear(8, 3)

  def forward(self, tokens: torch.Tensor):
    vectors = self.embedding(tokens.to(torch.int64))
    probabilities = torch.softmax(self.head(vectors.mean(1)), 1)
    return probabilities, tokens.to(torch.float32).sum(1)


class Images(nn.Module):
  def __init__(self):
    super().__init__()
    torch.manual_seed(3)
    self.body = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1), nn.ReLU())
    self.head = nn.Linear(16, 10)

  def forward(self, image: torch.Tensor) -> torch.Tensor:
    pixels = image.permute(0, 3, 1, 2).to(self.head.weight.dtype) / 255
    return torch.softmax(self.head(self.body(pixels).mean((2, 3))), 1)


def traced(module: nn.Module, inputs: tuple) -> torch.jit.ScriptModule:
  with torch.no_grad():
    return torch.jit.trace(module.eval(), inputs)


def is_newer(path: pathlib.Path) -> bool:
  """Whether what is written last is there, and newer than its sources."""
  sources = (__file__, compile_package.__file__, torch.__file__)
  return path.exists() and all(
      pathlib.Path(source).stat().st_mtime < path.stat().st_mtime
      for source in sources)


def main():
  parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
  parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
  parser.add_argument('folder', type=pathlib.Path)
  arguments = parser.parse_args()
  folder, device = arguments.folder, arguments.device
  if device == 'cpu' and is_newer(folder / 'lying.pt2'):
    return
  folder.mkdir(parents=True, exist_ok=True)
  tokens = (torch.arange(8, dtype=torch.uint8).reshape(2, 4),)
  right, other = Lookup(1), Lookup(2)
  script = traced(right, tokens)
  script.save(str(folder / 'lookup.pt'))
  compile_package.write_package(
      folder / 'bare.pt2', {device: right}, tokens, None, QUICK)
  for name, reference in (('lookup', script), ('lying', traced(other, tokens))):
    shutil.copyfile(folder / 'bare.pt2', folder / f'{name}.pt2')
    compile_package.add_reference(folder / f'{name}.pt2', reference)
  if device != 'cuda':
    return
  images = (torch.randint(255, (8, 8, 8, 3), dtype=torch.uint8),)
  module = Images().eval()
  reference = traced(module, images)
  reference.save(str(folder / 'images.pt'))
  compile_package.write_package(
      folder / 'images.pt2', {device: copy.deepcopy(module).half()}, images,
      reference)


if __name__ == '__main__':
  main()
