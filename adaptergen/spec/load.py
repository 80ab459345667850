"""From files to a checked spec with the shapes it uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adaptergen import guard
from adaptergen.problems import Failed, Problem, SourceLocation
from adaptergen.source.read import read_source
from adaptergen.source.source import Source
from adaptergen.source.validate import recover
from adaptergen.spec.architecture import Spec
from adaptergen.spec.shape import Shape

#: The folder that problems name for shapes that come with adaptergen.
PACKAGED = "adaptergen/shapes/"


@dataclass(frozen=True)
class LoadedShape:
    """A shape, and where it was written. Both are None if the file cannot be read."""

    shape: Shape | None
    source: Source | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class LoadedSpec:
    """A spec, the shapes it uses, where all of them were written, and what shapes there are.

    `problems` are those of all files. What they are about is left out of the spec and the shapes,
    or has a stand-in; the sources know what that is.
    """

    spec: Spec
    source: Source
    shapes: Mapping[str, LoadedShape]
    shape_names: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def load(path: Path, shown_as: str, shapes: Path) -> LoadedSpec:
    """Read the spec at `path`, and those shapes that it uses.

    A shape is a file in the folder `shapes` beside the spec, or else in `shapes`, those that come
    with adaptergen. Problems name the spec `shown_as`, and a shape by its file beside it. Where
    there is a problem, all shapes beside it are read: which of them are used may be in doubt.
    Raises `Failed` with the problems of all files if nothing can be said of the spec.
    """
    shown_folder = shown_as[: len(shown_as) - len(path.name)] + "shapes/"
    beside = path.parent / "shapes"
    own = _yaml_files(beside, shown_folder) if beside.is_dir() else ()
    names = tuple(sorted({*own, *_yaml_files(shapes, PACKAGED)}))

    def read(wanted: Collection[str]) -> dict[str, LoadedShape]:
        # Shapes are kept by their place, which a relative path is not.
        places = {True: (beside.absolute(), shown_folder), False: (shapes, PACKAGED)}
        return {name: load_shape(*places[name in own], name) for name in sorted(wanted)}

    try:
        spec, source = recover(read_source(path, shown_as, lenient=True), Spec)
    except Failed as failed:
        raise Failed([*failed.problems, *_problems(read(own))]) from None
    problems = list(source.problems)
    if spec and path.name != f"{spec.module}.yaml" and source.is_resolved(("module",)):
        hint = f"call the file {spec.module}.yaml, or the module {path.stem}"
        message = f"the module is called {spec.module}, and the file is not"
        problems.append(source.problem("module-not-file", message, hint, ("module",)))
    found = _used(source.data, names, read)
    if problems or _problems(found):
        found |= read(own)
    problems += _problems(found)
    if spec is None:
        raise Failed(problems)
    return LoadedSpec(spec, source, found, names, tuple(problems))


def _used(
    data: object, names: Collection[str], read: Callable[[Collection[str]], dict[str, LoadedShape]]
) -> dict[str, LoadedShape]:
    """The shapes that a spec uses, and those that these use."""
    found: dict[str, LoadedShape] = {}
    named = {*_shapes_named(data)}
    while wanted := named.intersection(names) - found.keys():
        more = read(wanted)
        found |= more
        sources = [shape.source for shape in more.values() if shape.source]
        named = {name for source in sources for name in _shapes_named(source.data)}
    return found


def _yaml_files(folder: Path, shown_as: str) -> tuple[str, ...]:
    try:
        project = guard.project_of(folder / "any.yaml")
        if project is not None:
            guard.keep_inside(folder, project)
        found = os.listdir(folder)
    except guard.Unfit as unfit:
        place = SourceLocation(shown_as.rstrip("/"))
        raise Failed([Problem(unfit.code, unfit.message, unfit.hint, place)]) from None
    except OSError as error:
        message = f"the folder cannot be read: {error.strerror or error}"
        place = SourceLocation(shown_as.rstrip("/"))
        problem = Problem("unreadable-file", message, "check its permissions", place)
        raise Failed([problem]) from None
    return tuple(sorted(name[: -len(".yaml")] for name in found if name.endswith(".yaml")))


@cache
def load_shape(folder: Path, shown_folder: str, name: str) -> LoadedShape:
    """The shape of that name; it is read once."""
    path, shown_as = folder / f"{name}.yaml", f"{shown_folder}{name}.yaml"
    try:
        read = read_source(path, shown_as, lenient=True, start="shape: 1")
    except Failed as failed:
        return LoadedShape(None, None, failed.problems)
    shape, source = recover(read, Shape)
    return LoadedShape(shape, source, source.problems)


def _problems(shapes: Mapping[str, LoadedShape]) -> list[Problem]:
    return [problem for shape in shapes.values() for problem in shape.problems]


def _shapes_named(data: object) -> Iterator[str]:
    """The names of all shapes that are used anywhere in a file."""
    if isinstance(data, dict):
        if isinstance(data.get("shape"), str):
            yield data["shape"]
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _shapes_named(item)
