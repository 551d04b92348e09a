"""Tensors and variables, and what an operation means now: eager, traced, recorded by a tape, run as
a program.
"""
