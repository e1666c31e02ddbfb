"""The pixel size of a slide that is taken, and what contradicts it.

The sheet overrules the file.  A contradiction is a caution, not an error, because either side may be right; only a
pixel size that no microscope makes is refused.
"""

import math
from dataclasses import dataclass

from pipeline.errors import ConfigError, MissingMppError, SlideError
from pipeline.slides.mpp_ranges import MPP_RANGE, USUAL_MPP, MppRange
from pipeline.slides.resolution import SAME_MPP, is_square, same_mpp
from pipeline.slides.source import PixelSource

MAGNIFICATION_UM = 10.0
"""um/px times objective power, by the convention that 20x is 0.5 um/px."""

POWER_TOLERANCE = 2.06
"""Factor by which pixel size and objective power may differ: 2, as of exports at half size, with rounding."""

NOMINAL_MPP = (0.25, 0.5, 1.0)
"""Of scanners at 40x, 20x and 10x."""

CM_PER_INCH = 2.54

SCREEN_DPI = (72, 96, 100, 150, 200, 300, 600)
"""Resolutions that programs write when they know none."""

UM_PER_INCH = 25_400.0

EXACT_UNIT = 0.01
"""Relative difference up to which a factor is one of units."""


@dataclass(frozen=True)
class SlideScale:
    """um per level-0 pixel, and what is odd about it, one clause each."""

    mpp: float
    cautions: tuple[str, ...]


def slide_scale(source: PixelSource, given_mpp: float | None, mpp_range: MppRange, slide: str) -> SlideScale:
    """The pixel size to take of a slide.

    Parameters
    ----------
    source
        The file, with what it states.
    given_mpp
        um/px by the sheet, which overrules the file; None takes the file's.
    mpp_range
        What is a microscope's; see ``MPP_RANGE``.
    slide
        Name and path, for messages.

    Raises
    ------
    ConfigError
        If the sheet's is outside ``mpp_range``.
    MissingMppError
        If the sheet gives none, and the file none inside ``mpp_range``.
    SlideError
        If x and y differ by more than ``SAME_MPP`` and the sheet does not say how large pixels are.
    """
    stated = source.file_mpp
    if given_mpp is not None:
        _check_given(given_mpp, stated, mpp_range, slide)
        mpp, cautions = float(given_mpp), _of_sheet_and_file(given_mpp, stated)
    else:
        mpp, cautions = _mpp_of_file(stated, mpp_range, slide)
    return SlideScale(mpp, (*cautions, *_of_size(mpp), *_of_objective(mpp, source.objective_power)))


def magnification_caution(slide_mpp: float, mpp: float, what: str) -> tuple[str, ...]:
    """The caution of ``what`` is asked for at ``mpp`` um/px and has to be magnified, or none."""
    if slide_mpp <= mpp or same_mpp(slide_mpp, mpp):
        return ()
    return (
        f"{what} of {mpp:.4g} um/px are magnified {slide_mpp / mpp:.3g} times from pixels of {slide_mpp:.4g} um, "
        "which hold less detail than is asked for",
    )


def resolution_cautions(of_tiff: tuple[float, float] | None, taken: tuple[float, float] | None) -> tuple[str, ...]:
    """What is odd about TIFF's own resolution beside the pixel size that is taken of a file, both in um/px.

    The resolutions that programs write when they know none contradict nothing.
    """
    if of_tiff is None or taken is None or not _is_within(of_tiff, MPP_RANGE):
        return ()
    if not same_mpp(of_tiff[0], taken[0]):
        return (
            f"the file's TIFF resolution says {_size(of_tiff)} and its description {_size(taken)} "
            f"({differing(of_tiff[0], taken[0])}); the latter is taken",
        )
    for nominal in NOMINAL_MPP:
        for mistaken in (nominal * CM_PER_INCH, nominal / CM_PER_INCH):
            if math.isclose(of_tiff[0], mistaken, rel_tol=EXACT_UNIT):
                return (
                    f"the file's TIFF resolution says {_size(of_tiff)}, which is {nominal:g} with inches taken for "
                    "centimetres or the reverse",
                )
    return ()


def agrees_with_power(mpp: float, power: float) -> bool:
    """Whether a pixel size is that of an objective's power, but for ``POWER_TOLERANCE``."""
    ratio = mpp * power / MAGNIFICATION_UM
    return 1 / POWER_TOLERANCE <= ratio <= POWER_TOLERANCE


