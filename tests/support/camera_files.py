"""Files of event cameras, written by the descriptions of their formats."""

import numpy as np


def evt2(events, size):
    """RAW, EVT 2.0: words of 32 bits; 28 bits of time come before the 6 of each event."""
    words, high = [], None
    for x, y, t, p in events.tolist():
        if t >> 6 != high:
            high = t >> 6
            words.append(0x8 << 28 | high)
        words.append(int(p) << 28 | (t & 0x3F) << 22 | x << 11 | y)
    return _header("evt 2.0", size) + np.array(words, "<u4").tobytes()


def evt3(events, size):
    """RAW, EVT 3.0: words of 16 bits; time, row and place of an event in words of their own."""
    words, high, low, row = [], None, None, None
    for x, y, t, p in events.tolist():
        if t >> 12 != high:
            high, low = t >> 12, None
            words.append(0x8 << 12 | high & 0xFFF)
        if t & 0xFFF != low:
            low = t & 0xFFF
            words.append(0x6 << 12 | low)
        if y != row:
            row = y
            words.append(0x0 << 12 | y)
        words.append(0x2 << 12 | int(p) << 11 | x)
    return _header("evt 3.0", size) + np.array(words, "<u2").tobytes()


def dat(events, size):
    """DAT: 4 bytes of time, then 14 bits each of x and y, and polarity."""
    lines = f"% Version 2\n% Width {size[0]}\n% Height {size[1]}\n"
    table = np.zeros((len(events), 2), "<u4")
    table[:, 0] = events["t"]
    x, y, p = (events[name].astype(np.uint32) for name in "xyp")
    table[:, 1] = x | y << 14 | p << 28
    return lines.encode() + bytes([0x0C, 8]) + table.tobytes()


def _header(version, size):
    return f"% {version}\n% geometry {size[0]}x{size[1]}\n% end\n".encode()


def aedat4(events, size, path):
    """AEDAT4 as faery writes it."""
    import faery

    table = np.zeros(len(events), faery.EVENTS_DTYPE)
    for ours, theirs in zip("xytp", ("x", "y", "t", "on")):
        table[theirs] = events[ours]
    faery.events_stream_from_array(table, size).to_file(path, zero_t0=False)


def mono(events, base):
    """The encoding "mono" of event_camera_msgs: nanoseconds since a base, x, y and polarity."""
    words = (events["t"] * 1000 - base).astype(np.uint64)
    words |= events["x"].astype(np.uint64) << np.uint64(32)
    words |= events["y"].astype(np.uint64) << np.uint64(48)
    words |= events["p"].astype(np.uint64) << np.uint64(63)
    return words.astype("<u8").tobytes()


_MESSAGE = """
std_msgs/Header header
uint32 height
uint32 width
uint64 seq
uint64 time_base
string encoding
bool is_bigendian
uint8[] events
"""
NAME = "event_camera_msgs/msg/EventPacket"


def write_bag(place, packets, version, size, topic="/camera/events"):
    """Write a ROS bag with rosbags: packets of (encoding, time base in ns, bytes).

    Returns the file that is read: of ROS 1 ``place`` itself, of ROS 2 the one in that folder.
    """
    from rosbags import rosbag1, rosbag2
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC if version == 1 else Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(_MESSAGE, NAME))
    header, time = (
        store.types[f"{name}"] for name in ("std_msgs/msg/Header", "builtin_interfaces/msg/Time")
    )
    first = {"seq": 0} if version == 1 else {}
    stamp = header(**first, stamp=time(sec=1, nanosec=2), frame_id="camera")
    writer = rosbag1.Writer(place) if version == 1 else rosbag2.Writer(place, version=8)
    with writer:
        connection = writer.add_connection(topic, NAME, typestore=store)
        for number, (encoding, base, content) in enumerate(packets):
            message = store.types[NAME](
                header=stamp, height=size[1], width=size[0], seq=number, time_base=base,
                encoding=encoding, is_bigendian=False, events=np.frombuffer(content, np.uint8),
            )  # fmt: skip
            write = store.serialize_ros1 if version == 1 else store.serialize_cdr
            writer.write(connection, number + 1, write(message, NAME))
    return place if version == 1 else next(place.glob("*.db3"))
