"""lava-dl's exchange files: equal to Lava's own spikes, currents and potentials; refusals."""

import dataclasses

import h5py
import nengo
import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import nengo_runs
from nengo_tactile.errors import ModelFileError, TactileError
from nengo_tactile.networks.neurons import Sum
from nengo_tactile.networks.stages import Graph

#: Layers of PilotNet whose spikes Lava wrote, and the steps that each lags there.
PILOT = {"layer3": ("conv-2", 3), "layer4": ("conv-3", 4), "layer5": ("conv-4", 5),
         "layer7": ("fc-0", 6), "layer8": ("fc-1", 7), "layer9": ("fc-2", 8)}  # fmt: skip
#: Steps until Lava resets the network.
UNTIL_RESET = 17


def test_pilot_nets_spikes_are_lavas(data_dir):
    folder = data_dir / "lava" / "pilotnet_lif"
    network = nt.from_lava(folder / "network.net")
    x = np.load(folder / "input.npy").transpose(3, 1, 0, 2)[None, :UNTIL_RESET]
    assert network.graph.stages[-1].neuron == Sum(0.0)  # its last layer never fires
    recording = nt.run(network, x.astype(np.float32), progress=False)
    for layer, (name, lag) in PILOT.items():
        found = np.load(folder / f"{name}.npy")
        steps = min(UNTIL_RESET, found.shape[-1] - lag)
        wanted = found.reshape(-1, found.shape[-1])[:, lag : lag + steps]
        over_time = recording.spikes_over_time[layer][0, :steps]
        np.testing.assert_array_equal(over_time, wanted.sum(axis=0), layer)
        if steps == UNTIL_RESET:  # of each neuron, in Lava's order of x, y, features
            counts = recording.spike_counts[layer][0]
            shape = next(stage.shape for stage in network.graph if stage.name == layer)
            own = counts.reshape(shape)
            own = own.transpose(1, 0, 2) if len(shape) == 3 else own
            np.testing.assert_array_equal(own.ravel(), wanted.sum(axis=1), layer)


def test_pilot_nets_currents_and_potentials_are_lavas(data_dir):
    """Of layer fc-1, from the spikes of fc-0; a neuron that fired shows 128 there."""
    folder = data_dir / "lava" / "pilotnet_lif"
    whole = nt.from_lava(folder / "network.net").graph
    x = np.load(folder / "fc-0.npy").T[6 : 6 + UNTIL_RESET]
    stage = next(stage for stage in whole if stage.name == "layer8")
    link = stage.links[0]
    alone = dataclasses.replace(stage, links=[dataclasses.replace(link, source="input")])
    part = Graph(x.shape[1:], [alone])
    layout = nt.events.SpikeLayout((100, 1, 1), 1000, UNTIL_RESET, shape=(100,))
    network = nt.SteppedNetwork(part, layout)
    net = network.net
    with net:
        probes = [nengo.Probe(net.neurons["layer8"], name) for name in ("current", "voltage")]
        spikes = nengo.Probe(net.neurons["layer8"])
    (data,) = nengo_runs.show(net, [x.reshape(1, len(x), -1).astype(float)], "nengo")
    u, v, fired = (data[each][0].T for each in (*probes, spikes))
    rows = slice(7, 7 + UNTIL_RESET)
    wanted_u, wanted_v = (np.load(folder / f"fc-1-{name}.npy")[:, rows] for name in "uv")
    bias = stage.bias[:, None]  # which arrives with the current here
    np.testing.assert_array_equal(u - bias, wanted_u)
    assert (wanted_u != 0).mean() > 0.5
    np.testing.assert_array_equal(np.where(fired > 0, 128, v), wanted_v)


@pytest.mark.parametrize("engine", ["event", "nengo", "nengo-dl"])
def test_tiny_nets_outputs_are_lavas(engine, data_dir):
    folder = data_dir / "lava" / "tiny"
    wanted = np.load(folder / "output.npy")[0, :, 0, 0].T[1:]
    with h5py.File(folder / "tiny.net") as file:
        weight, bias = (float(file[f"layer/0/{name}"][0]) for name in ("weight", "bias"))
    image = (np.load(folder / "input_bias.npy").transpose(1, 0, 2) - bias) / weight
    spikes = np.load(folder / "input.npy")[0].transpose(3, 1, 2, 0)[1:]
    for reads, x in {"image": np.repeat(image[None], 15, axis=0), "spikes": spikes}.items():
        network = nt.from_lava(folder / "tiny.net", reads)
        recording = nt.run(network, x[None].astype(np.float32), engine=engine, progress=False)
        np.testing.assert_array_equal(np.diff(recording.outputs[0], axis=0, prepend=0), wanted)
    assert wanted.any()


