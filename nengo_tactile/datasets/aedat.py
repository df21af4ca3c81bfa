"""AEDAT 3.1: files of event cameras, as iniVation's software writes them.

The layout is that of iniVation's description of the format and of the README of DVS128 Gesture:
lines of text that begin with "#", the last of them ``#!END-HEADER``, then packets, each with a
header of 28 bytes. All numbers are little-endian.
"""

import numpy as np

from nengo_tactile.errors import DataError
from nengo_tactile.events.arrays import make_events

_VERSION = b"#!AER-DAT3.1"
_END = b"#!END-HEADER"

_PACKET_HEADER = np.dtype(
    [
        ("type", "<i2"),
        ("source", "<i2"),
        ("size", "<i4"),
        ("time_offset", "<i4"),
        ("overflow", "<i4"),
        ("capacity", "<i4"),
        ("number", "<i4"),
        ("valid", "<i4"),
    ]
)
_POLARITY = 1  # type of packets of a camera's events; others hold frames, motion and the like
_EVENT = np.dtype([("data", "<u4"), ("time", "<i4")])
_TIME_BITS = 31  # a packet's overflow counts how often the clock of so many bits has gone round
_ADDRESS_MASK = 0x7FFF  # 15 bits each for x and y


def read_aedat(content, sensor_size=(128, 128, 2), source="bytes"):
    """Read the polarity events of an AEDAT 3.1 file.

    Packets of other types are skipped, and so are events whose valid bit is 0, which by the
    format hold no data. Events are sorted by time where the file does not have them so.

    Parameters
    ----------
    content : bytes
        The whole file.
    sensor_size : tuple of int
        (width, height, polarities) of the camera.
    source : str
        What errors call the file.

    Returns
    -------
    (n_events,) structured array
        Times in microseconds, as the camera counts them.

    Raises
    ------
    DataError
        For another format or version, a file that ends within its header or a packet, packets
        that contradict themselves, or addresses outside the sensor.
    """
    place = _end_of_header(content, source)
    packets, times = [], []
    while place < len(content):
        header, start = _packet_header(content, place, source)
        end = start + int(header["capacity"]) * int(header["size"])
        if end > len(content):
            raise DataError(
                f"{source} ends at byte {len(content)}, within the packet at byte {place}, which "
                f"goes to {end}: the file is truncated, get it afresh"
            )
        if header["type"] == _POLARITY:
            events = np.frombuffer(content, _EVENT, int(header["number"]), start)
            events = events[(events["data"] & 1).astype(bool)]
            if (events["time"] < 0).any():
                raise DataError(f"{source}: the packet at byte {place} has negative times")
            packets.append(events["data"])
            times.append(events["time"] + (np.int64(header["overflow"]) << _TIME_BITS))
        place = end
    data = np.concatenate(packets) if packets else np.zeros(0, np.uint32)
    time_us = np.concatenate(times) if times else np.zeros(0, np.int64)
    if (time_us[1:] < time_us[:-1]).any():
        order = np.argsort(time_us, kind="stable")
        data, time_us = data[order], time_us[order]
    x, y = data >> 17 & _ADDRESS_MASK, data >> 2 & _ADDRESS_MASK
    return make_events(x, y, time_us, data >> 1 & 1, sensor_size=sensor_size, source=source)


def _end_of_header(content, source):
    """Return where the packets begin."""
    if not content.startswith(_VERSION):
        first = content[:20].split(b"\n")[0].decode("ascii", "replace")
        raise DataError(
            f"{source} begins with {first!r}, wanted {_VERSION.decode()!r}: it is no AEDAT 3.1 "
            "file, get it afresh or convert it"
        )
    place = 0
    while content[place : place + 1] == b"#":
        end = content.find(b"\n", place) + 1
        if not end:
            break
        if content[place:end].rstrip() == _END:
            return end
        place = end
    raise DataError(
        f"{source} has no line {_END.decode()!r} after its text, which ends at byte {place}: the "
        "file is truncated or damaged, get it afresh"
    )


def _packet_header(content, place, source):
    """Return a packet's checked header, and where its events begin."""
    start = place + _PACKET_HEADER.itemsize
    if start > len(content):
        raise DataError(
            f"{source} ends at byte {len(content)}, within the packet header at byte {place}: the "
            "file is truncated, get it afresh"
        )
    header = np.frombuffer(content, _PACKET_HEADER, 1, place)[0]
    size, capacity, number = (int(header[name]) for name in ("size", "capacity", "number"))
    wrong_size = size < 1 or (header["type"] == _POLARITY and size != _EVENT.itemsize)
    if wrong_size or not 0 <= number <= capacity or header["type"] < 0 or header["overflow"] < 0:
        raise DataError(
            f"{source}: the packet header at byte {place} gives type {header['type']}, {number} of "
            f"{capacity} events of {size} bytes and overflow {header['overflow']}, which cannot "
            "be: the file is damaged, get it afresh"
        )
    return header, start
