"""What the pages of the report and the page of the viewer share.

``drawing.js`` is a classic script, ahead of a page's own ones: numbers as text, colours, arcs of pairs of patches, and
the bar of the scale.
"""

from pathlib import Path

DRAWING = Path(__file__).with_name("drawing.js")
