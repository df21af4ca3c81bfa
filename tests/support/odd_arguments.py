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
)  # fmt: skip
