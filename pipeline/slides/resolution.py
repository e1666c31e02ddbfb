"""Pixel size as files state it, and what of it can be believed."""

import math
import xml.etree.ElementTree as ElementTree

MICROMETRES_IN = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
"""Units of OME's PhysicalSizeXUnit; the micro sign and the Greek letter both occur."""

PLAUSIBLE_MPP = (0.01, 20.0)
"""Range of a microscope's um/px; 72, 96, 300 and 600 dpi of screens and printers are 353, 265, 85 and 42."""

MAX_ANISOTROPY = 0.01
"""Relative difference of x and y up to which pixels count as square."""


def plausible_mpp(mpp_xy: tuple[float, float] | None) -> tuple[float, float] | None:
    """``mpp_xy`` when both can come from a microscope, else None."""
    if mpp_xy is None:
        return None
    low, high = PLAUSIBLE_MPP
    return mpp_xy if all(math.isfinite(mpp) and low <= mpp <= high for mpp in mpp_xy) else None


def is_square(mpp_xy: tuple[float, float]) -> bool:
    """Whether x and y differ by at most ``MAX_ANISOTROPY``."""
    return abs(mpp_xy[0] - mpp_xy[1]) <= MAX_ANISOTROPY * min(mpp_xy)


def ome_mpp(description: str | None) -> tuple[float, float] | None:
    """Pixel size (x, y) in um of the first image in an OME-XML description; None when it states none."""
    if not description or "OME" not in description:
        return None
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return None
    pixels = next(
        (element for element in root.iter() if element.tag.endswith("}Pixels") or element.tag == "Pixels"), None
    )
    if pixels is None:
        return None
    x, y = _physical_size(pixels, "X"), _physical_size(pixels, "Y")
    return None if x is None or y is None else (x, y)


def _physical_size(pixels: ElementTree.Element, axis: str) -> float | None:
    unit = MICROMETRES_IN.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    try:
        size = float(pixels.get(f"PhysicalSize{axis}", ""))
    except ValueError:
        return None
    return None if unit is None else size * unit
