"""The codes of problems with a checkout of TransformerLens, and with its files."""

from __future__ import annotations

from adaptergen.problems.code import Code

_EDITS = {
    "unreadable-source": Code(
        "The file to edit cannot be read",
        "A file of the checkout is not UTF-8, or not what its name says: Python or JSON.",
        "`git checkout -- transformer_lens/factories/architecture_adapter_factory.py`",
    ),
    "mixed-line-ends": Code(
        "Lines of the file end differently",
        "Some end as on Windows and some do not, so an edit could not keep every other byte and "
        "fit its surroundings.",
        "`git add --renormalize FILE`",
    ),
    "conflict-markers": Code(
        "A merge was left unfinished",
        "The file holds the markers of a conflict; what it says is not settled.",
        "Settle the conflict, then `git add` the file.",
    ),
    "container-missing": Code(
        "The registry is not where it should be",
        "The list, set, dict, import or table that an entry goes into is not in the file, or it "
        "is not written out, so nothing can be inserted with certainty.",
        "Update adaptergen, or the checkout; `adaptergen catalog --tl PATH` says what it finds.",
    ),
    "container-twice": Code(
        "The registry is there more than once",
        "Which of them counts cannot be told by reading.",
        "Leave one of the places that are named.",
    ),
    "entry-differs": Code(
        "The registry says something else",
        "The entry is there with another value. What people wrote is not overwritten.",
        "Make the spec say the same, or change the entry by hand first.",
    ),
    "entry-twice": Code(
        "The entry is there more than once",
        "An entry stands in a registry twice, so it is not clear which one counts.",
        "`adaptergen audit PATH --fix` removes what is there twice.",
    ),
}

_CHECKOUT = {
    "not-transformer-lens": Code(
        "This is not a checkout of TransformerLens",
        "The path does not hold the package, its registries and its tests.",
        "`git clone https://github.com/TransformerLensOrg/TransformerLens`",
    ),
    "dirty-tree": Code(
        "The checkout holds changes",
        "Files were changed and not committed, or marked so that git does not tell. What the "
        "command writes would be mixed with them.",
        "`git stash`, or commit them.",
    ),
    "detached-head": Code(
        "No branch is checked out",
        "A commit on a detached head belongs to no branch and is easily lost.",
        "`git switch dev`",
    ),
    "protected-branch": Code(
        "The branch is one of upstream's own",
        "TransformerLens takes no contribution from a branch called `main` or `dev`: the name "
        "collides with its own.",
        "`--branch add-helium`",
    ),
    "branch-exists": Code(
        "There is a branch of this name already",
        "It holds other work, or an older state of this.",
        "Name another with `--branch`, or `git switch` to it and leave `--branch` out.",
    ),
    "git-failed": Code(
        "git did not do what it was asked",
        "The message is git's own.",
        "Mend what git says, then run the same command again.",
    ),
    "adapter-exists": Code(
        "TransformerLens has an adapter for this architecture",
        "Writing the files would replace it: its hooks, its aliases and its tests would go.",
        "`--replace`, and read the report of what goes.",
    ),
    "shared-taken": Code(
        "TransformerLens has a file of its own where adapters share one",
        "Adapters import a few components, and their tests a package of checks, that an export "
        "brings along. By that name lies another file, which is not overwritten.",
        "Update adaptergen, or `adaptergen export SPEC --plugin DIR`.",
    ),
    "adapter-in-use": Code(
        "Other code uses what goes with the old adapter",
        "A file that stays imports a class or a function that the new module does not have, so "
        "it would no longer import.",
        "Move what is shared to a module of its own, in a change of its own.",
    ),
}

CHECKOUT_CODES = {**_EDITS, **_CHECKOUT}
