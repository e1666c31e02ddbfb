"""How many neighbours, and how near, the published sets of features look at.

Doyle et al. 2008 (ISBI), as ABiG-Net and HistomicsTK have them.  The radii are the default of
``features.neighbour_radii_px``, not a property of tissue: they are pixels at whatever resolution was worked at.
"""

NEIGHBOUR_COUNTS = (3, 5, 7)
"""Numbers of nearest neighbours."""

NEIGHBOUR_RADII_PX = (10.0, 20.0, 30.0, 40.0, 50.0)
"""Radii in pixels."""
