"""Pixels of slides and images at any resolution; the only part that opens OpenSlide."""
