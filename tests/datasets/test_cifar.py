"""CIFAR-10 and CIFAR-100 in both formats, whole and damaged, and the archive."""

import hashlib
import io
import lzma
import tarfile

import numpy as np
import pytest

from nengo_tactile.datasets import CIFAR10, CIFAR100, MNIST, images_of
from nengo_tactile.errors import DataError

N = 12  # images a file
FOLDER = "cifar-10-batches-bin"
NAMES = [f"data_batch_{i}.bin" for i in (1, 2, 3, 4, 5)] + ["test_batch.bin"]


@pytest.fixture(autouse=True)
def few_images(request, monkeypatch):
    if "data_dir" not in request.fixturenames:
        for cifar in (CIFAR10, CIFAR100):
            for kind in ("batches", "planes"):
                splits = getattr(cifar, kind).items()
                few = {split: files._replace(per_file=N) for split, files in splits}
                monkeypatch.setattr(cifar, kind, few)


@pytest.fixture
def content(rng):
    """Images (6, N, 32, 32, 3), the last file being the test set, and labels (6, N)."""
    images = rng.integers(0, 256, (6, N, 32, 32, 3), dtype=np.uint8)
    return images, rng.integers(0, 10, (6, N), dtype=np.uint8)


def record(image, *labels):
    """One record of the authors' format, written byte by byte."""
    planes = [image[row, column, c] for c in range(3) for row in range(32) for column in range(32)]
    return bytes(labels) + bytes(planes)


def write_planes(path, images):
    """Planes G, R - G, B - G, as differences along rows and columns."""
    red, green, blue = np.moveaxis(images.astype(int), -1, 0)
    stored = np.stack([green, red - green, blue - green])
    stored = np.diff(np.diff(stored, axis=2, prepend=0), axis=3, prepend=0)
    path.write_bytes(lzma.compress((stored % 256).astype(np.uint8).tobytes()))


@pytest.fixture
def binary(content, tmp_path):
    folder = tmp_path / "binary"
    folder.mkdir()
    for name, images, labels in zip(NAMES, *content):
        (folder / name).write_bytes(b"".join(map(record, images, labels)))
    return folder


@pytest.fixture
def planes(content, tmp_path):
    folder = tmp_path / "planes"
    folder.mkdir()
    names = [f"train_{i}.xz" for i in range(5)] + ["test.xz"]
    for name, images in zip(names, content[0]):
        write_planes(folder / name, images)
    labels = content[1]
    write_labels(folder, y_train=labels[:5].ravel(), y_test=labels[5])
    return folder


def write_labels(folder, **arrays):
    np.savez(folder / "labels.npz", **{"names": np.array(CIFAR10.classes), **arrays})


@pytest.mark.parametrize("kind", ["binary", "planes"])
def test_both_formats_give_the_same_images(kind, content, request):
    folder = request.getfixturevalue(kind)
    images, labels = content
    for split, chosen in (("train", slice(5)), ("test", slice(5, 6))):
        dataset = CIFAR10(folder, split=split)
        assert len(dataset) == N * len(images[chosen]) and len(dataset.classes) == 10
        np.testing.assert_array_equal(dataset.images, images[chosen].reshape(-1, 32, 32, 3))
        np.testing.assert_array_equal(dataset.targets, labels[chosen].ravel())
        assert dataset.images.dtype == np.uint8 and dataset.images.flags.c_contiguous
        image, label = dataset[3]
        np.testing.assert_array_equal(image, images[chosen].reshape(-1, 32, 32, 3)[3])
        assert label == labels[chosen].ravel()[3]
        image[:] = 0
        assert dataset.images[3].any()
        assert images_of(dataset) is dataset.images


@pytest.mark.parametrize("kind", ["binary", "planes"])
def test_fine_labels_of_cifar_100(kind, rng, tmp_path):
    images = rng.integers(0, 256, (2, N, 32, 32, 3), dtype=np.uint8)
    coarse = rng.integers(0, 20, (2, N))
    fine = rng.integers(0, 100, (2, N), dtype=np.uint8)
    for split, *parts in zip(("train", "test"), images, coarse, fine):
        if kind == "binary":
            (tmp_path / f"{split}.bin").write_bytes(b"".join(map(record, *parts)))
        else:
            write_planes(tmp_path / f"{split}_subset.xz", parts[0])
    if kind == "planes":
        names = np.array(CIFAR100.classes)
        np.savez(tmp_path / "labels.npz", names=names, y_train=fine[0], y_test=fine[1])
    for split, wanted, labels in zip(("train", "test"), images, fine):
        dataset = CIFAR100(tmp_path, split=split)
        np.testing.assert_array_equal(dataset.images, wanted)
        np.testing.assert_array_equal(dataset.targets, labels)
    with pytest.raises(DataError, match="CIFAR-10 was not found"):
        CIFAR10(tmp_path)


