"""Arguments that cannot be meant, over the public face and the command line.

Each is a call that has to be refused by an error of ours which names the argument.
"""

import numpy as np

NUMBERS = (2.5, -1, 0, float("nan"), float("inf"), "8", True, [8], 1e300)


def calls(nt, model, snn, x, y):
    """{name: call without arguments} over the Python face.

    Parameters
    ----------
    nt : module
    model : tf.keras.Model
    snn : SpikingNetwork
    x, y : arrays
        Samples and labels that fit.
    """
    found = {}
    for value in NUMBERS:
        found |= {
            f"run n_steps={value}": lambda v=value: nt.run(snn, x, n_steps=v),
            f"convert n_steps={value}": lambda v=value: nt.convert(model, x, nt.IF(), n_steps=v),
            f"convert dt={value}": lambda v=value: nt.convert(model, x, nt.LIF(), dt=v),
            f"ESkin n_samples={value}": lambda v=value: nt.datasets.ESkin(n_samples=v),
        }
        for engine in ("event", "nengo-dl", "loihi"):
            found[f"run {engine} batch_size={value}"] = lambda v=value, e=engine: nt.run(
                snn, x, 4, e, batch_size=v
            )
        found[f"run event threads={value}"] = lambda v=value: nt.run(snn, x, 4, "event", threads=v)
    # these are lengths of time
    found = {
        name: c for name, c in found.items() if name not in ("convert dt=2.5", "convert dt=1e+300")
    }
    odd_x = {
        "texts": np.full(x.shape, "a"),
        "objects": x.astype(object),
        "complex": x.astype(complex),
        "nan": np.where(np.arange(x.size).reshape(x.shape) == 7, np.nan, x),
        "none": x[:0],
        "one sample": x[0],
        "scalar": 3.0,
        "None": None,
        "name": "x.npy",
        "ragged": [[1, 2], [3]],
        "dict": {"x": x},
        "other shape": x[:, :2],
        "far outside": x * 1e9,
    }
    for name, value in odd_x.items():
        found[f"run x is {name}"] = lambda v=value: nt.run(snn, v)
        if name != "far outside":
            found[f"convert x is {name}"] = lambda v=value: nt.convert(model, v, nt.IF())
    odd_y = {
        "texts": np.full(len(y), "a"),
        "out of range": y + 100,
        "negative": y - 100,
        "fractions": y + 0.5,
        "too few": y[:-1],
        "nan": np.full(len(y), np.nan),
        "two axes": y[:, None, None],
        "objects": np.full(len(y), {}),
        "a number": 1,
    }
    for name, value in odd_y.items():
        found[f"convert labels are {name}"] = lambda v=value: nt.convert(
            model, x, nt.IF(), labels=v
        )
        found[f"accuracy labels are {name}"] = lambda v=value: nt.run(snn, x, 4).accuracy(v)
    for name, value in {
        "a name": "stemnist-cnn",
        "a model": model,
        "None": None,
        "a number": 3,
        "a path": "nowhere",
    }.items():
        found[f"run network is {name}"] = lambda v=value: nt.run(v, x)
    for name, value in {"None": None, "a number": 3, "missing": "none.keras", "x": x}.items():
        found[f"convert model is {name}"] = lambda v=value: nt.convert(v, x)
        found[f"check model is {name}"] = lambda v=value: nt.check(v)
    for value in (None, 3, "", "nowhere", "../..", "/dev/null", b"nowhere", "\ud800", "n[/x]"):
        found[f"load {value!r}"] = lambda v=value: nt.load(v)
    for value in ("if", nt.IF, 3, model):
        found[f"convert neuron={value!r:.20}"] = lambda v=value: nt.convert(model, x, v)
    for name, value in {
        "twice": ("a", "a", "b"),
        "too few": ("a",),
        "a word": "abc",
        "a number": 3,
    }.items():
        found[f"convert classes are {name}"] = lambda v=value: nt.convert(
            model, x, nt.IF(), classes=v
        )
    for engine in ("Event", "", None.__class__, 3, "cuda"):
        found[f"run engine={engine!r}"] = lambda v=engine: nt.run(snn, x, engine=v)
    for step in (4, -5, 1.5, "last", None, float("nan")):
        found[f"predict step={step!r}"] = lambda v=step: nt.run(snn, x, 4).predict(v)
    for name, options in {
        "threshold": {"percentile": 101},
        "reset": {"reset": "none"},
        "signed": {"signed": "maybe"},
        "unknown": {"rate": 3},
    }.items():
        found[f"IF {name}"] = lambda v=options: nt.IF(**v)
    for value in (-1, 0, "a", float("nan"), float("inf"), None):
        found[f"LIF tau_rc={value}"] = lambda v=value: nt.LIF(tau_rc=v)
        if value is not None:
            found[f"SigmaDelta threshold={value}"] = lambda v=value: nt.SigmaDelta(threshold=v)
    for name in ("", "10x10", "10x10-", "axb-3c", "10x10-0c4-10o", "10x10-6c4-24c3-0o", 3, None,
                 "10x10-4c40-10o"):  # fmt: skip
        found[f"build {name!r}"] = lambda v=name: nt.ann.build(v)
    for name in ("", "nothing", 3, None, "[x]", "\ud800"):
        found[f"open_dataset {name!r}"] = lambda v=name: nt.datasets.open_dataset(v)
    for split in ("valid", "", 3, None):
        found[f"ESkin split={split!r}"] = lambda v=split: nt.datasets.ESkin(split=v)
    return found | _chunks(nt, model, snn, x) | _exchange(nt, model, snn, x) | _recordings(nt)


