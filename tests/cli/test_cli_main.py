"""What holds for every command: help, exit codes, and how failures are told."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adaptergen import __version__
from adaptergen.cli import main

COMMANDS = (
    "build", "verify", "inspect", "lock", "drift", "update", "export", "audit", "schema", "catalog",
)  # fmt: skip


def shell(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "adaptergen", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)


def test_version_and_module() -> None:
    result = shell("--version")
    assert (result.returncode, result.stdout) == (0, f"adaptergen {__version__}\n")


def test_help_names_every_command_and_none_that_does_not_exist(run: Any) -> None:
    result = run("--help")
    assert result.code == 0
    assert all(f"\n    {name} " in result.out for name in COMMANDS)
    assert "exit codes:" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_examples(run: Any, command: str) -> None:
    result = run(command, "--help")
    assert result.code == 0
    assert f"\n  adaptergen {command}" in result.out
    assert "examples:" in result.out and "exit codes:" in result.out
    assert max(map(len, result.out.splitlines())) <= 100


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["build"],
        ["build", "a.yaml", "--chekc"],
        ["schema", "--check", "--write"],
        ["schema", "block"],
        ["verify", "a.yaml", "--tier", "huge"],
        ["inspect", "LlamaForCausalLM", "--time-limit", "nan"],
        ["catalog", "--tl-version", "../x"],
    ],
)
def test_bad_arguments(run: Any, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert result.out == "" and "usage: adaptergen" in result.err and "error: " in result.err


def raising(error: BaseException) -> Any:
    def generate(path: Path) -> None:
        raise error

    return generate


def fail_with(error: BaseException, run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("adaptergen.generate.generate", raising(error))
    return run("build", "a.yaml")


def test_an_interrupt_leaves_no_traceback(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = fail_with(KeyboardInterrupt(), run, monkeypatch)
    assert (result.code, result.err) == (130, "interrupted\n")


def test_a_bug_is_said_to_be_one(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTERGEN_TRACEBACK", raising=False)
    result = fail_with(KeyError("slot"), run, monkeypatch)
    assert result.code == 2
    assert result.err.startswith("adaptergen failed: KeyError: 'slot'\n")
    assert (
        "report it" in result.err
        and "ADAPTERGEN_TRACEBACK=1 adaptergen build a.yaml\n" in result.err
    )
    assert "Traceback" not in result.err
    monkeypatch.setenv("ADAPTERGEN_TRACEBACK", "1")
    assert "Traceback" in fail_with(KeyError("slot"), run, monkeypatch).err


@pytest.mark.parametrize("name", ["torch", "transformers", "transformer_lens.utils", "accelerate"])
def test_a_missing_extra_is_named(run: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    result = fail_with(ModuleNotFoundError("no", name=name), run, monkeypatch)
    assert result.code == 2
    assert f"needs {name.partition('.')[0]}," in result.err
    assert "pip install 'adaptergen[verify]'" in result.err


def test_any_other_missing_module_is_no_extra(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = fail_with(ModuleNotFoundError("no jinja2", name="jinja2"), run, monkeypatch)
    assert result.code == 2 and "adaptergen[verify]" not in result.err


def test_the_operating_system_says_no(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = fail_with(PermissionError(13, "Permission denied", "/x/y"), run, monkeypatch)
    assert result.code == 2
    assert result.err.startswith("/x/y: Permission denied\n  hint: ")


@pytest.mark.skipif(os.name == "nt", reason="pipes close otherwise there")
def test_a_closed_pipe_is_no_failure_to_talk_about() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "adaptergen", "schema"]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, b"")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("no_color", "stream", "colored"),
    [(None, Terminal, True), ("", Terminal, True), ("1", Terminal, False),
     (None, io.StringIO, False)],
)  # fmt: skip
def test_colours_are_for_terminals(
    made_up: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_color: str | None,
    stream: type[io.StringIO],
    colored: bool,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    error = stream()
    monkeypatch.setattr(sys, "stderr", error)
    assert main(["build", "bad.yaml"]) == 2
    assert ("\x1b[" in error.getvalue()) is colored


def test_a_terminal_that_knows_only_ascii(made_up: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    program = (
        "import sys, adaptergen.generate; from adaptergen.cli import main\n"
        "from adaptergen.output import Wanted\n"
        "adaptergen.generate.generate = "
        "lambda path: Wanted('a', 'a.yaml', {'x': '\u00e9\\n'.encode()})\n"
        "sys.exit(main(['build', 'a.yaml', '--diff', '--out', 'out']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert (result.returncode, "+\\xe9" in result.stdout) == (1, True), result.stderr


def test_verify_is_found_when_it_is_called_and_not_before(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    command = type(sys)("adaptergen.verify.command")
    command.run = lambda args: seen.append(args) or 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "adaptergen.verify", type(sys)("adaptergen.verify"))
    monkeypatch.setitem(sys.modules, "adaptergen.verify.command", command)
    assert run("verify", "a.yaml", "b.yaml", "--json", "-").code == 1
    (args,) = seen
    assert args.specs == [Path("a.yaml"), Path("b.yaml")]
    assert (args.tier, args.json) == ("tiny", "-")