def written(path, **change):
    """A dense layer of current-based neurons with delays."""
    settings = {"type": "dense", "weight": np.arange(6.0).reshape(2, 3), "inFeatures": 3}
    neuron = {"type": "CUBA", "iDecay": 1024, "vDecay": 128, "vThMant": 10, "refDelay": 1}
    with h5py.File(path, "w") as file:
        layer = file.create_group("layer/0")
        for key, value in {**settings, "delay": np.array([0.0, 2.0]), **change}.items():
            if not key.startswith("neuron_"):
                layer[key] = value
        for key, value in neuron.items():
            layer[f"neuron/{key}"] = change.get(f"neuron_{key}", value)
    return path


def test_decays_and_delays_by_a_loop(tmp_path):
    network = nt.from_lava(written(tmp_path / "net.net"))
    x = np.float32(np.random.default_rng(0).random((1, 40, 3)) < 0.3)
    recording, sent = nt.run(network, x), np.zeros((40, 2), int)
    u = v = np.zeros(2, int)
    for t in range(40):
        u = np.sign(u) * (np.abs(u) * (4096 - 1024) // 4096)
        u = u + 64 * (np.arange(6).reshape(2, 3) @ x[0, t].astype(int))
        v = np.sign(v) * (np.abs(v) * (4096 - 128) // 4096) + u
        sent[t], v = v > 640, np.where(v > 640, 0, v)
    late = np.stack([np.r_[np.zeros(d, int), sent[: 40 - d, k]] for k, d in enumerate((0, 2))], 1)
    assert 5 < sent.sum() < 75
    np.testing.assert_array_equal(recording.outputs[0], late.cumsum(axis=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "concat"}, "layer 0 is of type 'concat': read are input, dense, conv"),
        ({"neuron_type": "SDNN"}, r"layer 0 \(dense\): its neurons are SDNN"),
        ({"neuron_refDelay": 3}, "its neurons rest for 3 steps"),
        ({"bias": np.ones(2)}, "biases and a current that decays"),
        ({"bias": np.ones(5), "neuron_iDecay": 4096}, "its bias has 5 values for 2 features"),
        ({"inFeatures": 4}, r"its weight has shape \(2, 3\), 4 values arrive"),
    ],
)
def test_what_is_refused(change, message, tmp_path):
    with pytest.raises(ModelFileError, match=message):
        nt.from_lava(written(tmp_path / "net.net", **change))


def test_files_that_are_no_networks(tmp_path):
    with h5py.File(tmp_path / "net.net", "w") as file:
        file["other"] = 1
    with pytest.raises(ModelFileError, match="holds no layers of lava-dl"):
        nt.from_lava(tmp_path / "net.net")
    with pytest.raises(TactileError, match="reads is 'events': choose"):
        nt.from_lava(tmp_path / "net.net", "events")


def test_oxford_fires_where_slayer_did(data_dir):
    """Its reference is SLAYER's own output, two layers late, of input at times that are rounded.

    Of which times it was made is not known for certain: the spikes are its, but for some.
    """
    folder, n_steps = data_dir / "lava" / "oxford", 1890
    network = nt.from_lava(folder / "network.net", n_steps=n_steps)
    x, wanted = np.zeros((2, n_steps, 200), np.float32)
    events = np.load(folder / "input.npy")
    x[np.rint(events[:, 2]).astype(int), events[:, 0].astype(int)] = 1
    events = np.load(folder / "ground_truth.npy")
    wanted[events[:, 2].astype(int), events[:, 0].astype(int)] = 1
    fired = np.diff(nt.run(network, x[None], progress=False).outputs[0], axis=0, prepend=0)

    def together(lag):
        return (fired[: n_steps - lag] * wanted[lag:]).sum() / fired.sum()

    assert abs(fired.sum() / wanted.sum() - 1) < 0.06
    assert together(2) > 0.87
    assert max(together(lag) for lag in (0, 1, 3, 4)) < 0.05
