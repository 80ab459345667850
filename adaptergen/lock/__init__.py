"""Locks: what was observed of Hugging Face that an adapter rests on, one entry a release.

A lock lies beside its spec. The spec declares, the lock observes; `drift` compares two entries,
and a build compares the spec with all of them. Reading and writing locks needs no torch.
"""
