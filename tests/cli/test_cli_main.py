"""What holds for every command: help, exit codes, and how failures are told."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_support import SHARED

from adaptergen import __version__
from adaptergen.cli import main
from adaptergen.resources import schema

ROOT = Path(__file__).parents[2]
SPEC = "specs/helium.yaml"

COMMANDS = (
    "build", "verify", "inspect", "survey", "lock", "drift", "update", "export", "audit", "schema",
    "catalog",
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


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO", "EROFS", "ENXIO"])
def test_a_full_disk_is_no_mistake_of_ours(
    run: Any, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    number = getattr(errno, code)
    result = fail_with(OSError(number, os.strerror(number)), run, monkeypatch)
    assert result.code == 2 and os.strerror(number) in result.err
    assert "hint: " in result.err and "mistake in adaptergen" not in result.err


@pytest.fixture
def broken_transformers(tmp_path: Path) -> dict[str, str]:
    """An environment in which transformers is installed, and cannot be imported."""
    package = tmp_path / "broken" / "transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('tokenizers 1 is required')\n", "utf-8")
    return {**os.environ, "PYTHONPATH": str(package.parent)}


def test_a_package_that_cannot_be_imported_is_named(
    tmp_path: Path, broken_transformers: dict[str, str]
) -> None:
    program = (
        "import sys, adaptergen.cli.inspect as inspect\n"
        "from adaptergen.cli import main\n"
        "def run(args):\n    import transformers\n"
        "inspect.run = run\n"
        "sys.exit(main(['inspect', 'LlamaForCausalLM']))"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, env=broken_transformers)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "`transformers` cannot be imported: ImportError: tokenizers 1 is required\n"
        "  hint: install versions that fit together: pip install 'adaptergen[verify]'\n"
    )


@pytest.mark.heavy
@pytest.mark.parametrize(
    "arguments",
    [
        ["drift", SPEC, "--json", "-"],
        ["drift", SPEC, "--format", "json"],
        ["inspect", "LlamaForCausalLM", "--json", "-"],
        ["lock", SPEC, "--check"],
        ["update", SPEC],
    ],
    ids=" ".join,
)
def test_a_broken_transformers(broken_transformers: dict[str, str], arguments: list[str]) -> None:
    result = shell(*arguments, env=broken_transformers, cwd=ROOT)
    assert result.returncode == 2
    assert result.stderr.startswith("`transformers` cannot be imported: ImportError: tokenizers 1")
    assert "hint: " in result.stderr and "mistake in adaptergen" not in result.stderr
    if arguments[0] in ("drift", "inspect"):
        content = json.loads(result.stdout)
        jsonschema.validate(content, json.loads(schema(arguments[0]).read_text("utf-8")))
        assert content["outcome"] == "failed" and "tokenizers 1" in result.stdout
    else:
        assert result.stdout == ""


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


needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["schema"],
        ["schema", "lock"],
        ["build", "a.yaml", "--diff"],
        ["build", "a.yaml", "--check", "--json", "-"],
    ],
    ids=" ".join,
)
def test_a_full_standard_output(made_up: Path, arguments: list[str], unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        result = made_up_shell(arguments, stdout=full, env=environment)
    told = result.stderr.splitlines()[-2:]
    assert result.returncode == 2
    assert told[0] == "standard output: No space left on device" and "hint: " in told[1]
    assert "mistake in adaptergen" not in result.stderr and "Traceback" not in result.stderr
    assert not Path("generated").exists()


def made_up_shell(
    arguments: list[str], prefix: tuple[str, ...] = (), **more: Any
) -> subprocess.CompletedProcess[str]:
    """A process in which a spec makes what the first spec of `made_up` does."""
    program = (
        "import sys, adaptergen.generate\n"
        "from adaptergen.cli import script\n"
        "from adaptergen.output.tree import OutputTree\n"
        "adaptergen.generate.generate = "
        "lambda path: OutputTree('a', 'a.yaml', {'code.py': b'code of a\\n'})\n"
        f"sys.argv = ['adaptergen', *{arguments!r}]\n"
        "script()"
    )
    command = [*prefix, sys.executable, "-c", program]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, **more)


CLOSED = ("sh", "-c", 'exec "$0" "$@" <&- >&-')


@pytest.mark.skipif(os.name == "nt", reason="streams are closed otherwise there")
def test_a_build_needs_no_standard_output(made_up: Path) -> None:
    result = made_up_shell(["build", "a.yaml"], CLOSED)
    assert result.returncode == 0
    assert result.stderr.endswith(f"Wrote: {2 + len(SHARED)} new.\n")
    assert Path("generated/a/code.py").read_bytes() == b"code of a\n"
    silent = ("sh", "-c", 'exec "$0" "$@" >&- 2>&-')
    assert made_up_shell(["build", "a.yaml", "--check"], silent).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="streams are closed otherwise there")
@pytest.mark.parametrize(
    "arguments", [["schema"], ["build", "a.yaml", "--diff"], ["build", "bad.yaml", "--json", "-"]],
    ids=" ".join,
)  # fmt: skip
def test_what_is_asked_for_does_not_go_to_a_closed_stream(
    made_up: Path, arguments: list[str]
) -> None:
    result = made_up_shell(arguments, CLOSED)
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert "standard output: it is closed\n  hint: " in result.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("no_color", "term", "stream", "colored"),
    [
        (None, "xterm", Terminal, True),
        ("", "xterm", Terminal, True),
        ("1", "xterm", Terminal, False),
        (None, "dumb", Terminal, False),
        (None, "xterm", io.StringIO, False),
    ],
)
def test_colours_are_for_terminals(
    made_up: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_color: str | None,
    term: str,
    stream: type[io.StringIO],
    colored: bool,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", term)
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
        "from adaptergen.output.tree import OutputTree\n"
        "adaptergen.generate.generate = "
        "lambda path: OutputTree('a', 'a.yaml', {'x': '\u00e9\\n'.encode()})\n"
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
