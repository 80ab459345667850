"""How fast adaptergen is, and what it generates, against what each could be: ratios from one run.

`python -m benchmarks` measures everything and writes `docs/benchmarks.md`. Both sides of a ratio
run in turns and are told in processor time, so that a busy machine slows both alike.
"""
