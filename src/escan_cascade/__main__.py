"""The command line of escan-cascade."""

import argparse
import sys

from .errors import UserError


def parser():
    top = argparse.ArgumentParser(prog="escan-cascade", description="From models and labelled data to a "
                                  "served cascade; docs/your_cascade.md goes through it. "
                                  "`escan-cascade setup` makes its environment.")
    commands = top.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write models in a form that escand serves")
    export.add_argument("models", nargs="+", metavar="NAME=SOURCE",
                        help="file.py:function, timm:NAME, torchvision:NAME, transformers:NAME, or a file: "
                        ".onnx, .pt2 (torch.export), TorchScript; cheapest first")
    export.add_argument("--resize", help="side of the square images that each network takes, as 224,240,260")
    export.add_argument("--input-size", type=int, help="side of the images that clients send [the largest]")
    export.add_argument("--normalize", help="imagenet, half or unit, for images; one, or one a model")
    export.add_argument("--input", action="append", metavar="NAME:DATATYPE:SHAPE[:MIN-MAX]",
                        help="an argument of forward(), where it is not an image")
    export.add_argument("--labels-file", help="the name of each class, a line each")
    export.add_argument("--no-pretrained", dest="pretrained", action="store_false",
                        help="random weights for models that are named")
    export.add_argument("--format", choices=("torchscript", "pt2"), default="torchscript",
                        help="pt2: a package of AOTInductor; TorchScript where that fails [torchscript]")
    export.add_argument("-o", "--output", required=True, help="folder to write to")
    calibrate = commands.add_parser("calibrate", help="find when samples exit, from data")
    calibrate.add_argument("models", help="the folder that export wrote")
    calibrate.add_argument("--data", required=True, help="a folder of class folders of images; .npz with "
                           "an array for each input, and labels; .csv with the columns text and label. "
                           "Without labels, agreement with the last stage is kept")
    calibrate.add_argument("--tokenizer", help="for .csv: a tokenizer.json, or file.py:function, which takes "
                           "a list of texts and returns {input: array}")
    calibrate.add_argument("--max-loss", default="0.5%", help="accuracy that exits may cost [0.5%%]")
    calibrate.add_argument("--batch", type=int, default=16, help="batch size of the plan, for costs [16]")
    calibrate.add_argument("--name", default="cascade", help="what clients call the cascade [cascade]")
    calibrate.add_argument("--seed", type=int, default=1, help="of the split into two parts [1]")
    calibrate.add_argument("--json", action="store_true", help="print the result as JSON")
    calibrate.add_argument("-o", "--output", required=True, help="folder to write to")
    return top


def main():
    arguments = parser().parse_args()
    say = lambda text: print(text, file=sys.stderr, flush=True)
    try:
        if arguments.command == "export":
            from .export import run
        else:
            from .calibrate import run
        run(arguments, say)
    except UserError as error:
        say(f"escan-cascade: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
