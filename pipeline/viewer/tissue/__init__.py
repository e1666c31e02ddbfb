"""The slide's pixels in tiles of a deep zoom."""
