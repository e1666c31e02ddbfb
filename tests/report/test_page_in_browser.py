"""The page as a reader has it: in a real browser, wide and narrow, light, dark and printed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from pipeline.report.contents.report_sources import ReportSources
from pipeline.report.params import ReportParams
from pipeline.report.write_panels import write_panels
from pipeline.report.write_report import write_report
from tests.axe import violations
from tests.browser import Browser, Tab, needs_browser, running_browser

pytestmark = needs_browser
Build = Callable[..., ReportSources]

WIDTHS = (1400, 420)
IN_VIEW = """(() => {
  const box = document.querySelector(%r).getBoundingClientRect();
  return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
})()"""


@pytest.fixture(scope="module")
def address(standard_run: ReportSources, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Page and panels of a run of which some images are called wrong."""
    folder = tmp_path_factory.mktemp("page")
    config = {**standard_run.config, "prediction": {"method": "default"}}
    sources = replace(standard_run, config=config, has_panels=True)
    params = ReportParams(n_overlays=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipeline.report.write_report.figure_files", lambda f: {f"{f.name}.{f.kind}": f.content})
        write_report(sources, folder / "index.html", folder / "figures", params=params, source="abcd")
    write_panels(sources, folder / "panels", params=params, source="abcd")
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    with browser.tab() as opened:
        yield opened


def press(tab: Tab, key: str, code: str, number: int, text: str = "") -> None:
    """One key of the keyboard."""
    shared = {"key": key, "code": code, "windowsVirtualKeyCode": number}
    tab.call("Input.dispatchKeyEvent", type="keyDown", text=text, **shared)
    tab.call("Input.dispatchKeyEvent", type="keyUp", **shared)


def in_view(tab: Tab, selector: str) -> bool:
    return bool(tab.run(IN_VIEW % selector))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wrong_with_the_page(
    tab: Tab, address: str, width: int, scheme: Literal["light", "dark"], tmp_path: Path
) -> None:
    tab.open(address, width=width, scheme=scheme)
    tab.run("document.querySelectorAll('details').forEach((folded) => (folded.open = true))")
    assert violations(tab) == []
    assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.faults == []


def test_verdict_warnings_and_steps_are_read_without_scrolling(tab: Tab, address: str) -> None:
    tab.open(address)
    for selector in (".verdict .headline", ".verdict .warn", ".verdict .next"):
        assert in_view(tab, selector), selector
    assert "No difference shown" in tab.run("document.querySelector('.headline').textContent")
    assert tab.run("document.querySelectorAll('.verdict .warn li').length") > 0
    assert tab.run("document.querySelectorAll('.verdict .next li').length") > 0


def test_one_click_shows_the_wrong_slides_and_one_more_why(tab: Tab, address: str) -> None:
    tab.open(address)
    tab.run("document.querySelector('.verdict a[href=\"#wrong\"]').click()")
    tab.wait("document.querySelector('#wrong input[type=checkbox]').checked")
    shown = tab.run(
        "[...document.querySelectorAll('#wrong tbody tr')].filter((r) => !r.hidden).map((r) => r.innerText)"
    )
    every = tab.run("document.querySelectorAll('#wrong tbody tr').length")
    assert 0 < len(shown) < every == 8
    assert tab.run("document.querySelector('#wrong output').textContent") == f"{len(shown)} of 8 rows"
    assert in_view(tab, "#wrong tbody tr:first-child")
    slide = tab.run("document.querySelector('#wrong tbody a').textContent")
    tab.run("document.querySelector('#wrong tbody a').click()")
    tab.wait(f"location.pathname.endsWith('/panels/{slide}.html') && document.readyState === 'complete'")
    assert slide in tab.run("document.title + document.body.innerText")


def test_every_warning_is_read_at_its_place(tab: Tab, address: str) -> None:
    tab.open(address)
    tab.run("document.querySelector('.verdict .warn a').click()")
    assert in_view(tab, "#cautions .cautions li:first-child")


def test_the_keyboard_skips_filters_and_sorts(tab: Tab, address: str) -> None:
    tab.open(address)
    press(tab, "Tab", "Tab", 9)
    assert tab.run("document.activeElement.className") == "skip"
    assert in_view(tab, ".skip")
    tab.run("document.querySelector('#wrong input[type=checkbox]').focus()")
    press(tab, " ", "Space", 32, " ")
    assert tab.run("[...document.querySelectorAll('#wrong tbody tr')].some((row) => row.hidden)")
    press(tab, " ", "Space", 32, " ")
    assert not tab.run("[...document.querySelectorAll('#wrong tbody tr')].some((row) => row.hidden)")
    tab.run("document.querySelectorAll('#wrong th button')[4].focus()")
    press(tab, "Enter", "Enter", 13, "\r")
    values = [
        float(text)
        for text in tab.run("[...document.querySelectorAll('#wrong td:nth-child(5)')].map((c) => c.innerText)")
    ]
    assert values == sorted(values)
    assert tab.run("document.querySelectorAll('#wrong th')[4].getAttribute('aria-sort')") == "ascending"
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_figure_is_enlarged_by_keyboard_and_left_by_escape(tab: Tab, address: str) -> None:
    tab.open(address)
    tab.run("document.querySelector('.enlarge').focus()")
    press(tab, "Enter", "Enter", 13, "\r")
    assert tab.run("document.getElementById('enlarged').open")
    press(tab, "Escape", "Escape", 27)
    assert not tab.run("document.getElementById('enlarged').open")


@pytest.mark.parametrize(("width", "medium"), [(1400, "screen"), (718, "print")])
def test_the_comparison_fits_the_screen_and_a_page_of_paper(tab: Tab, address: str, width: int, medium: str) -> None:
    """718 pixels are what A4 leaves between margins of 1 cm."""
    tab.open(address, width=width)
    tab.call("Emulation.setEmulatedMedia", media=medium)
    tab.run(
        "for (const { cells } of document.querySelector('#results table').tBodies[0].rows) {"
        " cells[0].textContent = 'attention_mil';"
        " for (let i = 1; i < 6; i++) cells[i].innerHTML = '0.483 ± 0.113<small>[0.512, 0.718]</small>';"
        " cells[6].innerHTML = '-0.417<small>[-0.512, -0.318]</small>';"
        " cells[7].textContent = cells[8].textContent = '< 0.001'; }"
    )
    wide, room = tab.run("(([t]) => [t.scrollWidth, t.clientWidth])(document.querySelectorAll('#results .scroll'))")
    assert wide <= room


def test_print_shows_what_is_folded(tab: Tab, address: str) -> None:
    """By its styles, which printing without a window knows alone, and by opening it, which older browsers need."""
    tab.open(address)
    folded = "[...document.querySelectorAll('details:not([open]) > :last-child')]"
    heights = f"{folded}.map((element) => element.getBoundingClientRect().height)"
    assert tab.run("document.querySelectorAll('details:not([open])').length") > 2
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert min(tab.run(heights)) > 20
    tab.call("Emulation.setEmulatedMedia", media="screen")
    tab.run("dispatchEvent(new Event('beforeprint'))")
    assert tab.run("document.querySelectorAll('details:not([open])').length") == 0
    tab.run("dispatchEvent(new Event('afterprint'))")
    assert tab.run("document.querySelectorAll('details[open]').length") == 0
