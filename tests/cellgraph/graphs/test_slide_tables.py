import pytest

from pipeline.artefacts.tables import HeadedTable, empty_frame
from pipeline.cellgraph.graphs.slide_tables import check_slide, unreadable_tiles
from pipeline.errors import ArtefactError


def table(**header):
    return HeadedTable(empty_frame({}), header)


def test_a_table_of_another_slide_is_refused_by_name():
    check_slide(table(slide_id="s1"), "t.parquet", "s1")
    with pytest.raises(ArtefactError, match=r"t\.parquet: expected a table of slide s1, found 's2'"):
        check_slide(table(slide_id="s2"), "t.parquet", "s1")


def test_tables_without_unreadable_tiles_have_none():
    assert unreadable_tiles(table(unreadable_tiles=[3, 4])) == (3, 4)
    assert unreadable_tiles(table()) == ()
