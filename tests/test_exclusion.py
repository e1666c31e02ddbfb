import pytest

from pipeline.errors import SlideError
from pipeline.exclusion import reason_to_exclude


def test_stop_raises_the_error_itself():
    error = SlideError("/a/b/s.svs: damaged")
    with pytest.raises(SlideError) as caught:
        reason_to_exclude(error, "/a/b/s.svs", "stop")
    assert caught.value is error


def test_the_reason_names_the_file_without_its_folder():
    assert reason_to_exclude(SlideError("/a/b/s.svs: damaged"), "/a/b/s.svs", "exclude") == "s.svs: damaged"
