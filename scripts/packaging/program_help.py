"""Reads what a program says about itself with --help, subcommands included."""

import dataclasses
import re
import subprocess

# Where CLI11 begins the descriptions.
COLUMN = 30


@dataclasses.dataclass(frozen=True)
class Option:
    """A line of --help: an option, or an argument by position (whose name is not dashed).

    `value` is what stands between the names and the description: the kind of the value, its default
    and what the option needs. `choices` are the values that are taken, where they are listed.
    """

    names: tuple
    value: str
    text: str

    @property
    def takes_value(self):
        return bool(re.sub(r"\b(Needs|Excludes): .*|REQUIRED", "", self.value).strip())

    @property
    def choices(self):
        listed = re.search(r"\{([^}]*)\}", self.value)
        return tuple(listed[1].split(",")) if listed else ()


@dataclasses.dataclass(frozen=True)
class Program:
    """A program or one of its commands. `words` is what is typed; `groups` maps a heading to options."""

    words: tuple
    description: str
    usage: str
    groups: dict
    commands: tuple
    notes: str

    @property
    def options(self):
        return [option for group in self.groups.values() for option in group
                if option.names[0].startswith("-")]

    def all_commands(self):
        """The commands of every depth, in the order of --help."""
        for command in self.commands:
            yield command
            yield from command.all_commands()


def entries(lines):
    """(left side, description) of each entry of a group."""
    found = []
    for line in lines:
        if line.startswith(" " * COLUMN):
            left, text = found[-1]
            found[-1] = (left, f"{text} {line.strip()}".strip())
        else:
            found.append((line.strip(), ""))
    # An entry whose description stands in lines of its own has none in the first.
    return [(left, text) if text or len(left) <= COLUMN - 2
            else (left[:COLUMN - 2].rstrip(), left[COLUMN - 2:]) for left, text in found]


def to_option(left, text):
    names, _, rest = left.partition(" ")
    names, _, default = names.partition("=") if not names.startswith("-") else (names, "", "")
    if default:  # STAGE=VALUE is one name.
        names = f"{names}={default}"
    return Option(tuple(names.split(",")), rest, text)


def read_help(path, name, words=()):
    """The Program at `path`, which is called `name`, or that of its command `words`.

    RuntimeError where --help has another shape than CLI11's.
    """
    shown = subprocess.run([path, *words, "--help"], capture_output=True, text=True, check=True,
                           timeout=60, stdin=subprocess.DEVNULL).stdout
    before, usage, after = shown.partition("Usage: ")
    if not usage:
        raise RuntimeError(f"{path} {' '.join(words)} --help: no line 'Usage:' in\n{shown}")
    usage, _, after = after.partition("\n")
    sections, heading, notes = {}, None, []
    for line in after.splitlines():
        if line.startswith("  ") and heading:
            sections[heading].append(line)
        elif re.fullmatch(r"\S.*:", line):
            heading = line[:-1]
            sections[heading] = []
        elif line:
            heading = None
            notes.append(line)
    commands = tuple(read_help(path, name, (*words, left.split()[0]))
                     for left, _ in entries(sections.pop("Subcommands", [])))
    return Program((name, *words), " ".join(before.split()), usage.split(" ", 1)[-1] if not words
                   else usage.split(" ", 1)[-1].split(" ", len(words))[-1],
                   {heading: [to_option(*entry) for entry in entries(lines)]
                    for heading, lines in sections.items()}, commands, " ".join(notes))
