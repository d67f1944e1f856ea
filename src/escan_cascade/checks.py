"""What a served model must keep to: a free batch dimension, independent and repeatable rows."""

import numpy as np
import torch

from .errors import UserError

# Of the largest value: what other batch sizes cost in rounding. Relative, because of a thousand
# classes each probability is small.
TOLERANCE = 1e-3
DTYPES = {"UINT8": torch.uint8, "INT32": torch.int32, "INT64": torch.int64, "FP32": torch.float32}


def random_rows(inputs, rows, seed=1):
    """A tensor [rows, shape...] for each declared input: a dictionary as in the manifest."""
    random = np.random.default_rng(seed)
    tensors = []
    for each in inputs:
        shape = (rows, *each["shape"])
        if each["datatype"] == "FP32":
            values = random.normal(size=shape)
        else:
            low, high = each.get("range", (0, 255))
            values = random.integers(low, high + 1, size=shape)
        tensors.append(torch.from_numpy(np.asarray(values)).to(DTYPES[each["datatype"]]))
    return tensors


def output_of(name, module, tensors):
    """The one output [N, C] of FP32; a UserError that says what the module did instead."""
    rows = len(tensors[0])
    try:
        with torch.no_grad():
            y = module(*tensors)
    except Exception as error:  # whatever the user's model throws
        shapes = ", ".join(str(list(each.shape)) for each in tensors)
        raise UserError(f"{name}: fails on {rows} rows of {shapes}: {str(error).splitlines()[-1]}. Give the "
                        "input that it takes (--input, --resize, --normalize), and a model whose batch "
                        "dimension is free: exported with a dynamic first dimension") from error
    if isinstance(y, (tuple, list)) and len(y) == 1:
        y = y[0]
    if not isinstance(y, torch.Tensor) or y.dim() != 2 or len(y) != rows:
        found = list(y.shape) if isinstance(y, torch.Tensor) else type(y).__name__
        raise UserError(f"{name}: answers {found} to {rows} rows, expected a tensor [{rows}, classes]: wrap "
                        "it in a module that returns the class scores, as file.py:function")
    return y.float()


def differ(one, right):
    """The largest difference, as a part of the largest right value."""
    return float((one - right).abs().max() / right.abs().max().clamp(min=1e-30))


def check(name, module, inputs, reference=None):
    """Checks 1, 2, 3 and 5 rows, repetition, independence, and equality with `reference`."""
    tensors = random_rows(inputs, 5)
    whole = output_of(name, module, tensors)
    if not torch.isfinite(whole).all():
        raise UserError(f"{name}: answers NaN or infinity to random rows: check its weights and --normalize")
    if differ(whole, output_of(name, module, tensors)) > 0:
        if differ(whole, output_of(name, module, tensors)) > TOLERANCE:
            raise UserError(f"{name}: answers the same rows differently each time: remove random numbers, "
                            "dropout and state; call eval() before it is traced")
    for rows in (1, 2, 3):
        for start in range(0, 5 - rows + 1):
            part = output_of(name, module, [each[start:start + rows] for each in tensors])
            if differ(part, whole[start:start + rows]) > TOLERANCE:
                raise UserError(f"{name}: row {start} is answered differently among {rows} rows than among 5: "
                                "rows must be independent; call eval() (batch normalisation), and compute "
                                "nothing across the batch dimension")
    if reference is not None:
        expected = output_of(name, reference, tensors)
        if differ(whole, expected) > TOLERANCE:
            raise UserError(f"{name}: the exported model differs from its source by {differ(whole, expected):.2g}"
                            ": a branch on data was traced; script that part with torch.jit.script")
    return whole.shape[1]


def are_probabilities(y):
    return bool((y >= 0).all() and ((y.sum(1) - 1).abs() < 1e-3).all())