def _chunks(nt, model, snn, x):
    """Runs in chunks, comparisons with the emulator, rasters, diagnoses."""
    found = {}
    for value in ("Event", "", 3, "nengo-dl", "nengo"):
        found[f"start engine={value!r}"] = lambda v=value: nt.start(snn, v)
    for name, value in {"a name": "stemnist-cnn", "a model": model, "None": None}.items():
        found[f"start network is {name}"] = lambda v=value: nt.start(v)
        found[f"diagnose network is {name}"] = lambda v=value: nt.diagnose(v, x)
    for value in NUMBERS:
        found |= {
            f"start threads={value}": lambda v=value: nt.start(snn, "event", threads=v),
            f"step n_steps={value}": lambda v=value: nt.start(snn).step(x, v),
            f"diagnose n_steps={value}": lambda v=value: nt.diagnose(snn, x, n_steps=v),
            f"run verify={value}": lambda v=value: nt.run(snn, x, 4, "loihi", verify=v),
            f"run rasters={value}": lambda v=value: nt.run(snn, x, 4, "event", rasters=v),
        }
    del found["run rasters=0"]  # none
    for value in (7, 10**9):  # of six
        found[f"run verify={value}"] = lambda v=value: nt.run(snn, x, 4, "loihi", verify=v)
    found |= {
        "start unknown option": lambda: nt.start(snn, "event", speed=3),
        "start verify": lambda: nt.start(snn, "loihi", verify=2),
        "run event verify": lambda: nt.run(snn, x, 4, "event", verify=2),
        "run target": lambda: nt.run(snn, x, 4, "loihi", target="cloud"),
        "run on_host": lambda: nt.run(snn, x, 4, "loihi", on_host=("nothing",)),
    }
    for name, value in {
        "texts": np.full(x.shape, "a"), "nan": np.full(x.shape, np.nan), "none": x[:0],
        "other shape": x[:, :2], "a path": "x.npy", "None": None,
    }.items():  # fmt: skip
        found[f"step x is {name}"] = lambda v=value: nt.start(snn).step(v, 2)
        found[f"diagnose x is {name}"] = lambda v=value: nt.diagnose(snn, v)
    for name, value in {
        "texts": np.full(len(x), "a"), "out of range": np.full(len(x), 99), "too few": [1],
    }.items():  # fmt: skip
        found[f"diagnose labels are {name}"] = lambda v=value: nt.diagnose(snn, x, v)
    return found


