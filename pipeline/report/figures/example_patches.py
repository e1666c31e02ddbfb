"""Single patches as pictures, cut from their slides."""

from collections.abc import Sequence
from contextlib import suppress

from pipeline.arrays import Rgb
from pipeline.artefacts.feature_parts import read_patch_places
from pipeline.errors import MissingMppError, SlideError
from pipeline.report.contents.report_contents import ReportContents
from pipeline.slides.mpp_ranges import ANY_MPP
from pipeline.slides.reader import open_slide


def example_patches(contents: ReportContents, examples: Sequence[tuple[str, int]], side_px: int) -> list[Rgb]:
    """Pictures of the patches that can be read, each uint8 (side_px, side_px, 3).

    Parameters
    ----------
    examples
        Slide and row of its feature store.
    """
    rows = {row.slide_id: row for row in contents.sources.slides}
    pictures = []
    for slide_id, place in examples:
        row = rows.get(slide_id)
        if row is None or row.path is None:
            continue
        with suppress(SlideError, MissingMppError):
            places = read_patch_places(contents.sources.features[slide_id])
            side = places.tile_width_l0
            if side is None:
                continue
            x, y = places.coords[place].tolist()
            with open_slide(row.path, slide_id=slide_id, mpp=row.mpp, mpp_range=ANY_MPP) as slide:
                pictures.append(slide.read_box(x, y, side, side, width_px=side_px, height_px=side_px))
    return pictures
