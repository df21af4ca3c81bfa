"""Networks to and from other simulators, on the command line."""

from nengo_tactile.commands.samples import Files
from nengo_tactile.exchange import from_nir, to_nir
from nengo_tactile.saved import load

#: Samples whose spikes stand beside a graph, at most.
N_GOLDEN = 32


def export_network(name, nir, profile, accept=(), x=None, say=print):
    """Write a saved network as NIR: see `nengo_tactile.to_nir`.

    Parameters
    ----------
    name : path or str
        Its folder, or a shipped one's name.
    nir : path
    profile : str
    accept : collection of str
    x : str, optional
        File of samples, of which golden spikes are written.
    say : callable
    """
    network = load(name)
    samples = None
    if x is not None:
        samples = Files(x).read(network.input_shape)[0][:N_GOLDEN]
    for loss in to_nir(network, nir, profile, accept, samples):
        say(f"{loss.name}: {loss.what}; " + (f"set {loss.setting}" if loss.setting else "accepted"))
    say(f"wrote {nir} and its card")


def import_network(file, out, profile=None, dt=None, n_steps=None, reset=None, say=print):
    """Read a NIR graph and save the network: see `nengo_tactile.from_nir`."""
    network = from_nir(file, profile, dt, n_steps, reset=reset)
    network.save(out)
    say(f"wrote {out}: {network}")
