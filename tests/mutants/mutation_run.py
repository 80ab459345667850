"""Runs the emitted tests against mutants of an adapter: which of the mistakes do they notice?

The mutant takes the place of the adapter in a copy of its generated folder, and the tests there
run as anyone would run them. Everything heavy is imported once, and each mutant gets a fork of
this process; the first failure, or the end of its time, kills it.

    python tests/mutants/mutation_run.py --module nemotron_h deepseek_v2 --report docs/mutants.md
    python tests/mutants/mutation_run.py --sample 25
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from mutation import Mutant, mutants
from mutation_page import write
from mutation_survivors import Outcome, listed, toml

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "generated"
ADAPTER = Path("transformer_lens/model_bridge/supported_architectures")
WORKERS, SECONDS, PASS_MARK = 2, 120, 0.98


def main() -> int:
    """Run a sample or all of each adapter, and write the report if one is wanted."""
    arguments = _arguments()
    import_everything(arguments.module)
    return max(run_module(module, arguments) for module in arguments.module)


def run_module(module: str, arguments: argparse.Namespace) -> int:
    """0 if enough mutants of an adapter are killed, and the survivors are those listed."""
    folder = GENERATED / module
    chosen = mutants((folder / ADAPTER / f"{module}.py").read_text("utf-8"))
    reasons = listed(module)
    if arguments.only == "listed":
        chosen = [one for one in chosen if one.identity in reasons]
    elif arguments.only:
        chosen = [one for one in chosen if arguments.only in f"{one.operator} {one.where}"]
    if arguments.sample and arguments.sample < len(chosen):
        chosen = random.Random(arguments.seed).sample(chosen, arguments.sample)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = run(folder, chosen, Path(scratch), arguments.workers)
    survivors = [outcome.mutant for outcome in outcomes if not outcome.killed]
    unlisted = [mutant for mutant in survivors if mutant.identity not in reasons]
    revived = [one for one in outcomes if one.killed and one.mutant.identity in reasons]
    for mutant in unlisted:
        print(f"not listed: line {mutant.line}, {toml(mutant)}")
    for outcome in revived:
        print(f"listed as a survivor, but killed by {outcome.by}: {toml(outcome.mutant)}")
    killed = len(outcomes) - len(survivors)
    seconds = time.monotonic() - started
    print(f"{module}: {killed} of {len(outcomes)} mutants killed, in {seconds:.0f} s", flush=True)
    if arguments.report:
        write(arguments.report, module, outcomes, reasons)
    enough = arguments.sample or arguments.only or killed >= PASS_MARK * len(outcomes)
    return 0 if enough and not unlisted and not revived else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    modules = sorted(path.parent.name for path in GENERATED.glob("*/register.py"))
    parser.add_argument(
        "--module", nargs="+", choices=modules, default=["nemotron_h"], help="which adapters"
    )
    parser.add_argument("--sample", type=int, default=0, help="how many mutants; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="part of an operator or of where it is, or `listed`")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--report", type=Path, help="where to write the report")
    return parser.parse_args()


def import_everything(modules: list[str]) -> None:
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

    for module in modules:
        importlib.import_module(f"transformers.models.{module}.modeling_{module}")

    # A collection would write to the memory that a fork shares with its parent.
    gc.freeze()
    # A fork does not have the threads of its parent.
    torch.set_num_threads(1)


def run(original: Path, chosen: list[Mutant], scratch: Path, workers: int) -> list[Outcome]:
    """The outcome of each mutant, in the order given; the adapter as it is has to pass first."""
    folders = [scratch / str(number) / original.name for number in range(workers)]
    for folder in folders:
        for source in (original, original.parent / "_runtime"):
            target, ignored = folder.parent / source.name, shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target, ignore=ignored)
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
        if status == 0:
            print(f"survived: line {chosen[index].line}, {toml(chosen[index])}", flush=True)
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
    options = ["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "--import-mode=importlib"]
    # A warning of the mutant's is not the test's concern; what an assert compared is not shown.
    options += ["-W", "ignore", "--assert=plain", "--rootdir", str(folder), "-c", os.devnull]
    # The tiny test is not even collected where the unit test fails.
    tiers = [[folder / "tests" / "unit"], folder.glob("tests/integration/model_bridge/*_tiny.py")]
    return next(
        (status for tier in tiers if (status := pytest.main([*options, *map(str, tier)]))), 0
    )


def _output(folder: Path) -> Path:
    return folder.parent / "output.txt"


def _first_failure(folder: Path, status: int) -> str:
    if os.WIFSIGNALED(status):
        return "timeout" if os.WTERMSIG(status) == signal.SIGALRM else "crash"
    for line in _output(folder).read_text("utf-8", "replace").splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split(" - ")[0].split(" ", 1)[1].rpartition("/")[2]
    return "import" if status else ""


if __name__ == "__main__":
    sys.exit(main())
