"""Releases of transformers as overlays: folders of a few packages before one shared environment.

The folder `.matrix` ignores itself in git, and may be removed at any time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

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


def _root() -> Path:
    ROOT.mkdir(exist_ok=True)
    (ROOT / ".gitignore").write_text("*\n", encoding="utf-8")
    return ROOT


def _pip(*arguments: str | Path, of: str | Path = sys.executable) -> None:
    command = [of, "-m", "pip", *map(str, arguments)]
    subprocess.run([*command, "--quiet", "--disable-pip-version-check"], check=True)
