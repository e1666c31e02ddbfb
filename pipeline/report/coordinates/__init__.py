"""Coordinates of tiles in the files of other tools."""
