"""`adaptergen catalog`: what a TransformerLens offers, read from its source and committed."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from adaptergen.cli.terminal import say

SUMMARY = "make the catalogue of a TransformerLens version"
DESCRIPTION = """\
Make the catalogue of a TransformerLens: its components with their keywords and hooks, and the
places where an architecture is registered. Specs are checked against the catalogue, so that a
build needs no TransformerLens. It is read from source text; nothing of TransformerLens is run,
unless --observe asks for it. The result lies where builds find it.
"""
EXAMPLES = """\
examples:
  adaptergen catalog                               of the installed TransformerLens
  adaptergen catalog --tl ~/src/TransformerLens --tl-version 4.4.0
  adaptergen catalog --observe                     also make each component, to see its hooks

exit codes:
  0 written or up to date; 2 no TransformerLens, or one that cannot be read
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `catalog`."""
    parser.add_argument(
        "--tl", type=Path, metavar="PATH",
        help="checkout or package folder (default: the installed TransformerLens)",
    )  # fmt: skip
    parser.add_argument(
        "--tl-version", type=_version, metavar="VERSION",
        help="its version, where the files do not say it (a checkout's do not)",
    )  # fmt: skip
    parser.add_argument(
        "--observe", action="store_true",
        help="resolve which hooks are there by default, by making components; the same version "
        "has to be installed, with torch",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Make the catalogue, and write it if it says anything new."""
    from adaptergen import guard
    from adaptergen.catalogue.extract import extract, with_committed_observations
    from adaptergen.catalogue.library import package_of
    from adaptergen.catalogue.observe import observe
    from adaptergen.catalogue.store import dumps, path_of

    hint = "Name a checkout with --tl PATH, or run `pip install 'adaptergen[verify]'`."
    catalogue = extract(package_of(args.tl, hint), args.tl_version)
    catalogue = observe(catalogue) if args.observe else with_committed_observations(catalogue)
    for gap in catalogue.gaps:
        say(f"not understood: {gap}")
    file, text = path_of(catalogue.tl_version), dumps(catalogue)
    fresh = not guard.has_text(file, text)
    if fresh:
        file.parent.mkdir(parents=True, exist_ok=True)
        guard.write_whole(file, text.encode())
    count = f"TransformerLens {catalogue.tl_version}, {len(catalogue.components)} components"
    say(f"{'Wrote' if fresh else 'Fine, up to date:'} {file} ({count}).")
    return 0


def _version(text: str) -> str:
    if not re.fullmatch(r"\d[0-9A-Za-z.+]*", text):
        from adaptergen.catalogue.store import committed_versions

        newest = committed_versions()[-1]
        raise argparse.ArgumentTypeError(f"{text!r} is not a version such as {newest}")
    return text