def _exchange(nt, model, snn, x):
    found = {}
    for value in ("Sinabs", "", 3, ["norse"], "lava"):
        found[f"to_nir profile={value!r}"] = lambda v=value: nt.to_nir(snn, "out.nir", v)
        found[f"from_nir profile={value!r}"] = lambda v=value: nt.from_nir("net.nir", v)
    for name, value in {"a name": "stemnist-cnn", "a model": model, "None": None}.items():
        found[f"to_nir network is {name}"] = lambda v=value: nt.to_nir(v, "out.nir")
    for value in (None, 3, "", "out.h5", ".", "none\0.nir"):
        found[f"to_nir file={value!r}"] = lambda v=value: nt.to_nir(snn, v)
    for value in (None, 3, "", "none.nir", ".", "x.npy", "model.keras", "none\0.nir", "~/no.nir"):
        found[f"from_nir file={value!r}"] = lambda v=value: nt.from_nir(v, dt=1e-3)
        found[f"from_lava file={value!r}"] = lambda v=value: nt.from_lava(v)
    for value in ("nothing", ["nothing"], 3):
        found[f"to_nir accept={value!r}"] = lambda v=value: nt.to_nir(snn, "out.nir", accept=v)
    for value in NUMBERS:
        found[f"to_nir n_steps={value}"] = lambda v=value: nt.to_nir(snn, "out.nir", x=x, n_steps=v)
        found[f"from_nir n_steps={value}"] = lambda v=value: nt.from_nir(
            "net.nir", dt=1e-3, n_steps=v
        )
        found[f"from_lava n_steps={value}"] = lambda v=value: nt.from_lava("net.net", n_steps=v)
    for value in (-1, 0, float("nan"), float("inf"), "a", [1], True):
        found[f"from_nir dt={value}"] = lambda v=value: nt.from_nir("net.nir", dt=v)
        found[f"from_lava dt={value}"] = lambda v=value: nt.from_lava("net.net", dt=v)
    found |= {
        "to_nir x other shape": lambda: nt.to_nir(snn, "out.nir", x=x[:, :2]),
        "to_nir x texts": lambda: nt.to_nir(snn, "out.nir", x=np.full(x.shape, "a")),
        "from_nir reset": lambda: nt.from_nir("net.nir", dt=1e-3, reset="none"),
        "from_nir classes": lambda: nt.from_nir("net.nir", dt=1e-3, classes=("a", "a", "b")),
        "from_nir too few classes": lambda: nt.from_nir("net.nir", dt=1e-3, classes=("a",)),
        "from_lava reads": lambda: nt.from_lava("net.net", reads="pixels"),
        "from_lava classes": lambda: nt.from_lava("net.net", classes=("a", "a")),
        "export_weights to a folder": lambda: snn.export_weights("."),
        "export_weights to nowhere": lambda: snn.export_weights(None),
    }
    return found


