"""The folder of a package: whether one may be written there, and all that shall be in it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adaptergen import __version__
from adaptergen.catalogue import load
from adaptergen.output.transaction import PACKAGE, recorded_meta
from adaptergen.output.tree import OutputTree
from adaptergen.plan.model import Plan
from adaptergen.plugin.files import plugin_files
from adaptergen.plugin.names import clashes, plugin_name
from adaptergen.problems import Failed, Problem, SourceLocation, quote


def plugin_wanted(
    folder: Path, plans: Sequence[tuple[Path, Plan]], shown: Sequence[str]
) -> OutputTree:
    """All files of the package at `folder`, which becomes a folder of that name in its parent.

    `plans` have the file of their spec beside them, `shown` are those files by their paths in the
    project. Raises `Failed` if the folder or what shall go into it will not do.
    """
    name = plugin_name(folder)
    problems = [*clashes(plans), *_foreign(folder, name.package)]
    if problems:
        raise Failed(problems)
    command = shlex.join(["adaptergen", "export", *shown, "--plugin", name.distribution])
    header = f"# Generated from {', '.join(shown)} by `{command}`."
    own = [
        replace(plan, package=name.package, runtime=f"{name.package}._runtime", header=header)
        for _, plan in plans
    ]
    files = plugin_files(name, own, load()[0].adapters, header)
    versions = {"adaptergen": __version__, "transformer_lens": own[0].tl_version}
    return OutputTree(
        name=name.distribution,
        spec=", ".join(shown),
        files={path: text.encode() for path, text in files.items()},
        meta={**versions, PACKAGE: name.package},
    )


def _foreign(folder: Path, package: str) -> list[Problem]:
    """What speaks against a folder that is there already."""
    if not folder.is_dir() or not (held := sorted(os.listdir(folder))):
        return []
    made = recorded_meta(folder).get(PACKAGE)
    if made == package:
        return []
    what = f"the package {quote(str(made))}" if made else f"{quote(held[0])}, which is no package"
    message = f"the folder holds {what} that adaptergen made"
    hint = "name a folder that does not exist yet, or move this one away"
    return [Problem("plugin-folder", message, hint, SourceLocation(folder.as_posix()))]
