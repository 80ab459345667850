"""Committed catalogues: light to read, stable to write, never missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from adaptergen.catalogue.extract import extract
from adaptergen.catalogue.model import CatalogueError
from adaptergen.catalogue.store import committed_versions, dumps, load, path_of, read
from adaptergen.cli import main

Tree = Callable[[Mapping[str, str]], Path]


def test_the_exact_version_has_no_warning() -> None:
    catalogue, warning = load("4.3.0")
    assert (catalogue.tl_version, warning) == ("4.3.0", None)
    assert load(None) == load() == (load(committed_versions()[-1])[0], None)


@pytest.mark.parametrize("version", ["4.3.1", "99.0", "1.0", "4.4.0rc1", "main", ""])
def test_another_version_gets_the_nearest_and_a_warning(version: str) -> None:
    catalogue, warning = load(version)
    assert catalogue.tl_version in committed_versions()
    assert warning is not None
    assert f"TransformerLens {version}" in warning and catalogue.tl_version in warning


def test_which_version_is_nearest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = path_of("4.3.0").read_text(encoding="utf-8")
    monkeypatch.setattr("adaptergen.catalogue.store._FOLDER", tmp_path)
    with pytest.raises(CatalogueError, match="no catalogue"):
        load()
    versions = ["3.9.0", "3.10.0", "4.3.0"]
    for version in versions:
        data = json.loads(text) | {"tl_version": version}
        path_of(version).write_text(json.dumps(data), encoding="utf-8")
    assert list(committed_versions()) == versions
    asked = ["3.1", "3.9.5", "3.11", "4.2.9", "5", "dev"]
    # read() too is asked, so that the cache of load() cannot answer for the real folder.
    used = [read(path_of(load(version)[0].tl_version)).tl_version for version in asked]
    assert used == ["3.9.0", "3.9.0", "3.10.0", "3.10.0", "4.3.0", "4.3.0"]


def test_writing_and_reading_are_inverse(tree: Tree, tmp_path: Path) -> None:
    text = path_of("4.3.0").read_text(encoding="utf-8")
    assert dumps(read(path_of("4.3.0"))) == text
    assert text.endswith("}\n")
    small = extract(tree({}), "9.9")
    file = tmp_path / "small.json"
    file.write_text(dumps(small), encoding="utf-8")
    assert read(file) == small


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 1}', '{"format": 2}'])
def test_a_damaged_file_is_said_to_be(tmp_path: Path, text: str) -> None:
    file = tmp_path / "damaged.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueError) as caught:
        read(file)
    assert "adaptergen catalog" in caught.value.hint


@pytest.mark.parametrize("text", ["{", '{"format": 2}'])
def test_a_damaged_file_is_made_anew(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    folder = tmp_path / "catalogues"
    folder.mkdir()
    monkeypatch.setattr("adaptergen.catalogue.store._FOLDER", folder)
    path_of("9.9").write_text(text, encoding="utf-8")
    root = tree({})
    assert main(["catalog", "--tl", str(root), "--tl-version", "9.9"]) == 0
    assert read(path_of("9.9")) == extract(root, "9.9")


def test_reading_needs_nothing_heavy() -> None:
    program = (
        "import sys; from adaptergen.catalogue.store import load;"
        "from adaptergen.catalogue.library import find_installed, installed_version;"
        "load('4.3.0'); load('77'); find_installed(); installed_version();"
        "heavy = {'torch', 'transformers', 'transformer_lens', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"
