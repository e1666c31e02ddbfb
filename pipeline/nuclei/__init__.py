"""Nuclei: found in tiles, each counted once and whole, and measured."""

from pipeline.nuclei.params import SHIPPED_WEIGHTS, NucleiParams

__all__ = ["SHIPPED_WEIGHTS", "NucleiParams"]
