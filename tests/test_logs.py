import errno
import logging
import re

import pytest

from pipeline.errors import SlideError
from pipeline.logs import get_logger, job_log, progress


def test_messages_reach_the_log_of_the_job(tmp_path):
    with job_log(tmp_path / "logs" / "job.log"):
        get_logger("tiling").info("slide %s", "s1")
    assert "INFO abignet.tiling: slide s1" in (tmp_path / "logs" / "job.log").read_text()
    assert not logging.getLogger("abignet").handlers


def test_a_user_error_ends_with_code_2_and_its_message_in_both_places(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "job.log"):
        raise SlideError("s1: truncated")
    assert caught.value.code == 2
    assert (tmp_path / "job.log").read_text() == "error: s1: truncated\n"
    assert capsys.readouterr().err == "error: s1: truncated\n"


def test_a_defect_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), job_log(tmp_path / "job.log"):
        _ = 1 / 0
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_progress_hands_on_every_item():
    assert list(progress(range(3), description="x", unit="tiles")) == [0, 1, 2]


def test_a_log_that_cannot_be_written_is_one_clear_error(tmp_path, capsys):
    (tmp_path / "file").touch()
    for log in (tmp_path / "file/job.log", tmp_path / "file/logs/job.log", tmp_path):
        with pytest.raises(SystemExit) as caught, job_log(log):
            raise AssertionError
        assert caught.value.code == 2
        assert re.fullmatch(
            r"error: .*: (File exists|Not a directory|Is a directory)\. Make room, mend .*\n", capsys.readouterr().err
        )


def test_a_full_disk_ends_with_code_2_and_its_message(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, job_log(tmp_path / "job.log"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.code == 2
    expected = "error: a result cannot be written: No space left on device. Make room, mend the permissions or choose"
    assert expected in (tmp_path / "job.log").read_text()
    assert expected in capsys.readouterr().err


def test_an_error_of_the_system_that_is_a_defect_keeps_its_traceback(tmp_path):
    with pytest.raises(FileNotFoundError), job_log(tmp_path / "job.log"):
        (tmp_path / "none").read_text()
    assert "Traceback" in (tmp_path / "job.log").read_text()