def _recordings(nt):
    """Pressure to events, recordings of one's own, layouts."""
    signals, found = np.zeros((5, 3)), {}
    for name, values in {
        "threshold": (0, -1, float("nan"), float("inf"), "a", None, True),
        "hysteresis": (-1, float("nan"), "a"),
        "refractory_us": (-1, float("inf"), None),
        "noise": (-1, float("nan"), "a"),
        "vibration": (-1, float("inf")),
        "mismatch": (-1, "a"),
        "device_seed": (-1, 2.5, "a"),
        "delay_us": (-1, float("nan")),
        "reset": ("zero", None, 3),
        "response": ("exp", 3),
        "floor": (0, -1, None),
        "activation": ("a", float("nan")),
        "levels": (3,),
    }.items():
        for value in values:
            found[f"LevelCrossing {name}={value!r}"] = lambda n=name, v=value: (
                nt.events.LevelCrossing(**{n: v})
            )
    crossing = nt.events.LevelCrossing()
    for value in (0, -1, float("nan"), float("inf"), "a", None, True, [1]):
        found[f"LevelCrossing rate_hz={value!r}"] = lambda v=value: crossing(signals, v)
    for name, value in {
        "texts": [["a"]], "nan": [[np.nan]], "one axis": [1.0], "None": None, "a path": "x.npy",
        "ragged": [[1, 2], [3]], "complex": [[1j]],
    }.items():  # fmt: skip
        found[f"LevelCrossing signals are {name}"] = lambda v=value: crossing(v, 100)
    for seed in (-1, "a", 2.5):
        found[f"LevelCrossing seed={seed!r}"] = lambda v=seed: crossing(signals, 100, seed=v)
    events = [nt.events.make_events([0], [1], [2], [1])] * 2
    sound = {"source": events, "labels": [0, 1], "sensor_size": (2, 2)}
    for name, values in {
        "source": (None, 3, "nowhere", "", "n[/x]", "x.npy", [], ["a", "b"], [1, 2]),
        "labels": (None, [0], "ab", [None, None], 3),
        "sensor_size": (None, (0, 2), (-1, 2), (2,), "2x2", (2.5, 2), (1, 1), (1, 2, 3)),
        "time_unit": ("years", 3),
        "polarity": ("both", 3),
        "repeats": ("twice", 3),
        "classes": ("ab", ("a",), ("a", "a"), 3),
        "groups": (3, {"subject": [1]}, "ab"),
        "pattern": ("{label}/*", 3),
        "table": ("labels.csv", 3),
        "columns": (("x",), "xytq", 3),
        "taxels": ("map.csv", 3),
        "from_first": ("maybe", 3),
        "speed": (1,),
    }.items():
        for value in values:
            found[f"Recordings {name}={value!r:.40}"] = lambda n=name, v=value: list(
                nt.datasets.Recordings(**sound | {n: v})
            )
    data = nt.datasets.Recordings(**sound)
    for options in (
        {"test": 0}, {"test": 1}, {"test": -0.5}, {"test": "a"}, {"test": float("nan")},
        {"by": "subject"}, {"by": 3}, {"seed": -1}, {"seed": "a"},
    ):  # fmt: skip
        found[f"split {options}"] = lambda v=options: data.split(**v)
    for options in ({"n_bins": 0}, {"n_bins": 2.5}, {"n_bins": "a"}, {"normalise": "most"}):
        found[f"TactileImage {options}"] = lambda v=options: nt.events.TactileImage(**v)
    return found