def test_the_real_subset_of_cifar_100(data_dir):
    """As many images of each class as its authors say, and classes of the names they give."""
    train, test = CIFAR100(data_dir), CIFAR100(data_dir, split="test")
    assert len(set(train.classes)) == 100 and list(train.classes) == sorted(train.classes)
    for dataset, size in ((train, 125), (test, 40)):
        if len(dataset) < 10_000:
            assert (np.bincount(dataset.targets, minlength=100) == size).all()
    # the published means of all 50,000 images, which 12,500 of them come near
    mean = train.images.mean(axis=(0, 1, 2), dtype=float) / 255
    assert np.allclose(mean, [0.5071, 0.4865, 0.4409], atol=3e-3)


def test_images_of_adds_the_channel_axis(rng, tmp_path, binary):
    images, labels = rng.integers(0, 256, (4, 28, 28), dtype=np.uint8), np.arange(4)
    arrays = {f"{a}_{s}": v for s in ("train", "test") for a, v in (("x", images), ("y", labels))}
    np.savez(tmp_path / "mnist.npz", **arrays)
    found = images_of(MNIST(tmp_path))
    assert found.shape == (4, 28, 28, 1) and found.dtype == np.uint8
    np.testing.assert_array_equal(found[..., 0], images)

    class Events:
        def __repr__(self):
            return "Events(3 samples)"

    with pytest.raises(DataError, match=r"Events\(3 samples\) holds no images"):
        images_of(Events())


def rewrite(name, change):
    def apply(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return apply


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda f: (f / "data_batch_3.bin").unlink(), "data_batch_3.bin cannot be read"),
        (rewrite("data_batch_2.bin", lambda b: b[:-1]), r"data_batch_2.bin holds \d+ bytes, wan"),
        (rewrite("data_batch_2.bin", lambda b: b + b[:3073]), "data_batch_2.bin holds"),
        (rewrite("data_batch_2.bin", lambda b: b""), "data_batch_2.bin holds 0 bytes"),
        (
            rewrite("data_batch_5.bin", lambda b: b[:3073] + b"\x0a" + b[3074:]),
            "data_batch_5.bin: label 1 is 10, wanted 0 to 9",
        ),
    ],
)
def test_damaged_binary_files_are_refused(binary, damage, part):
    damage(binary)
    with pytest.raises(DataError, match=part):
        CIFAR10(binary)
    assert len(CIFAR10(binary, split="test")) == N  # which is whole


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        (lambda f: (f / "train_3.xz").unlink(), "train_3.xz cannot be read"),
        (lambda f: (f / "labels.npz").unlink(), "labels.npz: cannot be read"),
        (rewrite("train_1.xz", lambda b: b[:-200]), "train_1.xz cannot be read"),
        (rewrite("train_1.xz", lambda b: b[:500] + b"12345" + b[505:]), "train_1.xz cannot be"),
        (rewrite("train_1.xz", lambda b: b"no xz"), "train_1.xz cannot be read"),
        (rewrite("train_1.xz", lambda b: lzma.compress(b"1")), "train_1.xz unpacks to 1 bytes"),
        (
            rewrite("train_1.xz", lambda b: lzma.compress(lzma.decompress(b) + b"1")),
            "train_1.xz unpacks to more than",
        ),
        (lambda f: write_labels(f, y_train=np.zeros(7, int)), "7 labels for 60 images"),
        (lambda f: write_labels(f, y_train=np.zeros(0, int)), "0 labels for 60 images"),
        (lambda f: write_labels(f, y_train=np.arange(60) - 1), "label 0 is -1, wanted 0 to 9"),
        (lambda f: write_labels(f, y_train=np.zeros(60)), "type float64"),
        (lambda f: write_labels(f, y_test=np.zeros(12, int)), "no array 'y_train'"),
        (
            lambda f: write_labels(f, y_train=np.zeros(60, int), names=np.array(["dog", "cat"])),
            r"'names' is \['dog', 'cat'\]",
        ),
        (
            lambda f: write_labels(f, y_train=np.array([{}] * 60)),
            "pickled objects",
        ),
    ],
)
def test_damaged_plane_files_are_refused(planes, damage, part):
    damage(planes)
    with pytest.raises(DataError, match=part):
        CIFAR10(planes)


