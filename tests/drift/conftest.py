"""The small hybrid of the tests, observed as it is and as it is after a change."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adaptergen import resources
from adaptergen.cli import main

sys.path.insert(0, str(Path(__file__).parent))
from hybrid_support import HYBRID, TEXT, put


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; its exit code, and what it says."""

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return command


@pytest.fixture(scope="session")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The spec of the hybrid, with its own shape and those that come with adaptergen."""
    folder = tmp_path_factory.mktemp("hybrid") / "specs"
    shutil.copytree(HYBRID / "specs", folder)
    for path in resources.shapes().glob("*.yaml"):
        shutil.copy(path, folder / "shapes")
    return folder / "drift_hybrid.yaml"


@pytest.fixture(scope="session")
def target(spec: Path) -> Any:
    from adaptergen.verify.target import load_target

    return load_target(spec)


@pytest.fixture
def observe(target: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Observe the hybrid of a text; the same text is observed once."""
    from adaptergen.observe.entry import observe_entry

    def run(text: str, name: str = "drift_hybrid.modeling") -> Any:
        if (text, name) not in _OBSERVED:
            put(text, monkeypatch, name)
            _OBSERVED[text, name] = observe_entry(target)
        return _OBSERVED[text, name]

    return run


_OBSERVED: dict[tuple[str, str], Any] = {}


@pytest.fixture(scope="session")
def base(target: Any) -> Iterator[Any]:
    """What is observed of the hybrid as it is."""
    from adaptergen.observe.entry import observe_entry

    with pytest.MonkeyPatch.context() as monkeypatch:
        put(TEXT, monkeypatch)
        yield observe_entry(target)
