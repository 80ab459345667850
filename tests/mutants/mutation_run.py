"""Runs the emitted tests against mutants of an adapter: which of the mistakes do they notice?

The mutant takes the place of the adapter in a copy of its generated folder, and the tests there
run as anyone would run them. Everything heavy is imported once, and each mutant gets a fork of
this process; the first failure, or the end of its time, kills it.

    python tests/mutants/mutation_run.py --report docs/mutants.md
    python tests/mutants/mutation_run.py --sample 25
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib  # type: ignore[no-redef]

sys.path.insert(0, str(Path(__file__).parent))
from mutation import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml")
ADAPTER = Path("transformer_lens/model_bridge/supported_architectures")
WORKERS, SECONDS, PASS_MARK = 2, 60, 0.98


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant; `by` is the test that failed first."""

    mutant: Mutant
    killed: bool
    by: str


def main() -> int:
    """Run a sample or all, print what survived, and write the report if one is wanted."""
    arguments = _arguments()
    source = (arguments.folder / ADAPTER / f"{arguments.folder.name}.py").read_text("utf-8")
    chosen = mutants(source)
    if arguments.only:
        chosen = [one for one in chosen if arguments.only in f"{one.operator} {one.where}"]
    if arguments.sample and arguments.sample < len(chosen):
        chosen = random.Random(arguments.seed).sample(chosen, arguments.sample)
    started = time.monotonic()
    import_everything(arguments.folder.name)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run(arguments.folder, chosen, Path(folder), arguments.workers)
    survivors = [outcome.mutant for outcome in outcomes if not outcome.killed]
    reasons = listed(SURVIVORS)
    for mutant in survivors:
        shown = "listed" if mutant.identity in reasons else "NOT LISTED"
        print(f"survived ({shown}): line {mutant.line}, {toml(mutant)}")
    revived = [one for one in outcomes if one.killed and one.mutant.identity in reasons]
    for outcome in revived:
        print(f"listed as a survivor, but killed by {outcome.by}: {toml(outcome.mutant)}")
    killed = len(outcomes) - len(survivors)
    seconds = time.monotonic() - started
    print(f"{killed} of {len(outcomes)} mutants killed, in {seconds:.0f} s")
    if arguments.report:
        text = report(arguments.folder, outcomes, reasons)
        arguments.report.write_text(text, encoding="utf-8")
    unlisted = [one for one in survivors if one.identity not in reasons]
    enough = arguments.sample or killed >= PASS_MARK * len(outcomes)
    return 0 if enough and not unlisted and not revived else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "generated" / "nemotron_h")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="part of an operator or of the name of a function")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--report", type=Path, help="where to write the report")
    return parser.parse_args()


def import_everything(module: str) -> None:
    """Import what the tests import, and nothing of the adapter in question."""
    os.environ.update(
        OMP_NUM_THREADS="1",
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        HF_HUB_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
    )
    sys.dont_write_bytecode = True
    import accelerate  # noqa: F401
    import packaging.specifiers  # noqa: F401
    import pytest  # noqa: F401
    import torch
    from transformer_lens.model_bridge import TransformerBridge  # noqa: F401

    importlib.import_module(f"transformers.models.{module}.modeling_{module}")

    # A fork does not have the threads of its parent.
    torch.set_num_threads(1)


def run(original: Path, chosen: list[Mutant], scratch: Path, workers: int) -> list[Outcome]:
    """The outcome of each mutant, in the order given; the adapter as it is has to pass first."""
    folders = [scratch / str(number) / original.name for number in range(workers)]
    for folder in folders:
        shutil.copytree(original, folder, ignore=shutil.ignore_patterns("__pycache__"))
    _, status = os.waitpid(_start(folders[0], None), 0)
    if status:
        raise SystemExit(f"the adapter itself fails:\n{_output(folders[0]).read_text()}")
    waiting, free = list(enumerate(chosen)), list(folders)
    running: dict[int, tuple[int, Path]] = {}
    outcomes: dict[int, Outcome] = {}
    while waiting or running:
        while waiting and free:
            index, mutant = waiting.pop(0)
            folder = free.pop()
            running[_start(folder, mutant)] = (index, folder)
        process, status = os.wait()
        index, folder = running.pop(process)
        free.append(folder)
        outcomes[index] = Outcome(chosen[index], status != 0, _first_failure(folder, status))
        if len(outcomes) % 50 == 0:
            print(f"{len(outcomes)} of {len(chosen)} mutants tried", flush=True)
    return [outcomes[index] for index in range(len(chosen))]


