"""Every reader of files that the package has: how to make what it reads, and to read it."""

import atexit
import base64
import dataclasses
import importlib.util
import json
import pickle
import warnings
from collections.abc import Callable

import numpy as np

from nengo_tactile import files, stack
from nengo_tactile.errors import DataError
from tests.support import camera_files, fake_formats
from tests.support.scripts import load


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes
    ----------
    make : callable
        ``make(folder)`` writes what is read.
    read : callable
        ``read(folder)`` reads all of it.
    """

    make: Callable
    read: Callable


def _model(keras):
    layers = keras.layers
    inputs = keras.Input((6, 5, 2))
    x = layers.Conv2D(3, 3, padding="same", activation="relu", name="conv")(inputs)
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 1, name="side")(inputs))
    x = layers.MaxPooling2D(2)(layers.Add()([x, layers.ReLU()(y)]))
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(4, "relu"), layers.Dense(3)])
    return keras.Model(inputs, inner(layers.Dense(8, name="dense")(layers.Flatten()(x))))


def _model_file(version, ending):
    def make(folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            keras = stack.tensorflow().keras
            if version == 3:
                import keras
            _model(keras).save(folder / f"model.{ending}")

    def read(folder):
        from nengo_tactile.conversion.reading import convertible

        convertible(folder / f"model.{ending}")

    return Reader(make, read)


def _weights():
    from nengo_tactile.commands import networks

    def make(folder):
        model = networks.network_named("resnet8", (9, 9, 1), 4, (1 / 255, 0.0), widths=(2, 3, 4))
        networks.write_weights(model, folder / "weights.npz")

    return Reader(make, lambda folder: networks.read_weights(folder / "weights.npz"))


def _arrays():
    from nengo_tactile.ann import arrays, notation

    def model():
        return notation.build("8x8-2c3-4o", seed=0)

    return Reader(
        lambda folder: arrays.save_arrays(model(), folder / "arrays.npz"),
        lambda folder: arrays.load_arrays(model(), folder / "arrays.npz"),
    )


def _converted(folder):
    import nengo_tactile as nt

    x = np.random.default_rng(0).random((8, 6, 5, 2), np.float32)
    keras = stack.tensorflow().keras
    nt.convert(_model(keras), x, nt.IF(), n_steps=8).save(folder / "network")


def _slayer(folder):
    import nengo_tactile as nt

    data = nt.datasets.ESkin(n_samples=20)
    recipe = nt.slayer.Recipe(epochs=1)
    nt.slayer.fit("10x10x2-2c3-2a-4-10o", data, recipe=recipe, seed=0, progress=False).save(
        folder / "network"
    )


def _skim(folder):
    from tests.support.skim_networks import small_layer, small_network

    small_network(layer=dataclasses.replace(small_layer(), drawn=None)).save(folder / "network")


def _skim_drawn(folder):
    from tests.support.skim_networks import small_network

    small_network().save(folder / "network")


def _load(folder):
    from nengo_tactile.saved import load

    network = load(folder / "network")
    repr(network), network.n_steps, network.read_out, network.classes


def _checkpoint():
    from nengo_tactile.ann import training

    def train(folder, epochs=1):
        from nengo_tactile.ann.notation import build

        rng = np.random.default_rng(0)
        data = rng.random((8, 8, 8, 1), np.float32), np.arange(8) % 4
        recipe = training.Recipe("adam", 1, 8)
        training.train(
            build("8x8-2c3-4o", seed=0), data, recipe, checkpoint=folder / "checkpoint.npz"
        )

    return Reader(train, train)


def _run(folder):
    import nengo_tactile as nt
    from nengo_tactile.commands.running import run_network

    _converted(folder)
    nt.load(folder / "network")
    rng = np.random.default_rng(0)
    np.save(folder / "x.npy", rng.random((5, 6, 5, 2), np.float32))
    np.save(folder / "y.npy", np.arange(5) % 3)
    x, y = str(folder / "x.npy"), str(folder / "y.npy")
    run_network(folder / "network", folder / "run", x=x, y=y, engine="event", say=lambda text: None)
    for path in (*(folder / "network").iterdir(), folder / "x.npy", folder / "y.npy"):
        path.unlink()
    (folder / "network").rmdir()


def _report(folder):
    from nengo_tactile.commands.running import write_run_report

    write_run_report(folder / "run")


def _study(folder):
    from nengo_tactile.experiments.ledgers import Ledger
    from nengo_tactile.experiments.studies import Study
    from tests.support.toy_study import total

    total(Ledger(Study(folder / "study", "toys"), "one"), 3)


def _samples(ending):
    def make(folder):
        arrays = {"x": np.arange(24.0).reshape(4, 3, 2)}
        if ending == "npz":
            np.savez_compressed(folder / "samples.npz", **arrays, y=np.arange(4))
        else:
            np.save(folder / "samples.npy", arrays["x"])

    def read(folder):
        from nengo_tactile.commands.samples import read_array

        read_array(str(folder / f"samples.{ending}"), "x")

    return Reader(make, read)


def _grid():
    def read(folder):
        from nengo_tactile.experiments.sweeps import read_grid

        read_grid(folder / "grid.json")

    grid = {"n_steps": [10, 20], "neuron": ["if"], "rates": [0.5, 1.0]}
    return Reader(lambda folder: files.write_json(folder / "grid.json", grid), read)


def _set(name, make):
    """A data set, found by name in the folder and by what lies in it, and all its recordings."""

    def read(folder):
        from nengo_tactile.datasets import open_dataset
        from nengo_tactile.errors import TactileError

        errors = []
        for source, place in ((name, folder), *((path, None) for path in _tops(folder))):
            try:
                options = {"default_layout": True} if name == "stmnist" else {}
                data = open_dataset(source, split="test", data_dir=place, **options)
                for _ in data.recordings(progress=False):
                    pass
            except TactileError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    return Reader(make, read)


def _tops(folder):
    return [path for path in sorted(folder.iterdir()) if path.suffix in (".npz", ".zip", ".hdf5")]


def _stmnist(folder):
    members, _ = fake_formats.stmnist_members(np.random.default_rng(0), 5)
    return members


def _nmnist():
    rng, members = np.random.default_rng(0), {}
    for side in ("Train", "Test"):
        for digit in range(3):
            content = fake_formats.nmnist_bytes(
                fake_formats.random_events(rng, 20, 34, 34, 300_000)
            )
            members[f"{side}/{digit}/0000{digit}.bin"] = content
    return members


def _gestures():
    rng = np.random.default_rng(0)
    return fake_formats.gesture_members(rng, ((1,), (24,)), 11, 200)[0]


def _evtouch(folder):
    rng, arrays = np.random.default_rng(0), {"bins": np.array(250)}
    for side in ("train", "test"):
        bits = rng.random((36, 39, 2, 250)) < 0.01
        arrays |= {
            f"x_{side}": np.packbits(bits, axis=-1),
            f"y_{side}": np.arange(36, dtype=np.uint8),
        }
    np.savez_compressed(folder / "ev_objects.npz", **arrays)


def _pendigits(folder):
    rng, arrays = np.random.default_rng(0), {}
    for split in ("train", "test"):
        arrays |= {
            f"xy_{split}": rng.integers(0, 500, (20, 2)).astype(np.int16),
            f"stroke_{split}": np.zeros(20, np.uint8),
            f"offsets_{split}": np.array([0, 5, 12, 20], np.int32),
            f"label_{split}": np.array([3, 1, 4], np.uint8),
            f"writer_{split}": np.array([1, 2, 2], np.uint8),
        }
    np.savez_compressed(folder / "pendigits_traj.npz", **arrays)


def _read_pendigits(folder):
    from nengo_tactile.datasets import PenDigits

    data = PenDigits(folder, "test")
    for index in range(len(data)):
        data[index]


def _mnist(folder):
    from tests.support.image_sets import write_mnist

    write_mnist(folder, 20, 12)


def _cache():
    def make(folder):
        members, _ = fake_formats.stmnist_members(np.random.default_rng(0), 1)
        fake_formats.write_folder(folder, members)
        read(folder)

    def read(folder):
        from nengo_tactile.datasets import STMNIST

        list(STMNIST(folder, cache=folder / "cache.npz").recordings(progress=False))

    return Reader(make, read)


def _cifar(folder):
    import lzma

    content = lzma.compress(bytes(3 * 10_000 * 1024), preset=0)
    (folder / "test.xz").write_bytes(content)
    names = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    np.savez(folder / "labels.npz", y_test=np.zeros(10_000, np.uint8), names=np.array(names))


def _read_cifar(folder):
    from nengo_tactile.datasets import CIFAR10

    CIFAR10(folder, "test")


def _patterns():
    def make(folder):
        from nengo_tactile.papers.skim.patterns import pattern_set
        from tests.support.skim_networks import LAYOUT, Recordings

        pattern_set(Recordings(), LAYOUT, folder / "patterns", progress=False)

    return Reader(make, make)


def _own(ending):
    """Recordings of one's own in a format, with a table of labels and a map of taxels."""

    def make(folder):
        from tests.datasets.test_event_files import write

        rng, rows = np.random.default_rng(0), ["file,label,subject"]
        for number in range(4):
            name = f"{number}{ending}"
            write(folder / name, fake_formats.random_events(rng, 60))
            rows.append(f"{name},{'ab'[number % 2]},{number // 2}")
        (folder / "labels.table").write_text("\n".join(rows))
        said = {"sensor_size": [10, 10], "time_unit": "us", "repeats": "keep"}
        split = {"test": 0.5, "by": "subject"}
        said |= {"table": "labels.table", "split": split, "image": {"n_bins": 2}}
        files.write_json(folder / "recordings.json", said)

    def read(folder):
        from nengo_tactile.datasets import Recordings, open_dataset

        for split in ("train", "test"):
            list(open_dataset(folder, split=split).recordings(progress=False))
        list(Recordings(folder, repeats="drop").recordings(progress=False))

    return Reader(make, read)


