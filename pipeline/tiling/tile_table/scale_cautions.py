"""What is odd about tiles of a resolution on a slide of another."""

from pipeline.artefacts.tile_coords import TileCoords
from pipeline.slides.reader import SlideReader
from pipeline.slides.resolution import same_mpp
from pipeline.slides.slide_scale import MAGNIFICATION_UM, agrees_with_power, differing, magnification_caution
from pipeline.tiling.params import TilingParams


def scale_cautions(slide_mpp: float, params: TilingParams) -> tuple[str, ...]:
    """Cautions where ``params`` ask for finer pixels, of tiles or for focus, than the ``slide_mpp`` um of a slide."""
    return (*magnification_caution(slide_mpp, params.mpp, "tiles"), *_of_focus(slide_mpp, params))


def coords_cautions(slide: SlideReader, coords: TileCoords, mpp: float) -> tuple[str, ...]:
    """Cautions where a coordinates file contradicts itself or the slide; ``mpp`` is um/px of its tiles there."""
    theirs = coords.slide
    return (
        *coords.cautions,
        *_of_resolutions("tiles", coords.mpp, mpp),
        *_of_resolutions("level 0", theirs.mpp, slide.mpp),
        *_of_power(theirs.power, slide.mpp),
        *_of_size(theirs.size_l0, (slide.width_l0, slide.height_l0)),
    )


def _of_resolutions(what: str, stated: float | None, found: float) -> tuple[str, ...]:
    if stated is None or same_mpp(stated, found):
        return ()
    return (
        f"the coordinates file says {what} of {stated:.4g} um/px, by the slide's pixel size it is {found:.4g} "
        f"({differing(stated, found)}); the latter is taken",
    )


def _of_power(power: float | None, slide_mpp: float) -> tuple[str, ...]:
    if power is None or agrees_with_power(slide_mpp, power):
        return ()
    return (
        f"the coordinates file says a magnification of {power:g} at level 0, but pixels are {slide_mpp:.4g} um "
        f"({differing(slide_mpp, MAGNIFICATION_UM / power)}); the latter is taken",
    )


def _of_size(stated: tuple[int, int] | None, found: tuple[int, int]) -> tuple[str, ...]:
    if stated is None or stated == found:
        return ()
    return (
        f"the coordinates file is of a slide of {stated[0]} x {stated[1]} px, this one has {found[0]} x {found[1]}: "
        "they may not belong together",
    )


def _of_focus(slide_mpp: float, params: TilingParams) -> tuple[str, ...]:
    asked_for = params.qc_focus_mpp
    if params.qc_min_focus == 0 or slide_mpp <= asked_for or same_mpp(slide_mpp, asked_for):
        return ()
    return (
        f"focus is judged at {slide_mpp:.4g} um/px, since there is nothing finer (tiling.qc_focus_mpp: {asked_for:g}): "
        "blur finer than that is not found",
    )
