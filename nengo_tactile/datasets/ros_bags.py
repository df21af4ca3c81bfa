"""ROS 1 and ROS 2 bags with messages of event_camera_msgs, read by rosbags.

rosbags finds the messages. The messages themselves are taken apart here, by the definition of
event_camera_msgs/EventPacket [1]_, so that definitions in a bag become no code.

References
----------
.. [1] event_camera_msgs, README and EventPacket.msg.
"""

import contextlib
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nengo_tactile.datasets import sensor_files
from nengo_tactile.doors.plain import DATA
from nengo_tactile.errors import DataError

_MESSAGES = ("event_camera_msgs/msg/EventPacket", "event_array_msgs/msg/EventArray")
#: Raw bytes of a Prophesee camera, and the header that makes a file of them.
_RAW = {"evt2": "evt 2.0", "evt3": "evt 3.0"}
#: Nanoseconds since the time base; x; y and polarity.
_MONO = np.dtype([("dt", "<u4"), ("x", "<u2"), ("yp", "<u2")])


class Packet(NamedTuple):
    """A message of events."""

    size: tuple[int, int]
    time_base: int
    encoding: str
    content: bytes


@contextlib.contextmanager
def opened_bag(path: Path, size: tuple[int, int] | None) -> Iterator[sensor_files.Sensor]:
    """Open a ROS 1 bag (.bag), or a file of a ROS 2 bag (.db3, .mcap), beside its metadata.yaml."""
    with contextlib.ExitStack() as stack:
        packets = _packets(stack, path)
        first = next(packets, None)
        if first is None:
            raise DataError(f"{path}: holds no message of events")
        sensor_files.agreed(first.size, size, path)
        both = _same(first, packets, path)
        if first.encoding == "mono":
            yield sensor_files.Sensor(first.size, map(_mono, both))
        elif first.encoding in _RAW:
            yield sensor_files.Sensor(first.size, _raw(stack, first, both, path))
        else:
            raise DataError(
                f"{path}: its events are encoded as {first.encoding[:40]!r}, read are mono, "
                f"{' and '.join(_RAW)}: convert the bag"
            )


def _packets(stack, path):
    """Messages of events of a bag's one topic."""
    with DATA.opened(path):  # a file, and no pipe
        pass
    if path.suffix.lower() == ".bag":
        rosbags, parse, place = sensor_files.library("rosbags.rosbag1", "a ROS bag"), _ros1, path
    else:
        rosbags, parse = sensor_files.library("rosbags.rosbag2", "a ROS bag"), _cdr
        place = path.parent
        if not (place / "metadata.yaml").is_file():
            raise DataError(f"{path}: has no metadata.yaml beside it: keep a ROS 2 bag together")
    with DATA.guarded(path, "is no readable ROS bag"):
        bag = stack.enter_context(rosbags.Reader(place))
        found = [c for c in bag.connections if c.msgtype in _MESSAGES]
        topics = sorted({c.topic for c in found})
        there = sorted({f"{c.topic} ({c.msgtype})" for c in bag.connections})
    if len(topics) != 1:
        told = ", ".join(there[:8]) or "nothing"
        raise DataError(
            f"{path}: holds {len(topics)} topics of event_camera_msgs/EventPacket, wanted one; "
            f"it has {told}: write a bag of the one that is meant"
        )
    return _messages(bag, found, parse, path)


def _messages(bag, connections, parse, path):
    with DATA.guarded(path, "is no readable ROS bag"):
        for _, _, content in bag.messages(connections):
            yield parse(bytes(content))


def _same(first, packets, path):
    """All packets, of one sensor and one encoding."""
    yield first
    for packet in packets:
        if (packet.size, packet.encoding) != (first.size, first.encoding):
            raise DataError(
                f"{path}: a message is of {packet.size} pixels and {packet.encoding[:40]!r}, "
                f"the first of {first.size} and {first.encoding!r}: write a bag for each"
            )
        yield packet


def _mono(packet):
    """Columns of 8 bytes an event."""
    if len(packet.content) % _MONO.itemsize:
        raise DataError(f"a message of {len(packet.content)} bytes holds no whole events")
    events = np.frombuffer(packet.content, _MONO)
    t = (packet.time_base + events["dt"].astype(np.int64)) // 1000
    return {"x": events["x"], "y": events["yp"] & 0x7FFF, "t": t, "p": events["yp"] >> 15}


def _raw(stack, first, packets, path):
    """Columns of what the camera sent, laid behind each other as a RAW file."""
    width, height = first.size
    file: Any = tempfile.NamedTemporaryFile(suffix=".raw")  # noqa: SIM115 (the stack closes it)
    stack.enter_context(file)
    file.write(f"% {_RAW[first.encoding]}\n% geometry {width}x{height}\n% end\n".encode())
    for packet in packets:
        file.write(packet.content)
    file.flush()
    sensor = stack.enter_context(sensor_files.opened_raw(Path(file.name), first.size))
    with DATA.guarded(path):
        yield from sensor.parts


def _ros1(content):
    """A message as ROS 1 lays it out: header (seq, stamp, frame), then the fields, unaligned."""
    place = 12
    place += 4 + struct.unpack_from("<I", content, place)[0]
    height, width, _, time_base, length = struct.unpack_from("<IIQQI", content, place)
    place += 28
    encoding, place = content[place : place + length].decode(), place + length
    big, n_bytes = struct.unpack_from("<?I", content, place)
    return _packet(height, width, time_base, encoding, big, content[place + 5 :], n_bytes)


def _cdr(content):
    """A message as ROS 2 lays it out: CDR, little-endian, aligned, texts end with a zero."""
    if content[:2] != b"\0\1":
        raise ValueError("a message is no little-endian CDR")
    body, place = content[4:], 8
    place += 4 + struct.unpack_from("<I", body, place)[0]
    place += -place % 4
    height, width = struct.unpack_from("<II", body, place)
    place += 8
    place += -place % 8
    _, time_base, length = struct.unpack_from("<QQI", body, place)
    place += 20
    encoding, place = body[place : place + length].rstrip(b"\0").decode(), place + length
    big = bool(body[place])
    place += 1
    place += -place % 4
    (n_bytes,) = struct.unpack_from("<I", body, place)
    return _packet(height, width, time_base, encoding, big, body[place + 4 :], n_bytes)


def _packet(height, width, time_base, encoding, big, content, n_bytes):
    if n_bytes > len(content) or not 0 < width < 1 << 15 or not 0 < height < 1 << 15:
        raise ValueError(f"a message of {width} x {height} pixels and {n_bytes} bytes")
    if big or time_base >= 1 << 62:
        raise ValueError("a message of a big-endian machine")
    return Packet((width, height), time_base, encoding, content[:n_bytes])
