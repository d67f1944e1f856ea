"""escan-cascade export: models of any form become files that escand serves."""

import pathlib
import re

from .errors import UserError

DATATYPES = ("UINT8", "INT32", "INT64", "FP32")


def parse_input(text):
    """NAME:DATATYPE:SHAPE[:MIN-MAX], SHAPE as 28,28."""
    found = re.fullmatch(r"([\w-]+):(\w+):([\d,]+)(?::(\d+)-(\d+))?", text)
    if not found or found[2] not in DATATYPES:
        raise UserError(f"--input {text}: expected NAME:DATATYPE:SHAPE[:MIN-MAX] with a datatype of "
                        f"{', '.join(DATATYPES)}, as tokens:INT32:128:0-30521")
    each = {"name": found[1], "datatype": found[2], "shape": [int(n) for n in found[3].split(",")]}
    if found[4]:
        each["range"] = [int(found[4]), int(found[5])]
    return each


def per_model(flag, text, count):
    """A comma-separated option for each model: one value for all, or one a model."""
    values = text.split(",") if text else [None]
    if len(values) not in (1, count):
        raise UserError(f"{flag} {text}: {len(values)} values for {count} models, expected 1 or {count}")
    return values * count if len(values) == 1 else values


def parse_models(pairs):
    models = []
    for pair in pairs:
        name, equals, source = pair.partition("=")
        if not equals or not re.fullmatch(r"[\w-]{1,64}", name):
            raise UserError(f"{pair}: expected NAME=SOURCE, as small=timm:efficientnet_lite0")
        models.append((name, source))
    if len({name for name, _ in models}) != len(models):
        raise UserError("two models have the same name: every NAME=SOURCE needs a name of its own")
    return models


def image_options(arguments, count):
    """(sizes, normalisations): None for each model whose inputs are taken as they are."""
    from .wrap import NORMALIZATIONS
    sizes = per_model("--resize", arguments.resize, count)
    if any(size and not size.isdigit() for size in sizes):
        raise UserError(f"--resize {arguments.resize}: expected sides in pixels, as 224,240,260")
    kinds = per_model("--normalize", arguments.normalize, count)
    wrong = [kind for kind in kinds if kind and kind not in NORMALIZATIONS]
    if wrong:
        raise UserError(f"--normalize {wrong[0]}: expected one of {', '.join(NORMALIZATIONS)}")
    return [(int(size), int(size)) if size else None for size in sizes], kinds


def declared_inputs(arguments, sizes, kinds):
    if any(kinds):
        if arguments.input:
            raise UserError("--input and --normalize: one of them; --normalize serves images UINT8 [H, W, 3]")
        if not all(kinds) or not all(sizes):
            raise UserError("--normalize needs --resize: the side of the images that each network takes")
        side = arguments.input_size or max(size[0] for size in sizes)
        return [{"name": "image", "datatype": "UINT8", "shape": [side, side, 3]}]
    if not arguments.input:
        raise UserError("what do the models take? Images: --resize and --normalize; anything else: "
                        "--input NAME:DATATYPE:SHAPE for each argument of forward()")
    return [parse_input(text) for text in arguments.input]


def read_labels(path, classes):
    if path is None:
        return None
    labels = pathlib.Path(path).read_text().splitlines()
    if len(labels) != classes:
        raise UserError(f"{path}: {len(labels)} lines for {classes} classes, expected the name of each class "
                        "in the order of the model's outputs")
    return labels


def run(arguments, say):
    models = parse_models(arguments.models)
    sizes, kinds = image_options(arguments, len(models))
    inputs = declared_inputs(arguments, sizes, kinds)
    from . import checks, manifest, package, sources, wrap
    folder = pathlib.Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for (name, source), size, kind in zip(models, sizes, kinds):
        say(f"{name}: loading {source}")
        served = wrap.Served(sources.load(source, arguments.pretrained), kind, size)
        raw = served.network if kind is None else lambda image: served.network(served.prepared(image))
        served.probabilities = checks.are_probabilities(
            checks.output_of(name, raw, checks.random_rows(inputs, 5)))
        checks.check(name, served, inputs)
        file, exported = package.save(served.eval(), name, folder, inputs, arguments.format, say)
        classes = checks.check(name, exported, inputs, served)
        say(f"{name}: {folder / file}, {classes} classes, rows independent, equal to its source")
        written.append({"name": name, "file": file, "source": source, "classes": classes})
    counts = {model["name"]: model["classes"] for model in written}
    if len(set(counts.values())) != 1:
        raise UserError(f"the models have different numbers of classes: {counts}; the stages of a cascade "
                        "answer the same question")
    manifest.write(folder, {"inputs": inputs, "classes": written[0]["classes"],
                            "labels": read_labels(arguments.labels_file, written[0]["classes"]),
                            "models": written})
