"""Input codings against loops and closed forms."""

import json

import numpy as np
import pytest

from nengo_tactile.errors import DataError
from nengo_tactile.events.coding import (
    CurrentCoding,
    DelayCoding,
    coding_from_dict,
    coding_to_dict,
)


def test_any_precision_gives_the_same_steps():
    grey = np.arange(256, dtype=np.uint8)[None]
    wanted = DelayCoding(32, largest=255.0).signal(grey, 32) / 255
    for dtype in (np.float32, np.float64):
        signal = DelayCoding(32).signal(grey.astype(dtype) / dtype(255), 32)
        np.testing.assert_array_equal(signal, wanted)
    assert np.flatnonzero(wanted[0, :, 204]).tolist() == [8]  # 0.8 at 0.2, of 0.8 in 32 steps


@pytest.mark.parametrize("largest", [1.0, 255.0])
@pytest.mark.parametrize("n_steps", [20, 7, 3])
def test_delays_match_a_loop(n_steps, largest, rng):
    """With the paper's numbers a pixel fires at 1 - v, in 0.8 time units, once or never."""
    x = rng.random((3, 4, 2)).astype(np.float32)
    signal = DelayCoding(n_steps=5, largest=largest).signal(x * largest, n_steps)
    wanted = np.zeros((3, n_steps, 8))
    for index in np.ndindex(x.shape):
        step = int((1 - float(x[index])) / 0.8 * 5)
        if x[index] > 0.2 and step < n_steps:
            wanted[index[0], step, index[1] * 2 + index[2]] = largest
    assert signal.dtype == np.float32
    np.testing.assert_array_equal(signal, wanted)


def test_the_sum_of_the_spikes_is_the_image_of_one_bit():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    coding = DelayCoding(n_steps=9, largest=255.0)
    total = coding.total(grey)
    np.testing.assert_array_equal(total, np.where(grey > 51, 255, 0))
    np.testing.assert_array_equal(coding.signal(grey, 9).sum(axis=1), total.reshape(1, -1))
    np.testing.assert_array_equal(total, 255 * DelayCoding().total(grey / np.float32(255)))
    assert total.dtype == np.float32


def test_bright_pixels_fire_in_the_first_step_and_faint_ones_in_the_last():
    signal = DelayCoding(n_steps=8).signal(np.array([[1.0, 0.2000001, 0.2, 0.0]]), 12)
    np.testing.assert_array_equal(np.argwhere(signal[0]), [[0, 0], [7, 1]])


def test_current_arrives_in_equal_parts(rng):
    x = np.round(64 * rng.normal(size=(2, 3, 2))).astype(np.float32) / 64
    signal = CurrentCoding(8).signal(x, 11)
    assert signal.shape == (2, 11, 6) and not signal[:, 8:].any()
    assert (signal[:, :8] == x.reshape(2, 1, 6) / 8).all()
    np.testing.assert_array_equal(signal.sum(axis=1), CurrentCoding().total(x).reshape(2, 6))
    np.testing.assert_array_equal(CurrentCoding(8).signal(x, 3), signal[:, :3])


@pytest.mark.parametrize("bad", [-0.1, 1.5, np.nan, np.inf])
def test_what_is_no_intensity_is_refused(bad):
    x = np.full((2, 3), 0.5)
    x[1, 2] = bad
    for method in (DelayCoding().check, DelayCoding().total, lambda x: DelayCoding().signal(x, 9)):
        with pytest.raises(DataError, match=rf"value {bad} at index \(1, 2\).*from 0 to 1: scale"):
            method(x)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (DelayCoding, {"n_steps": 0}, "n_steps is 0"),
        (CurrentCoding, {"n_steps": 2.5}, r"n_steps is 2\.5"),
        (DelayCoding, {"silent_up_to": 1.0}, r"silent_up_to is 1\.0"),
        (DelayCoding, {"span": float("nan")}, "span is nan"),
        (DelayCoding, {"largest": 0.0}, r"largest is 0\.0"),
    ],
)
def test_settings_out_of_range_are_refused(kind, settings, message):
    with pytest.raises(DataError, match=message):
        kind(**settings)


@pytest.mark.parametrize("coding", [None, DelayCoding(7, 0.1, 2.0, 255.0), CurrentCoding(3)])
def test_codings_are_json(coding):
    assert coding_from_dict(json.loads(json.dumps(coding_to_dict(coding)))) == coding


def test_unknown_codings_are_refused():
    with pytest.raises(DataError, match="input coding is 'rate': choose one of delay, current"):
        coding_from_dict({"kind": "rate"})
