"""Tissue mask, grid of tiles and the picture to judge them by."""
