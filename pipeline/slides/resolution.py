"""Pixel size and objective as files state them."""

import math
import xml.etree.ElementTree as ElementTree

MICROMETRES_IN = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
"""Units of OME's PhysicalSizeXUnit; the micro sign and the Greek letter both occur."""

UM_IN_TIFF_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0}
"""Units of TIFF's resolution, by OpenSlide's names."""

MAX_ANISOTROPY = 0.01
"""Relative difference of x and y up to which pixels count as square."""

SAME_MPP = 0.03
"""Relative difference up to which two statements of a pixel size agree: nominal 0.25 and 0.5 um/px are rounded ones."""


def is_square(mpp_xy: tuple[float, float]) -> bool:
    """Whether x and y differ by at most ``MAX_ANISOTROPY``."""
    return abs(mpp_xy[0] - mpp_xy[1]) <= MAX_ANISOTROPY * min(mpp_xy)


def same_mpp(one: float, other: float) -> bool:
    """Whether two pixel sizes differ by at most ``SAME_MPP``."""
    return abs(one - other) <= SAME_MPP * min(one, other)


def tiff_mpp(x: str | None, y: str | None, unit: str | None) -> tuple[float, float] | None:
    """um/px in x and y of TIFF's resolution in pixels per ``unit``; None where one of the three is missing or odd."""
    um_in_unit = UM_IN_TIFF_UNIT.get(unit or "")
    per_unit = stated_number(x), stated_number(y)
    if um_in_unit is None or per_unit[0] is None or per_unit[1] is None:
        return None
    return um_in_unit / per_unit[0], um_in_unit / per_unit[1]


def stated_number(text: str | None) -> float | None:
    """A finite number above 0 as files write it; None of anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def ome_mpp(description: str | None, image: int = 0) -> tuple[float, float] | None:
    """Pixel size (x, y) in um of an image in an OME-XML description, the first being 0; None when it states none."""
    found = ome_elements("Pixels", description)
    if image >= len(found):
        return None
    pixels = found[image]
    x, y = _physical_size(pixels, "X"), _physical_size(pixels, "Y")
    return None if x is None or y is None else (x, y)


def ome_objective_power(description: str | None) -> float | None:
    """Nominal magnification of the first objective in an OME-XML description; None when it states none."""
    objectives = ome_elements("Objective", description)
    return stated_number(objectives[0].get("NominalMagnification")) if objectives else None


def ome_elements(tag: str, description: str | None) -> list[ElementTree.Element]:
    """The elements of a name in an OME-XML description, in its order; none of what is no OME-XML."""
    if not description or "OME" not in description:
        return []
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return []
    return elements_named(tag, root)


def elements_named(tag: str, root: ElementTree.Element) -> list[ElementTree.Element]:
    """Elements below ``root`` of a name, in any namespace."""
    return [each for each in root.iter() if each.tag == tag or each.tag.endswith(f"}}{tag}")]


def _physical_size(pixels: ElementTree.Element, axis: str) -> float | None:
    unit = MICROMETRES_IN.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
    try:
        size = float(pixels.get(f"PhysicalSize{axis}", ""))
    except ValueError:
        return None
    return None if unit is None else size * unit
