"""Releases of transformers as overlays: folders of a few packages before one shared environment.

The folder `.matrix` ignores itself in git, and may be removed at any time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
ROOT = PROJECT / ".matrix"
SOURCE = "transformer-lens==4.3.0"
GENERATED = PROJECT / "generated" / "nemotron_h"
ADAPTER = Path("transformer_lens/model_bridge/supported_architectures/nemotron_h.py")

# What each release wants beside itself and does not find in the shared environment.
RELEASES: dict[str, tuple[str, ...]] = {
    "5.12.1": ("tokenizers==0.22.2", "huggingface_hub<2"),
    "5.13.0": ("tokenizers==0.22.2", "huggingface_hub<2"),
    "5.17.0": ("huggingface_hub<2",),
    "5.20.2": (),
    "5.23.0": (),
    "5.24.0": (),
}


def overlay(release: str) -> Path:
    """The folder that holds a release, filled on first use."""
    folder = _root() / release
    if not folder.is_dir():
        partial = folder.with_name(f"{release}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        packages = (f"transformers=={release}", *RELEASES[release])
        _pip("install", "--target", partial, "--no-deps", *packages)
        partial.rename(folder)
    return folder


def packages(name: str, *requirements: str) -> Path:
    """A folder with packages and what they need, in the versions of `constraints.txt`."""
    folder = _root() / name
    if not folder.is_dir():
        partial = folder.with_name(f"{name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        constraints = PROJECT / "constraints.txt"
        _pip("install", "--constraint", constraints, "--target", partial, *requirements)
        partial.rename(folder)
    return folder


def environment_of(version: str, *requirements: str) -> Path:
    """The Python of an environment with packages, in the versions of `constraints.txt`."""
    folder = _root() / f"python{version}"
    interpreter = folder / "bin" / "python"
    if not folder.is_dir():
        command = [f"python{version}", "-m", "venv", folder]
        # Where pyenv keeps the interpreters, it runs one only if told which.
        subprocess.run(command, env={**os.environ, "PYENV_VERSION": version}, check=True)
        try:
            _pip(
                *("install", "--constraint", PROJECT / "constraints.txt", *requirements),
                of=interpreter,
            )
        except BaseException:
            shutil.rmtree(folder)
            raise
    return interpreter


def upstream(source: str = SOURCE) -> Path:
    """The source distribution of TransformerLens, tests included, unpacked on first use."""
    folder = _root() / source.replace("==", "-")
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        options = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation")
        _pip("download", *options, "--dest", partial, source)
        (archive,) = partial.glob("*.tar.gz")
        shutil.unpack_archive(archive, partial)
        (unpacked,) = (path for path in partial.iterdir() if path.is_dir())
        unpacked.rename(folder)
        shutil.rmtree(partial)
    return folder


def tree(name: str, adapter: Path | None = None) -> Path:
    """A work tree of TransformerLens below `.matrix`, with another adapter in place of its own."""
    source, folder = upstream(), _root() / name
    if not folder.is_dir():
        partial = folder.with_name(f"{name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for part in ("transformer_lens", "tests"):
            shutil.copytree(source / part, partial / part)
        shutil.copy(source / "pyproject.toml", partial)
        partial.rename(folder)
    shutil.copy(adapter or source / ADAPTER, folder / ADAPTER)
    return folder


def python(
    *command: str | Path, before: tuple[Path, ...] = (), cwd: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run this Python with folders before its own packages, without a network."""
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, before)),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, *map(str, command)], env=env, cwd=cwd, capture_output=True, text=True
    )


def measured(
    name: str,
    patterns: tuple[str, ...],
    measure: Callable[[], Any],
    *,
    keep: Callable[[Any], bool] = lambda _: True,
) -> Any:
    """What `measure` returns, as JSON; from an earlier run if the same files were measured.

    The files are those that match `patterns` below the project. Results are in `.matrix/measured`,
    which may be removed to measure anew; `keep` says of one whether a later run may use it.
    """
    file, of = _root() / "measured" / f"{name}.json", _digest(patterns)
    if file.is_file():
        earlier = json.loads(file.read_text(encoding="utf-8"))
        if earlier["of"] == of:
            return earlier["found"]
    found = json.loads(json.dumps(measure()))
    if keep(found):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"of": of, "found": found}, indent=2), encoding="utf-8")
    return found


def _digest(patterns: tuple[str, ...]) -> str:
    """Of the contents of files below the project, and of the packages that are measured with."""
    digest = hashlib.sha256()
    for package in ("torch", "transformers", "transformer-lens"):
        digest.update(f"{package} {importlib.metadata.version(package)}\n".encode())
    files = {path for pattern in patterns for path in PROJECT.glob(pattern) if path.is_file()}
    for path in sorted(files):
        if "__pycache__" not in path.parts:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(PROJECT)} {content}\n".encode())
    return digest.hexdigest()


def _root() -> Path:
    ROOT.mkdir(exist_ok=True)
    (ROOT / ".gitignore").write_text("*\n", encoding="utf-8")
    return ROOT


def _pip(*arguments: str | Path, of: str | Path = sys.executable) -> None:
    command = [of, "-m", "pip", *map(str, arguments)]
    subprocess.run([*command, "--quiet", "--disable-pip-version-check"], check=True)
