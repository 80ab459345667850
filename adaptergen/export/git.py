"""The few things that git is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adaptergen.problems import Failed, Problem, SourceLocation


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
        told = self._do("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
        return tuple(os.fsdecode(entry)[3:] for entry in told.split(b"\0") if entry)

    def overlooked(self, paths: Iterable[str]) -> dict[str, str]:
        """Those of the files whose changes `changed` does not tell, each with why."""
        wanted = list(paths)
        marks = self._do("ls-files", "-v", "-z", "--", *wanted) if wanted else b""
        ignored = ("--others", "--ignored", "--exclude-standard")
        told = self._do("ls-files", "-z", *ignored, "--", *wanted) if wanted else b""
        found = {os.fsdecode(path): "ignored" for path in told.split(b"\0") if path}
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

    def parted(self, branches: Iterable[str]) -> str | None:
        """The last commit that this branch shares with one of these, here or on a remote."""
        names = [f"refs/{where}/{name}" for name in branches for where in ("heads", "remotes/*")]
        told = self._do("for-each-ref", "--format=%(refname)", *sorted(names))
        shared: dict[str, int] = {}
        for ref in os.fsdecode(told).split():
            found = _git(self.root, "merge-base", "HEAD", ref)
            if not found.returncode:
                base = os.fsdecode(found.stdout).strip()
                shared[base] = int(self._do("rev-list", "--count", f"{base}..HEAD"))
        return min(shared, key=lambda base: shared[base], default=None)

    def before(self, path: str) -> bytes | None:
        """A file as it was before the last commit that changed it; None if it was not there."""
        last = os.fsdecode(self._do("rev-list", "--max-count=1", "HEAD", "--", path)).strip()
        return self.committed(path, f"{last}^") if last else None

    def switch(self, name: str, *, create: bool = False) -> None:
        """Check out a branch."""
        self._do("switch", "--quiet", *(["--create"] if create else []), name)

    def delete(self, name: str) -> None:
        """Delete a branch that holds nothing of its own."""
        self._do("branch", "--quiet", "-D", name)

    def check_identity(self) -> None:
        """`Failed` unless git knows whose a commit is."""
        self._do("var", "GIT_COMMITTER_IDENT")

    def commit(self, paths: Iterable[str], message: str) -> None:
        """Commit these files and no others."""
        wanted = list(paths)
        self._do("add", "--", *wanted)
        self._do("commit", "--quiet", "--message", message, "--", *wanted)

    def _do(self, *arguments: str) -> bytes:
        done = _git(self.root, *arguments)
        if done.returncode:
            told = " ".join(os.fsdecode(done.stderr or done.stdout).split())
            raise Failed(
                [
                    Problem(
                        "git-failed",
                        f"`git {arguments[0]}` says: {told}",
                        "mend that, then run the same command again",
                        SourceLocation(self.root.as_posix()),
                    )
                ]
            )
        return done.stdout


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # What a hook or another command may have set would lead to another repository.
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_DIR")}
    command = ["git", "-C", str(root), "-c", "core.quotePath=false", *arguments]
    return subprocess.run(
        command, env={**env, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}, capture_output=True
    )
