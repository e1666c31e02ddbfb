"""What a file of pixels offers, whatever its format."""

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Level:
    """One resolution of a slide: size in its own pixels, and level-0 pixels per pixel of it."""

    width: int
    height: int
    downsample: float


class PixelSource(Protocol):
    """An open file of pixels.

    Frame: level-0 pixels, origin top-left, y down.
    """

    vendor: str
    """OpenSlide's name of the format, or ``image``."""

    levels: tuple[Level, ...]
    """Finest first; the first has downsample 1."""

    file_mpp: tuple[float, float] | None
    """um per level-0 pixel in x and y as the file says, None when it does not."""

    def read(self, level: int, x_l0: int, y_l0: int, width: int, height: int) -> Image.Image:
        """RGB of a box of ``level``, ``width`` x ``height`` of its pixels, corner in level-0 pixels.

        White outside the slide and where it is transparent.  Safe to call from several threads.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...


def over_white(picture: Image.Image) -> Image.Image:
    """RGB of ``picture``, transparent parts shown over white."""
    if picture.mode == "RGB":
        return picture
    rgba = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    lowest, _ = rgba.getchannel("A").getextrema()
    if lowest == 255:
        return rgba.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (*WHITE, 255)), rgba).convert("RGB")