def _start(folder: Path, mutant: Mutant | None) -> int:
    """A fork that runs the tests of a folder with a mutant in it."""
    if mutant is not None:
        (folder / ADAPTER / f"{folder.name}.py").write_text(mutant.source, encoding="utf-8")
    process = os.fork()
    if process:
        return process
    status = 3
    try:
        signal.alarm(SECONDS)  # nobody handles it, so it ends the process
        output = os.open(_output(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = _run_tests(folder)
    finally:
        os._exit(status)


def _run_tests(folder: Path) -> int:
    import pytest

    os.chdir(folder)
    tests = [folder / "tests" / "unit", *folder.glob("tests/integration/model_bridge/*_tiny.py")]
    options = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--import-mode=importlib"]
    # A warning of the mutant's is not the test's concern, and a summary of it takes time.
    options += ["-W", "ignore", "--rootdir", str(folder), "-c", os.devnull]
    return int(pytest.main([*options, *map(str, tests)]))


def _output(folder: Path) -> Path:
    return folder.parent / "output.txt"


def _first_failure(folder: Path, status: int) -> str:
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "crash"
    for line in _output(folder).read_text("utf-8", "replace").splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" - ")[0].split(" ", 1)[1].rpartition("/")[2]
    return "import" if status else ""


def listed(path: Path) -> dict[tuple[str, str, str, str, int], str]:
    """The survivors that were looked at, with the reason of each."""
    entries = tomllib.loads(path.read_text("utf-8")).get("survivor", []) if path.exists() else []
    return {
        (e["operator"], e["where"], e["before"], e["after"], e.get("number", 0)): e["reason"]
        for e in entries
    }


def toml(mutant: Mutant) -> str:
    """A survivor as `survivors.toml` names it."""
    names = ("operator", "where", "before", "after")
    parts = [f"{name} = {json.dumps(getattr(mutant, name))}" for name in names]
    return ", ".join(parts + ([f"number = {mutant.number}"] if mutant.number else []))


def report(folder: Path, outcomes: list[Outcome], reasons: dict[tuple, str]) -> str:
    """The page, in Markdown."""
    total, killed = Counter[str](), Counter[str]()
    tiers = Counter[str]()
    for outcome in outcomes:
        total[outcome.mutant.operator] += 1
        if outcome.killed:
            killed[outcome.mutant.operator] += 1
            name = outcome.by.partition("::")[0]
            tiers["the tiny test" if name.endswith("_tiny.py") else
                  "the unit test" if name.endswith("_adapter.py") else outcome.by] += 1  # fmt: skip
    all_killed = sum(killed.values())
    score = f"{100 * all_killed / len(outcomes):.1f}"
    names = ("transformer-lens", "transformers", "torch", "pytest")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    kills = ", ".join(f"{number} by {name}" for name, number in sorted(tiers.items()))
    lines = [
        "<!-- Written by `make mutants`. -->",
        "# Mutants",
        "",
        f"The adapter of `{folder.name}` with one mistake at a time, of the kinds that authors "
        "make. The emitted",
        "unit and tiny tests have to fail on each.",
        "",
        f"**{all_killed} of {len(outcomes)} killed ({score} %)**: {kills}.",
        "",
        f"With {versions}, Python {sys.version_info.major}.{sys.version_info.minor}.",
        "",
        "| Mistake | Mutants | Killed |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {total[name]} | {killed[name]} |" for name in sorted(total)),
        "",
        "## Survivors",
        "",
    ]
    for outcome in outcomes:
        mutant = outcome.mutant
        if not outcome.killed:
            reason = reasons.get(mutant.identity, "**not listed**")
            after = f"`{mutant.after}`" if mutant.after else "nothing"
            change = f"`{mutant.before}` becomes {after}" if mutant.before else f"{after} is added"
            lines.append(f"- {mutant.operator} in `{mutant.where}`: {change}. {reason}")
    if all_killed == len(outcomes):
        lines.append("None.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
