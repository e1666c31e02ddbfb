"""What pages share, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.pages import DRAWING
from tests.browser import Tab, needs_browser, running_browser


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A page with the script and a bar of the scale."""
    page = Path(tmp_path_factory.mktemp("page") / "page.html")
    page.write_text(
        f'<meta charset="utf-8"><div id="scalebar"><span></span></div><script src="{DRAWING.as_uri()}"></script>'
    )
    with running_browser() as browser, browser.tab() as opened:
        opened.open(page.as_uri())
        yield opened


@needs_browser
@pytest.mark.parametrize(
    ("place", "distance"), [("0, 0", 0), ("100, 0", 0), ("50, 7", 0), ("50, 0", 7), ("50, 20", 13), ("-3, -4", 5)]
)
def test_an_arc_bends_aside_by_seven_hundredths_of_its_length(tab: Tab, place: str, distance: float) -> None:
    assert tab.run(f"distanceToArc({place}, [0, 0], [100, 0])") == pytest.approx(distance, abs=0.05)


@needs_browser
def test_an_arc_of_a_point_is_that_point(tab: Tab) -> None:
    assert tab.run("distanceToArc(3, 4, [0, 0], [0, 0])") == 5


@needs_browser
@pytest.mark.parametrize(("share", "colour"), [(-1, 0), (0, 0), (0.25, 50), (0.75, 105), (1, 110), (2, 110)])
def test_a_colour_lies_between_its_neighbours(tab: Tab, share: float, colour: int) -> None:
    assert tab.run(f"blend([[0], [100], [110]], {share})") == [colour]


@needs_browser
def test_the_largest_value_is_so_in_size_whatever_is_undefined(tab: Tab) -> None:
    assert tab.run("[largest([1, -3, NaN, null, 2]), largest([]), largest(Float32Array.of(0, -0.5))]") == [3, 0, 0.5]


@needs_browser
@pytest.mark.parametrize(
    ("um_per_px", "width", "text"), [(1, "100px", "100 µm"), (0.25, "80px", "20 µm"), (10, "100px", "1 mm")]
)
def test_the_bar_of_the_scale_is_a_round_length(tab: Tab, um_per_px: float, width: str, text: str) -> None:
    tab.run(f"drawScaleBar({um_per_px})")
    bar = "document.getElementById('scalebar')"
    assert tab.run(f"[{bar}.hidden, {bar}.style.width, {bar}.textContent]") == [False, width, text]


@needs_browser
def test_without_a_resolution_there_is_no_bar(tab: Tab) -> None:
    tab.run("drawScaleBar(null / 2)")
    assert tab.run("document.getElementById('scalebar').hidden") is True
