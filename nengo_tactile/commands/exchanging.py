"""Networks to and from other simulators, on the command line."""

import dataclasses

from nengo_tactile.commands.samples import Files
from nengo_tactile.errors import ConversionError
from nengo_tactile.exchange import from_nir, from_onnx, losses_text, nir_losses, to_nir
from nengo_tactile.files import path_of
from nengo_tactile.saved import load, shipped_models

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


def import_network(
    file, out, profile=None, dt=None, n_steps=None, reset=None, seconds=None, say=print
):
    """Read a NIR graph and save the network, or an ONNX model as a Keras file.

    See `nengo_tactile.from_nir` and `nengo_tactile.from_onnx`, which has ``seconds`` alone.
    """
    if path_of(file).suffix.lower() == ".onnx":
        given = [each for each in (profile, dt, n_steps, reset) if each is not None]
        if given:
            raise ConversionError(
                f"{file}: --profile, --dt, --steps and --reset are of NIR: leave {given[0]} out"
            )
        say(f"wrote {from_onnx(file, out, seconds)}: nengo-tactile convert takes it")
        return
    if seconds is not None:
        raise ConversionError(f"{file}: --seconds is of ONNX: leave {seconds} out")
    network = from_nir(file, profile, dt, n_steps, reset=reset)
    network.save(out)
    say(f"wrote {out}: {network}")


def is_saved(source):
    """Whether a path or name is a saved network's."""
    return source in shipped_models() or (path_of(source) / "network.json").is_file()


def nir_table(name):
    """What a saved network would lose in each simulator that reads NIR.

    Parameters
    ----------
    name : path or str
        Its folder, or a shipped one's name.

    Returns
    -------
    found : dict
        By profile; for JSON.
    table : rich.table.Table
    """
    from rich.table import Table

    network = load(name)
    graph = getattr(network, "graph", None)
    if graph is None:
        raise ConversionError(
            f"{name}: a {type(network).__name__} has kernels of its own for each neuron, which NIR "
            "has not: convert a Keras model, or train one with nt.slayer"
        )
    losses = nir_losses(graph, network.dt)
    table = Table("profile", "what its reader would do otherwise", title=str(name))
    for profile, found in losses.items():
        table.add_row(profile, losses_text(found))
    plain = {
        profile: found if isinstance(found, str) else [dataclasses.asdict(each) for each in found]
        for profile, found in losses.items()
    }
    return plain, table
