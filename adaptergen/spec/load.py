"""From files to a checked spec with the shapes it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adaptergen.problems import Failed, Problem, every
from adaptergen.source import Source, read_source, validate
from adaptergen.spec.architecture import Spec
from adaptergen.spec.shape import Shape


@dataclass(frozen=True)
class LoadedShape:
    """A shape, and where it was written."""

    shape: Shape
    source: Source


@dataclass(frozen=True)
class LoadedSpec:
    """A spec, the shapes at hand, and where all of them were written."""

    spec: Spec
    source: Source
    shapes: Mapping[str, LoadedShape]


def load(path: Path, shown_as: str, shapes: Path) -> LoadedSpec:
    """Read the spec at `path` and the shapes in the folder `shapes`.

    Problems name the spec `shown_as`, and a shape by its file beside it. Raises `Failed` with the
    problems of all files.
    """
    shown_folder = shown_as[: len(shown_as) - len(path.name)] + "shapes/"
    problems: list[Problem] = []
    try:
        spec, source = _load_spec(path, shown_as)
    except Failed as failed:
        problems += failed.problems
    try:
        found = load_shapes(shapes, shown_folder)
    except Failed as failed:
        problems += failed.problems
    if problems:
        raise Failed(problems)
    return LoadedSpec(spec, source, found)


def _load_spec(path: Path, shown_as: str) -> tuple[Spec, Source]:
    source = read_source(path, shown_as)
    spec = validate(source, Spec)
    if path.name != f"{spec.module}.yaml":
        hint = f"call the file {spec.module}.yaml, or the module {path.stem}"
        message = f"the module is called {spec.module}, and the file is not"
        raise Failed([source.problem("module-not-file", message, hint, ("module",))])
    return spec, source


@cache
def load_shapes(folder: Path, shown_folder: str) -> Mapping[str, LoadedShape]:
    """The shapes in a folder, by name."""

    def load_shape(path: Path) -> LoadedShape:
        source = read_source(path, shown_folder + path.name)
        return LoadedShape(validate(source, Shape), source)

    paths = sorted(folder.glob("*.yaml"))
    return dict(zip((path.stem for path in paths), every(load_shape, paths), strict=True))
