"""Writes a served module as TorchScript or as a package of AOTInductor, and reads it back."""

import pathlib

import torch

from .checks import random_rows
from .errors import UserError


def save_torchscript(module, path, inputs):
    """Traces `module` with three rows of every input and writes it."""
    with torch.no_grad():
        traced = torch.jit.trace(module, tuple(random_rows(inputs, 3)), check_trace=False)
    traced.save(str(path))
    return torch.jit.load(str(path))


def save_aot_inductor(module, path, inputs, largest_batch=256):
    """Compiles `module` for this machine's device, with a free batch dimension.

    The example has more than one row: torch.export takes a batch of one for a constant.
    """
    rows = torch.export.Dim("rows", min=1, max=largest_batch)
    program = torch.export.export(module, tuple(random_rows(inputs, 3)),
                                  dynamic_shapes=(tuple({0: rows} for _ in inputs),))
    torch._inductor.aoti_compile_and_package(program, package_path=str(path))
    return torch._inductor.aoti_load_package(str(path))


def save(module, name, folder, inputs, kind, say):
    """Writes `name` as `kind` (torchscript or pt2); (file name, the module read back)."""
    folder = pathlib.Path(folder)
    if kind == "pt2":
        try:
            return f"{name}.pt2", save_aot_inductor(module, folder / f"{name}.pt2", inputs)
        except Exception as error:  # torch.export and the compiler throw all kinds
            say(f"{name}: AOTInductor failed, TorchScript is written in its place: {str(error).splitlines()[0]}")
    try:
        return f"{name}.pt", save_torchscript(module, folder / f"{name}.pt", inputs)
    except Exception as error:  # whatever the user's model throws while it is traced
        raise UserError(f"{name}: cannot be traced: {str(error).splitlines()[0]}. Make its forward() "
                        "take tensors and return one") from error


def with_temperature(path, output, temperature):
    """Copies a TorchScript model with another temperature; UserError where it has none."""
    module = torch.jit.load(str(path), map_location="cpu")
    if not hasattr(module, "temperature"):
        raise UserError(f"{path} has no temperature: make it with escan-cascade export")
    with torch.no_grad():
        module.temperature.fill_(temperature)
    module.save(str(output))
