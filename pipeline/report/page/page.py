"""The page: sections poured into the template, with styles, script and figures inside."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from pipeline.report.figures.figure_style import Figure, inline_svg
from pipeline.report.page.page_elements import Section

WEBP_QUALITY = 78
"""Of 100; outlines of nuclei and edges stay sharp at twice their size."""

TEMPLATES = Path(__file__).resolve().parent / "template"


def render(heading: str, run: str, sections: Sequence[Section], record: Mapping[str, Any]) -> str:
    """The whole page as text; it refers to no other file.

    Parameters
    ----------
    heading
        Title of the page.
    run
        Name of the run.
    sections
        What is shown, in order.
    record
        Provenance, embedded as JSON.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        heading=heading,
        run=run,
        sections=sections,
        picture=picture,
        style=_own_file("style.css"),
        script=_own_file("page.js"),
        record=_embedded_json(record),
    )


def picture(figure: Figure) -> Markup:
    """A figure as HTML: an SVG element, or an image that carries its own bytes."""
    if figure.kind == "svg":
        return Markup(inline_svg(figure))
    uri = "data:image/webp;base64," + base64.b64encode(webp_bytes(figure.content)).decode()
    return Markup('<img src="{}" alt="{}" loading="lazy">').format(uri, figure.alt)


def webp_bytes(png: bytes) -> bytes:
    """A picture as WebP, a fifth of its bytes as PNG; ``figures/`` keeps that."""
    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(stream, "WEBP", quality=WEBP_QUALITY, method=4)
    return stream.getvalue()


def _own_file(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _embedded_json(record: Mapping[str, Any]) -> Markup:
    # "</" would end the script element, "<!--<script>" keep it from ending; line separators are escaped by json.
    return Markup(json.dumps(dict(record), indent=1, sort_keys=True).replace("<", "\\u003c"))
