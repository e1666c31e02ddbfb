"""The files by which rooms meet: one module a kind, each with its columns, units and checks.

Nothing is imported here, so that the Snakefile can read a sheet in a launcher without
the scientific packages.
"""
