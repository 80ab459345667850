"""A checkout of TransformerLens: its files now and as committed, its git, and a draft of edits.

A checkout is read, never imported. Edits are made in memory; they are written or shown at the end.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from adaptergen.audit.registries import GAPS_FILE
from adaptergen.catalogue.extract import version_in
from adaptergen.catalogue.library import locate
from adaptergen.catalogue.model import CatalogueError, RegistrationSite
from adaptergen.catalogue.store import load
from adaptergen.output.compare import Entry, State
from adaptergen.output.files import read_file
from adaptergen.problems import Failed, Problem, SourceLocation

PASSTHROUGH_FILE = "transformer_lens/model_bridge/sources/_bridge_builder.py"
MODELS_FILE = "transformer_lens/tools/model_registry/data/supported_models.json"
#: Upstream's test of the registries.
REGISTRY_TEST = "tests/unit/tools/test_model_registry.py"
REGISTRY_TEST_CLASS = "TestRegistrySyncedWithFactory"
#: Branches that upstream keeps for itself.
PROTECTED = frozenset({"main", "dev"})


@dataclass(frozen=True)
class Git:
    """The repository whose root is `root`."""

    root: Path

    @staticmethod
    def of(root: Path) -> Git | None:
        """The repository of a folder; None if it is no repository's root, or git is missing."""
        try:
            found = _git(root, "rev-parse", "--show-toplevel")
        except FileNotFoundError:
            return None
        same = not found.returncode and Path(os.fsdecode(found.stdout).strip()) == root.resolve()
        return Git(root) if same else None

    def branch(self) -> str | None:
        """The branch that is checked out; None on a detached head."""
        found = _git(self.root, "symbolic-ref", "--quiet", "--short", "HEAD")
        return None if found.returncode else os.fsdecode(found.stdout).strip()

    def has_branch(self, name: str) -> bool:
        """Whether there is a branch of that name."""
        return not _git(self.root, "rev-parse", "--verify", "-q", f"refs/heads/{name}").returncode

    def is_branch_name(self, name: str) -> bool:
        """Whether git takes the name for a branch."""
        found = _git(self.root, "check-ref-format", "--branch", name)
        # Such as `@{-1}` stands for another one.
        return not found.returncode and os.fsdecode(found.stdout).strip() == name

    def changed(self) -> tuple[str, ...]:
        """Files that differ from the last commit, new ones included, ignored ones not."""
        status = self.do("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
        return tuple(os.fsdecode(entry)[3:] for entry in status.split(b"\0") if entry)

    def overlooked(self, paths: Collection[str]) -> dict[str, str]:
        """Those of the files whose changes `changed` does not report, each with why."""
        if not paths:
            return {}
        marks = self.do("ls-files", "-v", "-z", "--", *paths)
        options = ("--others", "--ignored", "--exclude-standard")
        ignored = self.do("ls-files", "-z", *options, "--", *paths)
        found = {os.fsdecode(path): "ignored" for path in ignored.split(b"\0") if path}
        for entry in marks.split(b"\0"):
            # In lower case, whatever the letter.
            mark = "assume-unchanged" if entry[:1].islower() else "skip-worktree"
            if entry[:1].islower() or entry[:1] == b"S":
                found[os.fsdecode(entry[2:])] = mark
        return found

    def committed(self, path: str, commit: str = "HEAD") -> bytes | None:
        """A file as of a commit, as git would write it here; None if it had none."""
        found = _git(self.root, "cat-file", "--filters", f"{commit}:{path}")
        return None if found.returncode else found.stdout

    def merge_base(self, branches: Iterable[str]) -> str | None:
        """The last commit that this branch shares with one of these, here or on a remote."""
        names = [f"refs/{where}/{name}" for name in branches for where in ("heads", "remotes/*")]
        refs = self.do("for-each-ref", "--format=%(refname)", *sorted(names))
        shared: dict[str, int] = {}
        for ref in os.fsdecode(refs).split():
            found = _git(self.root, "merge-base", "HEAD", ref)
            if not found.returncode:
                base = os.fsdecode(found.stdout).strip()
                shared[base] = int(self.do("rev-list", "--count", f"{base}..HEAD"))
        return min(shared, key=lambda base: shared[base], default=None)

    def before(self, path: str) -> bytes | None:
        """A file as it was before the last commit that changed it; None if it was not there."""
        last = os.fsdecode(self.do("rev-list", "--max-count=1", "HEAD", "--", path)).strip()
        return self.committed(path, f"{last}^") if last else None

    def do(self, *arguments: str) -> bytes:
        """Run git, and return what it prints; `Failed` with what it says if it fails."""
        done = _git(self.root, *arguments)
        if done.returncode:
            said = " ".join(os.fsdecode(done.stderr or done.stdout).split())
            message = f"`git {arguments[0]}` says: {said}"
            hint = "fix that, then run the same command again"
            location = SourceLocation(self.root.as_posix())
            raise Failed([Problem("git-failed", message, hint, location)])
        return done.stdout


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # What a hook or another command may have set would lead to another repository.
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_DIR")}
    command = ["git", "-C", str(root), "-c", "core.quotePath=false", *arguments]
    return subprocess.run(
        command, env={**env, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}, capture_output=True
    )


@dataclass(frozen=True)
class Checkout:
    """`git` is None where the folder is no repository of its own."""

    root: Path
    version: str | None
    """None for a development tree, which names none."""
    git: Git | None
    changed: tuple[str, ...] = ()
    """Files that differ from the last commit."""
    _base: dict[str, bytes | None] = field(default_factory=dict, repr=False)

    def now(self, path: str) -> bytes | None:
        """The file as it lies there."""
        return read_file(self.root, path)

    def base(self, path: str) -> bytes | None:
        """The file as it was committed; as it lies there where git has no say."""
        if path not in self._base:
            git = self.git if path in self.changed else None
            self._base[path] = git.committed(path) if git else self.now(path)
        return self._base[path]

    @cached_property
    def _merge_base(self) -> str | None:
        return self.git.merge_base(sorted(PROTECTED)) if self.git else None

    def upstreams(self, path: str) -> bytes | None:
        """The file as upstream has it, or as it was before it was last changed if none can tell."""
        if self.git is None:
            return self.base(path)
        if self._merge_base is not None:
            return self.git.committed(path, self._merge_base)
        return self.git.before(path)

    @property
    def sites(self) -> tuple[RegistrationSite, ...]:
        """The registries that have to be there: those of its version, or the nearest one known."""
        return load(self.version)[0].sites

    @property
    def edited(self) -> list[str]:
        """The files with registries and lists, which an export edits."""
        files = {*(site.file for site in self.sites), PASSTHROUGH_FILE, MODELS_FILE, GAPS_FILE}
        return sorted(files)


def open_checkout(path: Path) -> Checkout:
    """The checkout at `path`; `Failed` if it is none."""
    try:
        package = locate(path)
    except CatalogueError as error:
        raise _refused(path, error.message) from error
    root = package.parent
    if root != path.resolve() or not (root / "pyproject.toml").is_file():
        raise _refused(path, f"{path} is not the root of a checkout: it has no pyproject.toml")
    if not (root / "tests").is_dir():
        raise _refused(path, f"{path} has no folder tests, so it is no checkout")
    git = Git.of(root)
    return Checkout(root, version_in(package), git, git.changed() if git else ())


def _refused(path: Path, message: str) -> Failed:
    hint = "give the root of a checkout: `git clone https://github.com/TransformerLensOrg/TransformerLens`"
    return Failed([Problem("not-transformer-lens", message, hint, SourceLocation(path.as_posix()))])


@dataclass
class Draft:
    """The checkout with edits: new bytes by path; a file that is not in `files` stays."""

    checkout: Checkout
    files: dict[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes | None:
        """A file with the edits made so far."""
        return self.files[path] if path in self.files else self.checkout.base(path)

    def edit(self, path: str, change: Callable[[bytes], bytes]) -> None:
        """Change a file that has to be there."""
        data = self.read(path)
        if data is None:
            message = "the file is not in the checkout"
            hint = "check that this is TransformerLens, and which version"
            raise Failed([Problem("container-missing", message, hint, SourceLocation(path))])
        self.files[path] = change(data)

    def dirty(self) -> list[str]:
        """Changes in the checkout that are not what this draft makes of it."""
        return [
            path
            for path in self.checkout.changed
            if self.files.get(path, self.checkout.base(path)) != self.checkout.now(path)
        ]

    def entries(self) -> tuple[Entry, ...]:
        """What is still to be written, in the order of paths."""
        found = ((path, self.checkout.now(path), new) for path, new in sorted(self.files.items()))
        return tuple(
            Entry(path, State.NEW if old is None else State.CHANGED, old, new)
            for path, old, new in found
            if old != new
        )
