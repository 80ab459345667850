"""Gated delta nets: linear attention that takes back what it wrote under a key before."""
