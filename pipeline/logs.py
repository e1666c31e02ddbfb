"""Logging and progress, the same for rules and for the command line."""

import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, TypeVar

from pipeline.errors import AbignetError, refused_place

Item = TypeVar("Item")

ROOT_LOGGER = "abignet"
LINE_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def get_logger(name: str) -> logging.Logger:
    """Logger ``abignet.<name>``; rooms pass their own short name."""
    return logging.getLogger(f"{ROOT_LOGGER}.{name}")


def progress(
    items: Iterable[Item], *, description: str, unit: str, total: int | None = None, scale: int = 1
) -> Iterable[Item]:
    """Iterate with a progress bar on stderr showing rate and time left, an item being ``scale`` units.

    The bar is drawn at most every second and is silent when stderr is not a terminal
    and the work takes less than 10 s, so logs stay readable.
    """
    from tqdm import tqdm

    interactive = sys.stderr.isatty()
    return tqdm(
        items,
        desc=description,
        unit=f" {unit}",
        total=total,
        unit_scale=scale if scale > 1 else False,
        mininterval=1.0 if interactive else 30.0,
        delay=0.0 if interactive else 10.0,
        dynamic_ncols=interactive,
    )


@contextmanager
def job_log(path: str | Path, level: int = logging.INFO) -> Iterator[None]:
    """Send the log of a rule's job to ``path``, and its errors to stderr as well.

    An ``AbignetError`` is written as its message and ends the job with exit code 2; any
    other exception keeps its traceback, in the log and on stderr.

    Raises
    ------
    SystemExit
        With code 2 after an ``AbignetError``.
    """
    logger = logging.getLogger(ROOT_LOGGER)
    with _opened(Path(path)) as stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter(LINE_FORMAT))
        logger.addHandler(handler)
        logger.setLevel(level)
        try:
            yield
        except AbignetError as error:
            _tell(error, stream, sys.stderr)
            raise SystemExit(2) from error
        except OSError as error:
            if (refused := refused_place(error)) is None:
                traceback.print_exc(file=stream)
                raise
            _tell(refused, stream, sys.stderr)
            raise SystemExit(2) from error
        except Exception:
            traceback.print_exc(file=stream)
            raise
        finally:
            logger.removeHandler(handler)


def _opened(target: Path) -> TextIO:
    """The log, empty; a place that the system refuses ends the job with its message and exit code 2."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("w", encoding="utf-8")
    except OSError as error:
        _tell(refused_place(error) or error, sys.stderr)
        raise SystemExit(2) from error


def _tell(error: Exception, *sinks: TextIO) -> None:
    """Write an error's message to each sink that takes it; a disk may be too full for the log."""
    for sink in sinks:
        with suppress(OSError):
            print(f"error: {error}", file=sink, flush=True)
