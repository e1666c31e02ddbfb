import io
import re
from dataclasses import replace

import pytest
from markupsafe import Markup
from PIL import Image

from pipeline.report.contents.next_steps import Step
from pipeline.report.figures.figure_style import Figure
from pipeline.report.page.page import render
from pipeline.report.page.page_elements import (
    ROWS_AT_A_GLANCE,
    Block,
    Card,
    Cards,
    Caution,
    Cautions,
    Details,
    FoldedTable,
    Gallery,
    Section,
    Table,
    Text,
    Toggle,
    Verdict,
    number_columns,
    text_columns,
)
from tests.report.page_reading import Page

COLUMNS = [*text_columns("class", "patient"), *number_columns("n")]
TABLE = Table(COLUMNS, [("a", "p", "1"), ("b", "q", "2\n[1, 3]")], "What it shows", marked=frozenset({1}))


def shown(*blocks: Block) -> str:
    """HTML of the one section of a page."""
    text = render("Heading", "run", [Section("s", "Section", blocks)], {})
    return text[text.index("<h2>") : text.index("</section>")]


def figure(name: str) -> Figure:
    stream = io.BytesIO()
    Image.new("RGB", (4, 4)).save(stream, "PNG")
    return Figure(name, "png", stream.getvalue(), f"caption of {name}", f"description of {name}")


def test_columns_of_numbers_are_marked_as_such() -> None:
    assert [(column.title, column.numeric) for column in COLUMNS] == [("class", False), ("patient", False), ("n", True)]


def test_cells_stand_below_their_columns_and_numbers_to_the_right() -> None:
    text = shown(TABLE)
    heads = re.findall(r'<th scope="col"( class="number")?><button type="button">(.*?)</button>', text)
    assert heads == [("", "class"), ("", "patient"), (' class="number"', "n")]
    rows = re.findall(r"<tr( class=\"marked\")?><td>(.*?)</td><td>(.*?)</td><td class=\"number\">(.*?)</td></tr>", text)
    assert rows == [("", "a", "p", "1"), (' class="marked"', "b", "q", "2<small>[1, 3]</small>")]
    assert "<figcaption>What it shows" in text


@pytest.mark.parametrize(("n_rows", "searchable"), [(ROWS_AT_A_GLANCE, False), (ROWS_AT_A_GLANCE + 1, True)])
def test_long_tables_offer_a_filter(n_rows: int, searchable: bool) -> None:
    table = Table(COLUMNS, [("a", "p", "1")] * n_rows, "")
    assert table.has_filter is searchable
    for block in (table, FoldedTable("More", table)):
        assert ('<input type="search"' in shown(block)) is searchable


def test_rows_that_stay_are_marked_and_the_table_has_the_anchor() -> None:
    text = shown(replace(TABLE, toggle=Toggle("odd", "odd ones only", frozenset({0}))))
    assert '<figure class="table" id="odd">' in text
    assert re.findall(r"<tr([^>]*)><td>(\w)", text) == [(" data-stays", "a"), (' class="marked"', "b")]
    assert '<label><input type="checkbox"> odd ones only</label>' in text


def test_cells_are_escaped_but_for_links() -> None:
    text = shown(replace(TABLE, rows=[("<b>", Markup('<a href="panels/s.html">s</a>'), "1")], marked=frozenset()))
    assert '<td>&lt;b&gt;</td><td><a href="panels/s.html">s</a></td>' in text


@pytest.mark.parametrize(("any_wrong", "anchor"), [(True, "#wrong"), (False, "#calls")])
def test_a_verdict_leads_to_warnings_slides_and_steps(any_wrong: bool, anchor: str) -> None:
    steps = [Step("Look.", "wrong"), Step("Add patients.")]
    warnings = [f"warning {n}" for n in range(10)]
    text = shown(Verdict("worse", "It does <worse>.", ["By 0.1."], "2 called wrong", any_wrong, warnings, steps))
    assert 'data-finding="worse"' in text
    assert "It does &lt;worse&gt;." in text
    assert f'<a href="{anchor}">2 called wrong</a>' in text
    assert '<h3><a href="#cautions">10 warnings</a></h3>' in text
    assert "<li>warning 7</li>" in text
    assert "<li>and 2 more</li>" in text
    assert '<li><a href="#wrong">Look.</a></li>' in text
    assert "<li>Add patients.</li>" in text


def test_a_folded_table_stands_behind_its_summary() -> None:
    text = shown(FoldedTable("More", TABLE))
    assert text.index("<details><summary>More</summary>") < text.index("<table>") < text.index("</details>")


def test_cards_say_a_number_what_it_counts_and_what_it_means() -> None:
    text = shown(Cards([Card("3", "slides", "all of them", wide=True), Card("4", "nuclei")]))
    assert '<div class="card wide"><b>3</b><span>slides</span><small>all of them</small></div>' in text
    assert '<div class="card"><b>4</b><span>nuclei</span></div>' in text


def test_cautions_and_details_are_escaped() -> None:
    assert "<li><b>few &lt; 3</b><span>a &amp; b</span></li>" in shown(Cautions([Caution("few < 3", "a & b")]))
    listed = shown(Cautions([Caution("odd", "these", ["s<1>", "s2"])]))
    assert "<span>these</span><ul><li>s&lt;1&gt;</li><li>s2</li></ul></li>" in listed
    assert "<details><summary>Config</summary><pre>a: &lt;b&gt;\n</pre></details>" in shown(
        Details("Config", "a: <b>\n")
    )


def test_a_gallery_names_describes_and_captions_its_figures() -> None:
    text = shown(Gallery([figure("one"), figure("two")], "medium", "Said once."))
    assert '<p class="note">Said once.</p>' in text
    assert '<div class="gallery medium">' in text
    for name in ("one", "two"):
        assert f'<figure id="figure-{name}">' in text
        assert f"<figcaption>caption of {name} <span" in text
        assert f'<button type="button" class="enlarge" aria-label="Enlarge: description of {name}">' in text
        assert f'<a href="figures/{name}.png" download aria-label="{name} as PNG">PNG</a>' in text
    assert "legend-row" not in text
    legend = shown(Gallery([figure("one")], "legend", "Beside it."))
    assert "legend-row" in legend
    assert "<figcaption>caption of one</figcaption>" in legend
    assert "Enlarge" not in legend


def test_every_opened_element_is_closed() -> None:
    blocks = [Text("t"), TABLE, FoldedTable("f", TABLE), Cards([Card("1", "x")]), Gallery([figure("a")], "legend", "n")]
    text = shown(*blocks)
    for tag in {name for name, _ in Page(text).elements} - {"img", "input"}:
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag


def test_figures_of_a_section_are_those_of_its_galleries_in_order() -> None:
    blocks = [Gallery([figure("a")], "small"), Text("between"), Gallery([figure("b"), figure("c")], "large")]
    assert [drawn.name for drawn in Section("s", "S", blocks).figures] == ["a", "b", "c"]
