"""Reads labelled data: inputs by name and the class of each sample."""

import csv
import pathlib

import numpy as np

from .errors import UserError, require
from .progress import progress

TYPES = {"UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64, "FP32": np.float32}
IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


def class_folders(path, manifest):
    """Images in a folder for each class, resized to the cascade's input."""
    image = require("PIL.Image", f"the images in {path}")
    if len(manifest["inputs"]) != 1 or manifest["inputs"][0]["datatype"] != "UINT8":
        raise UserError(f"{path}: a folder of images is for models of one input UINT8 [H, W, 3]; give .npz")
    shape = manifest["inputs"][0]["shape"]
    folders = sorted(each for each in path.iterdir() if each.is_dir())
    names = manifest["labels"] or [each.name for each in folders]
    unknown = [each.name for each in folders if each.name not in names]
    if unknown:
        raise UserError(f"{path}/{unknown[0]}: no class of that name; export with --labels-file, whose lines "
                        f"are the folders' names. It has {', '.join(names[:5])} ...")
    if not manifest["labels"] and len(folders) != manifest["classes"]:
        raise UserError(f"{path}: {len(folders)} class folders for models of {manifest['classes']} classes: "
                        "export with --labels-file, so that it is known which class each folder is")
    files = [(file, names.index(each.name)) for each in folders for file in sorted(each.iterdir())
             if file.suffix.lower() in IMAGES]
    if not files:
        raise UserError(f"{path}: no images ({', '.join(IMAGES)}) in class folders")
    pixels = np.empty((len(files), *shape), np.uint8)
    mode = "RGB" if len(shape) == 3 else "L"
    for index, (file, _) in enumerate(progress(files, "reading images")):
        try:
            opened = image.open(file).convert(mode)
        except OSError as error:
            raise UserError(f"{file}: no image that can be read: {error}") from error
        pixels[index] = np.asarray(opened.resize((shape[1], shape[0]), image.Resampling.BILINEAR))
    return {manifest["inputs"][0]["name"]: pixels}, np.array([label for _, label in files])


def table(path, tokenizer, manifest):
    """A CSV with the columns text and, maybe, label (a class's number or name)."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "text" not in rows[0]:
        raise UserError(f"{path}: no column text; expected a first line `text,label`")
    texts = [row["text"] for row in rows]
    labels = None
    if "label" in rows[0]:
        try:
            labels = np.array([manifest["labels"].index(row["label"]) if manifest["labels"]
                               else int(row["label"]) for row in rows])
        except ValueError as error:
            raise UserError(f"{path}: {error}: labels are the numbers of classes, or names where export had "
                            "--labels-file") from error
    return tokenized(texts, tokenizer, manifest), labels


def tokenized(texts, tokenizer, manifest):
    if not tokenizer:
        raise UserError("text needs --tokenizer: a tokenizer.json, or file.py:function")
    length = manifest["inputs"][0]["shape"][0]
    if ".py:" in tokenizer:
        import importlib.util
        path, _, function = tokenizer.rpartition(":")
        spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return dict(getattr(module, function)(texts))
    loaded = require("tokenizers", tokenizer).Tokenizer.from_file(tokenizer)
    loaded.enable_truncation(length)
    loaded.enable_padding(length=length)
    codes = loaded.encode_batch(texts)
    fields = (np.array([each.ids for each in codes]), np.array([each.attention_mask for each in codes]))
    return {each["name"]: fields["mask" in each["name"]] for each in manifest["inputs"]}


def arrays(path):
    with np.load(path, allow_pickle=False) as archive:
        found = dict(archive)
    labels = found.pop("labels", None)
    return found, labels


def checked(path, inputs, labels, manifest):
    """The inputs in their declared types; a UserError where they do not fit the models."""
    fitting = {}
    for each in manifest["inputs"]:
        if each["name"] not in inputs:
            raise UserError(f"{path}: no array {each['name']}, an input of the models; it has {', '.join(inputs)}")
        values = np.asarray(inputs[each["name"]])
        if list(values.shape[1:]) != each["shape"]:
            raise UserError(f"{path}: {each['name']} has rows {list(values.shape[1:])}, expected {each['shape']}")
        low, high = each.get("range", (None, None))
        if low is not None and (values.min() < low or values.max() > high):
            raise UserError(f"{path}: {each['name']} has values from {values.min()} to {values.max()}, expected "
                            f"{low} to {high}: another tokenizer than the models'?")
        if each["datatype"] == "UINT8" and values.dtype != np.uint8:
            raise UserError(f"{path}: {each['name']} is {values.dtype}, expected uint8: pixels of 0 to 255")
        fitting[each["name"]] = np.ascontiguousarray(values, TYPES[each["datatype"]])
    samples = len(next(iter(fitting.values())))
    if samples < 20:
        raise UserError(f"{path}: {samples} samples, expected 20 or more (1000 prove a loss of 0.5 % or so)")
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (samples,) or not np.issubdtype(labels.dtype, np.integer):
            raise UserError(f"{path}: labels are {labels.dtype} {list(labels.shape)}, expected {samples} integers")
        if labels.min() < 0 or labels.max() >= manifest["classes"]:
            raise UserError(f"{path}: labels from {labels.min()} to {labels.max()}, expected 0 to "
                            f"{manifest['classes'] - 1}: other classes than the models'?")
    return fitting, labels


def load(path, manifest, tokenizer=None):
    """({input: [N, shape...]}, labels [N] or None)."""
    path = pathlib.Path(path)
    if path.is_dir():
        inputs, labels = class_folders(path, manifest)
    elif not path.is_file():
        raise UserError(f"{path}: no such file or folder")
    elif path.suffix == ".npz":
        inputs, labels = arrays(path)
    elif path.suffix == ".npy":
        inputs, labels = {manifest["inputs"][0]["name"]: np.load(path)}, None
        beside = path.with_name("labels.npy")
        labels = np.load(beside) if beside.is_file() else None
    elif path.suffix == ".csv":
        inputs, labels = table(path, tokenizer, manifest)
    else:
        raise UserError(f"{path}: expected a folder of class folders, .npz, .npy (labels.npy beside it) or .csv")
    return checked(path, inputs, labels, manifest)
