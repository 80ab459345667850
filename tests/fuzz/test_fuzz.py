"""Mutated specs: every one of them makes proper files, or problems, and nothing else.

`ADAPTERGEN_FUZZ` is how many are tried; `make fuzz` sets it higher than an ordinary run does.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from checks import check_files
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutated import (
    PAYLOADS,
    SHAPES,
    Case,
    as_yaml,
    cases,
    originals,
    places,
    source,
    used_shapes,
)

from adaptergen.behaviours import with_components
from adaptergen.catalogue.model import Catalogue
from adaptergen.catalogue.store import load as load_catalogue
from adaptergen.error_codes import error_codes
from adaptergen.plan.make import make_plan
from adaptergen.problems import HIDDEN, Failed, render
from adaptergen.render import templates
from adaptergen.render.files import render_files
from adaptergen.source.validate import recover
from adaptergen.spec.architecture import Spec
from adaptergen.spec.load import LoadedShape, LoadedSpec, load, load_shape
from adaptergen.spec.shape import Shape

ORDINARY = 3000
EXAMPLES = int(os.environ.get("ADAPTERGEN_FUZZ", ORDINARY))
#: Of those, one in this many is read from a file, and one in that many of these is formatted.
READ, FORMATTED = 50, 200
HEADER = "# Generated from specs/nemotron_h.yaml by `adaptergen build specs/nemotron_h.yaml`."


def many(examples: int) -> settings:
    """The same examples in every ordinary run, and new ones where more are asked for."""
    return settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        derandomize=EXAMPLES <= ORDINARY,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


#: What came out of each example: "files", or the codes of its problems.
seen: dict[str, int] = {}


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the specs that are read from files."""
    folder = tmp_path_factory.mktemp("fuzz") / "specs"
    (folder / "shapes").mkdir(parents=True)
    yield folder


@pytest.fixture
def unformatted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Formatting takes most of the time of a build, so here the text is only compiled."""
    monkeypatch.setattr(templates, "format_python", lambda text: text)


@cache
def known() -> Catalogue:
    return with_components(load_catalogue()[0])


@cache
def all_shapes() -> dict[str, LoadedShape]:
    return {
        path.stem: load_shape(SHAPES, "specs/shapes/", path.stem) for path in SHAPES.glob("*.yaml")
    }


def loaded_from_data(case: Case) -> LoadedSpec:
    shapes = all_shapes()
    spec, recovered = recover(source("specs/nemotron_h.yaml", case.spec), Spec)
    problems = recovered.problems
    if case.shape is not None:
        shape_source = source(f"specs/shapes/{case.shape_name}.yaml", case.shape)
        shape, shape_source = recover(shape_source, Shape)
        loaded = LoadedShape(shape, shape_source, shape_source.problems)
        shapes = {**shapes, case.shape_name: loaded}
        problems += loaded.problems
    if spec is None:
        raise Failed(problems)
    return LoadedSpec(spec, recovered, shapes, tuple(shapes), problems)


def check(loaded: LoadedSpec) -> None:
    check_files(render_files(make_plan(loaded, known(), HEADER), known()))


def check_problems(failed: Failed) -> None:
    """Problems of known codes, which can be shown."""
    assert failed.problems
    for problem in failed.problems:
        assert problem.code in error_codes(), problem
        assert problem.location is not None, problem
        seen[problem.code] = seen.get(problem.code, 0) + 1
    assert not HIDDEN.search(render(failed.problems))


@many(EXAMPLES)
@given(cases())
def _from_data(case: Case) -> None:
    try:
        check(loaded_from_data(case))
        seen["files"] = seen.get("files", 0) + 1
    except Failed as failed:
        check_problems(failed)


def test_mutated_data(unformatted: None) -> None:
    seen.clear()
    _from_data()
    print(f"{EXAMPLES} specs:", dict(sorted(seen.items(), key=lambda pair: -pair[1])))
    # Neither so mild that nothing is refused nor so wild that nothing comes through.
    assert seen["files"] > EXAMPLES // 100
    assert len(seen) > min(25, EXAMPLES // 50)


def test_a_payload_in_every_text(unformatted: None) -> None:
    """Each text and each key of the spec and its shapes in turn, with a few of the payloads."""
    turn, tried = 0, 0
    for name in ("", *used_shapes()):
        for position, (_, key) in enumerate(places(originals()[name])):
            for into in ("value", "key"):
                for payload in PAYLOADS[turn % 20 :: 20]:
                    data = copy.deepcopy(originals()[name])
                    holder, key = places(data)[position]
                    if into == "key" and isinstance(holder, dict):
                        holder[payload] = holder.pop(key)
                    elif into == "value" and not isinstance(holder[key], (dict, list)):
                        holder[key] = payload
                    else:
                        continue
                    case = Case(originals()[""], name, data) if name else Case(data, "", None)
                    tried += 1
                    try:
                        check(loaded_from_data(case))
                    except Failed as failed:
                        check_problems(failed)
                turn += 1
    print(f"{tried} texts with a payload")


def test_every_part_left_out_or_empty(unformatted: None) -> None:
    """Each part of the spec and its shapes in turn: what text is made of it may be no text."""
    made = 0
    for name in ("", *used_shapes()):
        for position in range(len(list(places(originals()[name])))):
            for change in ("left out", "empty"):
                data = copy.deepcopy(originals()[name])
                holder, key = list(places(data))[position]
                if change == "empty" and isinstance(holder[key], (dict, list)):
                    holder[key] = type(holder[key])()
                elif change == "left out":
                    del holder[key]
                else:
                    continue
                case = Case(originals()[""], name, data) if name else Case(data, "", None)
                try:
                    check(loaded_from_data(case))
                    made += 1
                except Failed as failed:
                    check_problems(failed)
    assert made > 50


def test_mutated_files(unformatted: None, folder: Path) -> None:
    @many(EXAMPLES // READ)
    @given(cases())
    def from_file(case: Case) -> None:
        for name, data in originals().items():
            if name:
                text = as_yaml(case.shape if name == case.shape_name and case.shape else data)
                (folder / "shapes" / f"{name}.yaml").write_text(text, "utf-8")
        path = folder / "nemotron_h.yaml"
        path.write_text(as_yaml(case.spec), "utf-8")
        load_shape.cache_clear()
        try:
            check(load(path, "specs/nemotron_h.yaml", folder / "shapes"))
        except Failed as failed:
            check_problems(failed)

    from_file()


@many(EXAMPLES // FORMATTED)
@given(cases())
def test_mutated_data_formatted(case: Case) -> None:
    try:
        check(loaded_from_data(case))
    except Failed as failed:
        check_problems(failed)


TEXT = (SHAPES.parent / "nemotron_h.yaml").read_text("utf-8")


def test_mutated_text(unformatted: None, folder: Path) -> None:
    """Characters put into the text of the file, where they meet the syntax of YAML."""

    @many(EXAMPLES // READ)
    @given(
        st.integers(0, len(TEXT)),
        st.integers(0, 8),
        st.one_of(st.sampled_from(PAYLOADS), st.text(max_size=4)),
    )
    def from_text(at: int, length: int, put: str) -> None:
        path = folder / "nemotron_h.yaml"
        text = TEXT[:at] + put + TEXT[at + length :]
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            check(load(path, "specs/nemotron_h.yaml", SHAPES))
        except Failed as failed:
            check_problems(failed)

    from_text()