def _braille(ending):
    def make(folder):
        samples = fake_formats.braille_samples(np.random.default_rng(0), 10, 10, ("A", "L"))
        if ending == ".npz":
            script = load("tools/braille_arrays.py")
            np.savez_compressed(
                folder / "data_braille_letters_th_1.npz", **script.arrays_of(samples)
            )
            return
        content = pickle.dumps(samples, 4)
        if ending == ".zip":
            members = {"data/data_braille_letters_th_1.pkl": content}
            fake_formats.write_zip(folder / "reading_braille_data.zip", members)
        else:
            (folder / "data_braille_letters_th_1.pkl").write_bytes(content)

    return _set("braille", make)


def _camera(name):
    """Recordings of event cameras; ROS 2 bags are folders."""

    def make(folder):
        rng = np.random.default_rng(0)
        events = fake_formats.random_events(rng, 200, 64, 48)
        if name == "aedat4":
            camera_files.aedat4(events, (64, 48), folder / "a.aedat4")
        elif name.startswith("ros"):
            packets = [
                ("mono", 0, camera_files.mono(part, 0)) for part in np.array_split(events, 3)
            ]
            place = folder / ("a.bag" if name == "ros1" else "bag")
            camera_files.write_bag(place, packets, int(name[3:]), (64, 48))
        else:
            place = folder / ("a.dat" if name == "dat" else "a.raw")
            place.write_bytes(getattr(camera_files, name)(events, (64, 48)))

    def read(folder):
        from nengo_tactile.datasets import read_events

        found = [path for path in folder.rglob("*") if path.suffix in _CAMERAS]
        if not found:
            raise DataError("is gone")
        for path in found:
            read_events(path)

    return Reader(make, read)


