"""`adaptergen completion`: a script that lets a shell complete command lines."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from adaptergen.cli.terminal import say

SUMMARY = "print a script with which a shell completes commands"
DESCRIPTION = """\
Print a script that lets a shell complete commands, options, their choices and files. The script
is complete in itself: completing starts no Python. Print it again after an update of adaptergen.

Needs shtab: pip install 'adaptergen[completion]'
"""
EXAMPLES = """\
examples:
  adaptergen completion bash > ~/.local/share/bash-completion/completions/adaptergen
  adaptergen completion zsh > ~/.zfunc/_adaptergen     (a folder that $fpath names)
  adaptergen completion fish > ~/.config/fish/completions/adaptergen.fish

exit codes:
  0 printed; 2 shtab is not installed
"""
SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `completion`."""
    parser.add_argument("shell", choices=SHELLS, help="for which shell")


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from adaptergen import emit

    # The parser is made of the commands, of which this module is one.
    from adaptergen.cli.entry import make_parser

    try:
        import shtab
    except ModuleNotFoundError:
        say("This needs shtab, which is not installed.")
        say("  hint: run `pip install 'adaptergen[completion]'`")
        return 2
    parser = make_parser()
    file, folder = shtab.FILE, shtab.DIRECTORY
    _complete_paths(parser, {"SPEC": file, "FILE": file, "DIR": folder, "PATH": folder})
    emit.put(shtab.complete(parser, shell=args.shell) + "\n")
    return 0


def _complete_paths(parser: argparse.ArgumentParser, ways: Mapping[str, object]) -> None:
    """Let arguments that are paths complete to files or folders; the metavar says which."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_paths(command, ways)
        elif action.metavar in ways:
            # The attribute that shtab reads: argparse, and so its types, does not know it.
            vars(action)["complete"] = ways[str(action.metavar)]
