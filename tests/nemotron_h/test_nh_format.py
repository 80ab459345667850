"""The generated Python files as upstream checks them: format, imports, types."""

from __future__ import annotations

from pathlib import Path

import black
import isort
import pytest
from nemotron_h_support import ADAPTER, GENERATED, PROJECT, load, run

FILES = sorted(GENERATED.rglob("*.py"))
environments = load(PROJECT / "tests" / "matrix" / "environments.py", "matrix_environments")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_formatters_leave_it_unchanged(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert (black.__version__, isort.__version__) == ("23.12.1", "5.8.0")
    assert black.format_str(text, mode=black.Mode(line_length=100)) == text
    options = {"profile": "black", "known_first_party": ["transformer_lens"]}
    assert isort.code(text, config=isort.Config(**options)) == text


def test_nothing_is_imported_or_named_in_vain() -> None:
    result = run("-m", "ruff", "check", "--isolated", "--select", "F", *FILES)
    assert result.returncode == 0, result.stdout


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.skipif(
    not (environments.ROOT / environments.SOURCE.replace("==", "-")).is_dir(),
    reason="needs TransformerLens' sources: python tests/matrix/upstream.py",
)
def test_types() -> None:
    """As upstream runs it: `mypy .` at the root of their tree, with our file in it."""
    folder = environments.tree("types", GENERATED / ADAPTER)
    result = environments.python("-m", "mypy", ".", cwd=folder)
    # Their own tree has errors with newer releases of transformers; none is in our file.
    assert "checked" in result.stdout, result.stdout + result.stderr
    assert not [line for line in result.stdout.splitlines() if ADAPTER in line]
    # Proof that mypy reads it: one wrong line is found.
    path = folder / ADAPTER
    with path.open("a", encoding="utf-8") as file:
        file.write("\nNemotronHArchitectureAdapter(1, 2)\n")
    result = environments.python("-m", "mypy", ".", cwd=folder)
    assert [line for line in result.stdout.splitlines() if ADAPTER in line and "Too many" in line]
