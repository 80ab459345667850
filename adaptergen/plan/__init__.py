"""The plan: every decision about what to emit, made before any text.

A plan is frozen, knows nothing of files or formatting, and is all that the templates and `verify`
see.
"""
