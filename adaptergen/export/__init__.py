"""From specs to a branch of TransformerLens.

A checkout is read, never imported. All edits are made in memory, by the engine in
`adaptergen.edit`; then they are shown as one diff, or written all or nothing.
"""
