"""Source distributions of TransformerLens, fetched once and kept below `.matrix`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / ".matrix"
#: CI says that the registry has to be reached: a skip there would prove nothing.
REQUIRED = bool(os.environ.get("CI"))


@cache
def source(version: str) -> Path:
    """The unpacked source distribution; skips the test where it cannot be had, and says so."""
    folder = ROOT / f"transformer-lens-{version}"
    if not folder.is_dir():
        told = _fetch(version, folder)
        if told:
            reason = f"no source distribution of TransformerLens {version}: {told}"
            (pytest.fail if REQUIRED else pytest.skip)(reason)
    return folder


def _fetch(version: str, folder: Path) -> str:
    """Fetch and unpack; what went wrong, or nothing."""
    ROOT.mkdir(exist_ok=True)
    (ROOT / ".gitignore").write_text("*\n", encoding="utf-8")
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--timeout", "15"),
        *("--retries", "1", "--dest", str(partial), f"transformer-lens=={version}"),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        (archive,) = partial.glob("*.tar.gz")
        shutil.unpack_archive(archive, partial, **_safely())
        (unpacked,) = (path for path in partial.iterdir() if path.is_dir())
        if not folder.is_dir():
            unpacked.rename(folder)
        return ""
    except (subprocess.TimeoutExpired, OSError) as error:
        return str(error)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _safely() -> dict[str, str]:
    return {"filter": "data"} if sys.version_info >= (3, 12) else {}
