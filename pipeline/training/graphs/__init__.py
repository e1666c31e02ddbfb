"""Graphs between the patches of an image: learned ones and fixed ones."""
