"""The grid of tiles, and which of them are kept."""

from pipeline.tiling.grid.tile_grid import SlideSize

__all__ = ["SlideSize"]
