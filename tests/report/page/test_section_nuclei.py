import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image

from pipeline.artefacts.nuclei import COLUMNS, read_nuclei
from pipeline.artefacts.tables import write_table
from pipeline.report.contents.report_contents import ReportContents, read_contents
from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.figures.figure_style import colours_of
from pipeline.report.page.section_nuclei import nuclei
from pipeline.report.params import ReportParams
from tests.report.page_reading import captions, texts


def test_close_ups_follow_the_wheel_and_count_their_nuclei(standard: ReportContents) -> None:
    section = nuclei(standard, ["s05", "s02"])
    assert list(captions(section)) == ["orientation_wheel", "nuclei_s05", "nuclei_s02", "nuclei_s00"]
    # The field of 200 um holds the nine tiles kept, 48 to 192 um, and 12 nuclei in each.
    assert captions(section)["nuclei_s05"] == "s05 (malignant): 108 nuclei in the field, 108 on the slide."
    assert "a field of 200 µm" in texts(section)


def test_a_smaller_field_holds_fewer_nuclei(standard: ReportContents) -> None:
    params = ReportParams(n_overlays=1, closeup_um=20, closeup_px=120)
    section = nuclei(replace(standard, params=params), ["s00"])
    n = int(captions(section)["nuclei_s00"].split(": ")[1].split()[0])
    assert 0 < n < 12
    assert "a field of 20 µm" in texts(section)
    assert Image.open(io.BytesIO(section.figures[1].content)).size == (120, 120)


def test_slides_without_a_nucleus_are_passed_over(standard: ReportContents) -> None:
    first, *others = standard.cohort
    contents = replace(standard, cohort=(replace(first, n_nuclei=0), *others))
    assert "nuclei_s00" not in captions(nuclei(contents, ["s00"]))


def test_slides_that_cannot_be_read_are_named_beside_those_that_can(standard: ReportContents) -> None:
    first, second, *_ = standard.cohort
    gone = replace(first, row=replace(first.row, path=standard.sources.training / "gone.png"))
    section = nuclei(replace(standard, cohort=(gone, second)), [])
    assert "Not drawn, because the slide could not be read: s00 (" in texts(section)
    assert list(captions(section)) == ["orientation_wheel", "nuclei_s01"]


def test_why_there_is_no_picture(standard: ReportContents, build: Callable[..., ReportSources]) -> None:
    assert "switched off (report: n_overlays)" in texts(
        nuclei(replace(standard, params=ReportParams(n_overlays=0)), [])
    )
    features_alone = read_contents(build(with_pictures=False), ReportParams())
    assert "every slide came with its own features" in texts(nuclei(features_alone, []))
    none = tuple(replace(slide, n_nuclei=0) for slide in standard.cohort)
    assert "no slide has a nucleus in a kept tile" in texts(nuclei(replace(standard, cohort=none), []))


def test_types_colour_the_outlines_and_nuclei_without_a_slide_lie_on_white(standard: ReportContents, tmp_path) -> None:
    first, *others = standard.cohort
    table = read_nuclei(standard.sources.nuclei["s00"])
    frame = table.frame.assign(type=np.resize(["Tumor", "Stroma", None], len(table.frame)))
    frame.loc[frame["type"] == "Stroma", "contour_um"] = None
    write_table(tmp_path / "n.parquet", frame, COLUMNS, table.header)
    sources = replace(standard.sources, nuclei={**standard.sources.nuclei, "s00": tmp_path / "n.parquet"})
    alone = replace(first, row=replace(first.row, path=None))
    params = ReportParams(n_overlays=2, closeup_px=300)
    contents = replace(standard, sources=sources, cohort=(alone, *others), params=params)
    section = nuclei(contents, ["s00", "s01"])
    assert list(captions(section)) == ["cell_types", "nuclei_s00", "nuclei_s01"]
    assert "coloured by the type" in texts(section)
    legend = section.figures[0].content.decode()
    assert all(word in legend for word in ("Stroma", "Tumor", "other or unknown"))
    picture = np.asarray(Image.open(io.BytesIO(section.figures[1].content)).convert("RGB"))
    assert (picture == 255).all(axis=2).mean() > 0.5
    for colour in colours_of(["Stroma", "Tumor"]).values():
        rgb = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert (np.abs(picture - np.array(rgb, int)).max(axis=2) < 12).any()
