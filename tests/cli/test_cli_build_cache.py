"""A build remembers what it made, and never takes for fresh what is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from adaptergen import guard
from adaptergen.cli import build_cache

ROOT = Path(__file__).parents[2]
SPEC = Path("specs/nemotron_h.yaml")
OUT = Path("generated/nemotron_h")


@pytest.fixture
def remembered(project: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that was built once; the folder of the memory."""
    folder = project / "memory"
    monkeypatch.setenv(guard.CACHE, str(folder))
    assert run("build", SPEC).code == 0
    assert len(list(folder.iterdir())) == 1
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every spec that is not recalled."""
    from adaptergen import generate

    seen: list[Path] = []
    real = generate.generate
    monkeypatch.setattr(
        "adaptergen.generate.generate", lambda path: seen.append(path) or real(path)
    )
    return seen


def test_what_is_unchanged_is_not_made_again(remembered: Path, run: Any, calls: Any) -> None:
    for option in ((), ("--check",), ("--diff",)):
        assert run("build", SPEC, *option).code == 0
    assert calls == []
    # The files themselves are remembered, so that a tree that is gone is written again.
    golden = OUT / "HOOKS.md"
    before = golden.read_bytes()
    shutil.rmtree("generated")
    assert run("build", SPEC, "--check").code == 1
    assert run("build", SPEC).code == 0
    assert calls == [] and golden.read_bytes() == before


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    "edit",
    [
        lambda: replace(SPEC, "title: Nemotron-H", "title: Other"),
        lambda: replace(Path("specs/shapes/rms_norm.yaml"), "tensor: ", "tensor: other "),
    ],
    ids=["spec", "shape"],
)
def test_an_edit_of_what_goes_in(
    remembered: Path, run: Any, calls: Any, edit: Callable[[], None]
) -> None:
    edit()
    assert run("build", SPEC, "--check").code == 1
    assert len(calls) == 1
    assert run("build", SPEC).code == 0


def test_a_shape_that_is_wrong_now(remembered: Path, run: Any) -> None:
    Path("specs/shapes/rms_norm.yaml").write_text("shape: 1\n", encoding="utf-8")
    assert run("build", SPEC, "--check").code == 2


@pytest.mark.parametrize("library", build_cache.LIBRARIES)
def test_another_version_of_a_library(
    remembered: Path, run: Any, calls: Any, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    class Other(metadata.PathDistribution):
        """The library in another version."""

        def read_text(self, filename: str | os.PathLike[str]) -> str | None:
            text = super().read_text(filename)
            return text and text.replace("\nVersion: ", "\nVersion: 0.", 1)

    def distribution(name: str) -> Any:
        found = metadata.distribution(name)
        return Other(found._path) if name == library else found  # type: ignore[attr-defined]

    monkeypatch.setattr(build_cache, "distribution", distribution)
    assert run("build", SPEC, "--check").code == 0
    assert len(calls) == 1


def test_an_edit_of_what_was_made(remembered: Path, run: Any, calls: Any) -> None:
    path = OUT / "register.py"
    original, manifest = path.read_bytes(), (OUT / "manifest.json").read_text(encoding="utf-8")
    path.write_bytes(original + b"# mine\n")
    assert run("build", SPEC, "--check").code == 1
    # A manifest that agrees with the edit does not help it.
    replace(
        OUT / "manifest.json",
        _digest(original),
        _digest(path.read_bytes()),
    )
    assert run("build", SPEC, "--check").code == 1
    path.write_bytes(original)
    assert run("build", SPEC, "--check").code == 1
    (OUT / "manifest.json").write_text(manifest, encoding="utf-8")
    assert run("build", SPEC, "--check").code == 0
    assert calls == []


def _digest(data: bytes) -> str:
    from adaptergen.output.tree import digest

    return digest(data)


@pytest.mark.parametrize("harm", ["cut", "changed", "other"])
def test_an_entry_that_was_harmed(remembered: Path, run: Any, calls: Any, harm: str) -> None:
    (entry,) = remembered.iterdir()
    data = entry.read_bytes()
    harmed = {"cut": data[:-9], "changed": data[:-9] + b"somewhat?", "other": b"\xff"}
    entry.write_bytes(harmed[harm])
    assert run("build", SPEC, "--check").code == 0
    assert len(calls) == 1
    assert entry.read_bytes() == data


PLACES = [SPEC, SPEC.with_suffix(".lock.json"), Path("specs/shapes/rms_norm.yaml")]


@pytest.mark.parametrize("path", PLACES, ids=str)
@pytest.mark.parametrize("kind", ["pipe", "device", "large"])
def test_what_a_build_does_not_read_is_not_read_for_the_memory(
    project: Path, path: Path, kind: str
) -> None:
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        # A terabyte, of which nothing is on the disk.
        with path.open("wb") as file:
            file.truncate(2**40)
    command = [sys.executable, "-m", "adaptergen", "build", str(SPEC)]
    environment = {**os.environ, guard.CACHE: str(project / "memory")}
    # In a process, so that what is read for ever has an end.
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    code = "file-too-large" if kind == "large" else "not-a-file"
    assert result.returncode == 2
    assert f"{path.as_posix()}:1:1: error[{code}]" in result.stderr
    assert not Path("generated").exists() and not (project / "memory").exists()


#: What another, or a mishap, may have put in the place of an entry.
FOREIGN: dict[str, Callable[[Path, bytes], object]] = {
    "nothing": lambda entry, data: entry.touch(),
    "garbage": lambda entry, data: entry.write_bytes(b"\xff\n\xfe\n\xfd"),
    "a list": lambda entry, data: _forge(entry, data, b"[]"),
    "another form": lambda entry, data: _forge(entry, data, b'{"name": "x", "files": []}'),
    "other files": lambda entry, data: _forge(
        entry,
        data,
        b'{"name": "nemotron_h", "spec": "specs/x.yaml", "files": {"evil.py": "x"}, "meta": {}}',
    ),
    "a folder": lambda entry, data: entry.mkdir(),
    "a pipe": lambda entry, data: os.mkfifo(entry),
    "a device": lambda entry, data: entry.symlink_to("/dev/zero"),
    "a link": lambda entry, data: (
        Path("victim").write_bytes(data),
        entry.symlink_to(Path("victim").absolute()),
    ),
}


def _forge(entry: Path, data: bytes, content: bytes) -> None:
    """An entry with the right key and a digest of what it holds."""
    body = zlib.compress(content)
    entry.write_bytes(
        b"\n".join([data.split(b"\n")[0], build_cache._digest([body]).encode(), body])
    )


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_it_did_not_write_it_does_not_use(remembered: Path, run: Any, kind: str) -> None:
    (entry,) = remembered.iterdir()
    data = entry.read_bytes()
    entry.unlink()
    FOREIGN[kind](entry, data)
    # In a process, so that what is read for ever has an end.
    command = [sys.executable, "-m", "adaptergen", "build", str(SPEC), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "evil.py" not in result.stderr
    if kind in ("a folder", "a pipe", "a device", "a link"):
        assert not entry.is_file() or entry.is_symlink()
    assert not Path("victim").exists() or Path("victim").read_bytes() == data
    assert not list(remembered.glob("*.part"))


def test_an_entry_of_another_key_is_not_used(
    remembered: Path, run: Any, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(remembered.parent / "state"))
    assert run("build", SPEC, "--check").code == 0
    assert len(calls) == 1


def test_without_a_place_for_a_key_nothing_is_kept(
    project: Path, run: Any, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(project / "file"))
    monkeypatch.setenv(guard.CACHE, str(project / "memory"))
    assert (run("build", SPEC).code, run("build", SPEC, "--check").code) == (0, 0)
    assert len(calls) == 2 and list((project / "memory").iterdir()) == []


def test_files_of_the_user_in_the_folder_stay(
    project: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_cache, "MOST", 1)
    folder = project / "memory"
    folder.mkdir()
    names = [*(f"letter {n}.txt" for n in range(600)), f"{'a' * 64}.entry", "b.entry"]
    for number, name in enumerate(names):
        (folder / name).write_text(name)
        os.utime(folder / name, (number, number))
    (folder / "folder").mkdir()
    outside = project / "outside"
    outside.write_text("mine")
    (folder / f"{'c' * 64}.entry").symlink_to(outside)
    monkeypatch.setenv(guard.CACHE, str(folder))
    for name in ("nemotron_h", "deepseek_v2", "helium"):
        assert run("build", f"specs/{name}.yaml").code == 0
    assert all((folder / name).read_text() == name for name in names)
    assert (folder / f"{'c' * 64}.entry").is_symlink() and outside.read_text() == "mine"
    # Of its own one is left, and so is the one of the user that looks like it.
    assert len(list(folder.iterdir())) == len(names) + 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the number of a process is not known before")
def test_it_does_not_write_through_a_link(remembered: Path, run: Any) -> None:
    (entry,) = remembered.iterdir()
    entry.unlink()
    victim = remembered.parent / "victim"
    victim.write_text("mine")
    for name in (f"{entry.stem}.{os.getpid()}", f"{entry.name}.{os.getpid()}.part"):
        (remembered / name).symlink_to(victim)
    assert run("build", SPEC, "--check").code == 0
    assert victim.read_text() == "mine"


def test_a_folder_that_cannot_be_made(
    project: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "file").touch()
    monkeypatch.setenv(guard.CACHE, str(project / "file" / "memory"))
    assert run("build", SPEC).code == 0
    assert run("build", SPEC, "--check").code == 0


def test_what_is_edited_meanwhile_is_not_kept(
    project: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adaptergen import generate

    real = generate.generate

    def slow(path: Path) -> Any:
        made = real(path)
        replace(SPEC, "title: Nemotron-H", "title: Other")
        return made

    monkeypatch.setenv(guard.CACHE, str(project / "memory"))
    monkeypatch.setattr("adaptergen.generate.generate", slow)
    assert run("build", SPEC).code == 0
    assert not (project / "memory").exists()


def test_it_does_not_grow_without_end(
    remembered: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_cache, "MOST", 2)
    for name in ("deepseek_v2", "deepseek_v3"):
        assert run("build", f"specs/{name}.yaml").code == 0
    assert len(list(remembered.iterdir())) == 2


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(guard.CACHE, "off")
    assert guard.cache_folder() is None
    monkeypatch.delenv(guard.CACHE)
    variable = "LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME"
    monkeypatch.setenv(variable, str(Path("/some/where")))
    assert guard.cache_folder() == Path("/some/where/adaptergen")
    monkeypatch.delenv(variable)
    assert guard.cache_folder() == Path.home() / ".cache" / "adaptergen"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("templates/HOOKS.md.jinja", "\n", "\nmore\n"),
        ("adaptergen/render/templates.py", "line_length=100", "line_length=90"),
        ("adaptergen/data/catalogues/transformer_lens-4.3.0.json", '"4.3.0"', '"4.3.0.1"'),
    ],
    ids=["template", "code", "catalogue"],
)
def test_an_edit_of_adaptergen(tmp_path: Path, file: str, old: str, new: str) -> None:
    for name in ("adaptergen", "specs", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    environment = {
        **os.environ, "PYTHONPATH": str(tmp_path), guard.CACHE: str(tmp_path / "memory")
    }  # fmt: skip

    def build(*options: str) -> int:
        command = [sys.executable, "-m", "adaptergen", "build", str(SPEC), *options]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, timeout=60
        ).returncode

    assert build() == 0
    assert build("--check") == 0
    replace(tmp_path / file, old, new)
    assert build("--check") == 1
