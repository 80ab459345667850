"""What is measured: a module for each thing that an adapter promises.

A check takes a `Subject`, writes figures on its sheet, and notes what disagrees as findings.
"""
