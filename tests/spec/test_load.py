"""Which files of a project are read for a spec, and whose problems are told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adaptergen import resources
from adaptergen.problems import Failed
from adaptergen.spec.load import LoadedSpec, load, load_shape


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A copy of the specs that come with adaptergen."""
    load_shape.cache_clear()
    return Path(shutil.copytree(resources.specs(), tmp_path / "specs"))


def read(specs: Path) -> LoadedSpec:
    return load(specs / "nemotron_h.yaml", "specs/nemotron_h.yaml", resources.shapes())


def test_a_shape_beside_the_spec_comes_before_one_of_adaptergen(specs: Path) -> None:
    for path in (specs / "shapes").iterdir():
        path.unlink()
    shutil.copy(resources.shapes() / "rms_norm.yaml", specs / "shapes")
    shutil.copy(resources.shapes() / "rms_norm.yaml", specs / "shapes" / "own_norm.yaml")
    found = read(specs)
    assert not found.problems and {"own_norm", "moe"} <= {*found.shape_names}
    shown = {name: shape.source.path for name, shape in found.shapes.items() if shape.source}
    assert shown["rms_norm"] == "specs/shapes/rms_norm.yaml"
    assert shown["moe"] == "adaptergen/shapes/moe.yaml"


def test_a_spec_alone(specs: Path) -> None:
    shutil.rmtree(specs / "shapes")
    found = read(specs)
    assert not found.problems and "moe" in found.shapes


def test_what_a_spec_uses_is_read_and_what_that_uses(specs: Path) -> None:
    assert "latent_attention" in read(specs).shape_names
    assert "latent_attention" not in read(specs).shapes
    load_shape.cache_clear()
    with (specs / "shapes" / "ssm_block.yaml").open("a", encoding="utf-8") as file:
        file.write("submodules: {a: {shape: latent_attention, path: a}}\n")
    assert "latent_attention" in read(specs).shapes


def test_a_folder_of_shapes_that_cannot_be_read_is_one_problem(
    specs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.listdir", no)
    monkeypatch.setattr("os.scandir", no)
    with pytest.raises(Failed) as caught:
        read(specs)
    (problem,) = caught.value.problems
    assert problem.code == "unreadable-file" and problem.hint == "check its permissions"
    assert problem.message == "the folder cannot be read: Permission denied"
    assert problem.location and problem.location.path == "specs/shapes"


def test_a_shape_that_is_not_used_stands_in_no_ones_way(specs: Path) -> None:
    (specs / "shapes" / "latent_attention.yaml").write_text("shape: 2\n", "utf-8")
    assert len(read(specs).shapes) < len(read(specs).shape_names)


def test_where_one_file_is_wrong_all_that_are_wrong_are_told(specs: Path) -> None:
    for name in ("latent_attention", "mamba2_mixer"):
        (specs / "shapes" / f"{name}.yaml").write_text("shape: 2\n", "utf-8")
    paths = {problem.location.path for problem in read(specs).problems if problem.location}
    assert paths == {"specs/shapes/latent_attention.yaml", "specs/shapes/mamba2_mixer.yaml"}
