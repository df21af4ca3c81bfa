"""Files that are not what they say: every kind of damage and malice that a byte can do.

`mutated(rng, path)` changes one file of a sound one, in the ways of its kind.
"""

import bz2
import json
import os
import struct
import zipfile
import zlib

import h5py
import numpy as np

#: What stands in JSON where something else should.
ODD = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 2**70, -(2**70), 0.5, -0.5, 1e308, -1e-320),
    *("", "a", "n[/x]", "[bold", "\ud800", "\u0000", "../x", "9" * 5000, "x" * 100_000, "Größe"),
    *([], {}, [[]], [None], {"": None}, {"class_name": "Dense", "config": {}}),
)
#: What stands in tables where something else should.
ODD_WORDS = (
    *(b"nan", b"inf", b"-inf", b"1e400", b"-1", b"1.5", b"9" * 5000, b"", b" ", b'"', b"'", b"#"),
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"n[/x]", b"x" * 200_000, b"1_0", b"0x10", b"\r"),
    *(b"../../etc/passwd", b"/dev/zero", b"=1+1", b"18446744073709551616", "\u0661".encode()),
)
#: Bytes that a bomb unpacks to.
BOMB = 3 << 30


def mutated(rng, path, bait):
    """Change a file by one of the ways of its kind; returns what was done.

    Parameters
    ----------
    rng : numpy.random.Generator
    path : Path
    bait : Path
        A folder of files that nobody may open: other.h5, notes.bin. Beside it lie the bombs.
    """
    kinds = {
        ".json": [_json],
        ".npz": [_member, _member, _zip, _npz, _npy_header],
        ".zip": [_member, _zip],
        ".keras": [_member, _member, _zip, _inner_h5],
        ".h5": [_hdf5],
        ".hdf5": [_hdf5],
        ".nir": [_hdf5],
        ".net": [_hdf5],
        ".npy": [_npy_file],
        ".pkl": [_pickle],
        ".onnx": [_onnx],
        ".aedat4": [_packet],
        **{ending: [_text] for ending in (".csv", ".txt", ".table", ".yaml")},
    }
    # what is not a matter of bytes comes seldom
    ways = (
        kinds.get(path.suffix, []) * 3 + [_bytes] * 3 + ([_special] if rng.random() < 0.1 else [])
    )
    way = ways[rng.integers(len(ways))]
    return f"{way.__name__[1:]}: {way(rng, path, bait)}"


def flipped(rng, content):
    """Bytes with damage, and a word for it."""
    content, n = bytearray(content), len(content)
    if not n:
        return bytes([int(rng.integers(256))]), "a byte in an empty file"
    place, length = int(rng.integers(n)), int(min(rng.integers(1, 64), n))
    what = rng.integers(8)
    if what == 0:
        content[place] ^= 1 << int(rng.integers(8))
        return bytes(content), f"bit at {place}"
    if what == 1:
        for place in rng.integers(n, size=rng.integers(1, 9)):
            content[place] = int(rng.integers(256))
        return bytes(content), "some bytes"
    if what == 2:
        return bytes(content[:place]), f"cut at {place}"
    if what == 3:
        del content[place : place + length]
        return bytes(content), f"{length} bytes left out at {place}"
    if what == 4:
        content[place:place] = rng.bytes(length)
        return bytes(content), f"{length} bytes put in at {place}"
    if what == 5:
        content[place : place + length] = bytes(len(content[place : place + length]))
        return bytes(content), f"{length} zeros at {place}"
    if what == 6:
        number = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)[rng.integers(7)]
        size = (4, 8)[rng.integers(2)]
        packed = struct.pack("<Q" if rng.random() < 0.7 else ">Q", number)[:size]
        content[place : place + size] = packed
        return bytes(content), f"{number} in {size} bytes at {place}"
    return bytes(content) + rng.bytes(length), f"{length} bytes at the end"


def _bytes(rng, path, bait):
    content, what = flipped(rng, path.read_bytes())
    path.write_bytes(content)
    return what


