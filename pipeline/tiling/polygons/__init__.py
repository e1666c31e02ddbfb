"""Masks drawn by hand."""

from pipeline.tiling.polygons.polygon_mask import read_polygon_mask

__all__ = ["read_polygon_mask"]
