#!/usr/bin/env python3
"""Writes manual pages and shell completions of programs from what they say with --help.

    make_pages.py --version 1.2.3 --output FOLDER PROGRAM:SECTION...

FOLDER gets man/manN/NAME.N.gz, bash/NAME, zsh/_NAME and fish/NAME.fish. Further sections of a page are
in man/NAME.roff beside this file.
"""

import argparse
import gzip
import os
import pathlib

import completion
import man_page
import program_help

SECTIONS = pathlib.Path(__file__).parent / "man"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    else:
        path.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--version", required=True)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("programs", nargs="+", metavar="PROGRAM:SECTION")
    arguments = parser.parse_args()
    date = man_page.build_date(os.environ)
    for text in arguments.programs:
        path, _, section = text.rpartition(":")
        name = pathlib.Path(path).name
        program = program_help.read_help(path, name)
        further = SECTIONS / f"{name}.roff"
        page = man_page.man_page(program, section, arguments.version, date, further.read_text())
        write(arguments.output / "man" / f"man{section}" / f"{name}.{section}.gz", page)
        if name == "escan-worker":  # Nobody types it.
            continue
        write(arguments.output / "bash" / name, completion.bash(program))
        write(arguments.output / "zsh" / f"_{name}", completion.zsh(program))
        write(arguments.output / "fish" / f"{name}.fish", completion.fish(program))


if __name__ == "__main__":
    main()