def _special(rng, path, bait):
    """Something else in a file's place."""
    path.unlink()
    what = ("pipe", "zero", "random", "folder", "nowhere", "itself", "gone", "empty")[
        rng.integers(8)
    ]
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "empty":
        path.touch()
    elif what != "gone":
        path.symlink_to({"zero": "/dev/zero", "random": "/dev/urandom", "nowhere": "/none/none",
                         "itself": path.name}[what])  # fmt: skip
    return what


# texts and pickles


def _text(rng, path, bait):
    """Other words in a table."""
    lines, odd = path.read_bytes().split(b"\n"), ODD_WORDS[rng.integers(len(ODD_WORDS))]
    line, what = int(rng.integers(len(lines))), rng.integers(6)
    words = lines[line].split(b",")
    word = int(rng.integers(len(words)))
    if what < 3:
        words[word] = odd
        told = f"word {word} of line {line} is {odd[:20]!r}"
    elif what == 3:
        words.insert(word, odd)
        told = f"{odd[:20]!r} before word {word} of line {line}"
    elif what == 4:
        del words[word]
        told = f"no word {word} in line {line}"
    else:
        words = words * int(rng.integers(2, 5))
        told = f"line {line} several times in one"
    lines[line] = b",".join(words)
    path.write_bytes(b"\n".join(lines))
    return told


def _pickle(rng, path, bait):
    """Instructions of a pickle that call, look up, or build without end."""
    content, call = path.read_bytes(), f"cbuiltins\nopen\n(V{bait / 'notes.bin'}\ntR".encode()
    parts = {
        "a call": call,
        "a global": b"cos\nsystem\n",
        "a stacked global": b"\x8c\x02os\x8c\x06system\x93",
        "persistent": b"Pa\n",
        "deep": b"(" * 100_000,
        "tuples": b"\x85" * 100_000,
        "twice": b"2\x86" * 60,
        "a long number": b"\x8b" + struct.pack("<I", 1 << 30),
        "a long text": b"\x8d" + struct.pack("<Q", 1 << 40),
        "an extension": b"\x82\x01",
    }
    name, first = _some(rng, parts), content[:2] if content[:1] == b"\x80" else b""
    place = int(rng.integers(len(first), len(content) + 1)) if rng.random() < 0.5 else len(first)
    path.write_bytes(content[:place] + parts[name] + content[place:])
    return f"{name} at {place}"


# AEDAT4


def _packet(rng, path, bait):
    """Damage inside a packet, whose frame and checksums are right."""
    import lz4.frame

    content, place, packets = path.read_bytes(), 14, []
    head = place + 4 + struct.unpack_from("<I", content, place)[0]
    place = head
    while place + 8 < len(content):
        stream, size = struct.unpack_from("<iI", content, place)
        frame = content[place + 8 : place + 8 + size]
        if frame[:4] != b"\x04\x22\x4d\x18":  # no packet, but the table behind them
            break
        packets.append((stream, lz4.frame.decompress(frame)))
        place += 8 + size
    number = int(rng.integers(len(packets)))
    stream, inner = packets[number]
    if rng.random() < 0.1:
        stream, what = int(rng.integers(-2, 9)), "another stream"
    else:
        inner, what = flipped(rng, inner)
    packets[number] = stream, inner
    written = b""
    for stream, inner in packets:
        frame = lz4.frame.compress(inner)
        written += struct.pack("<iI", stream, len(frame)) + frame
    # the header has the place of the table
    begin = content[:head].replace(struct.pack("<q", place), struct.pack("<q", head + len(written)))
    path.write_bytes(begin + written + content[place:])
    return f"packet {number} of {len(packets)}, {what}"


# ONNX

#: Sizes of tensors and of what nodes do.
_SIZES = (-1, 0, 1, 7, 100, 4096, 1 << 16, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63))
#: Operations that stand where another did: also such as make much of little, or hold graphs.
_KINDS = ("Relu", "Pow", "Expand", "Tile", "ConstantOfShape", "Range", "If", "Loop", "Scan", "Pad",
          "Gather", "Resize", "MatMul", "Transpose", "Reshape", "Softmax", "LSTM", "Nothing",
          "", "Identity", "Concat", "Split", "Upsample", "MaxPool", "GlobalAveragePool",
          "RandomNormal", "Einsum", "NonZero")  # fmt: skip


