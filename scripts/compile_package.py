"""Compiles torch modules with AOTInductor to packages that escand serves.

A package (.pt2) holds a model for each device that it was compiled for, all of
them with a batch dimension of any size, and the module itself in TorchScript,
FP32, as extra/reference.pt: what workers compare the compiled models' answers
with. docs/model_formats.md describes it.
"""

import copy
import io
import pathlib
import zipfile

import torch
from torch import nn
from torch.export.pt2_archive import _package

MAX_ROWS = 256  # Of a batch, in escand.
# torch.export takes one row for a case of its own, and the compiled model
# refuses it, though it computes it as any other number. Workers compare its
# answers with one row before they serve.
SINGLE_ROWS = {'aot_inductor.check_lowerbound': False}


def export(module: nn.Module, inputs: tuple) -> torch.export.ExportedProgram:
  """Exports a module for any number of rows; `inputs` have two or more.

  With one row, or where the module computes with the number of rows as with
  any other, the number would become part of what is compiled.
  """
  if any(value.size(0) < 2 for value in inputs):
    raise ValueError('the examples have a batch of one row: expected two or '
                     'more, as torch.export takes a batch of one for constant')
  rows = torch.export.Dim('rows', min=1, max=MAX_ROWS)
  with torch.no_grad():
    return torch.export.export(
        module, inputs, dynamic_shapes=tuple({0: rows} for _ in inputs))


def compile_for(device: str, module: nn.Module, inputs: tuple,
                options: dict) -> list:
  """Returns the files that AOTInductor makes of a module on its device."""
  program = export(module.to(device), tuple(v.to(device) for v in inputs))
  with torch.no_grad():
    return torch._inductor.aot_compile(
        program.module(), program.example_inputs[0],
        options={'aot_inductor.package': True, **options})


def add_reference(path: pathlib.Path, reference: torch.jit.ScriptModule):
  """Adds the TorchScript that a package's answers are compared with."""
  content = io.BytesIO()
  torch.jit.save(reference, content)
  with zipfile.ZipFile(path) as archive:
    root = archive.namelist()[0].split('/')[0]
  with zipfile.ZipFile(path, 'a') as archive:
    archive.writestr(f'{root}/extra/reference.pt', content.getvalue())


def write_package(path: pathlib.Path, modules: dict, inputs: tuple,
                  reference: torch.jit.ScriptModule | None,
                  options: dict | None = None):
  """Writes a package.

  Args:
    path: a file whose name ends in .pt2.
    modules: what to compile for each device, 'cpu' and 'cuda'; equal, but for
      the precision.
    inputs: examples of two or more rows, on the CPU.
    reference: computes the same in FP32 on the CPU; None: no answer can be
      checked where there is no model for the CPU either.
    options: of torch._inductor, beside or in place of those here.
  """
  options = SINGLE_ROWS | (options or {})
  files = {
      device: compile_for(device, copy.deepcopy(module).eval(), inputs, options)
      for device, module in modules.items()}
  _package.package_pt2(str(path), aoti_files=files)
  if reference is not None:
    add_reference(path, reference)
