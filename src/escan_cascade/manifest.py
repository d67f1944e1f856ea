"""models.json: what `export` wrote and `calibrate` reads."""

import json
import pathlib

from .errors import UserError

NAME = "models.json"


def write(folder, manifest):
    (pathlib.Path(folder) / NAME).write_text(json.dumps(manifest, indent=1) + "\n")


def read(folder):
    """{"inputs": [...], "classes": C, "labels": [...] or None, "models": [{"name", "file"}]}."""
    path = pathlib.Path(folder) / NAME
    if not path.is_file():
        raise UserError(f"{path}: no such file: make it with `escan-cascade export ... -o {folder}`")
    manifest = json.loads(path.read_text())
    for model in manifest["models"]:
        if not (path.parent / model["file"]).is_file():
            raise UserError(f"{path.parent / model['file']}: no such file, but {path} names it: export again")
    return manifest
