"""Nuclei that other programs found: their files, read as they are, before anything is checked against a slide."""
