"""The edit engine: one entry more (or less) in a file that people wrote, nothing else changed.

Bytes in, bytes out; nothing is read or written here. A location is found by syntax, the least text
is inserted, and the result is verified: without the new entry, its syntax tree is the old one. What
cannot be edited with certainty raises `Failed` with the file and the line.
"""
