"""What is wrong in the registries of a TransformerLens, found by reading and never by importing it.

`adaptergen.audit.audit` gathers findings; a finding that can be fixed carries the edit, which the
edit engine of exports makes.
"""