_CAMERAS = (".raw", ".dat", ".aedat4", ".bag", ".db3")


def _cameras():
    """Those whose libraries are here."""
    found = {}
    if importlib.util.find_spec("faery"):
        found |= {name: _camera(name) for name in ("evt2", "evt3", "dat", "aedat4")}
    if importlib.util.find_spec("rosbags"):
        found |= {name: _camera(name) for name in ("ros1", "ros2")}
    return found


def _onnx():
    """In one process for all files, which what ends it makes anew."""
    from nengo_tactile.exchange.onnx_in import Converter
    from tests.support.onnx_models import residual

    converters = []

    def read(folder):
        if not converters:
            converters.append(Converter())
            atexit.register(converters[0].__exit__)
        converters[0].convert(folder / "net.onnx", folder / "net.keras")

    return Reader(lambda folder: residual(folder / "net.onnx"), read)


def _taxels():
    def make(folder):
        (folder / "map.csv").write_text("taxel,x,y\n3,0.5,0\n4,1.7,0.1\n9,0.2,3\n")
        (folder / "touch").mkdir()
        (folder / "touch" / "a.csv").write_text("t,taxel,p\n0,3,1\n4,9,0\n9,4,1\n")
        said = {"taxels": "map.csv", "time_unit": "ms", "pattern": "{label}/*.csv"}
        files.write_json(folder / "recordings.json", said)

    def read(folder):
        from nengo_tactile.datasets import Recordings

        list(Recordings(folder).recordings(progress=False))

    return Reader(make, read)


