"""From files to a checked spec with the shapes it uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from adaptergen.problems import Failed, every
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
    """A spec, the shapes it uses, where all of them were written, and what shapes there are."""

    spec: Spec
    source: Source
    shapes: Mapping[str, LoadedShape]
    shape_names: tuple[str, ...]


def load(path: Path, shown_as: str, shapes: Path) -> LoadedSpec:
    """Read the spec at `path`, and those shapes in the folder `shapes` that it uses.

    Problems name the spec `shown_as`, and a shape by its file beside it. Raises `Failed` with the
    problems of all files, then also of shapes that are not used.
    """
    shown_folder = shown_as[: len(shown_as) - len(path.name)] + "shapes/"
    names = tuple(sorted(shape.stem for shape in shapes.glob("*.yaml")))
    try:
        spec, source = _load_spec(path, shown_as)
        found: dict[str, LoadedShape] = {}
        wanted = {*_shapes_named(source.data)}.intersection(names)
        while wanted:
            found |= _load_shapes(shapes, shown_folder, wanted)
            named = {name for one in wanted for name in _shapes_named(found[one].source.data)}
            wanted = named.intersection(names) - found.keys()
        return LoadedSpec(spec, source, found, names)
    except Failed as failed:
        problems = failed.problems
    try:
        _load_shapes(shapes, shown_folder, names)
    except Failed as failed:
        problems += failed.problems
    raise Failed(problems)


def _load_spec(path: Path, shown_as: str) -> tuple[Spec, Source]:
    source = read_source(path, shown_as)
    spec = validate(source, Spec)
    if path.name != f"{spec.module}.yaml":
        hint = f"call the file {spec.module}.yaml, or the module {path.stem}"
        message = f"the module is called {spec.module}, and the file is not"
        raise Failed([source.problem("module-not-file", message, hint, ("module",))])
    return spec, source


def _load_shapes(folder: Path, shown: str, names: Iterable[str]) -> dict[str, LoadedShape]:
    """Shapes of a folder by their names; `Failed` with the problems of all of them."""
    ordered = sorted(names)
    loaded = every(lambda name: load_shape(folder, shown, name), ordered)
    return dict(zip(ordered, loaded, strict=True))


@cache
def load_shape(folder: Path, shown_folder: str, name: str) -> LoadedShape:
    """The shape of that name; it is read once."""
    source = read_source(folder / f"{name}.yaml", f"{shown_folder}{name}.yaml")
    return LoadedShape(validate(source, Shape), source)


def _shapes_named(data: object) -> Iterator[str]:
    """The names of all shapes that are used anywhere in a file."""
    if isinstance(data, dict):
        if isinstance(data.get("shape"), str):
            yield data["shape"]
        data = list(data.values())
    if isinstance(data, list):
        for item in data:
            yield from _shapes_named(item)
