"""Text of users: with a byte order mark, in another encoding, and from what never ends."""

import os
from pathlib import Path

import pytest

from pipeline.artefacts.regular_files import read_user_text


def test_the_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    file.write_bytes("\ufeffslide_id,path\r\n".encode())
    assert read_user_text(file).startswith("slide_id,path")


def test_another_encoding_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    file.write_bytes("Größe".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        read_user_text(file)


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "sheet.csv"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="no regular file"):
        read_user_text(pipe)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_user_text(tmp_path / "sheet.csv")
