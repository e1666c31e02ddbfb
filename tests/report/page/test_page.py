import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from pipeline.report.figures.figure_style import Figure, plot_figure, single_plot
from pipeline.report.page.page import picture, render
from pipeline.report.page.page_elements import Section, Text
from tests.report.page_reading import Page

SECTIONS = [Section("one", "The <first>", [Text("1 < 2")]), Section("two", "The second", [])]


def attributes(text: str, tag: str) -> list[dict[str, str | None]]:
    return [attrs for name, attrs in Page(text).elements if name == tag]


def test_sections_stand_in_order_and_are_navigated_to() -> None:
    text = render("Heading", "run", SECTIONS, {})
    assert [section["id"] for section in attributes(text, "section")] == ["one", "two"]
    assert [link["href"] for link in attributes(text, "a")] == ["#main", "#one", "#two"]
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["The &lt;first&gt;", "The second"]
    assert "<p>1 &lt; 2</p>" in text


@pytest.mark.parametrize(("heading", "named"), [("Heading", True), ("run", False)])
def test_the_run_is_named_below_another_heading(heading: str, named: bool) -> None:
    text = render(heading, "run", SECTIONS, {})
    assert f"<h1>{heading}</h1>" in text
    assert ("<code>run</code>" in text) is named


@pytest.mark.parametrize(
    "hostile",
    [
        "</script><b>",
        "<!--<script>",
        "<!-- <script",
        "]]>",
        "a\u2028b\u2029",
        "{{ 7 * 7 }}{% x %}",
        "${x}`",
        "\\u003c",
        "&lt;",
    ],
)
def test_the_record_and_the_names_read_back_whatever_they_hold(hostile: str) -> None:
    record = {"params": {"title": hostile, hostile: 1}, "source": "ab"}
    text = render(hostile, hostile, [Section("one", hostile, [Text(hostile)])], record)
    page = Page(text)
    assert page.elements.count(("script", {})) == 1
    assert [name for name, _ in page.elements].count("b") == 0
    assert hostile in html.unescape(text)
    (embedded,) = re.findall(r'id="provenance-record">(.*?)</script>', text, re.DOTALL)
    assert json.loads(embedded) == record
    assert "<" not in embedded
    assert embedded.isascii()


def test_a_picture_carries_its_bytes() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (30, 20), (200, 40, 40)).save(stream, "PNG")
    text = picture(Figure("p", "png", stream.getvalue(), "caption", 'a "quoted" word'))
    (image,) = attributes(text, "img")
    kind, _, encoded = image["src"].partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as shown:
        assert shown.size == (30, 20)
        assert np.abs(np.asarray(shown)[5, 5] - np.array([200, 40, 40])).max() < 8
    assert image["alt"] == 'a "quoted" word'


def test_a_plot_stands_in_the_page_as_svg() -> None:
    drawn, axes = single_plot(2, 2)
    axes.set_title("a & b")
    text = picture(plot_figure("plot", drawn, "caption", "alt"))
    assert text.startswith("<svg")
    assert "<title>alt</title>" in text
    assert "a &amp; b" in text
