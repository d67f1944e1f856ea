"""Completion of a program's options and commands for bash, zsh and fish, from its --help."""

# One command is one case: the words that lead to it, then what may follow.


def words_of(program):
    names = [name for option in program.options for name in option.names]
    return names + [command.words[-1] for command in program.commands]


def all_programs(program):
    return [program, *program.all_commands()]


def valued(program):
    """Names of all options that take a value, of the commands too, in a fixed order."""
    return list(dict.fromkeys(name for part in all_programs(program) for option in part.options
                              if option.takes_value for name in option.names))


def choices(program):
    """{names: choices} of the options with listed values."""
    return {option.names: option.choices for part in all_programs(program)
            for option in part.options if option.choices}


def bash(program):
    name = program.words[0]
    function = "_" + name.replace("-", "_")
    lines = [f"# Completion of {name} for bash.", f"{function}() {{",
             '  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= i',
             '  for ((i = 1; i < COMP_CWORD; i++)); do',
             '    case ${COMP_WORDS[i]} in']
    if valued(program):
        lines.append(f"      {'|'.join(valued(program))}) ((i++)) ;;")
    lines += ["      -*) ;;",
              '      *) path="$path ${COMP_WORDS[i]}" ;;',
              "    esac", "  done", "  COMPREPLY=()", "  case $before in"]
    for names, values in choices(program).items():
        lines.append(f"    {'|'.join(names)}) COMPREPLY=($(compgen -W '{' '.join(values)}' "
                     '-- "$word")); return ;;')
    if valued(program):
        lines.append(f"    {'|'.join(valued(program))}) COMPREPLY=($(compgen -f -- \"$word\")); "
                     "return ;;")
    lines += ["  esac", '  case ${path# } in']
    for part in sorted(all_programs(program), key=lambda part: -len(part.words)):
        path = " ".join(part.words[1:])
        pattern = f'"{path}"*' if path else "*"
        lines.append(f"    {pattern}) COMPREPLY=($(compgen -W '{' '.join(words_of(part))}' "
                     '-- "$word")) ;;')
    lines += ["  esac", '  if [[ ${#COMPREPLY[@]} -eq 0 && $word != -* ]]; then',
              '    COMPREPLY=($(compgen -f -- "$word"))', "  fi", "}",
              f"complete -o filenames -F {function} {name}", ""]
    return "\n".join(lines)


def zsh_text(text):
    """A description inside of _arguments' brackets and single quotes."""
    for character in "\\[]:":
        text = text.replace(character, "\\" + character)
    return text.replace("'", "'\\''")


def zsh_specs(part):
    for option in part.options:
        value = ""
        if option.takes_value:
            value = f":value:({' '.join(option.choices)})" if option.choices else ":value:_files"
        for name in option.names:
            yield f"'{name}[{zsh_text(option.text)}]{value}'"


def zsh_function(part, lines):
    function = "_" + "_".join(part.words).replace("-", "_")
    specs = list(zsh_specs(part))
    if not part.commands:
        body = [f"  _arguments -s {' '.join(specs)} '*:file:_files'"]
    else:
        described = " ".join(f"'{command.words[-1]}:{zsh_text(command.description)}'"
                             for command in part.commands)
        body = ["  local state line", "  local -a commands",
                f"  _arguments -C {' '.join(specs)} '1:command:->command' '*::argument:->argument'",
                "  case $state in", "    command)", f"      commands=({described})",
                "      _describe command commands ;;", "    argument)", "      case $line[1] in"]
        body += [f"        {command.words[-1]}) {function}_{command.words[-1].replace('-', '_')} ;;"
                 for command in part.commands]
        body += ["      esac ;;", "  esac"]
    for command in part.commands:
        zsh_function(command, lines)
    lines += [f"{function}() {{", *body, "}"]


def zsh(program):
    name = program.words[0]
    lines = [f"#compdef {name}", f"# Completion of {name} for zsh."]
    zsh_function(program, lines)
    return "\n".join([*lines, f'_{name.replace("-", "_")} "$@"', ""])


def fish_text(text):
    return text.replace("\\", "\\\\").replace("'", "\\'")


def fish(program):
    name = program.words[0]
    lines = [f"# Completion of {name} for fish."]
    for part in all_programs(program):
        path = part.words[1:]
        seen = " and ".join(f"__fish_seen_subcommand_from {word}" for word in path)
        inner = " ".join(command.words[-1] for command in part.commands)
        condition = f" -n '{seen.replace(' and ', '; and ')}'" if path else ""
        for option in part.options:
            line = f"complete -c {name}{condition}"
            for option_name in option.names:
                dashed = option_name.lstrip("-")
                line += f" -l {dashed}" if option_name.startswith("--") else f" -s {dashed}"
            if option.choices:
                line += f" -x -a '{' '.join(option.choices)}'"
            elif option.takes_value:
                line += " -r"
            lines.append(f"{line} -d '{fish_text(option.text)}'")
        for command in part.commands:
            here = f"{seen.replace(' and ', '; and ')}; and " if path else ""
            lines.append(f"complete -c {name} -f -n '{here}not __fish_seen_subcommand_from {inner}' "
                         f"-a {command.words[-1]} -d '{fish_text(command.description)}'")
    return "\n".join([*lines, ""])
