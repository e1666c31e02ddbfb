"""Reading of small text files that users name: regular files of a stated encoding, and nothing that never ends."""

from pathlib import Path


def read_user_text(path: str | Path) -> str:
    """Text of a UTF-8 file, without the byte order mark that some programs put first.

    Raises
    ------
    OSError
        If it is missing or is no regular file, such as a pipe or a device.
    UnicodeDecodeError
        If it is in another encoding.
    """
    file = Path(path)
    if file.exists() and not file.is_file():
        raise OSError(f"{file} is no regular file")
    return file.read_text(encoding="utf-8-sig")
