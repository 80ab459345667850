"""Python that adaptergen starts takes no module from the folder that it is started in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from planted_modules import NAMES, PROJECT, planted, ran

from adaptergen.isolated import run_isolated

#: A module that tells what it sees.
TELL = """\
import json, os, sys
from importlib.util import find_spec
where = {name: getattr(find_spec(name), "origin", None) for name in sys.argv[1:]}
print(json.dumps([where, os.getcwd(), os.listdir(), sys.path, sys.stdin.read()]))
"""


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A folder with the module `tell`, which is no working folder."""
    folder = tmp_path / "told"
    folder.mkdir()
    (folder / "tell.py").write_text(TELL, encoding="utf-8")
    return folder


@pytest.mark.parametrize("given", [True, False], ids=["its folder", "a folder of ours"])
def test_nothing_of_the_working_folder(
    given: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = planted(tmp_path / "here", *NAMES)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", "../here"]))
    cwd = here if given else None
    for module, output in (
        ("adaptergen", "adaptergen "),
        ("black", "python -m black"),
    ):
        done = run_isolated(module, ["--version"], 60, cwd=cwd)
        assert done.returncode == 0 and done.stdout.startswith(output), done.stderr
    assert not ran(here)


def test_a_folder_of_ours_is_empty_and_goes(told: Path) -> None:
    done = run_isolated("tell", [], 60, path=[told], stdin="ä".encode())
    _, cwd, files, path, given = json.loads(done.stdout)
    assert cwd not in (os.getcwd(), *path) and files == [] and given == "ä"
    assert not Path(cwd).exists()


def test_one_package_of_a_folder(told: Path, tmp_path: Path) -> None:
    """Of a checkout the package is taken, and not what lies beside it."""
    (checkout := planted(tmp_path / "checkout", "json", "torch"))
    (checkout / "pytest").mkdir()
    (checkout / "pytest" / "__init__.py").touch()
    done = run_isolated("tell", ["pytest"], 60, path=[told], packages={"pytest": checkout})
    where, _, _, path, _ = json.loads(done.stdout)
    assert where == {"pytest": str(checkout / "pytest" / "__init__.py")}
    assert str(checkout) not in path and not ran(checkout)


def test_late() -> None:
    with pytest.raises(TimeoutError, match=r"timeit took more than 0\.1 seconds"):
        run_isolated("timeit", ["-n", "1", "import time; time.sleep(30)"], 0.1)


PROGRAM = """\
from adaptergen.isolated import run_isolated
done = run_isolated("tell", ["mine", "linked", "adaptergen"], 60)
print(done.stdout, end="")
raise SystemExit(done.stderr or 0)
"""


def started(program: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """What a Python without an environment, where the user's site is, prints."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    # Python 3.10 does not say which one an environment was made with, but where that one lies.
    folder = Path(sys.base_exec_prefix) / ("" if os.name == "nt" else "bin")
    python = folder / ("python.exe" if os.name == "nt" else "python{}.{}".format(*sys.version_info))
    return subprocess.run(
        [python, *options, "-c", program],
        env={**kept, **env}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture
def base(told: Path, tmp_path: Path) -> Path:
    """The base of a user's site with adaptergen, as `pip install --user --editable` leaves it."""
    base = tmp_path / "base"
    code = "import site; print(site.getusersitepackages())"
    users = Path(started(code, PYTHONUSERBASE=str(base)).stdout.strip())
    users.mkdir(parents=True)
    (users / "mine.py").touch()
    (users / "some.pth").write_text(
        f"{told}\n{PROJECT}\nimport sys; sys.path.append({str(base)!r})\n"
    )
    (base / "linked.py").touch()
    return base


def test_the_users_site(base: Path, told: Path) -> None:
    done = started(PROGRAM, PYTHONUSERBASE=str(base))
    assert done.returncode == 0, done.stderr
    where, _, _, path, _ = json.loads(done.stdout)
    assert where["mine"] and where["linked"] == str(base / "linked.py")
    assert where["adaptergen"] == str(PROJECT / "adaptergen" / "__init__.py")
    # Before what came with Python, as it is where nothing is isolated.
    common = next(at for at, entry in enumerate(path) if entry.endswith("-packages")
                  and not entry.startswith(str(base)))  # fmt: skip
    assert path.index(str(told)) < common and path.index(str(Path(where["mine"]).parent)) < common


@pytest.mark.parametrize("how", ["-s", "-I", "PYTHONNOUSERSITE"])
def test_no_users_site_where_it_is_off(how: str, base: Path) -> None:
    off = {how: "1"} if how.startswith("PYTHON") else {}
    program = f"import sys; sys.path.append({str(PROJECT)!r})\n{PROGRAM}"
    done = started(program, *([] if off else [how]), PYTHONUSERBASE=str(base), **off)
    assert "No module named tell" in done.stderr and done.returncode == 1


def test_entries_of_pythonpath_that_name_a_folder(told: Path) -> None:
    path = os.pathsep.join([str(told), str(PROJECT)])
    done = started(PROGRAM, PYTHONPATH=path)
    assert json.loads(done.stdout)[3][:2] == [str(told), str(PROJECT)], done.stderr
    program = f"import sys; sys.path.append({str(PROJECT)!r})\n{PROGRAM}"
    assert "No module named tell" in started(program, "-E", PYTHONPATH=path).stderr
