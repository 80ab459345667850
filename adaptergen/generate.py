"""A spec's file in, the files of its adapter out: the whole way, in one place."""

from __future__ import annotations

import os
from pathlib import Path

from adaptergen import __version__
from adaptergen.behaviours import with_components
from adaptergen.catalogue.model import Catalogue
from adaptergen.catalogue.store import load as load_catalogue
from adaptergen.lock.disagree import disagreements
from adaptergen.lock.paths import has_lock, lock_path
from adaptergen.lock.store import read_lock
from adaptergen.output.tree import OutputTree
from adaptergen.plan.make import make_plan
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed
from adaptergen.resources import shapes
from adaptergen.spec.load import LoadedSpec, load


def plan(path: Path, of: Catalogue | None = None, copy: Path | None = None) -> Plan:
    """The plan of the spec at `path`, for the TransformerLens that a catalogue is of.

    A `copy` is read, with the shapes beside it, as if it were the file at `path`. Raises `Failed`
    with every problem found.
    """
    header = f"# Generated from {project_path(path)} by `adaptergen build {project_path(path)}`."
    return make_plan(_load(path, copy), with_components(of) if of else _catalogue(), header)


def generate(path: Path) -> OutputTree:
    """The files that the spec at `path` makes. Raises `Failed` with every problem found."""
    made = plan(path)
    _check_against_lock(path, made)
    return files_of(path, made)


def files_of(path: Path, made: Plan) -> OutputTree:
    """The files that a plan of the spec at `path` makes, whatever the lock beside it says."""
    # Here, so that those who want a plan only do not import the formatters.
    from adaptergen.render.files import render_files

    files = render_files(made, _catalogue())
    return OutputTree(
        name=made.spec.module,
        spec=project_path(path),
        files={name: text.encode() for name, text in files.items()},
        meta={"adaptergen": __version__, "transformer_lens": made.tl_version},
    )


def module_of(path: Path) -> str:
    """The module that the spec at `path` names; empty if even that has a problem."""
    try:
        loaded = _load(path)
    except Failed:
        return ""
    return loaded.spec.module if loaded.source.is_resolved(("module",)) else ""


def shown_as(path: Path) -> str:
    """A spec's file as problems name it: as the user wrote it."""
    return path.as_posix()


def project_path(path: Path) -> str:
    """A spec's file by its path in the project, which is the folder around `specs`."""
    parts = Path(os.path.abspath(path)).parts
    return "/".join(parts[-2:]) if parts[-2] == "specs" else parts[-1]


def _check_against_lock(path: Path, made: Plan) -> None:
    """Raise `Failed` where the lock beside the spec, if there is one, shows something else."""
    if not has_lock(path):
        return
    beside = lock_path(path)
    lock = read_lock(beside, shown_as(beside))
    problems = disagreements(made, lock)
    if problems:
        raise Failed(problems)


def _load(path: Path, copy: Path | None = None) -> LoadedSpec:
    return load(copy or path, shown_as(path), shapes())


def _catalogue() -> Catalogue:
    return with_components(load_catalogue()[0])