def test_what_is_not_there(tmp_path, binary):
    with pytest.raises(DataError, match=r"(?s)CIFAR-10 was not found.*download=True"):
        CIFAR10(tmp_path)
    with pytest.raises(DataError, match="is a file: unpack it"):
        CIFAR10(binary / NAMES[0])
    with pytest.raises(DataError, match="split is 'all'"):
        CIFAR10(binary, split="all")


def write_archive(path, binary, change=lambda members: members):
    members = change([(f"{FOLDER}/{name}", (binary / name).read_bytes()) for name in NAMES])
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                info.size = len(content)
            tar.addfile(info, None if content is None else io.BytesIO(content))
    return path


@pytest.fixture
def archive(tmp_path, binary, monkeypatch):
    """The place where the archive is downloaded to; what lies there counts as downloaded."""

    def place(change=lambda members: members):
        (tmp_path / "root" / "CIFAR10").mkdir(parents=True)
        path = tmp_path / "root" / "CIFAR10" / CIFAR10.filename
        write_archive(path, binary, change)
        monkeypatch.setattr(CIFAR10, "md5", hashlib.md5(path.read_bytes()).hexdigest())
        return path

    return place


def test_the_archive_is_unpacked_once(archive, tmp_path, content):
    evil = [("../evil", b"1"), ("/tmp/evil-cifar", b"1"), (f"{FOLDER}/../../evil", b"1")]
    others = [*evil, (f"{FOLDER}/readme.html", b"1"), (f"{FOLDER}/data_batch_1", b"a pickle")]
    path = archive(lambda members: others + members)
    root = tmp_path / "root"
    test = CIFAR10(root, split="test", download=True)
    np.testing.assert_array_equal(test.images, content[0][5])
    assert sorted(p.name for p in (root / "CIFAR10" / FOLDER).iterdir()) == sorted(NAMES)
    assert sorted(p.name for p in root.iterdir()) == ["CIFAR10"]
    assert {p.name for p in (root / "CIFAR10").iterdir()} == {FOLDER, path.name}
    path.unlink()  # no longer needed
    train = CIFAR10(root, download=True)
    np.testing.assert_array_equal(train.targets, content[1][:5].ravel())
    assert CIFAR10(root).path == train.path


def cut(members):
    return [(name, content[:-1]) for name, content in members]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda members: members[:-1], "lacks test_batch.bin"),
        (lambda members: [*members[1:], (f"{FOLDER}/{NAMES[0]}", None)], "lacks data_batch_1.bin"),
        (cut, r"data_batch_1.bin holds \d+ bytes, wanted"),
    ],
)
def test_archives_of_something_else_are_refused(archive, tmp_path, change, part):
    archive(change)
    with pytest.raises(DataError, match=part):
        CIFAR10(tmp_path / "root", download=True)
    assert [p.name for p in (tmp_path / "root" / "CIFAR10").iterdir()] == [CIFAR10.filename]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"no archive"])
def test_damaged_archives_are_refused(tmp_path, binary, damage):
    path = write_archive(tmp_path / "a.tar.gz", binary)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="cannot be unpacked"):
        CIFAR10.unpack(path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_real_images(data_dir):
    """Published channel means, classes of equal size, and one image decoded by a loop."""
    train, test = CIFAR10(data_dir), CIFAR10(data_dir, split="test")
    assert train.images.shape == (50_000, 32, 32, 3) and test.images.shape == (10_000, 32, 32, 3)
    mean = train.images.mean(axis=(0, 1, 2), dtype=float) / 255
    assert np.allclose(mean, [0.4914, 0.4822, 0.4465], atol=5e-5)
    assert (np.bincount(train.targets) == 5000).all() and (np.bincount(test.targets) == 1000).all()
    if not (train.path / "test.xz").is_file():
        return
    with np.load(train.path / "labels.npz", allow_pickle=False) as labels:
        for dataset, key in ((train, "y_train"), (test, "y_test")):
            assert dataset.targets[:20].tolist() == labels[key][:20].tolist()
    with lzma.open(train.path / "train_4.xz") as file:
        stored = np.frombuffer(file.read(), np.uint8).reshape(3, 10_000, 32, 32)[:, 9876].tolist()
    image = train.images[49_876].tolist()
    for row in range(32):
        for column in range(32):
            green, red, blue = (
                sum(sum(line[: column + 1]) for line in plane[: row + 1]) for plane in stored
            )
            wanted = [(red + green) % 256, green % 256, (blue + green) % 256]
            assert image[row][column] == wanted
