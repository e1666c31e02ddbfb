"""The readers of pixels by name; apart, so that planning a run needs no scientific package."""

from typing import Literal

Reader = Literal["auto", "openslide", "tifffile"]
"""Which code reads the pixels of a slide; ``auto`` takes the fastest that is proven to give OpenSlide's."""
