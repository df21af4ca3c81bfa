"""Each patch: without it the code fails on versions that need it, with it the code is right."""

import pytest

from nengo_tactile.stack.patches import PATCHES, numbers_in, version_of
from tests.support.fresh_process import done, run

pytestmark = pytest.mark.stack

NENGO_FIRST_FAILS = version_of("nengo") < (4, 0) and version_of("numpy") >= (2, 0)

ON_THE_CHIP = """
import nengo, nengo_loihi, numpy as np
with nengo.Network(seed=0) as net:
    source, target = nengo.Ensemble(8, 1), nengo.Ensemble(8, 1)
    nengo.Connection(source.neurons, target.neurons, transform=np.eye(8) / 100)
    probe = nengo.Probe(target.neurons)
with nengo_loihi.Simulator(net, progress_bar=False) as sim:
    sim.run_steps(40)
assert sim.data[probe].any()
"""
IN_NENGO = """
import nengo, numpy as np
filtered = nengo.Lowpass(0.01, default_dt=0.001).filt(np.ones((30, 1)), y0=0)
assert abs(filtered[-1] - (1 - np.exp(-30 / 10))) < 0.1
assert (nengo.LIF().rates(0.5, gain=[2.0], bias=[1.0]) > 0).all()
with nengo.Network(seed=0) as net:
    source = nengo.Ensemble(20, 1)
    nengo.Connection(nengo.Node(0.5), source, function=lambda x: x)
    probe = nengo.Probe(source, synapse=0.01)
with nengo.Simulator(net, progress_bar=False) as sim:
    sim.run_steps(100)
assert abs(sim.data[probe][-1] - 0.5) < 0.2
"""
EVENTS_FILE = """
import tempfile, numpy as np
from nengo_loihi.dvs import DVSEvents
events = [(0, 0, 1, 2), (1, 0, 3, 300), (1, 0, 179, 1000)]  # polarity, kind, row, time
with tempfile.TemporaryDirectory() as folder:
    written = DVSEvents()
    written.init_events(n_events=3)
    for name, values in zip(("p", "v", "y", "t"), np.transpose(events)):
        written.events[name] = values
    written.write_file(f"{folder}/some.events")
    read = DVSEvents()
    read.read_file(f"{folder}/some.events")
assert (read.events == written.events).all() and read.events["t"].tolist() == [2, 300, 1000]
"""
STATE_SPACE = """
import numpy as np
from nengo.utils.filter_design import ss2tf, tf2ss
numerator, denominator = ss2tf(*tf2ss([1.0], [0.01, 1.0]))
np.testing.assert_allclose(numerator.ravel()[-1] / denominator[-1], 1)
"""
LARGE_FILTER = """
import numpy as np, scipy.linalg
from nengo.utils.filter_design import cont2discrete
rng = np.random.default_rng(0)
for scale in (0.01, 0.3, 3):  # each takes another way through the matrix exponential
    a, b = scale * rng.normal(size=(210, 210)) / 15, rng.normal(size=(210, 1))
    found = cont2discrete((a, b, b.T, [[0.0]]), 1.0, method="zoh")[0]
    np.testing.assert_allclose(found, scipy.linalg.expm(a), atol=1e-9 * np.exp(scale * 5))
"""
STATES = """
import nengo, numpy as np
filtered = nengo.Alpha(0.01).filt(np.ones((200, 1)), dt=0.001)
assert abs(filtered[-1, 0] - 1) < 1e-3
"""
ONE_DIMENSION = """
import nengo, numpy as np
x = np.random.default_rng(0).random(30)
for synapse in (nengo.Lowpass(0.01), nengo.Alpha(0.01), nengo.synapses.Triangle(0.01)):
    wanted = synapse.filt(x[:, None], dt=0.001, y0=0.5)[:, 0]
    np.testing.assert_array_equal(synapse.filt(x, dt=0.001, axis=-1, y0=0.5), wanted)
    there_and_back = synapse.filtfilt(x[:, None])[:, 0]
    np.testing.assert_array_equal(synapse.filtfilt(x), there_and_back)
place = x.copy()
filtered = nengo.Lowpass(0.01).filt(place, copy=False)
assert np.array_equal(filtered, place) and not np.array_equal(place, x)
"""
CACHED = """
import pathlib, sys, tempfile, types, nengo, nengo.cache, nengo.utils.nco, numpy as np
with nengo.Network(seed=0) as net:
    source = nengo.Ensemble(10, 1)
    connection = nengo.Connection(source, nengo.Node(size_in=1))

def decoders():
    with nengo.Simulator(net, progress_bar=False) as sim:
        return sim.data[connection].weights

# decoders of which only a module that is gone could make an array
gone = types.ModuleType("gone")
class Array:
    pass
Array.__module__, Array.__qualname__, gone.Array = "gone", "Array", Array
with tempfile.TemporaryDirectory() as folder:
    nengo.rc.set("decoder_cache", "enabled", "True")
    nengo.rc.set("decoder_cache", "path", folder)
    write = nengo.utils.nco.write
    nengo.utils.nco.write = lambda file, info, array: write(file, {"by": Array()}, array)
    sys.modules["gone"] = gone
    wanted = decoders()
    del sys.modules["gone"]
    nengo.utils.nco.write = write
    assert any(path.suffix == ".nco" for path in pathlib.Path(folder).rglob("*"))
    np.testing.assert_array_equal(decoders(), wanted)
    np.testing.assert_array_equal(decoders(), wanted)  # from the cache
"""
LINEAR_FILTERS = """
import nengo, nengo_dl, numpy as np
filters = [
    nengo.LinearFilter([2.0], [1.0], analog=False),  # passthrough alone
    nengo.Lowpass(0.005),  # one state
    nengo.Alpha(0.005),  # two states
    nengo.LinearFilter([0.5, 1.0], [0.01, 1.0]),  # a state and a passthrough
]
with nengo.Network() as net:
    source = nengo.Node(lambda t: [np.sin(50 * t), t], size_out=2)
    probes = [nengo.Probe(source, synapse=synapse) for synapse in filters]
with nengo.Simulator(net, progress_bar=False) as wanted:
    wanted.run_steps(50)
with nengo_dl.Simulator(net, progress_bar=False) as found:
    found.run_steps(50)
for probe in probes:
    np.testing.assert_allclose(found.data[probe], wanted.data[probe], atol=1e-5)
"""
KERAS_3_MODEL = """
import keras, nengo_dl
inputs = keras.Input((3,))
model = keras.Model(inputs, keras.layers.Dense(2, activation="relu")(inputs))
assert nengo_dl.Converter(model, allow_fallback=False).verify(atol=1e-5)
"""
LOIHI_FIRST = """
import nengo_dl
assert nengo_loihi.compat.HAS_DL
assert issubclass(nengo_loihi.neurons.LoihiLIFBuilder, nengo_dl.neuron_builders.LIFBuilder)
"""
SEEDS = """
import nengo, numpy as np
from nengo_tactile import stack

def draws():
    np.random.seed(1)
    nengo.Simulator(net, progress_bar=False).close()
    return np.random.randint(1 << 30) != np.random.RandomState(1).randint(1 << 30)

for seed in (None, 1):
    with nengo.Network(seed=seed) as net:
        nengo.Ensemble(3, 1)
    assert draws()  # a user's own networks do as ever
    with stack.guest():
        assert not draws()
"""
TRACES = """
import logging, signal

def traces():
    loggers = logging.root.handlers[:], logging.getLogger("tensorflow").filters[:]
    return *loggers, signal.getsignal(signal.SIGWINCH)

before = traces()
import nengo, nengo_dl
with nengo.Network(seed=0) as net:
    nengo.Probe(nengo.Node(0.5))
with nengo_dl.Simulator(net, progress_bar=False) as sim:
    pass
assert traces() == before, (before, traces())
"""
CODE = dict(
    zip(
        PATCHES,
        [
            ("", ON_THE_CHIP),
            ("", IN_NENGO),
            ("", EVENTS_FILE),
            ("", STATE_SPACE),
            ("", LARGE_FILTER),
            ("", STATES),
            ("", ONE_DIMENSION),
            ("", CACHED),
            ("", LINEAR_FILTERS),
            ("", KERAS_3_MODEL),
            ("import nengo_loihi", LOIHI_FIRST),
            ("", SEEDS),
            ("", TRACES),
        ],
        strict=True,
    )
)
WITHOUT = """
import nengo_tactile.stack
from nengo_tactile.stack import imports
imports.PATCHES = [patch for patch in imports.PATCHES if patch.what != {what!r}]
"""


