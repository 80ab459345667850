"""Where a package may be written, and what is refused: with a code, and nothing written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adaptergen.cli import main
from adaptergen.plugin import package_name
from adaptergen.problems import Failed


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "specs" not in path.parts
    }


def refused(export: Any, project: Path, *arguments: str) -> str:
    """What is said; the folder is as it was."""
    before = tree(project)
    result = export(*arguments)
    assert (result.code, result.out) == (2, "")
    assert tree(project) == before
    return str(result.err)


def test_a_second_export_changes_nothing(export: Any, project: Path) -> None:
    assert export().code == 0
    before = tree(project)
    times = {path: path.stat().st_mtime_ns for path in (project / "tl-helium").rglob("*")}
    second = export()
    assert (second.code, second.err) == (0, f"Fine: {len(before)} unchanged.\n")
    assert tree(project) == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.parametrize("folder", ["tl-helium", "made/on/the/way/tl-helium", "tl-helium/"])
def test_nothing_else_is_left(export: Any, project: Path, folder: str) -> None:
    assert export(folder).code == 0
    assert {path.partition("tl-helium")[1] for path in tree(project)} == {"tl-helium"}
    assert not list(project.rglob(".adaptergen"))


def test_an_empty_folder_is_taken(export: Any, project: Path) -> None:
    (project / "tl-helium").mkdir()
    assert export().code == 0


def test_what_the_author_adds_stays(export: Any, project: Path) -> None:
    export()
    own = {"LICENSE": "mine", "tests/test_mine.py": "", "src/tl_helium/more.py": ""}
    for name, text in own.items():
        (project / "tl-helium" / name).write_text(text)
    assert export("specs/helium.yaml", "specs/nemotron_h.yaml", "tl-helium").code == 0
    files = tree(project / "tl-helium")
    assert own.keys() <= files.keys() and files["LICENSE"] == b"mine"
    assert "src/tl_helium/nemotron_h.py" in files


def test_a_spec_that_is_left_out_goes(export: Any, project: Path) -> None:
    export("specs/helium.yaml", "specs/nemotron_h.yaml", "tl-helium")
    assert export().code == 0
    assert "nemotron" not in str(tree(project / "tl-helium").keys())


def test_a_file_that_was_edited_is_kept(export: Any, project: Path) -> None:
    export()
    path = project / "tl-helium" / "pyproject.toml"
    path.write_text(path.read_text().replace('version = "0.1.0"', 'version = "0.2.0"'))
    before = tree(project)
    result = export()
    assert result.code == 1 and tree(project) == before
    assert (
        '-version = "0.2.0"' in result.err and "edited by hand: tl-helium/pyproject" in result.err
    )
    hint = "`adaptergen export specs/helium.yaml --plugin tl-helium --force`.\n"
    assert result.err.endswith(hint)
    assert main(hint.strip("`.\n").split()[1:]) == 0
    assert 'version = "0.1.0"' in path.read_text()


def test_a_file_of_the_author_in_the_way_is_kept(export: Any, project: Path) -> None:
    export()
    path = project / "tl-helium" / "src" / "tl_helium" / "nemotron_h.py"
    path.write_text("mine")
    before = tree(project)
    result = export("specs/helium.yaml", "specs/nemotron_h.yaml", "tl-helium")
    assert result.code == 1 and tree(project) == before
    assert "not made by adaptergen: tl-helium/src/tl_helium/nemotron_h.py" in result.err


@pytest.mark.parametrize("name", ["notes.txt", ".git/config", "manifest.json"])
def test_a_folder_with_foreign_files(export: Any, project: Path, name: str) -> None:
    path = project / "tl-helium" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    said = refused(export, project)
    first = Path(name).parts[0]
    assert f"tl-helium:1:1: error[plugin-folder]: the folder holds `{first}`" in said
    assert "= hint: name a folder that does not exist yet" in said


def test_a_folder_that_a_build_wrote(export: Any, project: Path) -> None:
    assert main(["build", "specs/helium.yaml"]) == 0
    assert "error[plugin-folder]: the folder holds `HOOKS.md`" in refused(
        export, project, "generated/helium"
    )


@pytest.mark.parametrize("extra", [[], ["--force"], ["--check"]])
def test_a_build_does_not_replace_a_package(
    export: Any, project: Path, capsys: pytest.CaptureFixture[str], extra: list[str]
) -> None:
    assert export("generated/helium").code == 0
    before = tree(project)
    assert main(["build", "specs/helium.yaml", *extra]) == 2
    said = capsys.readouterr().err
    assert tree(project) == before
    assert "generated/helium: the folder holds the package helium that `export --plugin`" in said
    assert "hint: build into another folder with --out" in said


def test_a_folder_of_another_package(export: Any, project: Path) -> None:
    export()
    (project / "tl-helium").rename(project / "renamed")
    said = refused(export, project, "renamed")
    assert "error[plugin-folder]: the folder holds the package `tl_helium`" in said


@pytest.mark.parametrize("kind", ["file", "link"])
def test_no_folder_at_all(export: Any, project: Path, kind: str) -> None:
    place = project / "tl-helium"
    if kind == "file":
        place.write_text("mine")
    else:
        (project / "elsewhere").mkdir()
        place.symlink_to("elsewhere")
    said = refused(export, project)
    assert "hint: " in said and "--out" not in said


@pytest.mark.parametrize(
    "name",
    [
        *("torch", "Transformer-Lens", "adaptergen", "1st", "-x", "x-", "a b", "class", "é"),
        *("json", "re", "JSON", "numpy", "sitecustomize", "usercustomize", "asyncio", "site"),
        *("setuptools", "typing-extensions", "scipy", "x" * 81),
    ],
)
def test_a_name_that_is_none(export: Any, project: Path, name: str) -> None:
    said = refused(export, project, f"packages/{name}")
    assert f"packages/{name}:1:1: error[plugin-name]: " in said
    assert "= hint: choose a name such as `tl-helium`" in said


def installed(folder: Path, requires: str) -> None:
    """Something that is imported as `zebra`, as pip leaves it."""
    (folder / "zebra").mkdir()
    (folder / "zebra" / "__init__.py").touch()
    info = folder / "zebra-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: zebra\nVersion: 1\nRequires-Dist: {requires}\n")
    (info / "RECORD").write_text("zebra/__init__.py,,\n")
    (info / "top_level.txt").write_text("zebra\n")


@pytest.mark.parametrize("requires", ["numpy", "transformer-lens>=4.3.0"])
def test_a_name_that_is_installed(
    export: Any, project: Path, monkeypatch: pytest.MonkeyPatch, requires: str
) -> None:
    (project / "site").mkdir()
    installed(project / "site", requires)
    monkeypatch.syspath_prepend(project / "site")
    if requires == "numpy":
        said = refused(export, project, "zebra")
        assert "error[plugin-name]: something else that is imported is called `zebra`" in said
    else:
        # An earlier export of the same package, which its author has installed.
        assert export("zebra").code == 0


def test_the_root_is_no_folder_for_a_package() -> None:
    with pytest.raises(Failed):
        package_name(Path("/"))


@pytest.mark.parametrize(
    ("name", "package"), [("tl-helium", "tl_helium"), ("My.Models", "my_models"), ("a", "a")]
)
def test_a_name_that_is_one(name: str, package: str) -> None:
    assert package_name(Path("x") / name) == package


def test_a_spec_with_a_mistake_writes_nothing(export: Any, project: Path) -> None:
    path = project / "specs" / "nemotron_h.yaml"
    path.write_text(path.read_text().replace("DynamicCache", "StaticCache"))
    said = refused(export, project, "specs/helium.yaml", "specs/nemotron_h.yaml", "tl-both")
    assert "error[unknown-choice]" in said


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("", "", "the architecture `HeliumForCausalLM`"),
        ("", "", "the module `helium`"),
        ("", "", "the adapter class `HeliumArchitectureAdapter`"),
        ("module: helium", "module: helium_two", "the adapter class `HeliumArchitectureAdapter`"),
    ],
)
def test_two_specs_with_one_name(export: Any, project: Path, old: str, new: str, what: str) -> None:
    text = (project / "specs" / "helium.yaml").read_text().replace(old, new)
    module = "helium_two" if new else "helium"
    other = project / "specs" / "again" / f"{module}.yaml"
    other.parent.mkdir()
    (other.parent / "shapes").symlink_to("../shapes")
    other.write_text(text)
    said = refused(export, project, "specs/helium.yaml", f"specs/again/{module}.yaml", "tl-two")
    place = f"specs/again/{module}.yaml:1:1: error[plugin-clash]: "
    assert f"{place}{what} is that of `specs/helium.yaml` already" in said


def test_a_spec_that_is_named_twice_counts_once(export: Any, project: Path) -> None:
    assert export("specs/helium.yaml", "./specs/helium.yaml", "tl-helium").code == 0


def test_somewhere_to_write_has_to_be_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "specs/helium.yaml"]) == 2
    assert "--plugin" in capsys.readouterr().err
