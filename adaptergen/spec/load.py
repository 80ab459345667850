"""From files to a checked spec with the shapes it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adaptergen.problems import Failed, Problem
from adaptergen.source import Source, mend, read_source
from adaptergen.spec.architecture import Spec
from adaptergen.spec.shape import Shape


@dataclass(frozen=True)
class LoadedShape:
    """A shape, and where it was written. Both are None if the file cannot be read."""

    shape: Shape | None
    source: Source | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class LoadedSpec:
    """A spec, the shapes at hand, and where all of them were written.

    `problems` are those of all files. What they are about is left out of the spec and the shapes,
    or has a stand-in; the sources know what that is.
    """

    spec: Spec
    source: Source
    shapes: Mapping[str, LoadedShape]
    problems: tuple[Problem, ...] = ()


def load(path: Path, shown_as: str, shapes: Path) -> LoadedSpec:
    """Read the spec at `path` and the shapes in the folder `shapes`.

    Problems name the spec `shown_as`, and a shape by its file beside it. Raises `Failed` with the
    problems of all files if nothing can be said of the spec.
    """
    shown_folder = shown_as[: len(shown_as) - len(path.name)] + "shapes/"
    found = load_shapes(shapes, shown_folder)
    problems = [problem for shape in found.values() for problem in shape.problems]
    try:
        mended = mend(read_source(path, shown_as, lenient=True), Spec)
    except Failed as failed:
        raise Failed([*failed.problems, *problems]) from None
    spec, source = mended.model, mended.source
    problems += source.problems
    if spec is None:
        raise Failed(problems)
    if path.name != f"{spec.module}.yaml" and source.known(("module",)):
        hint = f"call the file {spec.module}.yaml, or the module {path.stem}"
        message = f"the module is called {spec.module}, and the file is not"
        problems.append(source.problem("module-not-file", message, hint, ("module",)))
    return LoadedSpec(spec, source, found, tuple(problems))


@cache
def load_shapes(folder: Path, shown_folder: str) -> Mapping[str, LoadedShape]:
    """The shapes in a folder, by name."""
    return {path.stem: _load_shape(path, shown_folder) for path in sorted(folder.glob("*.yaml"))}


def _load_shape(path: Path, shown_folder: str) -> LoadedShape:
    try:
        mended = mend(read_source(path, shown_folder + path.name, lenient=True), Shape)
    except Failed as failed:
        return LoadedShape(None, None, failed.problems)
    return LoadedShape(mended.model, mended.source, mended.source.problems)