def _folder(members):
    return lambda folder: fake_formats.write_folder(folder, members)


def _nir(name):
    from tests.support import nir_graphs, nir_reference

    case = nir_graphs.cases()[name]

    def read(folder):
        import nengo_tactile as nt

        network = nt.from_nir(folder / "net.nir", dt=1e-3)
        nt.run(network, np.ones((1, 3, *network.graph.input_shape), np.float32), engine="event")

    return Reader(
        lambda folder: nir_reference.write(folder / "net.nir", case.nodes, case.edges), read
    )


def _nir_of_ours(folder):
    """With what we write beside the graph, for ourselves."""
    import nengo_tactile as nt

    keras = stack.tensorflow().keras
    x = np.random.default_rng(0).random((8, 6, 5, 2), np.float32)
    layers = keras.layers
    model = keras.Sequential([keras.Input(x.shape[1:]), layers.Conv2D(3, 3, activation="relu"),
                              layers.Flatten(), layers.Dense(3)])  # fmt: skip
    snn = nt.convert(model, x, nt.IF(), n_steps=8)
    nt.to_nir(snn, folder / "net.nir", accept=("start", "reset"))


def _stepped(folder):
    """The network of a NIR graph, as it is saved."""
    import nengo_tactile as nt

    _nir("delays, two ways, integrators").make(folder)
    nt.from_nir(folder / "net.nir", dt=1e-3).save(folder / "network")
    (folder / "net.nir").unlink()


def _page():
    """What a page of play says, and the recording that it loads."""
    from nengo_tactile.play import desk
    from nengo_tactile.play import files as recordings
    from nengo_tactile.play.messages import Choice
    from nengo_tactile.play.networks import Networks

    choice = Choice("eskin-slayer")
    wanted = dataclasses.asdict(choice)
    lines = [
        {"type": "begin", "network": wanted, "noise": 0.1, "dead": 0.05, "seed": 3},
        {"type": "touch", "until": 40, "points": [[1, 2.5, 3, 1], [16, 4, 4.5, 0.8]]},
        {"type": "touch", "until": 90, "points": [[48, 5, 5, 0]]},
        {"type": "save", "ending": ".npz"},
        {"type": "sample", "network": wanted, "source": "eskin", "number": 1},
        {"type": "touch", "until": 300, "points": []},
    ]
    networks = []

    def make(folder):
        files.write_json(folder / "messages.json", lines)
        events = fake_formats.random_events(np.random.default_rng(0), 40)
        (folder / "recording.npz").write_bytes(recordings.to_npz(events))

    def read(folder):
        from nengo_tactile.doors.plain import DATA

        if not networks:
            networks.append(Networks(choice))
        place = desk.Desk(networks[0])
        content = DATA.content(folder / "recording.npz")
        told = DATA.json(folder / "messages.json")
        load = base64.b64encode(content).decode()
        errors = []
        for message in (
            *(told if isinstance(told, list) else [told]),
            {"type": "load", "network": wanted, "name": "recording.npz", "content": load},
            {"type": "touch", "until": 1000, "points": []},
        ):
            try:
                json.dumps(place.answer(json.dumps(message)), allow_nan=False)
            except DataError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    return Reader(make, read)


