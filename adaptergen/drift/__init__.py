"""What a release of Hugging Face does to an adapter, from two entries of its lock.

A comparison of data: neither torch nor transformers is imported here.
"""
