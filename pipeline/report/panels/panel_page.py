"""The files of panels: a page a slide, its pictures, and what all pages share.

Names of shared folders begin as no slide's name can.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.artefacts.json_files import PROVENANCE, write_json
from pipeline.pages import DRAWING
from pipeline.report.panels.panel_subjects import PanelSubject
from pipeline.report.panels.slide_panel import slide_panel
from pipeline.report.params import ReportParams

TEMPLATES = Path(__file__).resolve().parent / "template"
PICTURES, SHARED = "_pictures", "_shared"
SHARED_FILES = (DRAWING, *(TEMPLATES / name for name in ("panel.css", "panel.js", "stage.js", "nuclei.js")))


def write_shared(folder: Path, record: Mapping[str, Any]) -> None:
    """Write what all panels of ``folder`` load, and how they were made."""
    (folder / PICTURES).mkdir(parents=True)
    (folder / SHARED).mkdir()
    for file in SHARED_FILES:
        shutil.copyfile(file, folder / SHARED / file.name)
    write_json(folder / SHARED / PROVENANCE, record)


def write_panel(subject: PanelSubject, folder: Path, params: ReportParams) -> int:
    """Write the panel of one slide; returns its bytes.

    Raises
    ------
    ArtefactError
        See ``slide_panel.slide_panel``.
    """
    panel = slide_panel(subject, params)
    files = {f"{PICTURES}/{subject.slide_id}.{name}.webp": picture for name, picture in panel.pictures.items()}
    content = {**panel.content, "pictures": f"{PICTURES}/{subject.slide_id}."}
    page = (
        _template().get_template("panel.html").render(slide=subject.slide_id, run=subject.run, content=_json(content))
    )
    files[f"{subject.slide_id}.html"] = page.encode()
    for name, written in files.items():
        (folder / name).write_bytes(written)
    return sum(map(len, files.values()))


def _template() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _json(content: Mapping[str, Any]) -> Markup:
    # "</" would end the script element, "<!--<script>" keep it from ending.
    return Markup(json.dumps(dict(content), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"))
