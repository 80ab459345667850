"""`export --into`: drafted, checked, written, committed; `adaptergen.cli` only prints it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adaptergen.export.checkout import PROTECTED, Checkout, Git, open_checkout
from adaptergen.export.contribution import Contribution, make_contribution
from adaptergen.output.compare import Entry
from adaptergen.output.files import OutputError
from adaptergen.output.staging import look
from adaptergen.output.transaction import put, recover
from adaptergen.problems import Failed, Problem, SourceLocation, listing, quote


@dataclass(frozen=True)
class Done:
    """What came of a call: the files that differ, and whether they were written."""

    made: Contribution
    entries: tuple[Entry, ...]
    recovered: bool = False
    branch: str | None = None
    committed: bool = False
    uncommitted: str = ""
    """Why the commit is missing, though the files are written."""

    @property
    def diff(self) -> str:
        """All changes as one diff that `git apply` takes."""
        return "".join(entry.diff() for entry in self.entries)


def dry_run(into: Path, specs: Sequence[Path], replacing: bool, branch: str | None) -> Done:
    """What an export would do, refused where it would be; nothing is written."""
    checkout = open_checkout(into)
    if look(checkout.root) is not None:
        raise OutputError(
            "an export was interrupted here", "run it again without --dry-run", checkout.root
        )
    made = _made(checkout, specs, replacing, branch)
    return Done(made, made.draft.entries())


def export(into: Path, specs: Sequence[Path], replacing: bool, branch: str | None) -> Done:
    """Write the export, all or nothing, on a new branch and as a commit if one is named."""
    root = open_checkout(into).root
    recovered = recover(root) is not None
    checkout = open_checkout(into)
    made = _made(checkout, specs, replacing, branch)
    done = Done(made, made.draft.entries(), recovered, branch)
    pending = _pending(made)
    if branch is None or checkout.git is None:
        _write(done)
        return done
    if not pending:
        return done
    _write_on_branch(done, branch, checkout.git)
    try:
        for message, paths in _commits(made, pending):
            checkout.git.do("add", "--", *paths)
            # These files and no others.
            checkout.git.do("commit", "--quiet", "--message", message, "--", *paths)
    except Failed as failed:
        # The files lie there and are what was asked for, so they stay.
        why = "; ".join(problem.message for problem in failed.problems)
        return replace(done, uncommitted=why)
    return replace(done, committed=True)


def _made(
    checkout: Checkout, specs: Sequence[Path], replacing: bool, branch: str | None
) -> Contribution:
    """The contribution, with everything checked that may stand in its way."""
    _check_branch(checkout, branch)
    made = make_contribution(checkout, specs, replacing)
    _check_clean(made)
    if branch is not None and checkout.git is not None and _pending(made):
        # Git has to know whose the commit is.
        checkout.git.do("var", "GIT_COMMITTER_IDENT")
    return made


def _pending(made: Contribution) -> list[str]:
    """The files that a commit would hold."""
    draft = made.draft
    return sorted({*(entry.path for entry in draft.entries()), *draft.checkout.changed})


def _write(done: Done) -> None:
    if done.entries:
        put(done.made.draft.checkout.root, done.entries)


def _write_on_branch(done: Done, branch: str, git: Git) -> None:
    before = git.branch()
    if before == branch:
        _write(done)
        return
    git.do("switch", "--quiet", "--create", branch)
    try:
        put(done.made.draft.checkout.root, done.entries)
    except BaseException:
        if before is not None:
            git.do("switch", "--quiet", before)
            git.do("branch", "--quiet", "-D", branch)
        raise


def _commits(made: Contribution, pending: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """What adapters share part by part, and then the adapters: messages and files."""
    left = list(pending)
    for part in made.shared:
        paths = [path for path in left if path in part.files]
        left = [path for path in left if path not in part.files]
        if paths:
            yield f"{'Update' if part.updates else 'Add'} {part.title}", paths
    if left:
        titles = [
            f"{'Replace' if one.replaced else 'Add'} the adapter of {one.plan.spec.title}"
            for one in made.adapters
        ]
        yield "; ".join(titles), left


def _check_clean(made: Contribution) -> None:
    """`Failed` for changes that are not committed, and those that git does not report."""
    hint = "commit it, or `git stash`; then run the command again"
    problems = [
        Problem("dirty-tree", "the file was changed and not committed", hint, SourceLocation(path))
        for path in made.draft.dirty()
    ]
    git = made.draft.checkout.git
    written = {entry.path for entry in made.draft.entries()}
    # What git does not report would be committed along, or lost.
    for path, mark in git.overlooked(made.draft.files).items() if git else ():
        message = f"git is told to overlook the file ({mark}), so what is changed in it is not seen"
        hint = f"`git update-index --no-{mark} {shlex.quote(path)}`, then run the command again"
        if mark == "ignored":
            hint = "move the file away, or commit it with `git add --force`"
        if mark != "ignored" or path in written:
            problems.append(Problem("dirty-tree", message, hint, SourceLocation(path)))
    if problems:
        raise Failed(problems)


def _check_branch(checkout: Checkout, branch: str | None) -> None:
    """`Failed` if there can be no commit on this branch; None is the one that is checked out."""

    def refuse(code: str, message: str, hint: str) -> Failed:
        return Failed([Problem(code, message, hint, SourceLocation(checkout.root.as_posix()))])

    git = checkout.git
    if git is None:
        if branch is None:
            return
        message = "there is no git repository here, so there can be no branch"
        raise refuse("git-failed", message, "leave --branch out, or give a clone")
    current = git.branch()
    if current is None:
        message = "the head is detached: a commit here belongs to no branch"
        raise refuse("detached-head", message, "`git switch dev` first")
    wanted = current if branch is None else branch
    if wanted in PROTECTED:
        message = f"upstream takes no contribution from a branch called {quote(wanted)}"
        hint = f"name another one with --branch; {listing(sorted(PROTECTED))} are upstream's own"
        raise refuse("protected-branch", message, hint)
    if wanted == current:
        return
    if not git.is_branch_name(wanted):
        message = f"{quote(wanted)} is no name for a branch"
        raise refuse("git-failed", message, "use letters, digits and dashes")
    if git.has_branch(wanted):
        message = f"there is a branch {quote(wanted)} already"
        raise refuse(
            "branch-exists", message, f"`git switch {wanted}` to go on, or name another one"
        )