#: Command lines; FILE is a model's, X and Y samples' and labels', NET a saved network's folder.
COMMANDS = (
    "run NET --x X --y Y --engine cuda", "run NET --x X --y Y --steps 0", "run NET --x X",
    "run NET --x X --y Y --steps 2.5", "run NET --x X --y Y --samples 0", "run NET --y Y",
    "run NET --x X --y Y --steps inf", "run NET --x none.npy --y Y", "run NET --x X --y none.npy",
    "run NET --x X --y X", "run NET --task nothing", "run nowhere", "run n[/x]", "run FILE",
    "run NET --x X --y Y --scale a", "run NET --x X --y Y --scale nan",
    "run NET --x X --y Y --scale 0", "run NET --x X --y Y --scale 1/0",
    "run NET --x X --y Y --target cloud", "run NET --x X --y Y --least-agreement 2",
    "run NET --x X --y Y --seed a", "run NET --x X --y Y --split valid --task eskin",
    "run NET --x X --y Y --on-host nothing --engine loihi", "run NET --x X --y Y --seed -1",
    "convert FILE --out OUT", "convert none.keras --x X --out OUT",
    "convert FILE --x none --out OUT",
    "convert FILE --x X --out OUT --neuron cuba", "convert FILE --x X --out OUT --steps 0",
    "convert FILE --x X --out OUT --steps 1e9", "convert FILE --x X --out OUT --neuron",
    "convert FILE --x X --out OUT --percentile 200 --neuron if", "convert NET --x X --out OUT",
    "convert FILE --x X --task eskin --out OUT", "convert FILE --x X --y X --out OUT",
    "convert FILE --x X --out FILE", "convert X --x X --out OUT", "check", "check none.h5",
    "check NET", "check X", "check FILE --x none.npy", "check FILE --scale a", "report nowhere",
    "report NET", "report X", "sweep NET --grid none.json --x X --y Y",
    "sweep NET --grid X --x X --y Y",
    "train 10x10 --out OUT/a.keras", "train 10x10-10o --out OUT/a.txt",
    "train 10x10-10o --out OUT/a.keras --epochs 0", "train 10x10-10o --out OUT/a.h5 --task none",
    "train 10x10-10o --out OUT/a.keras --recipe none", "train nothing --out OUT/a.keras",
    "train 10x10-10o --out OUT/a.keras --levels 0", "data nothing", "data n[/x]", "data X",
    "data eskin --split valid", "demo --task nothing", "demo --seed a", "model nothing",
    "model eskin-cnn --samples 0", "reproduce nothing", "reproduce sigma-delta --jobs 0",
    "nothing", "doctor --none", "doctor nowhere", "run", "convert", "--none",
    "run NET --x X --y Y --verify 0", "run NET --x X --y Y --engine loihi --verify -1",
    "run NET --x X --y Y --engine event --verify 2", "run NET --x X --y Y --rasters -1",
    "run NET --x X --y Y --engine loihi --verify 2.5", "run NET --x X --y Y --margin a",
    "run NET --x X --y Y --engine loihi --margin 1", "run NET --x X --y Y --margin nan",
    "train 10x10-10o --out OUT/a.keras --threads 0", "run NET --task nowhere --samples 3",
    "train 10x10-10o --out OUT/a.keras --threads a", "train 10x10-10o --out OUT/a.keras --task X",
    "train 10x10-10o --out OUT/a.keras --recordings X", "doctor n[/x]", "doctor X --quick a",
    "play nowhere", "play NET --port 0 --no-browser", "play eskin-cnn --port 70000",
    "play eskin-cnn --port -1", "play eskin-cnn --port a", "play eskin-cnn --noise nan",
    "play eskin-cnn --noise -1", "play eskin-cnn --noise a", "play eskin-cnn --dead 2",
    "play eskin-cnn --engine cuda --port 0 --no-browser",
    "play ev-objects-dense --port 0 --no-browser",
    "play eskin-cnn --engine nengo-dl --port 0 --no-browser", "play n[/x]", "play X",
    "export NET", "export NET --nir OUT/a.nir --profile none", "export nowhere --nir OUT/a.nir",
    "export NET --nir OUT/a.txt", "export FILE --nir OUT/a.nir", "export NET --nir .",
    "export NET --nir OUT/a.nir --accept nothing", "export NET --nir OUT/a.nir --x none.npy",
    "export NET --nir OUT/a.nir --x FILE", "export nmnist-skim-2000 --nir OUT/a.nir",
    "import none.nir --out OUT", "import X --out OUT", "import NIR", "import FILE --out OUT",
    "import NIR --out OUT --dt 0", "import NIR --out OUT --dt nan", "import NIR --out OUT --dt a",
    "import NIR --out OUT --steps 0", "import NIR --out OUT --reset none", "import . --out OUT",
    "import NIR --out OUT --profile none", "import NIR --out X", "import n[/x] --out OUT",
    "sweep NET --grid X --x X --y Y --threads 0", "sweep NET --grid X --x X --y Y --jobs 0",
    "reproduce st-mnist --threads 0", "reproduce few-steps --none", "reproduce skim --sets none",
    "reproduce spikemax --sets nothing", "reproduce spiking-resnet --steps 0", "data . ",
    "convert FILE --x X --out OUT --minimise beauty --max-loss 1 --y Y",
    "convert FILE --x X --out OUT --max-loss -1", "convert FILE --x X --out OUT --max-loss nan",
    "check NET --steps 0", "check NET --x X --y X", "check NET --samples 0", "check nowhere",
)  # fmt: skip