def _onnx(rng, path, bait):
    """A model that is whole as protobuf, but says something else."""
    import onnx

    model = onnx.load_from_string(path.read_bytes())
    told = [_onnx_change(rng, onnx, model, bait) for _ in range(rng.integers(1, 3))]
    path.write_bytes(model.SerializeToString())
    return "; ".join(told)


def _onnx_change(rng, onnx, model, bait):
    graph, size = model.graph, _SIZES[rng.integers(len(_SIZES))]
    node = graph.node[rng.integers(len(graph.node))]
    held = graph.initializer[rng.integers(len(graph.initializer))]
    what = rng.integers(13)
    if what == 0:
        held.data_location = onnx.TensorProto.EXTERNAL
        held.external_data.add(key="location", value=str(bait / "notes.bin"))
        return f"{held.name} is in another file"
    if what == 1:
        node.op_type = _KINDS[rng.integers(len(_KINDS))]
        return f"{node.name} is {node.op_type!r}"
    if what == 2:
        held.dims[rng.integers(len(held.dims))] = size
        return f"{held.name} has {list(held.dims)}"
    if what == 3:
        dims = graph.input[0].type.tensor_type.shape.dim
        dims[rng.integers(len(dims))].dim_value = size
        return f"a size of the input is {size}"
    if what == 4:
        names = [each for each in node.attribute if each.ints]
        if names:
            ints = names[rng.integers(len(names))].ints
            ints[rng.integers(len(ints))] = size
        return f"{node.name} has {size}"
    if what == 5:
        node.attribute.append(onnx.helper.make_attribute(
            ("axis", "group", "dilations", "strides", "auto_pad", "epsilon")[rng.integers(6)],
            (size, [size, size], "x", 0.0, [])[rng.integers(5)], attr_type=None,
        ) if rng.random() < 0.9 else onnx.AttributeProto(name="axis"))  # fmt: skip
        return f"{node.name} has an attribute more"
    if what == 6:
        other = graph.node[rng.integers(len(graph.node))]
        node.input[0] = other.output[0]
        return f"{node.name} reads {other.name}"
    if what == 7:
        del node.input[rng.integers(len(node.input))]
        return f"{node.name} reads less"
    if what == 8:
        model.opset_import[0].version = (0, 1, 6, 9, 12, 22, 99, -1)[rng.integers(8)]
        return f"operations of {model.opset_import[0].version}"
    if what == 9:
        held.data_type = int(rng.integers(0, 24))
        return f"{held.name} is of type {held.data_type}"
    if what == 10:
        numbers = np.full(len(held.raw_data) // 4, (np.nan, np.inf, 1e38, 0)[rng.integers(4)], "f4")
        held.raw_data = numbers.tobytes()
        return f"{held.name} is {numbers[:1]}"
    if what == 11:
        shape = onnx.numpy_helper.from_array(np.array([abs(size), 1000, 1000]), "much")
        graph.initializer.append(shape)
        node.op_type, node.input[:], node.attribute[:] = "ConstantOfShape", ["much"], []
        return f"{node.name} makes {size} million numbers"
    inner = onnx.helper.make_graph([], "inner", [], [], [])
    inner.initializer.add().CopyFrom(held)
    inner.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    inner.initializer[0].external_data.add(key="location", value=str(bait / "notes.bin"))
    node.attribute.append(onnx.helper.make_attribute("then_branch", inner))
    return f"{node.name} holds a graph whose weights are in another file"


# JSON


def changed_json(rng, data):
    """A structure with one to three places changed, and a word for it."""
    if rng.random() < 0.03:
        deep = int(rng.integers(900, 200_000))
        return "[" * deep + "]" * deep, f"nested {deep} deep"
    words = []
    for _ in range(rng.integers(1, 4)):
        places = list(_places(data))
        if not places:
            break
        parent, key = places[rng.integers(len(places))]
        odd = ODD[rng.integers(len(ODD))]
        what = rng.integers(5)
        if what == 0 and isinstance(parent, dict):
            del parent[key]
            words.append(f"{key!r} left out")
        elif what == 1 and isinstance(parent, list):
            parent.append(parent[key])
            words.append(f"{key!r} twice")
        elif what == 2 and isinstance(parent, dict):
            parent[str(odd)] = parent.pop(key)
            words.append(f"{key!r} is {str(odd)[:30]!r}")
        elif what == 3 and isinstance(parent[key], (int, float)):
            parent[key] = parent[key] * (-1, 0, 2, 1e9, 1e300)[rng.integers(5)]
            words.append(f"{key!r} = {str(parent[key])[:30]}")
        else:
            parent[key] = odd
            words.append(f"{key!r} = {str(odd)[:30]!r}")
    return json.dumps(data), "; ".join(words)


def _places(data):
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _json(rng, path, bait):
    text, what = changed_json(rng, json.loads(path.read_text()))
    path.write_text(text)
    return what + _signed(rng, path)


def _signed(rng, path):
    """Put the right digest into a file that has one, so that all but the digest is judged."""
    if rng.random() < 0.2:
        return ""
    try:
        data = json.loads(path.read_text())
        if path.name == "network.json":
            from nengo_tactile.networks.folders import digest

            with np.load(path.with_name("weights.npz")) as stored:
                data["sha256"] = digest(data, dict(stored))
            path.write_text(json.dumps(data))
        else:
            return ""
    except Exception:  # what is left has no digest
        return ""
    return " (with its digest)"


# archives


def _members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _pack(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _some(rng, names):
    names = sorted(names)
    return names[rng.integers(len(names))]


def _member(rng, path, bait):
    """Damage inside a member, whose checksum is right."""
    members = _members(path)
    name = _some(rng, members)
    if name.endswith(".json"):
        text, what = changed_json(rng, json.loads(members[name]))
        members[name] = text.encode("utf-8", "surrogatepass")
    else:
        members[name], what = flipped(rng, members[name])
    _pack(path, members)
    return f"{name}, {what}"


def _zip(rng, path, bait):
    """Lies of the archive itself."""
    members = _members(path)
    name, what = _some(rng, members), rng.integers(7)
    if what == 0:
        del members[name]
        _pack(path, members)
        return f"{name} left out"
    if what == 1:
        odd = ("../x.npy", "/etc/x.npy", "n[/x].npy", "a\nb.npy", "plain", "x/", "x" * 60_000)
        new = odd[rng.integers(len(odd))]
        members[new] = members.pop(name)
        _pack(path, members)
        return f"{name} is called {new[:20]!r}"
    if what == 2:
        _pack(
            path,
            members,
            (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)[rng.integers(3)],
        )
        return "another method"
    content, method = members.pop(name), zipfile.ZIP_DEFLATED
    declared, crc = len(content), zlib.crc32(content)
    packed = zlib.compress(content)[2:-4]
    if what == 3:
        declared = (0, 1, declared // 2, declared + 1, 2**31, 2**32 - 2)[rng.integers(6)]
        told = f"{name} of {len(content)} bytes says {declared}"
    elif what == 4:
        packed = (bait.parent / "bombs" / "deflate").read_bytes()
        declared = declared if rng.random() < 0.6 else BOMB
        told = f"{name} unpacks to {BOMB} bytes, says {declared}"
    elif what == 5:
        packed, method = (bait.parent / "bombs" / "bz2").read_bytes(), zipfile.ZIP_BZIP2
        declared = declared if rng.random() < 0.6 else BOMB
        told = f"{name} unpacks to {BOMB} bytes with bzip2, says {declared}"
    else:
        method = (1, 9, 95, 99)[rng.integers(4)]
        told = f"{name} of method {method}"
    _pack(path, members)
    _append_raw(path, name, packed, method, declared, crc)
    return told


def _append_raw(path, name, packed, method, declared, crc):
    """Add a member whose header says anything."""
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.compress_type, info.compress_size, info.file_size = (
            zipfile.ZIP_STORED,
            len(packed),
            declared,
        )
        info.CRC, info.header_offset = crc, archive.start_dir
        archive.fp.seek(archive.start_dir)
        header = bytearray(info.FileHeader(zip64=False))
        struct.pack_into("<H", header, 8, method)
        archive.fp.write(header + packed)
        archive.start_dir = archive.fp.tell()
        info.compress_type = method
        archive.filelist.append(info)
        archive.NameToInfo[name] = info
        archive._didModify = True


def _npz(rng, path, bait):
    """Arrays of other types, shapes and values."""
    with np.load(path) as stored:
        arrays = dict(stored)
    name = _some(rng, arrays)
    array, what = arrays[name], rng.integers(9)
    if what == 0:
        arrays[name] = array.astype(
            ("U20", "S9", "O", "c16", "?", "f2", "i1", "M8[s]")[rng.integers(8)]
        )
    elif what == 1:
        arrays[name] = array[..., None] if rng.random() < 0.5 else array.ravel()[: rng.integers(3)]
    elif what == 2:
        arrays[name] = np.zeros(array.shape, [("a", "f4"), ("b", "i4")])
    elif what == 3 and array.dtype.kind in "fiu" and array.size:
        values = [0, -1, 1] + ([np.nan, np.inf, 1e38] if array.dtype.kind == "f" else [])
        values += [np.iinfo(array.dtype).max] if array.dtype.kind in "iu" else []
        arrays[name] = array.copy()
        arrays[name].flat[rng.integers(array.size)] = values[rng.integers(len(values))]
    elif what == 4:
        arrays[name] = np.zeros((2, 0, 3), array.dtype)
    elif what == 5:
        other = _some(rng, arrays)
        arrays[name], arrays[other] = arrays[other], arrays[name]
    elif what == 6:
        arrays["extra"] = np.zeros(3)
    elif what == 7:
        del arrays[name]
    else:
        arrays[name] = np.concatenate([array, array]) if array.ndim else array
    with open(path, "wb") as file:
        np.savez_compressed(file, **arrays)
    words = "type", "shape", "fields", "value", "empty", "swapped", "extra", "gone", "twice"
    return f"{name} {words[what]}"


def _npy_header(rng, path, bait):
    members = _members(path)
    name = _some(rng, members)
    members[name], what = npy_with_header(rng, members[name])
    _pack(path, members)
    return f"{name}: {what}"


def _npy_file(rng, path, bait):
    content, what = npy_with_header(rng, path.read_bytes())
    path.write_bytes(content)
    return what


def npy_with_header(rng, content):
    """A .npy whose header says something else than what follows."""
    headers = (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 2), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<U1000000000', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': [('a', '<f4', (100000, 100000))], 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }",
        "{" * 3000,
        "(" * 100 + ")" * 100,
        "'\\ud800'",
        "",
        "\x00",
        "[1",
        "{'descr': '<q9', 'fortran_order': 3, 'shape': 7, }",
    )  # fmt: skip
    text = headers[rng.integers(len(headers))]
    version = (
        ((1, 0), (2, 0), (3, 0), (9, 9))[min(rng.integers(8), 3)] if rng.random() < 0.4 else (1, 0)
    )
    size = struct.pack("<H" if version[0] == 1 else "<I", len(text) + 1)
    with np.errstate(all="ignore"):
        body = content[10 + int.from_bytes(content[8:10], "little") :]
    header = b"\x93NUMPY" + bytes(version) + size + text.encode() + b"\n"
    return header + body, f"header {text[:60]!r}, version {version}"


# HDF5


def _inner_h5(rng, path, bait):
    members = _members(path)
    name = next(n for n in members if n.endswith(".h5"))
    inner = path.with_name("inner.h5")
    inner.write_bytes(members[name])
    what = _hdf5(rng, inner, bait)
    members[name] = inner.read_bytes()
    inner.unlink()
    _pack(path, members)
    return what


def _hdf5(rng, path, bait):
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, thing: names.append(name))
        sets = [n for n in names if isinstance(file[n], h5py.Dataset)]
        if not sets or rng.random() < 0.1:
            return _attribute(rng, file)
        name, what = _some(rng, sets), rng.integers(11)
        shape, dtype = file[name].shape, file[name].dtype
        values = file[name][()]
        del file[name]
        if what == 0:
            file.create_dataset(
                name, shape, "<f4", external=[(str(bait / "notes.bin"), 0, h5py.h5f.UNLIMITED)]
            )
        elif what == 1:
            file[name] = h5py.ExternalLink(str(bait / "other.h5"), "/kernel")
        elif what == 2:
            layout = h5py.VirtualLayout(shape or (1,), "f4")
            layout[...] = h5py.VirtualSource(str(bait / "other.h5"), "kernel", shape or (1,))
            file.create_virtual_dataset(name, layout)
        elif what == 3:
            file[name] = h5py.SoftLink(
                "/" + (names[rng.integers(len(names))] if rng.random() < 0.5 else "none")
            )
        elif what == 4:
            file.create_dataset(name, (2_000_000_000,), "f4", chunks=(1000,))
        elif what == 5:
            file.create_dataset(name, (1_000_000_000,), h5py.string_dtype(), chunks=(1000,))
        elif what == 6:
            file.create_dataset(name, (3_000_000_000,), "f4")
        elif what == 7:
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk(tuple(max(n, 1) for n in shape) or (1,))
            plist.set_filter((32015, 305, 32008)[rng.integers(3)], h5py.h5z.FLAG_OPTIONAL, (1,))
            space = h5py.h5s.create_simple(shape or (1,))
            above, _, last = name.rpartition("/")
            place = file[above].id if above else file.id
            h5py.h5d.create(place, last.encode(), h5py.h5t.NATIVE_FLOAT, space, plist)
        elif what == 8:
            odd = ("S4", h5py.string_dtype(), "i8", "?", [("a", "f4")], "f8", h5py.vlen_dtype("f4"),
                   h5py.ref_dtype, h5py.enum_dtype({"A": 1}))[rng.integers(9)]  # fmt: skip
            file.create_dataset(name, shape or (1,), odd)
        elif what == 9:
            file.create_group(name)
        else:
            wrong = np.resize(values, (3, *shape)) if rng.random() < 0.5 else np.zeros(0, "f4")
            if dtype.kind == "f" and rng.random() < 0.3:
                wrong = np.full(shape, (np.nan, np.inf, 1e38)[rng.integers(3)], dtype)
            file[name] = wrong
        words = ("external", "external link", "virtual", "soft link", "2e9 numbers", "1e9 texts",
                 "3e9 contiguous", "filter", "type", "group", "shape or value")  # fmt: skip
        return f"{name}: {words[what]}"


