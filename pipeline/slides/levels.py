"""Which images of a file are its slide made smaller.

TIFF marks labels, thumbnails and overviews as it marks the levels of a pyramid, so that neither the mark nor the place
in the file is believed: a level is level 0 divided by one number, rounded, and shows the same picture.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.arrays import Rgb
from pipeline.slides.level_picture import SAME, Picture, difference
from pipeline.slides.source import Level, true_downsample

LARGEST_ASSOCIATED_PX = 4096
"""Longer side up to which an image of a level's size may be a label, overview or thumbnail; those known are smaller."""

SMALLEST_COMPARED_PX = 8
"""Longer side below which colours tell nothing; no tile or thumbnail is read from so small a level."""

ReadStored = Callable[[int, int, int, int, int], Rgb]
"""A box of a stored image: number, then x, y, width and height in its pixels."""


@dataclass(frozen=True)
class LazyImage:
    """Size of an image in pixels, and of its stored tiles."""

    width: int
    height: int
    tile_width: int = 1
    tile_height: int = 1


@dataclass(frozen=True)
class ProvenLevels:
    """The levels of a slide.

    Attributes
    ----------
    numbers
        Which of the stored images each level is.
    levels
        Finest first.  One that is padded to whole tiles ends where level 0 ends.
    cautions
        A clause for each image left out.
    """

    numbers: tuple[int, ...]
    levels: tuple[Level, ...]
    cautions: tuple[str, ...] = ()


def proven_levels(images: Sequence[LazyImage], read: ReadStored) -> ProvenLevels:
    """Levels among the images of a file.

    Parameters
    ----------
    images
        Level 0, then those that may be levels, in any order.
    read
        Gives their pixels; an ``UnreadablePixelsError`` counts for and against nothing.
    """
    proof = _Proof(images, read, {0: Level(images[0].width, images[0].height, 1.0)})
    others = sorted(range(1, len(images)), key=lambda number: -images[number].width)
    cautions = tuple(caution for number in others if (caution := proof.add(number)))
    numbers = sorted(proof.levels, key=lambda number: proof.levels[number].downsample)
    return ProvenLevels(tuple(numbers), tuple(proof.levels[number] for number in numbers), cautions)


def rounded_downsample(size_l0: tuple[int, int], size: tuple[int, int]) -> float | None:
    """The number by which sides (width, height) were divided and then rounded in any way; None if there is none.

    A power of two where one fits, else the mean ratio of the sides, or the longer side's where the mean does not fit.
    """
    ratios = [side_l0 / side for side_l0, side in zip(size_l0, size, strict=True)]
    least = max(side_l0 / (side + 1) for side_l0, side in zip(size_l0, size, strict=True))
    most = min(side_l0 / (side - 1) if side > 1 else math.inf for side_l0, side in zip(size_l0, size, strict=True))
    if not least < most:
        return None
    downsample = true_downsample(size_l0, size, sum(ratios) / 2)
    return downsample if least < downsample < most else true_downsample(size_l0, size, ratios[size.index(max(size))])


def padded_downsamples(size_l0: tuple[int, int], image: LazyImage) -> list[float]:
    """Powers of two that make an image of whole tiles of level 0, its last tiles filled up."""
    halvings = range(1, math.ceil(math.log2(max(*size_l0, 2))) + 1)
    tile, size = (image.tile_width, image.tile_height), (image.width, image.height)
    return [2.0**n for n in halvings if _whole_tiles(size_l0, 2**n, tile) == size]


def _whole_tiles(size_l0: tuple[int, int], downsample: int, tile: tuple[int, int]) -> tuple[int, int]:
    width, height = (math.ceil(side / (downsample * step)) * step for side, step in zip(size_l0, tile, strict=True))
    return width, height


class _Proof:
    """Levels found so far, by the number of their image; the coarsest last."""

    def __init__(self, images: Sequence[LazyImage], read: ReadStored, levels: dict[int, Level]) -> None:
        self.images = images
        self.read = read
        self.levels = levels
        level_0 = next(iter(levels.values()))
        self.size_l0 = (level_0.width, level_0.height)

    def add(self, number: int) -> str | None:
        """Take an image as a level, or say why not."""
        image = self.images[number]
        found = self._level(number)
        if isinstance(found, Level):
            self.levels[number] = found
            return None
        return f"an image of {image.width} x {image.height} px is stored like a level and left out: {found}"

    def _level(self, number: int) -> Level | str:
        """The level that an image is, or why it is none."""
        image, (width_l0, height_l0) = self.images[number], self.size_l0
        size = (image.width, image.height)
        if image.width > width_l0 or image.height > height_l0:
            return f"it is larger than the slide of {width_l0} x {height_l0} px"
        if any(size == (self.images[known].width, self.images[known].height) for known in self.levels):
            return "another of its size stands before it"
        downsample = rounded_downsample(self.size_l0, size)
        if downsample is not None:
            level = Level(*size, downsample, number)
            return "it shows another picture than the slide" if self._is_other(number, level) else level
        return self._padded_level(number) or (
            f"its sides are {width_l0 / image.width:.4g} and {height_l0 / image.height:.4g} times smaller than those "
            f"of the slide of {width_l0} x {height_l0} px"
        )

    def _padded_level(self, number: int) -> Level | None:
        """The level of whole tiles that an image is, when its colours lie where those of the slide do."""
        levels = [
            Level(math.ceil(self.size_l0[0] / downsample), math.ceil(self.size_l0[1] / downsample), downsample, None)
            for downsample in padded_downsamples(self.size_l0, self.images[number])
        ]
        found = [(apart, level) for level in levels if (apart := self._difference(number, level)) is not None]
        apart, level = min(found, key=lambda each: each[0], default=(math.inf, None))
        return level if apart <= SAME else None

    def _is_other(self, number: int, level: Level) -> bool:
        if not SMALLEST_COMPARED_PX <= max(level.width, level.height) <= LARGEST_ASSOCIATED_PX:
            return False
        apart = self._difference(number, level)
        return apart is not None and apart > SAME

    def _difference(self, number: int, level: Level) -> float | None:
        finer_number, finer = max(
            ((known, each) for known, each in self.levels.items() if each.downsample <= level.downsample),
            key=lambda each: each[1].downsample,
        )
        return difference(
            self._picture(number, level), self._picture(finer_number, finer), level.downsample / finer.downsample
        )

    def _picture(self, number: int, level: Level) -> Picture:
        return Picture(lambda *box: self.read(number, *box), level.width, level.height)
