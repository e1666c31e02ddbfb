import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pipeline.slides.tile_cache import TileCache

TILE_BYTES = 100


def tile(value: int) -> np.ndarray:
    return np.full(TILE_BYTES, value, np.uint8)


def test_a_held_tile_is_not_decoded_again() -> None:
    cache, decoded = TileCache(10 * TILE_BYTES), []
    for key in (1, 2, 1, 2, 1):
        assert cache.get(key, lambda key=key: decoded.append(key) or tile(key))[0] == key
    assert decoded == [1, 2]
    assert cache.n_bytes == 2 * TILE_BYTES


def test_the_tile_not_used_for_longest_goes_first() -> None:
    cache, decoded = TileCache(2 * TILE_BYTES), []
    for key in (1, 2, 1, 3, 1, 2):
        cache.get(key, lambda key=key: decoded.append(key) or tile(key))
    assert decoded == [1, 2, 3, 2]
    assert cache.n_bytes == 2 * TILE_BYTES


def test_a_tile_larger_than_the_cache_is_given_and_not_kept() -> None:
    cache = TileCache(TILE_BYTES - 1)
    assert cache.get(1, lambda: tile(7))[0] == 7
    assert cache.n_bytes == 0


def test_two_threads_that_want_one_tile_decode_it_once() -> None:
    cache, decoded, begun, go_on = TileCache(10 * TILE_BYTES), [], threading.Event(), threading.Event()

    def slow() -> np.ndarray:
        decoded.append(1)
        begun.set()
        assert go_on.wait(10)
        return tile(5)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(cache.get, 1, slow)
        assert begun.wait(10)
        others = [pool.submit(cache.get, 1, slow) for _ in range(2)]
        go_on.set()
        assert all(future.result()[0] == 5 for future in (first, *others))
    assert decoded == [1]


def test_an_error_is_raised_and_not_kept() -> None:
    cache = TileCache(10 * TILE_BYTES)

    def damaged() -> np.ndarray:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        cache.get(1, damaged)
    assert cache.get(1, lambda: tile(3))[0] == 3


def test_many_threads_stay_within_the_bound_and_get_their_own_tiles() -> None:
    cache = TileCache(7 * TILE_BYTES)
    keys = np.random.default_rng(0).integers(0, 40, 4000).tolist()
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda key: int(cache.get(key, lambda: tile(key))[0]), keys))
    assert values == keys
    assert cache.n_bytes == 7 * TILE_BYTES
