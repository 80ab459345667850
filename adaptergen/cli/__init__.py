"""The command line: one small module a command, and one place where errors become exit codes.

Standard output carries what was asked for (a diff, JSON, a schema); what happened is reported on
standard error. A command imports what it needs when it runs, so that `--help` is instant and a
build never loads torch.
"""

from adaptergen.cli.entry import main, script

__all__ = ["main", "script"]
