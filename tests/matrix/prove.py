"""Exports specs into the source distributions of TransformerLens, and runs every check in some.

    python tests/matrix/prove.py [VERSION...]

Each is fetched into `.matrix` once, unpacked as a git repository, exported into by the command that
people use, checked by upstream's own tools, and exported into a second time. Then the benchmark
suite of TransformerLens is run (`suite.py`). Two are proved at a time, and what passed is not
proved again while the files that it rests on are the same. Writes `docs/proved.json` and the tables
of `docs/export.md`. Exit code 1: a check failed.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import suite
from environments import PROJECT, measured, overlay, packages, upstream

DATA, PAGE = PROJECT / "docs" / "proved.json", PROJECT / "docs" / "export.md"
BEGIN, END = "<!-- written by `make prove` -->\n", "<!-- as far as here -->\n"
VERSIONS = (
    "3.0.0", "3.1.0", "3.2.0", "3.2.1", "3.3.0", "3.4.0", "3.5.0", "3.5.1", "3.6.0", "3.7.0",
    "3.7.1", "3.7.2", "3.7.3", "3.8.0", "3.8.1", "3.9.0", "4.0.0", "4.1.0", "4.2.0", "4.3.0",
)  # fmt: skip
#: The transformers that each of them locks, and the newest one here.
LOCKED, NEWEST = "5.13.0", "5.23.0"
SPECS = ("helium", "nemotron_h", "deepseek_v2", "deepseek_v3")
MOST, ALL = "helium nemotron_h", "helium nemotron_h deepseek_v3"
#: Where every check is run, which takes minutes: the specs of each call, and transformers. Of other
#: releases only whether they take a spec.
CHECKED = {
    "3.6.0": (("helium", LOCKED), ("helium", NEWEST)),
    "3.9.0": (("helium", LOCKED),),
    "4.0.0": ((MOST, LOCKED),),
    "4.1.0": ((MOST, LOCKED),),
    "4.2.0": ((ALL, LOCKED),),
    "4.3.0": (
        *(("helium", LOCKED), ("helium", NEWEST)),
        *(("nemotron_h", LOCKED), ("nemotron_h", NEWEST), ("deepseek_v3", LOCKED)),
    ),
}
AT_ONCE = 2
#: What upstream checks with; the last is what TransformerLens 3 imports and 4 does not.
TOOLS = ("pycln==2.5.0", "nbval==0.11.0", "pytest-doctestplus==1.7.1", "better-abc")
PARTS = ("transformer_lens", "tests", ".github", "pyproject.toml", "PKG-INFO")
_CHECK = re.compile(r"(passed|FAILED|not run): ([^(\n]+?)(?: \((.*)\))?$", re.MULTILINE)
_PROBLEM = re.compile(r"^(\S+): error\[([\w-]+)\]: (.*)$", re.MULTILINE)
_PEOPLE = {"GIT_AUTHOR_NAME": "Proof", "GIT_AUTHOR_EMAIL": "proof@example.org"}


def files_of(specs: str) -> tuple[str, ...]:
    """What an export of specs, and its checks, rest on."""
    families = (f"generated/{spec}/**/*" for spec in specs.split())
    sources = (f"specs/{spec}.yaml" for spec in specs.split())
    parts = ("export", "edit", "audit", "plan", "catalogue", "data/catalogues")
    code = (f"adaptergen/{part}/**/*" for part in parts)
    return (*families, *sources, "generated/_runtime/**/*", "specs/shapes/*.yaml", *code)


def checkout(version: str, transformers: str) -> Path:
    """A clean repository of a version, on a branch of its own."""
    source = upstream(f"transformer-lens=={version}")
    folder = PROJECT / ".matrix" / "prove" / f"{version}-{transformers}"
    shutil.rmtree(folder, ignore_errors=True)
    for part in PARTS:
        place = source / part
        if place.is_dir():
            shutil.copytree(place, folder / part)
        elif place.is_file():
            shutil.copy(place, folder / part)
    for command in (
        ("init", "--quiet", "--initial-branch=work"), ("add", "--all", "--force"),
        ("commit", "--quiet", "--message=As released"),
    ):  # fmt: skip
        subprocess.run(["git", *command], cwd=folder, env=environment(), check=True)
    return folder


def environment(*before: Path, **more: str) -> dict[str, str]:
    people = {**_PEOPLE, **{key.replace("AUTHOR", "COMMITTER"): _PEOPLE[key] for key in _PEOPLE}}
    path = {"PYTHONPATH": os.pathsep.join(map(str, before))} if before else {}
    return {**os.environ, **people, **path, **more}


def export(specs: str, into: Path, *options: str, env: dict[str, str]) -> tuple[int, str]:
    """The exit code of the command, and what it says to people."""
    files = [f"specs/{spec}.yaml" for spec in specs.split()]
    command = [sys.executable, "-m", "adaptergen", "export", *files, "--into", str(into)]
    done = subprocess.run(
        [*command, "--replace", *options], cwd=PROJECT, env=env, capture_output=True,
        text=True,
    )  # fmt: skip
    return done.returncode, done.stderr


def refusals(spec: str, version: str) -> list[str]:
    """The problems for which a spec is not exported into a version; none if it is."""
    source = upstream(f"transformer-lens=={version}")
    code, told = export(spec, source, "--dry-run", env=environment())
    made = [" ".join(found) for found in _PROBLEM.findall(told)]
    if code != (2 if made else 0):
        raise RuntimeError(f"{spec} into {version}: exit code {code}\n{told}")
    return made


def proof(specs: str, version: str, transformers: str) -> dict[str, Any]:
    """What comes of an export, its checks, and a second export."""
    folder = checkout(version, transformers)
    # mypy locks none of its cache, so the calls that run at the same time share none.
    worker = threading.current_thread().name.rpartition("_")[2]
    cache = PROJECT / ".matrix" / f"mypy-{transformers}-{worker}"
    env = environment(
        overlay(transformers), packages("tools", *TOOLS), HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1",
        MYPY_CACHE_DIR=str(cache),
    )  # fmt: skip
    code, told = export(specs, folder, "--branch", "proof", env=env)
    again, second = export(specs, folder, "--branch", "proof", "--no-check", env=env)
    # How long it took is no part of what was found.
    checks = {
        name: [word, re.sub(r" in [\d.]+s.*$", "", more)]
        for word, name, more in _CHECK.findall(told)
    }
    if not checks:
        raise RuntimeError(f"{specs} into {version}:\n{told}")
    unchanged = not again and second.rstrip().endswith("Fine: nothing to change.")
    return {"exit_code": code, "checks": checks, "second_export_changes_nothing": unchanged}


def tables(data: dict[str, Any]) -> str:
    """What was proved, then what is refused and why."""
    lines = [
        "| Specs | TransformerLens | transformers | Checks | Tests | Second export |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for specs in dict.fromkeys(specs for calls in CHECKED.values() for specs, _ in calls):
        rows = [
            (version, transformers, cells(made))
            for version, entry in data.items()
            for transformers, made in entry["proved"].get(specs, {}).items()
        ]
        rows.sort(key=lambda row: (row[1], VERSIONS.index(row[0])))
        for (transformers, shown), group in groupby(rows, key=lambda row: row[1:]):
            versions = ", ".join(row[0] for row in group)
            named = ", ".join(f"`{spec}`" for spec in specs.split())
            lines.append(f"| {named} | {versions} | {transformers} | {shown} |")
    for spec in SPECS:
        taken = [
            version
            for version, entry in data.items()
            if not entry["refused"][spec] and spec not in " ".join(entry["proved"]).split()
        ]
        if taken:
            shown = "as a dry run: taken, nothing checked"
            lines.append(f"| `{spec}` | {', '.join(taken)} | - | {shown} | - | - |")
    lines += ["", "| Spec | TransformerLens | Why it is refused |", "| --- | --- | --- |"]
    for spec in SPECS:
        lacking: dict[str, list[str]] = {}
        for version, entry in data.items():
            for told in dict.fromkeys(map(reason, entry["refused"][spec])):
                lacking.setdefault(told, []).append(version)
        spans: dict[str, list[str]] = {}
        for told, versions in lacking.items():
            spans.setdefault(span(versions), []).append(told)
        lines += [f"| `{spec}` | {shown} | {'; '.join(told)} |" for shown, told in spans.items()]
    return "\n".join(lines) + "\n"


def span(versions: list[str]) -> str:
    """Releases that follow each other, by the first and the last."""
    first, last = (VERSIONS.index(version) for version in (versions[0], versions[-1]))
    whole = versions == list(VERSIONS[first : last + 1])
    return f"{versions[0]} to {versions[-1]}" if whole and first < last else ", ".join(versions)


def cells(made: dict[str, Any]) -> str:
    checks = made["checks"]
    wrong = [f"{word}: {name}" for name, (word, _) in checks.items() if word != "passed"]
    shown = "; ".join(wrong) or f"{len(checks)} of {len(checks)} passed"
    tests = next(told for name, (_, told) in checks.items() if name.startswith("unit and tiny"))
    again = "changes nothing" if made["second_export_changes_nothing"] else "**changes something**"
    return f"{shown} | {tests.split(',')[0]} | {again}"


def reason(problem: str) -> str:
    """What a problem says, without the release, which the row has; the data has its place."""
    message = problem.split(" ", 2)[2]
    return re.sub(r"TransformerLens [0-9.]+", "TransformerLens", message)


def proved(specs: str, version: str, transformers: str) -> dict[str, Any]:
    """A proof, now or earlier."""
    made: dict[str, Any] = measured(
        f"prove-{version}-{transformers}-{specs.replace(' ', '+')}",
        files_of(specs),
        functools.partial(proof, specs, version, transformers),
        keep=passed,
    )
    print(f"{version}, {specs}, transformers {transformers}: {json.dumps(made)}", flush=True)
    return made


def passed(made: dict[str, Any]) -> bool:
    """Whether all checks passed, and a second export has nothing to change."""
    return made["exit_code"] == 0 and bool(made["second_export_changes_nothing"])


def write(data: dict[str, Any]) -> None:
    DATA.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{tables(data)}\n{END}{rest.partition(END)[2]}", "utf-8")


def main() -> int:
    """Prove the versions named, or all; those that are checked first."""
    named = sys.argv[1:] or list(dict.fromkeys((*CHECKED, *VERSIONS)))
    fetch(named)
    data = json.loads(DATA.read_text(encoding="utf-8")) if DATA.is_file() else {}
    failed = False
    with ThreadPoolExecutor(AT_ONCE) as pool:
        proofs = {
            (version, specs, transformers): pool.submit(proved, specs, version, transformers)
            for version in named
            for specs, transformers in CHECKED.get(version, ())
        }
        refused = {
            (version, spec): pool.submit(refused_now, spec, version)
            for version in named
            for spec in SPECS
        }
        try:
            for version in named:
                entry: dict[str, Any] = {"refused": {}, "proved": {}}
                for specs, transformers in CHECKED.get(version, ()):
                    made = proofs[version, specs, transformers].result()
                    entry["proved"].setdefault(specs, {})[transformers] = made
                    failed = failed or not passed(made)
                for spec in SPECS:
                    entry["refused"][spec] = refused[version, spec].result()
                data[version] = entry
                # Written after each: an interruption loses nothing that was measured.
                write({known: data[known] for known in VERSIONS if known in data})
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return suite.main() or failed


def fetch(versions: list[str]) -> None:
    """Fetch all that is needed, one after the other: two would fetch the same at once."""
    for version in versions:
        upstream(f"transformer-lens=={version}")
    packages("tools", *TOOLS)
    for transformers in (LOCKED, NEWEST):
        overlay(transformers)


def refused_now(spec: str, version: str) -> list[str]:
    """Refusals, now or earlier."""
    what = functools.partial(refusals, spec, version)
    found: list[str] = measured(f"refused-{version}-{spec}", files_of(spec), what)
    return found


if __name__ == "__main__":
    sys.exit(main())
