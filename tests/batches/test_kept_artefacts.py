import pytest

from pipeline.batches.kept_artefacts import KeptArtefacts


@pytest.fixture
def places(tmp_path):
    """A table and a store, in their places below two folders."""
    table, store = tmp_path / "tiles/s1.parquet", tmp_path / "features/s1.zarr"
    store.mkdir(parents=True)
    table.parent.mkdir()
    table.write_text("table")
    (store / "coords").write_text("store")
    return table, store


@pytest.fixture
def kept(tmp_path):
    return KeptArtefacts(tmp_path / ".batches/tile_slide", "s1")


@pytest.fixture
def made(kept, places):
    """Artefacts that a batch made by the key ``k`` and put in their places."""
    kept.begin()
    for place in places:
        place.rename(kept.aside(place))
    kept.finish("k", places)
    kept.put_in_place(places)
    return kept


def test_artefacts_come_back_as_they_were(made, places):
    made.set_aside(places)
    assert not any(place.exists() for place in places)
    assert made.are_made_by("k", places)
    made.put_in_place(places)
    assert places[0].read_text() == "table"
    assert (places[1] / "coords").read_text() == "store"
    assert not made.folder.exists()


def test_those_made_by_another_key_do_not_count(made, places):
    made.set_aside(places)
    assert not made.are_made_by("other", places)


def test_one_that_was_changed_or_is_missing_does_not_count(made, places):
    (places[1] / "coords").write_text("edited")
    made.set_aside(places)
    assert not made.are_made_by("k", places)


def test_a_missing_one_does_not_count(made, places):
    places[0].unlink()
    made.set_aside(places)
    assert not made.are_made_by("k", places)


def test_a_killed_move_is_finished(made, places):
    made.set_aside(places[:1])
    made.set_aside(places)
    assert made.are_made_by("k", places)


def test_artefacts_of_unknown_making_stay_where_they_are(kept, places):
    kept.set_aside(places)
    assert all(place.exists() for place in places)
    assert not kept.are_made_by("k", places)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": "k"}'])
def test_a_damaged_record_counts_as_none(made, places, damage):
    made.set_aside(places)
    made.record.write_text(damage)
    assert not made.are_made_by("k", places)


def test_what_is_forgotten_is_made_again(made, places):
    made.set_aside(places)
    made.forget()
    assert not made.are_made_by("k", places)
    assert not made.folder.exists()


def test_a_job_that_died_is_told(kept, made, places):
    assert not kept.is_begun
    kept.begin()
    assert kept.is_begun
    kept.finish("k", places)
    assert not kept.is_begun


def test_what_stands_in_the_place_is_replaced(made, places):
    made.set_aside(places)
    places[1].mkdir()
    (places[1] / "half").write_text("half")
    made.put_in_place(places)
    assert [file.name for file in places[1].iterdir()] == ["coords"]
