from pipeline.artefacts.tables import HeadedTable, empty_frame
from pipeline.cellgraph.graphs.slide_tables import unreadable_tiles


def table(**header):
    return HeadedTable(empty_frame({}), header)


def test_tables_without_unreadable_tiles_have_none():
    assert unreadable_tiles(table(unreadable_tiles=[3, 4])) == (3, 4)
    assert unreadable_tiles(table()) == ()
