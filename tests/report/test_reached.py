"""An edit of the page reruns no export: how far each rule of this room reaches."""

import subprocess
import sys

import pytest

from pipeline.reachability import reached_modules


def inner_rooms(rule: str) -> set[str]:
    """Inner rooms and modules at the door of the report that a rule reaches."""
    modules = (name.split(".") for name in reached_modules(f"pipeline.report.{rule}"))
    return {parts[2] for parts in modules if parts[1:2] == ["report"] and len(parts) > 2}


@pytest.mark.parametrize(
    ("rule", "rooms"), [("export_geojson", {"qupath"}), ("export_tiles", {"qupath", "coordinates"})]
)
def test_exports_hang_on_neither_the_page_nor_its_figures_contents_or_parameters(rule: str, rooms: set[str]) -> None:
    assert inner_rooms(rule) == {rule, *rooms}


def test_the_page_hangs_on_no_export() -> None:
    assert inner_rooms("write_report") == {"write_report", "page", "figures", "contents", "params"}


def test_nuclei_leave_for_qupath_without_a_slide_being_opened() -> None:
    assert not [name for name in reached_modules("pipeline.report.export_geojson") if ".slides" in name]


@pytest.mark.parametrize("rule", ["export_geojson", "export_tiles"])
def test_exports_start_without_a_plot(rule: str) -> None:
    code = f"import sys, pipeline.report.{rule}; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
