"""Networks of ours in other simulators, spike by spike: written here, read there.

    python tools/nir_exchange.py write OUT [--data-dir DIR]
    python tools/nir_exchange.py read OUT READER [--samples N]

``write`` runs where nengo_tactile is installed: an integrate-and-fire CNN for MNIST and a
current-based network trained on spikes, for each profile that takes them, with 1,000 samples and
their spikes. ``read`` runs where READER is (sinabs, norse, snntorch or spikingjelly, with torch,
nir and nirtorch) and needs no nengo_tactile: it loads the graphs, sets what the card says, and
compares spikes of every layer on the first 32 samples and the accuracy on all.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np

#: Samples whose spikes are compared.
N_COMPARED = 32


def write(out, data_dir):
    """Write both networks for all readers."""
    import nengo_tactile as nt

    out.mkdir(parents=True, exist_ok=True)
    for name, (network, x, y) in {"cnn": _cnn(data_dir), "slayer": _slayer()}.items():
        recording = nt.run(network, x)
        print(f"{name}: {network}\n  accuracy {recording.accuracy(y)[-1]:.4f} of {len(y)}")
        for profile in nt.exchange.PROFILES:
            file = out / f"{name}-{profile}.nir"
            try:
                lost = nt.to_nir(network, file, profile, ("start", "reset"), x=x)
            except nt.errors.TactileError as error:
                print(f"  {profile}: refused: {error}")
                continue
            told = dict(np.load(file.with_suffix(".npz")))
            np.savez_compressed(file.with_suffix(".npz"), **told, labels=y)
            print(f"  {profile}: {[loss.name for loss in lost] or 'nothing'} to be set")


def _cnn(data_dir):
    import nengo_tactile as nt
    from nengo_tactile.ann import training

    train, test = (nt.datasets.MNIST(data_dir, split=split) for split in ("train", "test"))
    x, y = (train.images[..., None] / np.float32(255))[:12_000], train.targets[:12_000]
    model = nt.ann.build("28x28-8c5s2-16c3s2-32-10o", seed=0)
    training.train(model, (x, y), training.Recipe(epochs=3))
    network = nt.convert(model, x[:512], nt.IF(), n_steps=32)
    return network, test.images[:1000, ..., None] / np.float32(255), test.targets[:1000]


def _slayer():
    import nengo_tactile as nt

    train = nt.datasets.ESkin(n_samples=1000, seed=0)
    test = nt.datasets.ESkin(split="test", n_samples=1000, seed=1)
    network = nt.slayer.fit(
        "10x10x2-64-10o", train, neuron=nt.slayer.CurrentBasedLIF(), max_delay=0,
        recipe=nt.slayer.Recipe(epochs=10), seed=0,
    )  # fmt: skip
    x, y = network.encode(test)
    return network, x[:], y


def read(out, reader, n_samples):
    """Compare a reader's spikes with ours."""
    import torch

    warnings.simplefilter("ignore")
    for file in sorted(out.glob(f"*-{reader}.nir")):
        golden, told = np.load(file.with_suffix(".npz")), _told(file)
        x = torch.from_numpy(golden["x"][:n_samples])
        n_steps = golden["outputs"].shape[1]
        # what is shown at each step: an image, or the spikes of that step
        still = golden["x"].ndim < 5 and "cnn" in file.name
        frames = [x if still else x[:, t] for t in range(n_steps)]
        layers = [name[: -len("/counts")] for name in golden.files if name.endswith("/counts")]
        with torch.no_grad():
            sent, outputs = READERS[reader](file, told, frames, layers)
        print(f"{file.name}: {len(x)} samples, {n_steps} steps")
        for layer in layers:
            found = np.stack([each.reshape(len(x), -1) for each in sent[layer]], axis=1)
            ours, theirs = golden[f"{layer}/counts"][:N_COMPARED], found.sum(axis=1)[:N_COMPARED]
            other = np.abs(ours - theirs).sum() / max(ours.sum(), 1)
            steps = golden[f"{layer}/over_time"][:N_COMPARED]
            early = np.abs(steps - found.sum(axis=2)[:N_COMPARED]).sum() / max(steps.sum(), 1)
            print(f"  {layer}: {other:.3%} of spikes by neuron, {early:.3%} by step")
        total = np.stack([each.reshape(len(x), -1) for each in outputs], axis=1)
        labels = golden["labels"][:n_samples]
        theirs = (total.sum(axis=1).argmax(1) == labels).mean()
        ours = (golden["outputs"][:n_samples, -1].argmax(1) == labels).mean()
        print(f"  accuracy {theirs:.4f}, ours {ours:.4f}")


def _told(file):
    import h5py

    with h5py.File(file) as stored:
        return json.loads(stored["node/metadata/nengo_tactile"][()])


