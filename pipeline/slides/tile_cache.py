"""Decoded tiles kept for the boxes to come."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from pipeline.arrays import Rgb


class TileCache:
    """The tiles used last, at most ``max_bytes`` of them and those being decoded; shared by threads.

    A tile that two threads want at once is decoded by the first, and the other waits.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._tiles: OrderedDict[Hashable, Future[Rgb]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """Size of the decoded tiles held."""
        return self._n_bytes

    def get(self, key: Hashable, decode: Callable[[], Rgb]) -> Rgb:
        """The tile of that key, from ``decode`` when it is not held.

        What ``decode`` raises reaches every thread that waits for the tile, and nothing is kept.
        """
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            else:
                awaited = self._tiles[key] = Future()
        if tile is None:
            self._fill(key, awaited, decode)
            tile = awaited
        return tile.result()

    def _fill(self, key: Hashable, tile: Future[Rgb], decode: Callable[[], Rgb]) -> None:
        try:
            pixels = decode()
        except BaseException as error:
            with self._lock:
                del self._tiles[key]
            tile.set_exception(error)
            return
        with self._lock:
            tile.set_result(pixels)
            self._n_bytes += pixels.nbytes
            self._evict()

    def _evict(self) -> None:
        """Drop the tiles not used for longest; those being decoded stay."""
        while self._n_bytes > self._max_bytes:
            key = next(key for key, tile in self._tiles.items() if tile.done())
            self._n_bytes -= self._tiles.pop(key).result().nbytes
