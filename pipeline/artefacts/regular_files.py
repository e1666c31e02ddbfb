"""Reading of small text files that users name: regular files of a stated encoding, and nothing that never ends."""

import codecs
import gzip
import zlib
from pathlib import Path

GZIP_MAGIC = b"\x1f\x8b"

OTHER_KINDS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16, which spreadsheets call Unicode text",
    codecs.BOM_UTF16_BE: "UTF-16, which spreadsheets call Unicode text",
    b"PK\x03\x04": "a workbook (.xlsx, .ods) or another archive",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls)",
    GZIP_MAGIC: "a compressed file (gzip)",
    b"\x89HDF": "an HDF5 file",
}
"""First bytes of what users take for text, with its name."""


def read_user_text(path: str | Path, most_bytes: int | None = None) -> str:
    """Text of a UTF-8 file, without the byte order mark that some programs put first.

    Parameters
    ----------
    most_bytes
        Larger files are refused unread; None reads a file of any size.

    Raises
    ------
    OSError
        If it is missing or is no regular file, such as a pipe or a device.
    ValueError
        If it is too large, in another encoding (then ``UnicodeDecodeError``) or no text; says which.
    """
    file = _regular(path)
    if most_bytes is not None and (size := file.stat().st_size) > most_bytes:
        raise ValueError(f"a file of {size:,} bytes, where {most_bytes:,} are the most")
    return _decoded(file.read_bytes())


def read_packed_text(path: str | Path) -> str:
    """``read_user_text`` of a file that may be gzipped.

    Raises
    ------
    OSError, ValueError
        See ``read_user_text``; OSError also if it cannot be unpacked.
    """
    file = _regular(path)
    content = file.read_bytes()
    if not content.startswith(GZIP_MAGIC):
        return _decoded(content)
    try:
        return _decoded(gzip.decompress(content))
    except (EOFError, zlib.error) as error:
        raise OSError(f"{file} cannot be unpacked: {error}") from error


def _regular(path: str | Path) -> Path:
    file = Path(path)
    if file.exists() and not file.is_file():
        raise OSError(f"{file} is no regular file")
    return file


def _decoded(content: bytes) -> str:
    kind = next((kind for start, kind in OTHER_KINDS.items() if content.startswith(start)), None)
    if kind is not None:
        raise ValueError(kind)
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise ValueError(f"a byte of value 0 in line {line}: no text, or text in UTF-16 without its mark")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        reason = f"{error.reason} in line {line}, which Latin-1 and Windows-1252 write for letters outside ASCII"
        raise UnicodeDecodeError("utf-8", error.object, error.start, error.end, reason) from error