def differing(one_mpp: float, other_mpp: float) -> str:
    """The factor between two pixel sizes in words, with the units that may have been mistaken."""
    factor = max(one_mpp / other_mpp, other_mpp / one_mpp)
    exponent = round(math.log10(factor))
    if exponent >= 1 and math.isclose(factor, 10.0**exponent, rel_tol=EXACT_UNIT):
        return f"a factor of {factor:.4g}, as where a unit was mistaken"
    if math.isclose(factor, CM_PER_INCH, rel_tol=EXACT_UNIT):
        return f"a factor of {factor:.3g}, as between inches and centimetres"
    return f"a factor of {factor:.3g}"


def _check_given(given_mpp: float, stated: tuple[float, float] | None, mpp_range: MppRange, slide: str) -> None:
    low, high = mpp_range
    if low <= given_mpp <= high:
        return
    file_says = "" if stated is None else f" (the file states {_size(stated)})"
    raise ConfigError(
        f"{slide}: its pixel size is given as {given_mpp:g} um/px{file_says}; expected {low:g} to {high:g}, as of "
        "microscopes. Mend column `mpp` of the sheet (--mpp-slide, --mpp), or change tiling.slide_mpp_low and "
        "slide_mpp_high."
    )


def _mpp_of_file(stated: tuple[float, float] | None, mpp_range: MppRange, slide: str) -> tuple[float, tuple[str, ...]]:
    """The mean of x and y, and the caution of pixels that are not quite square."""
    low, high = mpp_range
    if stated is None or not _is_within(stated, mpp_range):
        says = "no pixel size" if stated is None else f"{_size(stated)}, not a microscope's ({low:g} to {high:g} um/px)"
        raise MissingMppError(
            f"{slide}: the file states {says}. Write its um/px in column `mpp` of the sheet (or give --mpp-slide to "
            "`abignet tile`, --mpp to `abignet segment`); tiling.slide_mpp_low and slide_mpp_high bound what is "
            "believed."
        )
    mean = (stated[0] + stated[1]) / 2
    if is_square(stated):
        return mean, ()
    if same_mpp(*stated):
        return mean, (f"pixels are not quite square, {_size(stated)}; {mean:.4g} um/px is taken for both",)
    raise SlideError(
        f"{slide}: pixels are not square, {_size(stated)}. Expected a difference of at most {SAME_MPP:.0%}: "
        "resample the image, or write the right um/px in column `mpp`."
    )


def _of_sheet_and_file(given_mpp: float, stated: tuple[float, float] | None) -> tuple[str, ...]:
    if stated is None or not all(0 < mpp < math.inf for mpp in stated):
        return ()
    if not is_square(stated):
        return (f"the file says pixels are not square, {_size(stated)}; {given_mpp:g} um/px of the sheet is taken",)
    if same_mpp(given_mpp, stated[0]):
        return ()
    return (
        f"the sheet says {given_mpp:g} um/px and the file {_size(stated)} ({differing(given_mpp, stated[0])}); "
        "the sheet's is taken",
    )


def _of_size(mpp: float) -> tuple[str, ...]:
    low, high = USUAL_MPP
    if low <= mpp <= high:
        return ()
    return (f"pixels of {mpp:.4g} um are unusual: slides are scanned at {low:g} to {high:g} um/px",)


def _of_objective(mpp: float, power: float | None) -> tuple[str, ...]:
    if power is None or agrees_with_power(mpp, power):
        return ()
    usual_mpp = MAGNIFICATION_UM / power
    return (
        f"{mpp:.4g} um/px contradicts the objective's power of {power:g}, with which pixels are about "
        f"{usual_mpp:.3g} um ({differing(mpp, usual_mpp)}); the former is taken",
    )


def _is_within(stated: tuple[float, float], mpp_range: MppRange) -> bool:
    low, high = mpp_range
    return all(low <= mpp <= high for mpp in stated)


def _size(stated: tuple[float, float]) -> str:
    """A file's statement, with the resolution in dots per inch where it is one that programs write by default."""
    if not is_square(stated):
        return f"{stated[0]:g} um in x and {stated[1]:g} um in y"
    dpi = UM_PER_INCH / stated[0]
    default = any(math.isclose(dpi, screen, rel_tol=0.001) for screen in SCREEN_DPI)
    return f"{stated[0]:g} um/px" + (f" ({dpi:.0f} dpi, which programs write by default)" if default else "")
