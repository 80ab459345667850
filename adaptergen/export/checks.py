"""What is run on a checkout after an export: upstream's own tools, as upstream configures them.

A tool that is not installed is reported as not run; nothing is installed.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from adaptergen.audit.audit import audit
from adaptergen.export.checkout import REGISTRY_TEST, REGISTRY_TEST_CLASS
from adaptergen.export.contribution import Contribution
from adaptergen.isolated import run_isolated
from adaptergen.problems import listing
from adaptergen.prose import markdown

_PYTEST = "--jaxtyping-packages=transformer_lens,beartype.beartype"
#: What upstream's options need beside pytest.
_PLUGINS = ("nbval", "pytest_doctestplus")
_RUNTIME = ("torch", "transformers", "jaxtyping", "beartype")
#: What `adaptergen verify` needs.
_MEASURED = ("torch", "transformers", "transformer_lens")
_TIMEOUT = 1800
_FINDING = ": error:"


@dataclass(frozen=True)
class Check:
    """One check: `passed` is None if it was not run; `detail` is the last of what it said."""

    name: str
    passed: bool | None
    detail: str = ""

    @property
    def line(self) -> str:
        """One line for people."""
        word = {True: "passed", False: "FAILED", None: "not run"}[self.passed]
        return f"{word}: {self.name}{f' ({self.detail})' if self.detail else ''}"


def run_checks(made: Contribution) -> Iterator[Check]:
    """Every check of the files of a contribution, one after the other."""
    root = made.draft.checkout.root
    files = sorted(made.draft.files)
    python = [path for path in files if path.endswith(".py")]
    formatted = [path for path in python if not path.endswith("__init__.py")]
    package = [path for path in python if path.startswith("transformer_lens/")]
    tests = [path for adapter in made.adapters for path in adapter.tests
             if path.endswith("_tiny.py") or path.startswith("tests/unit/")]  # fmt: skip
    yield _run(root, "pycln", ("pycln", "--check", "--all", *formatted))
    yield _run(root, "isort", ("isort", "--check-only", *formatted))
    yield _run(root, "black", ("black", "--check", "--quiet", *python))
    yield _types(root, package)
    registry = (*_pytest(), REGISTRY_TEST, "-k", REGISTRY_TEST_CLASS)
    if (root / REGISTRY_TEST).is_file():
        yield _run(root, REGISTRY_TEST_CLASS, registry, _RUNTIME)
    else:
        yield Check(REGISTRY_TEST_CLASS, None, f"there is no {REGISTRY_TEST}")
    name = "unit and tiny tests, with jaxtyping and beartype"
    yield _run(root, name, (*_pytest(), "-m", "not slow", *tests), _RUNTIME)
    # What was wrong before is not the contribution's.
    plans = [adapter.plan for adapter in made.adapters]
    own = {name for plan in plans for name in (plan.spec.architecture, plan.adapter_class)}
    found = [one for one in audit(root).findings if one.subject.partition(".")[0] in own]
    yield Check("adaptergen audit", not found, "; ".join(one.problem.message for one in found))


def _pytest() -> tuple[str, ...]:
    """pytest with upstream's options, or with those of them that its plugins are there for."""
    options = ("pytest", "--quiet", "-p", "no:cacheprovider")
    if all(find_spec(plugin) for plugin in _PLUGINS):
        return options
    return (*options, "-o", "addopts=", _PYTEST)


def _types(root: Path, files: Sequence[str]) -> Check:
    """mypy on the package, with findings in other files left out: they were there before."""

    def ours(output: str) -> str:
        lines = (line for line in output.splitlines() if _FINDING in line)
        return "\n".join(line for line in lines if line.startswith(tuple(f"{f}:" for f in files)))

    with tempfile.TemporaryDirectory() as scratch:
        # Nothing is left in the checkout.
        cache = os.environ.get("MYPY_CACHE_DIR", scratch)
        command = ("mypy", "--no-error-summary", "--cache-dir", cache, *files)
        return _run(root, "mypy", command, relevant=ours)


def _run(
    root: Path, name: str, command: Sequence[str], needs: Sequence[str] = (),
    relevant: Callable[[str], str] | None = None,
) -> Check:  # fmt: skip
    module, *arguments = command
    missing = [package for package in (module, *needs) if find_spec(package) is None]
    if missing:
        return Check(name, None, f"{', '.join(missing)} not installed")
    # Tests are of the TransformerLens in the checkout, and import each other. What only reads its
    # files takes nothing from there.
    path = (root,) if module == "pytest" else ()
    try:
        ran = run_isolated(
            module, arguments, _TIMEOUT, cwd=root, path=path, env={"HF_HUB_OFFLINE": "1"}
        )
    except TimeoutError:
        return Check(name, None, f"took more than {_TIMEOUT // 60} minutes")
    output = ran.stdout + ran.stderr
    lines = [line for line in output.strip().splitlines() if line.strip()]
    last = lines[-1].strip("= ") if lines else ""
    if relevant is None:
        return Check(name, not ran.returncode, last)
    found = relevant(output)
    if found:
        return Check(name, False, found.replace("\n", "; "))
    # What is found elsewhere ends with 1; any other end says that it did not look at everything.
    looked = ran.returncode == 0 or (ran.returncode == 1 and _FINDING in output)
    return Check(name, True) if looked else Check(name, None, last or f"exit {ran.returncode}")


def verified(spec: Path) -> dict[str, object] | str:
    """What `adaptergen verify` measures on tiny models; or why there is no such record."""
    missing = [name for name in _MEASURED if find_spec(name) is None]
    if missing:
        return f"{listing(missing)} {'is' if len(missing) == 1 else 'are'} not installed here"
    folder = os.path.abspath(spec.parent)
    try:
        command = ("verify", os.path.join(folder, spec.name), "--json", "-")
        ran = run_isolated("adaptergen", command, _TIMEOUT)
        found = json.loads(ran.stdout)
    except TimeoutError:
        return f"`adaptergen verify` took more than {_TIMEOUT // 60} minutes"
    except json.JSONDecodeError:
        said = ran.stderr.strip().splitlines() or ["no message"]
        # How many problems there are, and hints, come after the first of them.
        first = (line for line in said if "error[" in line or line.startswith("adaptergen failed"))
        # By the path that the user gave.
        shown = f"{spec.parent.as_posix()}/".removeprefix("./")
        line = next(first, said[-1]).strip().replace(f"{Path(folder).as_posix()}/", shown)
        return f"`adaptergen verify` failed: {markdown(line)}"
    return found if isinstance(found, dict) else "`adaptergen verify` gave no record"
