"""The MATLAB file reader against scipy's."""

import io
import struct

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nengo_tactile.datasets.matfile import MAX_BYTES, read_mat
from nengo_tactile.errors import DataError
from tests.support.fake_formats import mat_bytes

NUMBERS = hnp.arrays(
    st.sampled_from(["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]),
    hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=5),
)


@given(
    st.dictionaries(st.from_regex("[a-z][a-z0-9_]{0,20}", fullmatch=True), NUMBERS),
    st.booleans(),
)
@settings(max_examples=80)
def test_numeric_variables_equal_those_of_scipy(variables, compress):
    content = mat_bytes(compress, **variables)
    found = read_mat(content, "file")
    theirs = scipy.io.loadmat(io.BytesIO(content))
    assert sorted(found) == sorted(variables)
    for name, value in found.items():
        np.testing.assert_array_equal(value, theirs[name])
        assert value.dtype == theirs[name].dtype


def test_other_classes_are_named_and_skipped():
    content = mat_bytes(
        text="abc",
        record={"a": 1},
        cells=np.array([1, "a"], dtype=object),
        sparse=scipy.sparse.eye(3, format="csc"),
        wave=np.ones((2, 2), complex),
        last=np.eye(2),
    )
    found = read_mat(content, "file")
    np.testing.assert_array_equal(found.pop("last"), np.eye(2))
    assert found == {
        "text": "char",
        "record": "struct",
        "cells": "cell",
        "sparse": "sparse",
        "wave": "complex",
    }
    assert list(read_mat(content, "file", {"last"})) == ["last"]


def matrix_element(order, stored, values, array_class=6, dims=(2, 2), name=b"a"):
    """Build an uncompressed variable by hand, as MATLAB writes integers in doubles."""
    body = struct.pack(order + "IIII", 6, 8, array_class, 0)
    body += struct.pack(order + "II", 5, 4 * len(dims)) + struct.pack(f"{order}{len(dims)}i", *dims)
    body += b"\0" * (-len(dims) * 4 % 8)
    body += struct.pack(order + "I", len(name) << 16 | 1) + name.ljust(4, b"\0")
    body += struct.pack(order + "II", stored, len(values)) + values + b"\0" * (-len(values) % 8)
    return struct.pack(order + "II", 14, len(body)) + body


def header(order):
    mark = b"IM" if order == "<" else b"MI"
    return b"MATLAB 5.0".ljust(124) + struct.pack(order + "H", 0x0100) + mark


@pytest.mark.parametrize("order", ["<", ">"])
def test_doubles_stored_as_bytes_in_either_byte_order(order):
    content = header(order) + matrix_element(order, 1, struct.pack("4b", 1, -1, 0, 7))
    value = read_mat(content, "file")["a"]
    np.testing.assert_array_equal(value, [[1, 0], [-1, 7]])
    assert value.dtype == np.float64
    np.testing.assert_array_equal(value, scipy.io.loadmat(io.BytesIO(content))["a"])


@pytest.mark.parametrize(
    ("element", "part"),
    [
        (matrix_element("<", 1, b"1234", array_class=99), "array class 99"),
        (matrix_element("<", 1, b"1234", dims=(2, 3)), r"4 bytes of values.*\(2, 3\)"),
        (matrix_element("<", 1, b"1234", dims=(-2, -2)), "shape"),
        (matrix_element("<", 1, b"1234", dims=(4,)), "dimensions"),
        (matrix_element("<", 1, b"1234", dims=(1,) * 32 + (2, 2)), "34 dimensions"),
        (matrix_element("<", 8, b"1234"), "values of type 8"),
        (matrix_element("<", 0, b"1234"), "values of type 0"),  # scipy 1.17 crashes here
        (matrix_element("<", 1, b"1234") * 2, "'a' is there twice"),
        (struct.pack("<II", 3, 0), "element of type 3"),
        (struct.pack("<II", 14, 2**31), "truncated"),
        (struct.pack("<II", 15, 4) + b"zlib", "header check"),
        (b"\0\0", "truncated"),
    ],
)
def test_damaged_files_are_refused(element, part):
    with pytest.raises(DataError, match=f"here.mat is a damaged.*{part}"):
        read_mat(header("<") + element, "here.mat")


def compressed(payload):
    import zlib

    data = zlib.compress(payload)
    return struct.pack("<II", 15, len(data)) + data


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        (struct.pack("<II", 14, MAX_BYTES + 1), "over the limit"),
        (struct.pack("<II", 14, 80) + b"\0" * 8, "8 of 80 bytes"),
        (struct.pack("<II", 14, 8) + b"\0" * 80, "more than the announced 8"),
        (b"abc", "without a tag"),
    ],
)
def test_compressed_variables_that_lie_about_their_length_are_refused(payload, part):
    with pytest.raises(DataError, match=part):
        read_mat(header("<") + compressed(payload), "here.mat")
