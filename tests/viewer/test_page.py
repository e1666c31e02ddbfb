"""The page in a real browser."""

import hashlib
from collections.abc import Iterator

import pytest

from pipeline.viewer.serving.routes import PAGE
from pipeline.viewer.serving.server import ViewerServer
from tests.axe import violations
from tests.browser import Browser, Tab, needs_browser, running_browser

OPENED = "state.model !== null && osd.world.getItemCount() === 1 && document.getElementById('viewer') !== null"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def page(server: ViewerServer, browser: Browser) -> Iterator[Tab]:
    """The page of slide s00, drawn."""
    with browser.tab() as tab:
        tab.open(f"{server.url}?slide=s00")
        tab.wait(f"{OPENED} && state.region.pairs && osd.world.getItemAt(0).getFullyLoaded()")
        yield tab


def ink(tab: Tab) -> int:
    """Pixels that the layers cover."""
    return int(
        tab.run(
            "(() => { draw(); const copy = Object.assign(document.createElement('canvas'), { width: canvas.width,"
            "height: canvas.height }), context = copy.getContext('2d', { willReadFrequently: true });"
            "context.drawImage(canvas, 0, 0); const { data } = context.getImageData(0, 0, copy.width, copy.height);"
            "return data.filter((value, i) => i % 4 === 3 && value).length; })()"
        )
    )


def choose(tab: Tab, name: str, value: str) -> None:
    tab.run(f"byId('{name}').value = '{value}'; byId('{name}').dispatchEvent(new Event('input'))")


def check(tab: Tab, name: str, on: bool) -> None:
    tab.run(f"byId('{name}').checked = {str(on).lower()}; byId('{name}').dispatchEvent(new Event('input'))")


def test_the_vendored_library_is_the_one_that_the_notices_name() -> None:
    digest = hashlib.sha256((PAGE / "openseadragon.min.js").read_bytes()).hexdigest()
    assert digest in (PAGE / "THIRD_PARTY_NOTICES.txt").read_text()
    assert "OpenSeadragon contributors" in (PAGE / "OPENSEADRAGON-LICENSE.txt").read_text()


@needs_browser
def test_the_slide_and_its_prediction_appear_without_a_fault(page: Tab) -> None:
    assert "predicted" in page.run("byId('verdict').textContent")
    assert page.run("byId('fault').hidden") is True
    assert page.run("document.querySelectorAll('#spoke .patch img').length") == 8
    assert page.faults == []


@needs_browser
def test_each_layer_draws_something_and_goes_again(page: Tab) -> None:
    check(page, "edges", False)
    choose(page, "patches", "off")
    page.wait("!state.region.pairs")
    assert ink(page) == 0
    for name, on, loaded in (
        ("patches", "0", "true"),
        ("tiles", "kept", "true"),
        ("tiles", "tissue_fraction", "true"),
        ("nuclei", "axis", "state.region.nuclei"),
    ):
        choose(page, name, on)
        page.wait(loaded)
        assert ink(page) > 500, (name, on)
        choose(page, name, "off")
        page.wait("!state.region.nuclei || byId('nuclei').value !== 'off'")
        assert ink(page) == 0, (name, on)
    for name, loaded in (("cells", "state.region.cells"), ("edges", "state.region.pairs")):
        check(page, name, True)
        page.wait(loaded)
        assert ink(page) > 200, name
        check(page, name, False)
        page.wait(f"!{loaded}")
    assert page.faults == []


@needs_browser
def test_the_slider_thins_the_graph(page: Tab) -> None:
    many = page.run("state.region.pairs.a.length")
    choose(page, "weight", "0")
    page.wait("state.region.pairs.a.length === 1")
    assert many > 1
    assert page.run("byId('weight-says').textContent").startswith("1 of ")


@needs_browser
def test_a_patch_that_spoke_is_gone_to_and_read(page: Tab) -> None:
    before = page.run("osd.viewport.getZoom()")
    page.run("document.querySelector('#spoke .patch').click()")
    page.wait(f"osd.viewport.getZoom() > {1.2 * before}")
    page.wait("!byId('card').hidden")
    words = page.run("byId('card').textContent")
    assert "Evidence: benign" in words
    assert "What of it spoke" in words
    assert page.faults == []


@needs_browser
def test_pointing_at_an_edge_reads_it(page: Tab) -> None:
    choose(page, "weight", "0")
    page.wait("state.region.pairs.a.length === 1")
    script = (
        "(() => { const f = frame(), { a, b } = state.region.pairs, box = osd.canvas.getBoundingClientRect();"
        "const ends = [a[0], b[0]].map((node) => f.at(...middle(node))), c = bend(...ends);"
        "return [0, 1].map((i) => (ends[0][i] + 2 * c[i] + ends[1][i]) / 4 + (i ? box.y : box.x)); })()"
    )
    x, y = page.run(script)
    page.mouse("mouseMoved", x, y)
    page.wait("byId('card').textContent.includes('Weight')")
    assert "They differ most in" in page.run("byId('card').textContent")


@needs_browser
def test_another_method_and_slide_are_chosen(page: Tab) -> None:
    page.run("byId('method').value = 'run · mean_pool'; byId('method').dispatchEvent(new Event('change'))")
    page.wait("byId('spoke').textContent.includes('No evidence')")
    assert page.run("byId('weight-says').textContent") == "no learned graph"
    page.run("byId('slide').value = 'x00'; byId('slide').dispatchEvent(new Event('change'))")
    page.wait("state.slide.slide === 'x00' && byId('prediction').hidden")
    page.wait("byId('spoke').hidden")
    assert page.faults == []


@needs_browser
def test_of_slides_chosen_in_haste_the_last_one_stays(page: Tab) -> None:
    page.run(
        "['s01', 's02', 'x00', 's03', 's04'].forEach((slide) => {"
        "byId('slide').value = slide; byId('slide').dispatchEvent(new Event('change')); })"
    )
    page.wait("state.slide.slide === 's04' && state.model !== null")
    page.run("new Promise((done) => setTimeout(done, 500))")
    assert page.run("state.slide.slide") == "s04"
    assert page.faults == []


@needs_browser
@pytest.mark.parametrize(("width", "scheme"), [(420, "light"), (1400, "dark")])
def test_the_page_fits_its_window(server: ViewerServer, browser: Browser, width: int, scheme: str) -> None:
    with browser.tab() as tab:
        tab.open(f"{server.url}?slide=s01", width=width, scheme=scheme)  # type: ignore[arg-type]
        tab.wait(OPENED)
        assert tab.run("document.documentElement.scrollWidth") <= width
        assert tab.faults == []
        assert violations(tab) == []
