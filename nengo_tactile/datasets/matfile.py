"""A strict reader for numeric arrays in MATLAB files of version 5 to 7.

`scipy.io.loadmat` 1.17 reads these files too, but some damaged ones end the Python process with
a segmentation fault (found by mutating valid files). Here every length is checked before use.

References
----------
.. [1] MathWorks, "MAT-File Format", chapter 1 (Level 5 MAT-files).
"""

import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nengo_tactile.errors import DataError

# What unpacks to more is damaged or a decompression bomb: this holds a (101, 330,000) array of
# doubles, 150 times the longest class mean of the ST-MNIST paper (Table 1).
MAX_BYTES = 2**28

_LONGEST_NAME = 63  # MATLAB's namelengthmax
_HEADER_BYTES = 128
#: Variables that are unpacked at once.
_THREADS = min(os.cpu_count() or 1, 4)
_TAG_BYTES = 8

# Data types of elements [1]_ (Table 1-1).
_TYPES = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_MATRIX, _COMPRESSED = 14, 15

# Classes of arrays [1]_ (Table 1-3). Values may be stored in a smaller type than their class.
_NUMERIC = {
    6: "f8",
    7: "f4",
    8: "i1",
    9: "u1",
    10: "i2",
    11: "u2",
    12: "i4",
    13: "u4",
    14: "i8",
    15: "u8",
}
_OTHER = {
    1: "cell",
    2: "struct",
    3: "object",
    4: "char",
    5: "sparse",
    16: "function",
    17: "opaque",
}
_COMPLEX = 0x0800


def read_mat(content, source, names=None):
    """Read the variables of a MATLAB file.

    Parameters
    ----------
    content : bytes
    source : str
        What errors call the file.
    names : set of str, optional
        Read only these variables.

    Returns
    -------
    dict of str to array or str
        Real numeric variables as arrays (column-major, as MATLAB stores them), others as the
        name of their class, such as "struct".

    Raises
    ------
    DataError
        For a file that is empty, truncated, damaged, or no MATLAB file of these versions.
    """
    if not content:
        raise DataError(f"{source} is empty: get it afresh")
    if content.startswith(b"\x89HDF") or content.startswith(b"MATLAB 7.3 MAT-file"):
        raise DataError(
            f"{source} is a MATLAB 7.3 (HDF5) file, wanted version 5 to 7: save it in MATLAB "
            "with save(..., '-v7')"
        )
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER_BYTES])
    if order is None:
        raise DataError(
            f"{source} is no MATLAB file of version 5 to 7 (no byte order mark in its header, "
            f"{len(content)} bytes): get it afresh"
        )
    try:
        return _read_variables(memoryview(content), order, names)
    except _Damage as damage:
        raise DataError(f"{source} is a damaged MATLAB file ({damage}): get it afresh") from None


class _Damage(Exception):
    """What is wrong with a file."""


def _read_variables(content, order, names):
    variables, elements = {}, []
    place = _HEADER_BYTES
    while place < len(content):
        kind, body, place = _element(content, place, order)
        elements.append((kind, body))
    with ThreadPoolExecutor(_THREADS) as pool:
        # side by side where all are kept, else one after the other, each let go
        side_by_side = pool.map if names is None else map
        for kind, body in side_by_side(lambda each: _whole(*each, order), elements):
            _add_variable(variables, kind, body, order, names)
    return variables


def _add_variable(variables, kind, body, order, names):
    if kind != _MATRIX:
        raise _Damage(f"element of type {kind} where a variable should be")
    name, value = _read_matrix(body, order, names)
    if name and (names is None or name in names):
        if name in variables:
            raise _Damage(f"variable {name!r} is there twice")
        variables[name] = value


def _whole(kind, body, order):
    """The element, unpacked if it is packed."""
    return _unpack(body, order) if kind == _COMPRESSED else (kind, body)


