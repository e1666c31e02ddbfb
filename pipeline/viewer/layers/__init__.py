"""Layers over a slide, served by region from the artefacts."""
