"""Pixels of slides and images at any resolution; the only part that opens OpenSlide.

Frames, all with the origin at the top left, x to the right and y down; pixel ``i`` covers [i, i + 1).

======================  =========================================================================
level-0 px (``_l0``)    pixels of the finest level as OpenSlide counts them.  Slides that state
                        ``bounds_l0`` (MRXS, SCN) count from the corner of the whole grid or
                        glass, not of the scanned part.  The frame of every table and artefact.
level px                pixels of level k; pixel edge x lies at level-0 ``x * downsample``
um (``_um``)            level-0 px times the slide's ``mpp``
tile px                 pixels of a tile or thumbnail: edge x lies at level-0
                        ``x_l0 + x * width_l0 / tile_px``
QuPath px               QuPath's OpenSlide reader counts from the corner of ``bounds_l0``:
                        level-0 px minus ``bounds_l0[:2]``
======================  =========================================================================

Tables hold (x, y); arrays are (row, col, RGB).
"""
