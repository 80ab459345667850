"""The command line: one small module a command, and one place where failures become exit codes.

Standard output carries what was asked for (a diff, JSON, a schema); what happened is told on
standard error. A command imports what it needs when it runs, so that `--help` is instant and
nothing but `verify` and `catalog --observe` ever loads torch.
"""

from adaptergen.cli.entry import main, script

__all__ = ["main", "script"]
