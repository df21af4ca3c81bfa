"""Running trained SKIM networks in Nengo and NengoDL, minibatch by minibatch."""

import nengo

from nengo_tactile import stack
from nengo_tactile.engines.recording import Recording
from nengo_tactile.engines.skim_events import recorded
from nengo_tactile.skim import network as skim_network


@stack.guest()
def run(
    network, patterns, n_steps=None, engine="nengo-dl", batch_size=16, progress=None, rasters=0
):
    """Show each pattern to a SKIM network, from rest.

    Parameters
    ----------
    network : SkimNetwork
    patterns : sequence of (n_steps, n_channels) float array, such as SpikeSamples
        See ``network.encode``.
    n_steps : int, optional
        A pattern's steps; there is no other choice.
    engine : {"nengo", "nengo-dl"}
    batch_size : int
        Samples side by side in NengoDL.
    progress : bool, optional
    rasters : int
        Samples of which all spikes are kept: see `Recording.rasters`.

    Returns
    -------
    Recording
        Its decisions are those of the network's output determination, at the last step those of
        ``network.predict``. Layers are "input", the events, each of which drives all hidden
        neurons, and with LIF neurons "hidden", whose spikes drive all outputs. What happens at a
        step is due to all that arrived until then: the lag of the Nengo network is taken out.

    Raises
    ------
    EngineError
        If another number of steps is wanted.
    DataError
        If a pattern does not fit, or there is none.
    """
    network.steps(n_steps)
    net = network.build()
    with net:
        fired = nengo.Probe(net.hidden.neurons) if network.layer.nonlinearity == "lif" else None
    parts, start = [], 0
    for data in skim_network.stream(net, patterns, engine, batch_size, progress):
        # kernels are one step late, and spikes are ones
        spikes = None if fired is None else data[fired][:, 1 : 1 + network.n_steps] > 0.5
        outputs = data[net.probe][:, net.lag :]
        batch = [patterns[number] for number in range(start, start + len(outputs))]
        kept = max(0, rasters - start)
        parts.append(recorded(network, engine, batch, outputs, spikes, kept))
        start += len(outputs)
    return Recording.concatenate(parts)
