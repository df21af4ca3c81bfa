"""ROS bags of event_camera_msgs, written with rosbags."""

import shutil

import numpy as np
import pytest

from nengo_tactile.datasets import Recordings, read_events
from nengo_tactile.errors import DataError
from tests.support import camera_files
from tests.support.camera_files import write_bag
from tests.support.fake_formats import random_events

pytest.importorskip("rosbags", reason="needs rosbags: pip install '.[sensors]'")
SIZE = (64, 48)
VERSIONS = [1, 2]


def parts_of(events, n=4):
    """Messages of some events each, in the encoding mono."""
    found = []
    for part in np.array_split(events, n):
        base = int(part["t"][0]) * 1000 if len(part) else 0
        found.append(("mono", base, camera_files.mono(part, base)))
    return found


def place(folder, version):
    return folder / ("a.bag" if version == 1 else "bag")


@pytest.mark.parametrize("version", VERSIONS)
def test_mono(version, rng, tmp_path):
    events = random_events(rng, 200, *SIZE)
    path = write_bag(place(tmp_path, version), parts_of(events), version, SIZE)
    np.testing.assert_array_equal(read_events(path), events)
    with pytest.raises(DataError, match="sensor of 64 x 48 pixels, wanted 48 x 64"):
        read_events(path, sensor_size=(48, 64))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("encoding", ["evt2", "evt3"])
def test_raw_bytes_of_the_camera(encoding, version, rng, tmp_path):
    pytest.importorskip("faery", reason="needs faery: pip install '.[sensors]'")
    events = random_events(rng, 200, *SIZE)
    content = getattr(camera_files, encoding)(events, SIZE).split(b"% end\n", 1)[1]
    pieces = [content[i : i + 100] for i in range(0, len(content), 100)]
    packets = [(encoding, 7, piece) for piece in pieces]
    path = write_bag(place(tmp_path, version), packets, version, SIZE)
    np.testing.assert_array_equal(read_events(path), events)


def test_bags_as_a_data_set(rng, tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(2):
            bag = tmp_path / label / f"bag{number}"
            write_bag(bag, parts_of(random_events(rng, 40, *SIZE)), 2, SIZE)
    data = Recordings(tmp_path, pattern="{label}/{session}/*.db3")
    assert len(data) == 4
    assert data.sensor_size == (64, 48, 2)
    assert all(len(events) == 40 for events in data.recordings())


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_refused(version, rng, tmp_path):
    (tmp_path / "bags").mkdir()
    events = random_events(rng, 40, *SIZE)

    def write(packets, size=SIZE):
        shutil.rmtree(tmp_path / "bags")
        (tmp_path / "bags").mkdir()
        return write_bag(place(tmp_path / "bags", version), packets, version, size)

    for packets, message in (
        ([], "holds no message of events"),
        ([("libcaer_cmp", 0, b"abc")], "encoded as 'libcaer_cmp', read are mono, evt2 and evt3"),
        ([*parts_of(events), ("evt3", 0, b"ab")], "a message is of .* and 'evt3', the first of"),
        ([("mono", 0, b"abc")], "holds no whole events"),
    ):
        with pytest.raises(DataError, match=message):
            read_events(write(packets))


def test_a_file_of_a_ros_2_bag_alone(rng, tmp_path):
    path = write_bag(tmp_path / "bag", parts_of(random_events(rng, 40, *SIZE)), 2, SIZE)
    (path.parent / "metadata.yaml").unlink()
    with pytest.raises(DataError, match=r"has no metadata.yaml beside it"):
        read_events(path)


def test_other_topics_are_told(rng, tmp_path):
    from rosbags import rosbag1
    from rosbags.typesys import Stores, get_typestore

    with rosbag1.Writer(tmp_path / "a.bag") as writer:
        store = get_typestore(Stores.ROS1_NOETIC)
        writer.add_connection("/words", "std_msgs/msg/String", typestore=store)
    with pytest.raises(DataError, match=r"holds 0 topics .* it has (/words|nothing)"):
        read_events(tmp_path / "a.bag")
