"""`adaptergen init`: from a target to a spec that is built, verified and tested."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from adaptergen import guard
from adaptergen.inspection.target import in_process, read_target, without_logits
from adaptergen.isolated import run_isolated
from adaptergen.problems import InputError

#: What the emitted tests of a family may take.
SECONDS = 1800.0

#: Files by their paths beside the spec: the spec itself and the shapes that it alone uses.
Files = dict[str, str]


def drafted(text: str, trust_remote_code: bool, seconds: float) -> Files:
    """The files of the draft of a target, made in a process with a time limit. Raises `Failed`."""
    target = read_target(text, trust_remote_code)
    # Imported before the fork, so that what is missing is reported as such.
    import_module("adaptergen.draft.draft")
    files: Files = json.loads(in_process(target, lambda cls: _draft(cls, target.config), seconds))
    return files


def _draft(model_class: Any, config: Mapping[str, Any]) -> str:
    from adaptergen.draft.draft import measured_draft, small_model

    model, settings = small_model(model_class, config)
    if model.get_output_embeddings() is None:
        raise without_logits(model_class)
    return json.dumps(measured_draft(model, settings).files())


def placed(files: Files, out: Path | None) -> dict[Path, str]:
    """The files by where they are written: the spec at `out`, shapes in the folder beside it."""
    (spec,) = (name for name in files if "/" not in name)
    path = out or Path("specs") / spec
    if path.name != spec:
        message = f"{path.as_posix()}: the file of this spec is called {spec}"
        raise InputError(message, f"name {path.with_name(spec).as_posix()}")
    return {path if name == spec else path.parent / name: one for name, one in files.items()}


def differences(files: dict[Path, str]) -> Iterator[str]:
    """What writing the files would change, as a unified diff."""
    for path, text in files.items():
        before = guard.read(path).decode("utf-8").splitlines(True) if path.is_file() else []
        name = path.as_posix()
        yield from difflib.unified_diff(before, text.splitlines(True), name, name)


def write(files: dict[Path, str], force: bool) -> None:
    """Write the files, each whole or not at all; without `force` none that is there already."""
    for path in files:
        if path.exists() and not force:
            message = f"{path.as_posix()}: this is there already, and is not overwritten"
            raise InputError(message, "--compare shows what differs; --force overwrites the file")
    # The spec last: where it is, all that it uses is.
    for path, text in reversed(files.items()):
        path.parent.mkdir(parents=True, exist_ok=True)
        guard.write_whole(path, text.encode())


def report(path: Path, shapes: int, out: Path, json_file: str | None) -> int:
    """Build, verify and test the spec at `path`; say what holds in a few lines."""
    from adaptergen.generate import generate
    from adaptergen.output.transaction import build
    from adaptergen.runtime import wanted
    from adaptergen.verify.environment import peak_memory
    from adaptergen.verify.report import Report, SpecResult, table, verify_record
    from adaptergen.verify.target import load_target
    from adaptergen.verify.tiers import tiny

    tree = generate(path)
    written = build(out, [tree, wanted()], write=True, force=False)
    target = load_target(path)
    tables = target.tables
    hooks = [*tables.model.hooks.values(), *tables.shared.hooks.values()]
    hooks += [hook for kind in tables.kinds.values() for hook in kind.hooks.values()]
    live = sum(hook.state == "live" for hook in hooks)
    result = SpecResult(tree.name, path.as_posix(), target.architecture, tuple(tiny(target)))
    found = Report("tiny", (result,), (), peak_memory())
    if json_file:
        verify_record(found).write(json_file)
    passed, last = tested(out / tree.name)
    print(f"spec: {path.as_posix()}, {len(path.read_text('utf-8').splitlines())} lines, "
          f"and {shapes} shape{'' if shapes == 1 else 's'} of its own")  # fmt: skip
    print(f"hooks: {len(hooks)} by name, {live} of them live and editable in every run")
    print(f"built: {written.summary}")
    print(f"verified: {found.summary}")
    print(f"emitted tests: {last}")
    if found.exit_code:
        print(table(found), file=sys.stderr)
    return 1 if found.exit_code or not passed or written.exit_code else 0


def tested(folder: Path) -> tuple[bool, str]:
    """Whether the emitted tests of a family pass, and how many do and do not."""
    arguments = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-m", "not slow"]
    done = run_isolated("pytest", [*arguments, folder.resolve()], SECONDS, cwd=folder)
    last = (done.stdout.strip().splitlines() or [done.stderr.strip()])[-1]
    counts = re.findall(r"\d+ (?:passed|failed|errors?)", last)
    return done.returncode == 0, ", ".join(counts) or last