def _starts(told, name, like):
    """Potentials at the start of a layer, in the shape of what arrives at it."""
    import torch

    start = torch.tensor(told["start"].get(name, [0.0]))
    return torch.zeros_like(like) + (start if len(start) == 1 else start.reshape(like.shape[1:]))


def _heard(model, layers):
    """What modules put out from now on, {layer: list of arrays}."""
    sent = {name: [] for name in layers}
    for name in layers:

        def hear(module, inputs, output, name=name):
            first = output[0] if isinstance(output, tuple) else output
            sent[name].append(first.detach().numpy().copy())

        model.get_submodule(name).register_forward_hook(hear)
    return sent


def _sinabs(file, told, frames, layers):
    import nir
    import sinabs.activation
    import sinabs.nir
    import torch

    batch = len(frames[0])
    model = sinabs.nir.from_nir(nir.read(file), batch_size=batch)
    for name in layers:
        layer = model.get_submodule(name)
        layer.spike_fn, layer.min_v_mem = sinabs.activation.SingleSpike, None

        def begin(module, inputs, name=name):
            (given,) = inputs
            like = given.reshape(batch, -1, *given.shape[1:])[:, 0]
            module.init_state_with_shape(like.shape)
            module.v_mem.data = _starts(told, name, like)

        layer.register_forward_pre_hook(begin)
    sent = _heard(model, layers)
    # all steps of a sample one after another
    outputs, *_ = model(torch.stack(frames, 1).flatten(0, 1))
    split = {name: parts[0].reshape(batch, len(frames), -1) for name, parts in sent.items()}
    steps = {name: [each[:, t] for t in range(len(frames))] for name, each in split.items()}
    outputs = outputs.reshape(batch, len(frames), -1).numpy()
    return steps, [outputs[:, t] for t in range(len(frames))]


def _norse(file, told, frames, layers):
    import nir
    import norse.torch
    from norse.torch.functional import reset
    from norse.torch.functional.iaf import IAFFeedForwardState
    from norse.torch.functional.lif_box import LIFBoxFeedForwardState

    kinds = {"subtract": reset.reset_subtract, "zero": reset.reset_value}
    model = norse.torch.from_nir(nir.read(file), dt=told["dt"], reset_method=kinds[told["reset"]])
    for name in layers:
        neurons = getattr(model.get_submodule(name), "lif", None)
        state = LIFBoxFeedForwardState if neurons is not None else IAFFeedForwardState
        neurons = model.get_submodule(name) if neurons is None else neurons
        neurons.state_fallback = lambda x, name=name, state=state: state(v=_starts(told, name, x))
    sent, state, outputs = _heard(model, layers), None, []
    for frame in frames:
        output, state = model(frame, state)
        outputs.append(output.numpy())
    return sent, outputs


def _snntorch(file, told, frames, layers):
    import nir
    import torch
    from snntorch.import_nir import import_from_nir

    model = import_from_nir(nir.read(file))
    for name in layers:
        layer = model.get_submodule(name)
        if told["reset"] == "subtract":
            layer.reset_mechanism, layer.state_function = "subtract", layer._base_sub
            # what is still above the threshold would be reset again, without a spike
            layer.mem_reset = torch.zeros_like

        def begin(module, inputs, name=name):
            if module.mem.shape != inputs[0].shape:
                module.mem = _starts(told, name, inputs[0])

        layer.register_forward_pre_hook(begin)
    sent, outputs = _heard(model, layers), []
    for frame in frames:
        output = model(frame)
        outputs.append((output[0] if isinstance(output, tuple) else output).numpy())
    return sent, outputs


def _spikingjelly(file, told, frames, layers):
    import nir
    from spikingjelly.activation_based.nir_exchange.from_nir import import_from_nir

    model = import_from_nir(nir.read(file), dt=told["dt"])
    for name in layers:
        neurons = model.get_submodule(name).module
        if told["reset"] == "subtract":
            neurons.v_reset = None
        if name in told["start"]:
            neurons.v = told["start"][name][0]
    sent, state, outputs = _heard(model, layers), None, []
    for frame in frames:
        output, state = model(frame, state)
        outputs.append(output.numpy())
    return sent, outputs


READERS = {
    "sinabs": _sinabs,
    "norse": _norse,
    "snntorch": _snntorch,
    "spikingjelly": _spikingjelly,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=["write", "read"])
    parser.add_argument("out", type=Path)
    parser.add_argument("reader", nargs="?", choices=list(READERS))
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--data-dir")
    chosen = parser.parse_args()
    if chosen.step == "write":
        write(chosen.out, chosen.data_dir)
    else:
        read(chosen.out, chosen.reader, chosen.samples)


if __name__ == "__main__":
    main()
