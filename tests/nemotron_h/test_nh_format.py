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


#: As upstream's, but what is not TransformerLens is not read: that takes minutes.
MYPY = """
[mypy]
python_version = 3.10
check_untyped_defs = true
ignore_missing_imports = true
follow_imports = skip
[mypy-transformer_lens.*]
follow_imports = silent
"""


def test_types_of_all_adapters(tmp_path: Path) -> None:
    """Against the TransformerLens that is installed, each as a module of its own."""
    adapters = sorted(GENERATED.parent.glob(f"*/{Path(ADAPTER).parent}/*.py"))
    assert GENERATED / ADAPTER in adapters
    # Proof that mypy reads them: wrong lines are found.
    wrong = tmp_path / "wrong.py"
    text = (GENERATED / ADAPTER).read_text(encoding="utf-8")
    text += "\nNemotronHArchitectureAdapter(1, 2)\nLinearBridge(nam='x')\n"
    wrong.write_text(text, encoding="utf-8")
    settings = tmp_path / "mypy.ini"
    settings.write_text(MYPY, encoding="utf-8")
    options = (f"--config-file={settings}", f"--cache-dir={tmp_path / 'cache'}")
    result = run("-m", "mypy", *options, *adapters, wrong)
    errors = [line for line in result.stdout.splitlines() if ": error: " in line]
    assert [Path(line.partition(":")[0]).name for line in errors] == ["wrong.py"] * 2, result.stdout


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
