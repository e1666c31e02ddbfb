"""Pixel sizes that the level 0 of a slide can have, in um/px; without imports, because the configuration names one."""

MppRange = tuple[float, float]
"""Least and largest um/px, both allowed."""

MPP_RANGE: MppRange = (0.05, 10.0)
"""From an oil objective of 100x, twice enlarged, to a scan at 1x; 72, 96, 300 and 600 dpi of screens and printers are
353, 265, 85 and 42 um/px."""

ANY_MPP: MppRange = (0.0, float("inf"))
"""Of a slide whose pixel size was judged before."""

USUAL_MPP: MppRange = (0.1, 4.0)
"""What slides are scanned at: 100x to 2.5x.  Finer pixels resolve no more, since light has 0.2 um."""