def _lava():
    import h5py

    neuron = {"type": "CUBA", "iDecay": 4096, "vDecay": 128, "vThMant": 10, "refDelay": 1}

    def make(folder):
        with h5py.File(folder / "network.net", "w") as file:
            file["layer/0/type"], file["layer/0/shape"] = "input", np.array([2, 4, 5])
            file["layer/1/type"], file["layer/1/weight"] = "conv", np.ones((3, 2, 3, 3))
            file["layer/2/type"] = "flatten"
            file["layer/3/type"], file["layer/3/weight"] = "dense", np.ones((4, 18))
            file["layer/3/delay"] = np.arange(4.0)
            for number in (1, 3):
                for key, value in neuron.items():
                    file[f"layer/{number}/neuron/{key}"] = value

    def read(folder):
        import nengo_tactile as nt

        network = nt.from_lava(folder / "network.net")
        nt.run(network, np.ones((1, 3, *network.graph.input_shape), np.float32), engine="event")

    return Reader(make, read)


def readers():
    """{name: Reader}."""
    rng = np.random.default_rng(0)
    stmnist, nmnist, gestures = _stmnist(None), _nmnist(), _gestures()
    speech = fake_formats.tidigits(rng, 1, 10)
    return {
        **{f"keras{v}.{e}": _model_file(v, e) for v in (2, 3) for e in ("keras", "h5")},
        "weights": _weights(),
        "arrays": _arrays(),
        "converted": Reader(_converted, _load),
        "slayer": Reader(_slayer, _load),
        "skim": Reader(_skim, _load),
        "skim-drawn": Reader(_skim_drawn, _load),
        "checkpoint": _checkpoint(),
        "run": Reader(_run, _report),
        "study": Reader(_study, _study),
        "nir": _nir("a loop, and values at the end"),
        "nir-images": _nir("convolutions, sums of windows"),
        "nir-delays": _nir("delays, two ways, integrators"),
        "nir-ours": Reader(_nir_of_ours, _nir("one axis").read),
        "stepped": Reader(_stepped, _load),
        "page": _page(),
        "lava": _lava(),
        "samples.npz": _samples("npz"),
        "samples.npy": _samples("npy"),
        "grid": _grid(),
        "stmnist": _set("stmnist", _folder(stmnist)),
        "stmnist.zip": _set(
            "stmnist",
            lambda folder: fake_formats.write_zip(folder / "data_submission.zip", stmnist),
        ),
        "stmnist-cache": _cache(),
        "stemnist": _set(
            "stemnist",
            lambda folder: np.savez_compressed(
                folder / "stemnist_spikes_aer.npz", **fake_formats.stemnist_arrays(rng, 1)
            ),
        ),
        "nmnist": _set("nmnist", _folder(nmnist)),
        "nmnist.zip": _set(
            "nmnist", lambda folder: fake_formats.write_zip(folder / "test.zip", nmnist)
        ),
        "ev-objects": _set("ev-objects", _evtouch),
        "ntidigits": _set(
            "ntidigits",
            lambda folder: fake_formats.write_tidigits(folder / "n-tidigits.hdf5", speech),
        ),
        "dvs-gesture": _set("dvs-gesture", _folder(gestures)),
        "dvs-gesture.zip": _set(
            "dvs-gesture",
            lambda folder: fake_formats.write_zip(folder / "DvsGesture.zip", gestures),
        ),
        "mnist": _set("mnist", _mnist),
        "cifar10": Reader(_cifar, _read_cifar),
        "pendigits": Reader(_pendigits, _read_pendigits),
        "patterns": _patterns(),
        **{f"own{e}": _own(e) for e in (".csv", ".txt", ".npy", ".npz", ".mat", ".h5", ".hdf5")},
        "own-taxels": _taxels(),
        **_cameras(),
        **({"onnx": _onnx()} if importlib.util.find_spec("onnx2keras") else {}),
        **{f"braille{ending}": _braille(ending) for ending in (".pkl", ".npz", ".zip")},
    }
