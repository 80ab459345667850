"""Builds: cold, unchanged, checked, and many in one call."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from unittest import mock

import isort

from adaptergen.generate import generate
from benchmarks.measure import ROOT, SPEC, Figure, in_turns, process, ratio

FORMATTING = str(ROOT / "benchmarks" / "formatting.py")
BUILD = ("-m", "adaptergen", "build")
NAMES = ("nemotron_h", "deepseek_v2", "deepseek_v3")


def texts(specs: Sequence[Path]) -> list[str]:
    """What builds of these specs hand to the formatters."""
    seen: list[str] = []
    real = isort.code

    def noted(text: str, **options: Any) -> Any:
        seen.append(text)
        return real(text, **options)

    with mock.patch("isort.code", noted):
        for spec in specs:
            generate(spec)
    return seen


def single(pairs: int) -> list[Figure]:
    """One spec: into an empty folder, again, and checked."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given, out, cache = folder / "texts.json", folder / "out", folder / "cache"
        given.write_text(json.dumps(texts([ROOT / SPEC])), encoding="utf-8")
        build = (*BUILD, SPEC, "--out", str(out))

        def cold() -> float:
            shutil.rmtree(out, ignore_errors=True)
            shutil.rmtree(cache, ignore_errors=True)
            return process(*build, cache=cache).seconds

        def bare() -> float:
            return process(FORMATTING, str(given)).seconds

        def again() -> float:
            return process(*build, cache=cache).seconds

        def check() -> float:
            return process(*build, "--check", cache=cache).seconds

        first = ratio(in_turns(cold, bare, pairs))
        rebuilt = ratio([(again(), cold()) for _ in range(pairs)])
        checked = ratio(in_turns(check, again, 2 * pairs))
        forgot = ratio([(process(*build, "--check").seconds, cold()) for _ in range(pairs)])
    return [
        Figure(
            "cold build, to a bare process that formats the same texts", first, 1.2,
            note="beyond it: adaptergen imported, models made, YAML read, templates compiled",
        ),
        Figure("unchanged rebuild, to the cold build", rebuilt, 0.35),
        Figure("`build --check`, to the unchanged rebuild", checked, 1.02),
        Figure("`build --check` on a machine that never built, to the cold build", forgot, 1.0),
    ]  # fmt: skip


def many(count: int) -> list[Figure]:
    """Several specs in one call: copies of ours under other names."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "specs" / "shapes", folder / "specs" / "shapes")
        made = [copy(folder / "specs", one, n) for n, one in enumerate(islice(cycle(NAMES), count))]
        given = folder / "texts.json"
        given.write_text(json.dumps(texts(made[: len(NAMES)])), encoding="utf-8")
        before = float(process(FORMATTING, str(given)).out)
        built = process(*BUILD, *(f"specs/{path.name}" for path in made), cwd=folder)
        after = float(process(FORMATTING, str(given)).out)
    formatting = (before + after) / 2 / len(NAMES)
    return [
        Figure(
            f"{count} specs in one call, time of each, to the formatting of its files",
            built.seconds / count / formatting, 1.2,
        ),
        Figure(f"{count} specs in one call, memory", built.megabytes, 250, "MB"),
    ]  # fmt: skip


def copy(folder: Path, name: str, number: int) -> Path:
    """A spec of ours as one of another module."""
    text = (ROOT / "specs" / f"{name}.yaml").read_text(encoding="utf-8")
    path = folder / f"{name}_{number}.yaml"
    changed = text.replace(f"module: {name}\n", f"module: {path.stem}\n")
    path.write_text(changed, encoding="utf-8")
    return path
