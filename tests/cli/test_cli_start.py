"""Commands start fast: what they do not need they do not import."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("accelerate", "torch", "transformers", "transformer_lens", "numpy")
LIBRARIES = ("black", "isort", "jinja2", "pydantic", "ruamel", "hypothesis", "pytest")

COMMANDS = {
    "build --check": (["build", "specs/nemotron_h.yaml", "--check"], HEAVY),
    "build --diff": (["build", "specs/nemotron_h.yaml", "--diff"], HEAVY),
    "schema": (["schema"], HEAVY),
    "schema --check": (["schema", "--check"], (*HEAVY, "black", "jinja2")),
    # pydantic reads and writes catalogues.
    "catalog": (["catalog", "--tl", "."], (*HEAVY, *set(LIBRARIES) - {"pydantic"})),
    "--help": (["--help"], (*HEAVY, *LIBRARIES)),
    "build --help": (["build", "--help"], (*HEAVY, *LIBRARIES)),
    "--version": (["--version"], (*HEAVY, *LIBRARIES)),
}
# Twice what is usual; to import torch as well would be more than ten times.
SLOWER = 4.0


def program(arguments: list[str], unwanted: tuple[str, ...]) -> str:
    return (
        "import sys; from adaptergen.cli import main\n"
        f"code = main({arguments!r})\n"
        f"found = sorted(set({unwanted!r}) & set(sys.modules))\n"
        "assert code in (0, 1, 2) and not found, (code, found)"
    )


@pytest.mark.parametrize(("arguments", "unwanted"), COMMANDS.values(), ids=COMMANDS)
def test_what_is_not_imported(arguments: list[str], unwanted: tuple[str, ...]) -> None:
    command = [sys.executable, "-c", program(arguments, unwanted)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, timeout=60)
    return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "libraries"),
    [
        (["--help"], "import argparse"),
        (["schema"], "import ruamel.yaml, packaging.specifiers; from pydantic import BaseModel"),
        # Everything that a build imports, without its work.
        (
            ["build", "specs/none.yaml", "--check"],
            "import black, isort, jinja2, ruamel.yaml; from pydantic import BaseModel",
        ),
    ],
    ids=["--help", "schema", "build"],
)
def test_hardly_slower_than_its_libraries(arguments: list[str], libraries: str) -> None:
    # In turns, so that a busy machine slows both.
    pairs = [(seconds("-c", libraries), seconds("-m", "adaptergen", *arguments)) for _ in range(4)]
    bare, command = (min(times) for times in zip(*pairs, strict=True))
    assert command < SLOWER * bare
