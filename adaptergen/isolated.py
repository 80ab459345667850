"""The only place where Python is started: without what happens to lie in a folder.

`python -m` looks for modules in the working folder first, and imports `sitecustomize` from there
and `json` too. So whatever is started gets `-I`, which leaves out that folder, and is given what
else `-I` leaves out and the user did install: packages of the user's site, and absolute entries of
PYTHONPATH. An empty or a relative entry is the working folder again, or depends on it.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from adaptergen.resources import importable

_CHILD = """\
import json, runpy, site, sys
from importlib.machinery import PathFinder

_, given, module, *arguments = sys.argv
path, users, packages = json.loads(given)


class Given:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [packages[name]]) if name in packages else None


sys.meta_path.insert(0, Given)
for folder in users:
    # In front of what comes with Python, as without -I; with what its .pth files bring.
    common = [at for at, entry in enumerate(sys.path) if entry in site.getsitepackages()]
    known = len(sys.path)
    site.addsitedir(folder)
    new = sys.path[known:]
    del sys.path[known:]
    sys.path[min(common, default=known):min(common, default=known)] = new
sys.path[:0] = path
sys.argv = [module, *arguments]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def run_isolated(
    module: str,
    arguments: Sequence[str | Path],
    timeout: float,
    *,
    cwd: Path | None = None,
    path: Sequence[Path] = (),
    packages: Mapping[str, Path] | None = None,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a module as `python -m` does. Raises `TimeoutError` after that many seconds.

    The working folder is `cwd`, or an empty one; nothing is imported from there. Modules come from
    the folders in `path` before others, a package in `packages` from its folder alone, and
    adaptergen from where this one is. No bytecode is written.
    """
    # Another adaptergen may be installed than the one that runs.
    given = {"adaptergen": importable(), **(packages or {})}
    paths = json.dumps(
        [
            [os.path.abspath(folder) for folder in path] + _python_path(),
            _user_site(),
            {name: os.path.abspath(folder) for name, folder in given.items()},
        ]
    )
    with ExitStack() as stack:
        folder = cwd or stack.enter_context(tempfile.TemporaryDirectory(prefix="adaptergen-"))
        # With -I no variable is heeded that would say the other two.
        options = ("-I", "-B", "-X", "utf8", "-c", _CHILD)
        try:
            done = subprocess.run(
                [sys.executable, *options, paths, module, *map(str, arguments)],
                cwd=folder, env={**os.environ, **(env or {})}, input=stdin, capture_output=True,
                timeout=timeout,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"{module} took more than {timeout:g} seconds") from late
    texts = [output.decode(errors="replace") for output in (done.stdout, done.stderr)]
    return subprocess.CompletedProcess(done.args, done.returncode, *texts)


def _python_path() -> list[str]:
    if sys.flags.ignore_environment:
        return []
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [entry for entry in entries if os.path.isabs(entry)]


def _user_site() -> list[str]:
    folder = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    return [folder] if os.path.isdir(folder) else []
