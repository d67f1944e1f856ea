"""Loads the module that a source names: a file's function, timm, torchvision, transformers, a file."""

import importlib.util
import pathlib
import pickle
import sys

from .errors import UserError, require

KINDS = ("file.py:function, timm:NAME, torchvision:NAME, transformers:NAME, or a file of ONNX (.onnx), "
         "torch.export (.pt2) or TorchScript (.pt)")


def from_function(path, function):
    """What `function()` of a Python file returns."""
    import torch
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    spec.loader.exec_module(module)
    if not callable(getattr(module, function, None)):
        raise UserError(f"{path} has no function {function}: it has "
                        f"{', '.join(n for n in vars(module) if not n.startswith('_'))}")
    network = getattr(module, function)()
    if not isinstance(network, torch.nn.Module):
        raise UserError(f"{path}:{function}() returned {type(network).__name__}, expected a torch.nn.Module")
    return network


def from_timm(name, pretrained):
    timm = require("timm", f"timm:{name}")
    if not timm.is_model(name.split(".")[0]):
        near = timm.list_models(f"*{name.split('_')[0]}*")[:5]
        raise UserError(f"timm has no model {name}; near it: {', '.join(near) or 'none'}")
    return timm.create_model(name, pretrained=pretrained)


def from_torchvision(name, pretrained):
    models = require("torchvision", f"torchvision:{name}").models
    if name not in models.list_models():
        raise UserError(f"torchvision has no model {name}")
    return models.get_model(name, weights="DEFAULT" if pretrained else None)


def from_transformers(name, pretrained):
    """A classifier of images or texts by name or folder; its forward() returns the logits alone."""
    import torch
    transformers = require("transformers", f"transformers:{name}")
    config = transformers.AutoConfig.from_pretrained(name)
    images = any("ImageClassification" in each for each in config.architectures or ())
    kind = (transformers.AutoModelForImageClassification if images
            else transformers.AutoModelForSequenceClassification)
    network = kind.from_pretrained(name) if pretrained else kind.from_config(config)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, *inputs):
            return self.network(*inputs, return_dict=False)[0]

    return Logits()


def from_file(path):
    import torch
    if not path.is_file():
        raise UserError(f"{path}: no such file; a source is {KINDS}")
    try:
        if path.suffix == ".onnx":
            return require("onnx2torch", str(path)).convert(str(path))
        if path.suffix == ".pt2":
            return torch.export.load(path).module()
        return torch.jit.load(str(path), map_location="cpu")
    except (RuntimeError, ValueError, pickle.UnpicklingError, NotImplementedError) as error:
        raise UserError(f"{path} cannot be read: {str(error).splitlines()[0]}; a source is {KINDS}. "
                        "Of a state_dict or safetensors, give the function that builds and loads it: "
                        "file.py:function") from error


def load(source, pretrained=True):
    """The module of `source`, on the CPU and in evaluation mode."""
    kind, colon, name = source.partition(":")
    named = {"timm": from_timm, "torchvision": from_torchvision, "transformers": from_transformers}
    if colon and kind in named:
        try:
            network = named[kind](name, pretrained)
        except OSError as error:
            raise UserError(f"{source}: its weights cannot be had: {str(error).splitlines()[0]}; "
                            "--no-pretrained takes random ones") from error
    elif colon and kind.endswith(".py"):
        network = from_function(kind, name)
    else:
        network = from_file(pathlib.Path(source))
    try:
        return network.eval()
    except NotImplementedError:  # a program of torch.export is in the mode that it was exported in
        return network