def _element(content, place, order):
    """Return the type and body of the element at ``place``, and where the next one starts."""
    if place + _TAG_BYTES > len(content):
        raise _Damage(f"truncated at byte {len(content)}")
    kind, length = np.frombuffer(content, order + "u4", 2, place).tolist()
    if kind >> 16:  # small format: length and type share the first word, the data follows in 4
        length, kind = kind >> 16, kind & 0xFFFF
        if length > 4:
            raise _Damage(f"small element of {length} bytes at byte {place}")
        return kind, content[place + 4 : place + 4 + length], place + _TAG_BYTES
    start, end = place + _TAG_BYTES, place + _TAG_BYTES + length
    if end > len(content):
        raise _Damage(f"truncated: {length} bytes announced at byte {place}")
    if kind != _COMPRESSED:
        end += -length % 8  # padded to 8 bytes; the last padding may be missing
    return kind, content[start : start + length], end


def _unpack(body, order):
    """Decompress one element, no further than it says it is long."""
    stream = zlib.decompressobj()
    try:
        tag = stream.decompress(body, _TAG_BYTES)
        if len(tag) < _TAG_BYTES:
            raise _Damage("compressed variable without a tag")
        kind, length = np.frombuffer(tag, order + "u4", 2).tolist()
        if length > MAX_BYTES:
            raise _Damage(f"a variable unpacks to {length} bytes, over the limit of {MAX_BYTES}")
        data = stream.decompress(stream.unconsumed_tail, length) if length else b""
        if not stream.eof and stream.decompress(stream.unconsumed_tail, 1):
            raise _Damage(f"more than the announced {length} bytes in a compressed variable")
    except zlib.error as error:
        raise _Damage(str(error)) from None
    if len(data) != length or not stream.eof:  # the end carries the checksum
        raise _Damage(f"{len(data)} of {length} bytes in a compressed variable")
    return kind, memoryview(data)


def _read_matrix(body, order, names):
    """Return the name and value of one variable."""
    if not len(body):
        return "", "empty"
    kind, flags, place = _element(body, 0, order)
    if _TYPES.get(kind) != "u4" or len(flags) != 8:
        raise _Damage(f"array flags of type {kind} and {len(flags)} bytes")
    flags = int(np.frombuffer(flags, order + "u4", 1)[0])
    array_class = flags & 0xFF
    if array_class not in _NUMERIC and array_class not in _OTHER:
        raise _Damage(f"array class {array_class}")
    if array_class == 17:  # opaque: no dimensions, the name comes first
        return _text(_element(body, place, order)), _OTHER[array_class]
    kind, dims, place = _element(body, place, order)
    if _TYPES.get(kind) != "i4" or len(dims) % 4 or len(dims) < 8:
        raise _Damage(f"dimensions of type {kind} and {len(dims)} bytes")
    dims = np.frombuffer(dims, order + "i4").tolist()
    element = _element(body, place, order)
    name = _text(element)
    if array_class not in _NUMERIC:
        return name, _OTHER[array_class]
    if flags & _COMPLEX:
        return name, "complex"
    if names is not None and name not in names:
        return name, None
    return name, _read_numbers(body, element[2], order, dims, _NUMERIC[array_class], name)


def _text(element):
    kind, body, _ = element
    if _TYPES.get(kind) not in ("i1", "u1"):
        raise _Damage(f"name of type {kind}")
    if len(body) > _LONGEST_NAME:
        raise _Damage(f"name of {len(body)} bytes")
    return bytes(body).decode("latin-1")


def _read_numbers(body, place, order, dims, wanted, name):
    """Return the real part as an array of its class."""
    kind, data, _ = _element(body, place, order)
    stored = _TYPES.get(kind)
    if stored is None:
        raise _Damage(f"values of type {kind} in variable {name!r}")
    dtype = np.dtype(order + stored)
    count = 1
    for dim in dims:
        if dim < 0:
            raise _Damage(f"variable {name!r} of shape {tuple(dims)}")
        count *= dim
    if count * dtype.itemsize != len(data):
        raise _Damage(f"{len(data)} bytes of values for variable {name!r} of shape {tuple(dims)}")
    if len(dims) > 32:  # numpy's limit
        raise _Damage(f"variable {name!r} of {len(dims)} dimensions")
    values = np.frombuffer(data, dtype).reshape(dims, order="F")
    if stored != wanted and dtype.kind == "f":
        wanted = stored  # only integers are stored smaller than their class
    return values.astype(np.dtype(wanted), copy=False)
