"""A checkout of TransformerLens: its files as they are, and as they were last committed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from adaptergen.audit.gaps import GAPS
from adaptergen.catalogue import CatalogueError, RegistrationSite, load
from adaptergen.catalogue.checkout import version_in
from adaptergen.catalogue.tree import locate
from adaptergen.export.git import Git
from adaptergen.export.upstream import MODELS_FILE, PASSTHROUGH_FILE, PROTECTED
from adaptergen.output.files import read_file
from adaptergen.problems import Failed, Problem, SourceLocation


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
            committed = self.git is not None and path in self.changed
            self._base[path] = (
                self.git.committed(path) if committed and self.git else self.now(path)
            )
        return self._base[path]

    @cached_property
    def _parted(self) -> str | None:
        return self.git.parted(sorted(PROTECTED)) if self.git else None

    def upstreams(self, path: str) -> bytes | None:
        """The file as upstream has it, or as it was before it was last changed if none can tell."""
        if self.git is None:
            return self.base(path)
        if self._parted is not None:
            return self.git.committed(path, self._parted)
        return self.git.before(path)

    @property
    def sites(self) -> tuple[RegistrationSite, ...]:
        """The registries that have to be there: those of its version, or the nearest one known."""
        return load(self.version)[0].sites

    @property
    def edited(self) -> list[str]:
        """The files with registries and lists, which an export edits."""
        files = {*(site.file for site in self.sites), PASSTHROUGH_FILE, MODELS_FILE, GAPS}
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
