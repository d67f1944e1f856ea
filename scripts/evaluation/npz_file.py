"""Writes NumPy's .npz files from tensors, without NumPy: a machine with torch need not have it."""

import ctypes
import zipfile

import torch

TYPES = {torch.uint8: "|u1", torch.int32: "<i4", torch.float32: "<f4"}
ALIGNMENT = 64  # of the data in a .npy file
MAGIC = b"\x93NUMPY\x01\x00"


def npy(tensor):
    """Returns the content of a .npy file, version 1.0.

    https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """
    tensor = tensor.cpu().contiguous()
    header = (f"{{'descr': '{TYPES[tensor.dtype]}', 'fortran_order': False, "
              f"'shape': {tuple(tensor.shape)}, }}")
    size = len(MAGIC) + 2 + len(header) + 1
    header += " " * (-size % ALIGNMENT) + "\n"
    data = ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())
    return MAGIC + len(header).to_bytes(2, "little") + header.encode() + data


def write_npz(path, tensors):
    """Writes named tensors, as numpy.savez does."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, tensor in tensors.items():
            archive.writestr(f"{name}.npy", npy(tensor))
