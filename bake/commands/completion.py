"""Print the completion script for a shell, e.g. `source <(bake completion bash)`."""

import argparse
import re
from collections.abc import Mapping
from typing import Any

from bake.commands.tree import command_tree
from bake.errors import BakeError
from bake.session import Session, find_config

SHELLS = ("bash", "zsh", "fish")
_NAMES = ("targets", "images")
_FILES = ("FILE", "MANIFEST")
_FOLDERS = ("DIR", "FOLDER")

# Without a command the words are those of `build`, and the command's name may follow. shtab knows no such thing.
_ZSH_BEFORE = """
functions[_shtab_bake_named]=$functions[_shtab_bake]
_shtab_bake() {
  local word target
  for word in "${(@)words[2,CURRENT-1]}"; do
    (( ${_bake_known[(Ie)$word]} )) && { _shtab_bake_named; return }
    (( ${_bake_global[(Ie)$word]} )) || target=$word
  done
  [[ -n $target ]] || _shtab_bake_named
  words=("$words[1]" build "${(@)words[2,-1]}")
  (( CURRENT += 1 ))
  _shtab_bake_named
}
"""
_AFTER = {
    "bash": """
_bake() {
  local word target offered=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ " ${_shtab_bake_subparsers[*]} " == *" $word "* ]] && { _shtab_bake; return; }
    [[ " ${_shtab_bake_option_strings[*]} " == *" $word "* ]] || target=$word
  done
  [[ $target ]] || { _shtab_bake; offered=("${COMPREPLY[@]}"); }
  local COMP_WORDS=("${COMP_WORDS[0]}" build "${COMP_WORDS[@]:1}") COMP_CWORD=$((COMP_CWORD + 1))
  _shtab_bake
  COMPREPLY=("${offered[@]}" "${COMPREPLY[@]}")
}
complete -o bashdefault -F _bake bake
""",
    "zsh": "",
    "fish": """
function _shtab_bake_using
  _shtab_bake_scan
  test "$_shtab_bake_cmdpath" = "$argv"; or test "$_shtab_bake_cmdpath$argv" = build
end
""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The shell; `targets` and `images` are what the scripts call for names."""
    parser.add_argument(
        "shell", choices=(*SHELLS, *_NAMES), help="the shell; targets, images: the names that the scripts offer"
    )


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Print it."""
    print("\n".join(_names(session, arguments.shell)) if arguments.shell in _NAMES else _script(arguments.shell))
    return 0


def _script(shell: str) -> str:
    import shtab

    tree, commands = command_tree()
    for parser in (tree, *(each.fill() for each in commands.values())):
        for action in parser._actions:
            if complete := _words_of(action):
                action.complete = complete  # type: ignore[attr-defined]
    known, options = " ".join(commands), " ".join(tree._option_string_actions)
    before: Any = {"zsh": f"_bake_known=({known})\n_bake_global=({options}){_ZSH_BEFORE}"}
    text = shtab.complete(tree, shell=shell, preamble=before)
    # What may come again is `*:` for zsh; shtab writes what may come once, in front of nothing else.
    return re.sub(r'^( *")\(\*\)::?', r"\1*:", text, flags=re.M) + _AFTER[shell].rstrip()


def _words_of(action: argparse.Action) -> Mapping[str, object] | None:
    """What shtab completes an argument with, by what stands for it in the help."""
    import shtab

    if action.metavar in _FILES:
        return dict(shtab.FILE)
    if action.metavar in _FOLDERS:
        return dict(shtab.DIRECTORY)
    which = None if action.option_strings else {"TARGET": "targets", "IMAGE": "images"}.get(str(action.metavar))
    return _asked(which) if which else None


def _asked(which: str) -> Mapping[str, object]:
    """Words that `bake completion` tells each time."""
    ask, name = f"bake completion {which} 2>/dev/null", f"_bake_{which}"
    return {
        "bash": name,
        "zsh": name,
        "fish": f"({ask})",
        "preamble": {
            "bash": f'{name}() {{ compgen -W "$({ask})" -- "$1"; }}',
            "zsh": f'{name}() {{ compadd -- ${{(f)"$({ask})"}}; }}',
        },
    }


def _names(session: Session, which: str) -> tuple[str, ...]:
    """Names of bake.toml, without reading the workspace; none where there is no bake.toml."""
    from bake.config import image_names, load_config

    try:
        config = load_config(session.file or find_config(session.directory))
    except BakeError:
        return ()
    images = tuple(image_names(config))
    return images if which == "images" else tuple(dict.fromkeys(("all", *config.services, *images)))
