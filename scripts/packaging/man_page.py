"""A manual page for a program, from its --help and a file of further sections."""

import datetime


def escape(text):
    """Text for roff: a dash is the character that is typed, and no line is a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def option_lines(options):
    for option in options:
        names = ", ".join(f"\\fB{escape(name)}\\fR" for name in option.names)
        yield ".TP"
        yield names + (f" {escape(option.value)}" if option.value else "")
        yield escape(option.text) or "\\&"


def group_lines(program, macro):
    for heading, options in program.groups.items():
        yield f'.{macro} "{escape(heading if macro == "SS" else heading.upper())}"'
        yield from option_lines(options)


def own_options(command):
    return [option for group in command.groups.values() for option in group
            if "--help" not in option.names]


def command_lines(program):
    """Of the commands that do something, be it that others are under them."""
    commands = [command for command in program.all_commands()
                if own_options(command) or not command.commands]
    if commands:
        yield ".SH COMMANDS"
    for command in commands:
        yield f'.SS "{escape(" ".join(command.words[1:]))}"'
        yield escape(command.description)
        yield from option_lines(own_options(command))


def man_page(program, section, version, date, further):
    """The page in roff. `date` is a datetime.date, `further` roff that comes behind the options."""
    name = program.words[0]
    summary = program.description.rstrip(".")
    lines = [f'.TH {escape(name).upper()} {section} "{date.isoformat()}" "ESCAN {version}" "ESCAN"',
             ".SH NAME", f"{escape(name)} \\- {escape(summary[0].lower() + summary[1:])}",
             ".SH SYNOPSIS", f"\\fB{escape(name)}\\fR {escape(program.usage)}",
             ".SH DESCRIPTION", escape(program.description)]
    if program.notes:
        lines += [".PP", escape(program.notes)]
    lines += group_lines(program, "SH")
    lines += command_lines(program)
    return "\n".join(lines) + "\n" + further


def build_date(environment):
    """The date of the page: that of SOURCE_DATE_EPOCH where it is set, so that builds repeat."""
    seconds = environment.get("SOURCE_DATE_EPOCH")
    if seconds is None:
        return datetime.date.today()
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).date()
