import pytest

from pipeline.batches.membership import LEAST_BATCHES, SMALL_BYTES, batches_of, is_small

IDS = [f"roi{i:04d}" for i in range(1000)]


def batch_of(batches):
    return {slide_id: name for name, members in batches.items() for slide_id in members}


def test_every_image_is_in_one_batch():
    batches = batches_of(IDS, 32)
    assert sorted(slide_id for members in batches.values() for slide_id in members) == IDS
    assert all(batches.values())


def test_batches_do_not_depend_on_the_order_of_the_sheet():
    assert batches_of(reversed(IDS), 32) == batches_of(IDS, 32)


def test_a_batch_has_as_many_images_as_asked_for_on_average():
    batches = batches_of(IDS, 32)
    assert len(batches) == 32
    assert max(map(len, batches.values())) < 2 * 32


@pytest.mark.parametrize("change", [[*IDS[:1000], "another"], IDS[1:]], ids=["added", "removed"])
def test_a_row_more_or_less_moves_no_other_image(change):
    before, after = batch_of(batches_of(IDS, 32)), batch_of(batches_of(change, 32))
    assert all(after[slide_id] == before[slide_id] for slide_id in before.keys() & after.keys())


def test_a_cohort_that_outgrows_its_batches_halves_each():
    small, large = batch_of(batches_of(IDS[:512], 32)), batch_of(batches_of(IDS[:513], 32))
    halves = {}
    for slide_id in IDS[:512]:
        halves.setdefault(small[slide_id], set()).add(large[slide_id])
    assert all(len(parts) <= 2 for parts in halves.values())
    assert len(set(large.values())) > len(set(small.values()))


def test_few_images_are_spread_over_the_cores_of_a_workstation():
    assert len(batches_of(IDS[:58], 32)) == LEAST_BATCHES


def test_one_image_a_job_is_no_batch():
    assert batches_of(IDS, 1) == {}
    assert batches_of([], 32) == {}


def test_small_is_one_file_of_few_bytes(tmp_path):
    (tmp_path / "roi.tif").write_bytes(b"x")
    (tmp_path / "slide.mrxs").write_bytes(b"x")
    with (tmp_path / "slide.svs").open("wb") as file:
        file.truncate(SMALL_BYTES + 1)
    (tmp_path / "folder.tif").mkdir()
    found = [
        name for name in ("roi.tif", "slide.mrxs", "slide.svs", "folder.tif", "no.tif") if is_small(tmp_path / name)
    ]
    assert found == ["roi.tif"]