def _attribute(rng, file):
    """Change an attribute of any object."""
    found = [(file, key) for key in file.attrs]
    file.visititems(lambda name, thing: found.extend((thing, key) for key in thing.attrs))
    if not found:
        return "nothing"
    thing, key = found[rng.integers(len(found))]
    value = thing.attrs[key]
    try:
        text, what = changed_json(rng, json.loads(value))
    except (TypeError, ValueError):
        odd = (
            b"\xff\xfe",
            7,
            np.zeros(3),
            "",
            np.array(["x"], object),
            np.array([b"../x", b"/y"]),
            h5py.Empty("f"),
        )
        text, what = odd[rng.integers(len(odd))], "odd"
    del thing.attrs[key]
    try:
        thing.attrs[key] = text
    except (TypeError, ValueError, OSError):
        what = "gone"
    return f"attribute {key} of {thing.name}: {what}"


def make_bait(folder):
    """Files that no reader may open."""
    folder.mkdir(parents=True)
    (folder / "notes.bin").write_bytes(b"what stands in another file of this user " * 40_000)
    with h5py.File(folder / "other.h5", "w") as file:
        file["kernel"] = np.full((12, 3), 42, "f4")


def make_bombs(folder):
    """What unpacks to `BOMB` bytes."""
    folder.mkdir(parents=True)
    packers = {"deflate": zlib.compressobj(1, zlib.DEFLATED, -15), "bz2": bz2.BZ2Compressor(1)}
    for name, packer in packers.items():
        with open(folder / name, "wb") as file:
            for _ in range(BOMB >> 24):
                file.write(packer.compress(bytes(1 << 24)))
            file.write(packer.flush())
