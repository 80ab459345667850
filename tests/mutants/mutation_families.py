"""Mutants of an adapter, and of the spec and shapes that it is made of, with both verdicts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mutation import Mutant, mutants
from mutation_environment import ROOT
from mutation_verdicts import HFAnswers, adapter_file, emitted, verify
from mutation_yaml import read, yaml_mutants

from adaptergen.generate import generate, plan
from adaptergen.problems import Failed
from adaptergen.render.tables import adapter_tables
from adaptergen.verify.target import load_target, make_target

GENERATED, SPECS = ROOT / "generated", ROOT / "specs"
#: From the smallest spec on, which is judged the fastest.
FAMILIES = tuple(
    path.stem for path in sorted(SPECS.glob("*.yaml"), key=lambda one: one.stat().st_size)
)


def family_mutants(module: str) -> list[Mutant]:
    """The mutants of one adapter, its spec, and shapes that the spec uses.

    A shape that several families use is the first's of them, or it would be judged for all.
    """
    path = GENERATED / module / adapter_file(module)
    found = mutants(path.name, path.read_text("utf-8"))
    used = _shapes_of(f"{module}.yaml")
    for other in FAMILIES[: FAMILIES.index(module)]:
        used -= _shapes_of(f"{other}.yaml")
    for file in (f"{module}.yaml", *sorted(used)):
        found += yaml_mutants(f"specs/{file}", (SPECS / file).read_text("utf-8"))
    return found


def _shapes_of(file: str) -> set[str]:
    """The files of shapes that a spec or shape uses, and those use."""
    named = {f"shapes/{name}.yaml" for name in _named(read((SPECS / file).read_text("utf-8")))}
    used = {name for name in named if (SPECS / name).is_file()}
    return used.union(*map(_shapes_of, used))


def _named(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if key == "shape" and isinstance(value, str):
            yield value
        elif isinstance(value, (dict, list)):
            yield from _named(value)


def tables_of(module: str) -> Any:
    """What is promised of an architecture."""
    return adapter_tables(plan(SPECS / f"{module}.yaml"))


class Family:
    """One architecture, ready to judge its mutants in forks."""

    def __init__(self, module: str, answers: HFAnswers) -> None:
        self.module = module
        self.plan = plan(SPECS / f"{module}.yaml")
        self.files = self._built(SPECS / f"{module}.yaml")
        answers.prepare(tables_of(module))

    def judge(self, mutant: Mutant | None, folder: Path) -> dict[str, str]:
        """Both verdicts on a mutant, each its first failure; or why there are none."""
        if mutant is not None and not mutant.file.endswith(".yaml"):
            return self._verdicts(mutant.source)
        path = self._written(mutant, folder)
        try:
            files = self._built(path)
        except Failed as failed:
            return {"refused": ", ".join(sorted({one.code for one in failed.problems}))}
        if mutant is not None and files == self.files:
            return {"same": "the adapter and its tests"}
        return {
            "emitted": emitted(self.module, files),
            "verify": verify(lambda: load_target(path)),
        }

    def _verdicts(self, source: str) -> dict[str, str]:
        files = {**self.files, adapter_file(self.module): source}
        return {
            "emitted": emitted(self.module, files),
            "verify": verify(lambda: make_target(self.plan, source)),
        }

    def end_to_end(self, mutant: Mutant, folder: Path) -> dict[str, str]:
        """The exit codes of the commands that a user has: `build`, `pytest` and `verify`."""
        path = self._written(mutant if mutant.file.endswith(".yaml") else None, folder)
        if _command(folder, "adaptergen", "build", str(path)):
            return {"refused": "build"}
        adapter = folder / "generated" / self.module / adapter_file(self.module)
        if mutant.file.endswith(".py"):
            adapter.write_text(mutant.source, "utf-8")
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        tests = _command(folder, "pytest", *options, f"generated/{self.module}")
        verdicts = {"emitted": str(tests or "")}
        if mutant.file.endswith(".yaml"):
            # No command verifies an adapter that its spec does not make.
            verdicts["verify"] = str(_command(folder, "adaptergen", "verify", str(path)) or "")
        return verdicts

    def _written(self, mutant: Mutant | None, folder: Path) -> Path:
        """The path of the spec in a folder that has the mutant in place of a file."""
        # A lock would refuse most of what is not as observed, before either verdict.
        others = ["*.lock.json", *(f"{name}.*" for name in FAMILIES if name != self.module)]
        shutil.rmtree(folder / "specs", ignore_errors=True)
        shutil.copytree(SPECS, folder / "specs", ignore=shutil.ignore_patterns(*others))
        if mutant is not None:
            (folder / mutant.file).write_text(mutant.source, "utf-8")
        os.chdir(folder)
        return Path("specs") / f"{self.module}.yaml"

    def _built(self, path: Path) -> dict[str, str]:
        """What a build writes of an adapter and its tests, before it is formatted."""
        with patch("adaptergen.render.files.format_files", dict):
            made = generate(path).files
        return {
            name: content.decode()
            for name, content in made.items()
            if name.endswith(".py") and name.startswith(("tests/", "transformer_lens/"))
        }


def _command(folder: Path, *arguments: str) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment).returncode
