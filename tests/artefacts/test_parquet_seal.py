import pandas as pd
import pytest

from pipeline.artefacts.parquet_seal import SEAL_BYTES, check_pages, read_seal, write_seal


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": range(500), "word": ["a", "b"] * 250}).to_parquet(path)
    return path


def test_a_sealed_file_is_read_by_any_reader_of_parquet(plain):
    before, size = pd.read_parquet(plain), plain.stat().st_size
    write_seal(plain)
    pd.testing.assert_frame_equal(pd.read_parquet(plain), before)
    assert plain.stat().st_size == size + SEAL_BYTES


def test_a_file_without_seal_has_none(plain):
    assert read_seal(plain) is None


def test_the_seal_tells_pages_from_footer(plain):
    write_seal(plain)
    whole, seal = plain.read_bytes(), read_seal(plain)
    check_pages(plain, seal)
    for place in (0, 4, 100, seal.n_page_bytes - 1):
        plain.write_bytes(changed(whole, place))
        with pytest.raises(ValueError, match="rows are not those"):
            check_pages(plain, read_seal(plain))
    for place in (seal.n_page_bytes + SEAL_BYTES, len(whole) - 9):
        plain.write_bytes(changed(whole, place))
        with pytest.raises(ValueError, match="footer is not"):
            read_seal(plain)


def changed(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 4 + b"PAR1", b"no parquet at all"])
def test_what_is_no_parquet_file_is_told(tmp_path, content):
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(ValueError, match=r"cut off|does not end"):
        read_seal(tmp_path / "t")


def test_a_file_that_ends_early_is_told(plain):
    write_seal(plain)
    plain.write_bytes(plain.read_bytes()[:-1])
    with pytest.raises(ValueError, match="does not end"):
        read_seal(plain)