def test_patches_are_enough():
    """All at once, in one process; a module imported before in another."""
    for first in {before for before, _ in CODE.values()}:
        if first and NENGO_FIRST_FAILS:
            continue
        codes = [code for before, code in CODE.values() if before == first]
        done("\n".join([first, "import nengo_tactile", *codes]))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.what)
def test_patch_is_needed(patch):
    before, code = CODE[patch]
    if before and NENGO_FIRST_FAILS:
        pytest.skip("Nengo 3 cannot be imported before the stack with NumPy 2")
    failed = run(f"{before}\n{WITHOUT.format(what=patch.what)}\n{code}\nprint('done')")
    assert ("done" not in failed.stdout) == patch.is_needed(), failed.stderr
    assert not patch.is_needed() or "Traceback" in failed.stderr


@pytest.mark.parametrize("before", ["", "import nengo_extras.reqs"])
def test_nengo_loihi_finds_nengo_dl_when_it_looks(before):
    done(
        f"import nengo_tactile\n{before}\nimport nengo_loihi, nengo_extras\n"
        "assert nengo_loihi.compat.HAS_DL and nengo_loihi.neurons.HAS_DL\n"
        "assert nengo_extras.reqs.HAS_NENGO_DL"
    )


def test_patches_are_told():
    assert all(patch.what and patch.why and patch.modules for patch in PATCHES)


def test_versions_are_numbers():
    assert numbers_in("2.21.0rc1") == (2, 21)
    assert numbers_in("4") == (4, 0)
    assert version_of("no-such-distribution") == (0, 0)
    assert version_of("numpy") >= (1, 26)
