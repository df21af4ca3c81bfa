"""Memory of compiled loops' results, and their work shared out."""

import os
import threading

import numpy as np
import pytest

from nengo_tactile.slayer import loops


@pytest.fixture(autouse=True)
def _clean():
    loops.forget()
    yield
    loops.forget()


def address(array):
    return array.ctypes.data


def test_memory_is_used_again_when_nothing_looks_at_it():
    first = loops.empty((300, 1000), np.float32)
    before = address(first)
    second = loops.empty((300, 1000), np.float32)
    assert address(second) != before
    part = first[10:20]
    del first
    assert address(loops.empty((300, 1000), np.float32)) != before  # a part still looks at it
    del part
    assert address(loops.empty((1000, 300), np.float32)) == before


def test_tensors_keep_their_memory():
    def shout(x):
        found = loops.empty(x.shape, x.dtype)
        found[:] = 2 * x
        return [found]

    x = loops.tf.ones((400, 1000))
    results = [x]
    for _ in range(4):
        results += loops.call(shout, [results[-1]], [x.shape])
    for number, result in enumerate(results):
        np.testing.assert_array_equal(result, np.full((400, 1000), 2**number))


def test_memory_has_the_size_that_is_asked_for_and_is_given_back():
    large = address(loops.empty((10**6,), np.float64))
    assert address(loops.empty((10**5,), np.float64)) != large
    for _ in range(loops.REQUESTS + 1):
        loops.empty((10**5,), np.float64)
    sizes = [len(block) for block, _ in loops._KEPT.blocks]
    assert max(sizes) < 10**6
    loops.forget()
    assert not loops._KEPT.blocks


@pytest.mark.parametrize("shape", [(0,), (3,), (70_001,), (5, 0, 2)])
def test_arrays_begin_where_tensorflow_takes_them_over(shape):
    array = loops.empty(shape, np.float32)
    assert array.shape == shape
    assert array.dtype == np.float32
    assert address(array) % loops.ALIGNMENT == 0 or not array.size


def test_work_is_shared_out_and_its_results_are_in_order():
    found = loops.share_out(7, lambda a, b: list(range(a, b)))
    assert [number for part in found for number in part] == list(range(7))
    assert loops.share_out(0, lambda a, b: (a, b)) == [(0, 0)]
    threads = set(loops.share_out(2, lambda a, b: threading.get_ident()))
    assert threading.get_ident() in threads
    with pytest.raises(ZeroDivisionError):
        loops.share_out(2, lambda a, b: 1 // 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(loops, "processors", lambda: 3)
    loops.share_out(3, lambda a, b: a)
    child = os.fork()
    if not child:
        os._exit(loops.share_out(3, lambda a, b: int(a)) != [0, 1, 2])
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
