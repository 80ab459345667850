"""`export --into`, from the path to what is reported; the command only prints it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adaptergen.export.checkout import Checkout, open_checkout
from adaptergen.export.git import Git
from adaptergen.export.make import Export, make_export
from adaptergen.export.upstream import PROTECTED
from adaptergen.output.compare import Entry
from adaptergen.output.files import OutputError
from adaptergen.output.staging import look
from adaptergen.output.transaction import put, recover
from adaptergen.problems import Failed, Problem, SourceLocation, listing, quote


@dataclass(frozen=True)
class Done:
    """What came of a call: the files that differ, and whether they were written."""

    export: Export
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
    export = _made(checkout, specs, replacing, branch)
    return Done(export, export.draft.entries())


def run(into: Path, specs: Sequence[Path], replacing: bool, branch: str | None) -> Done:
    """Write the export, all or nothing, on a new branch and as a commit if one is named."""
    root = open_checkout(into).root
    recovered = recover(root) is not None
    checkout = open_checkout(into)
    export = _made(checkout, specs, replacing, branch)
    entries = export.draft.entries()
    if branch is None or checkout.git is None:
        if entries:
            put(root, entries)
        return Done(export, entries, recovered)
    pending = _pending(export)
    _write_on_branch(checkout.git, branch, export, entries)
    if not pending:
        return Done(export, entries, recovered, branch)
    try:
        for message, paths in _commits(export, pending):
            checkout.git.commit(paths, message)
    except Failed as failed:
        # The files lie there and are what was asked for, so they stay.
        told = "; ".join(problem.message for problem in failed.problems)
        return Done(export, entries, recovered, branch, uncommitted=told)
    return Done(export, entries, recovered, branch, committed=True)


def _made(checkout: Checkout, specs: Sequence[Path], replacing: bool, branch: str | None) -> Export:
    """The export, with everything checked that may stand in its way."""
    _check_branch(checkout, branch)
    export = make_export(checkout, specs, replacing)
    _check_clean(export)
    if branch is not None and checkout.git is not None and _pending(export):
        checkout.git.check_identity()
    return export


def _pending(export: Export) -> list[str]:
    """The files that a commit would hold."""
    draft = export.draft
    return sorted({*(entry.path for entry in draft.entries()), *draft.checkout.changed})


def _commits(export: Export, pending: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """What adapters share part by part, and then the adapters: messages and files."""
    left = list(pending)
    for part in export.shared.parts:
        paths = [path for path in left if path in part.files]
        left = [path for path in left if path not in part.files]
        if paths:
            yield part.message, paths
    if left:
        yield _message(export), left


def _write_on_branch(git: Git, branch: str, export: Export, entries: tuple[Entry, ...]) -> None:
    before = git.branch()
    root = export.draft.checkout.root
    if before == branch:
        if entries:
            put(root, entries)
    elif _pending(export):
        git.switch(branch, create=True)
        try:
            put(root, entries)
        except BaseException:
            if before is not None:
                git.switch(before)
                git.delete(branch)
            raise


def _message(export: Export) -> str:
    titles = [
        f"{'Replace' if one.replaced else 'Add'} the adapter of {one.plan.spec.title}"
        for one in export.adapters
    ]
    return "; ".join(titles)


def _check_clean(export: Export) -> None:
    hint = "commit it, or `git stash`; then run the command again"
    problems = [
        Problem("dirty-tree", "the file was changed and not committed", hint, SourceLocation(path))
        for path in export.draft.dirty()
    ]
    problems += _overlooked(export)
    if problems:
        raise Failed(problems)


def _overlooked(export: Export) -> Iterator[Problem]:
    """Files that hold what git would not tell of, so that it would be committed along, or lost."""
    git = export.draft.checkout.git
    written = {entry.path for entry in export.draft.entries()}
    for path, mark in git.overlooked(export.draft.files).items() if git else ():
        message = f"git is told to overlook the file ({mark}), so what is changed in it is not seen"
        hint = f"`git update-index --no-{mark} {shlex.quote(path)}`, then run the command again"
        if mark == "ignored":
            hint = "move the file away, or commit it with `git add --force`"
        if mark != "ignored" or path in written:
            yield Problem("dirty-tree", message, hint, SourceLocation(path))


def _check_branch(checkout: Checkout, branch: str | None) -> None:
    place = SourceLocation(checkout.root.as_posix())
    if checkout.git is None:
        if branch is not None:
            message = "there is no git repository here, so there can be no branch"
            hint = "leave --branch out, or give a clone"
            raise Failed([Problem("git-failed", message, hint, place)])
        return
    current = checkout.git.branch()
    if current is None:
        message = "the head is detached: a commit here belongs to no branch"
        raise Failed([Problem("detached-head", message, "`git switch dev` first", place)])
    wanted = current if branch is None else branch
    if wanted in PROTECTED:
        message = f"upstream takes no contribution from a branch called {quote(wanted)}"
        hint = f"name another one with --branch; {listing(sorted(PROTECTED))} are upstream's own"
        raise Failed([Problem("protected-branch", message, hint, place)])
    if branch is None or branch == current:
        return
    if not checkout.git.is_branch_name(branch):
        message = f"{quote(branch)} is no name for a branch"
        raise Failed([Problem("git-failed", message, "use letters, digits and dashes", place)])
    if checkout.git.has_branch(branch):
        message = f"there is a branch {quote(branch)} already"
        hint = f"`git switch {branch}` to go on with it, or name another one"
        raise Failed([Problem("branch-exists", message, hint, place)])
