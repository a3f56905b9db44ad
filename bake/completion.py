"""Shell completion, made from the commands' own parsers. Pure."""

import argparse
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SHELLS = ("bash", "zsh", "fish")
_NAMES = "bake completion targets 2>/dev/null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What can follow a command. options: option -> its help. choices: option -> values it takes, "" for
    the words of a positional argument. targets: whether images can follow."""

    name: str
    help: str
    options: Mapping[str, str]
    choices: Mapping[str, tuple[str, ...]]
    targets: bool


def read_command(name: str, text: str, parser: argparse.ArgumentParser) -> Command:
    """What argparse knows of a command."""
    actions = [a for a in parser._actions if a.help != argparse.SUPPRESS]
    options = {o: (a.help or "") for a in actions for o in a.option_strings if o.startswith("--")}
    choices = {o: tuple(map(str, a.choices)) for a in actions if a.choices for o in (a.option_strings or [""])}
    return Command(
        name=name,
        help=text,
        options=options,
        choices=choices,
        targets=any(a.dest in {"targets", "target"} and not a.option_strings for a in actions),
    )


def render_completion(shell: str, commands: Sequence[Command]) -> str:
    """The script that a shell sources. Command `build` can be left out: its options follow `bake` too."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)


def _bash(commands: Sequence[Command]) -> str:
    return "\n".join(
        (
            "# bash completion of bake; load it with: source <(bake completion bash)",
            "_bake() {",
            '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
            '  local command="" words="" word',
            '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
            f'    case "$word" in {"|".join(c.name for c in commands)}) command="$word"; break ;; esac',
            "  done",
            *_cases(commands),
            '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
            "}",
            "complete -o default -F _bake bake",
            "",
        )
    )


def _zsh(commands: Sequence[Command]) -> str:
    return "\n".join(
        (
            "#compdef bake",
            "# zsh completion of bake; load it with: source <(bake completion zsh)",
            "_bake() {",
            '  local current="${words[CURRENT]}" previous="${words[CURRENT-1]}" command="" found="" word',
            '  for word in "${(@)words[2,CURRENT-1]}"; do',
            f'    case "$word" in ({"|".join(c.name for c in commands)}) command="$word"; break ;; esac',
            "  done",
            *(line.replace("words=", "found=") for line in _cases(commands)),
            "  compadd -- ${(z)found}",
            "}",
            "compdef _bake bake",
            "",
        )
    )


def _cases(commands: Sequence[Command]) -> Iterable[str]:
    """The lines that set `words` by the command and the word before; bash and zsh read them alike."""
    yield '  case "$command" in'
    for command in commands:
        yield f"    ({command.name})"
        yield f"      {_set((*command.options, *command.choices.get('', ())), targets=command.targets)}"
        valued = {o: values for o, values in command.choices.items() if o}
        if valued:
            yield '      case "$previous" in'
            yield from (f"        ({option}) {_set(values, targets=False)} ;;" for option, values in valued.items())
            yield "      esac ;;"
        else:
            yield "      ;;"
    build = next((c for c in commands if c.name == "build"), None)
    options = (*(build.options if build else ()), "--version")
    yield f"    (*) {_set((*(c.name for c in commands), *options), targets=True)} ;;"
    yield "  esac"


def _set(words: Iterable[str], *, targets: bool) -> str:
    text = " ".join(words)
    return f'words="{text} $({_NAMES})"' if targets else f'words="{text}"'


def _fish(commands: Sequence[Command]) -> str:
    names = " ".join(c.name for c in commands)
    none = f'"not __fish_seen_subcommand_from {names}"'
    lines = ["# fish completion of bake; load it with: bake completion fish | source"]
    lines += [f"complete -c bake -n {none} -f -a {c.name} -d {_quote(c.help)}" for c in commands]
    lines += [f"complete -c bake -n {none} -f -a '({_NAMES})'"]
    for command in commands:
        seen = f'"__fish_seen_subcommand_from {command.name}"'
        lines += [_fish_option(seen, command, option, text) for option, text in command.options.items()]
        words = " ".join(command.choices.get("", ()))
        lines += [f"complete -c bake -n {seen} -f -a '{words}'"] if words else []
        lines += [f"complete -c bake -n {seen} -f -a '({_NAMES})'"] if command.targets else []
    return "\n".join((*lines, ""))


def _fish_option(seen: str, command: Command, option: str, text: str) -> str:
    values = command.choices.get(option)
    taken = f" -x -a {shlex.quote(' '.join(values))}" if values else ""
    return f"complete -c bake -n {seen} -l {option[2:]}{taken} -d {_quote(text)}"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
