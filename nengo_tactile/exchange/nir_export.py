"""Networks written as NIR for another simulator, with what it would do otherwise, and a card."""

import dataclasses
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from nengo_tactile import files
from nengo_tactile.arguments import names
from nengo_tactile.engines import run
from nengo_tactile.errors import ConversionError
from nengo_tactile.exchange import nir_files
from nengo_tactile.exchange.nir_maps import order_of
from nengo_tactile.exchange.nir_out import names_of, nir_of
from nengo_tactile.exchange.profiles import PROFILES, Profile, profile_named
from nengo_tactile.files import path_of
from nengo_tactile.networks.protocol import Network, check_network
from nengo_tactile.networks.stages import Graph

#: Names of what may be lost.
LOSSES = ("start", "reset", "spikes", "floor")


@dataclasses.dataclass(frozen=True)
class Loss:
    """What a simulator does otherwise.

    Attributes
    ----------
    name : str
    what : str
    setting : str
        What to set there so that it does the same; "" where nothing can be set.
    """

    name: str
    what: str
    setting: str = ""


def losses(graph: Graph, profile: Profile) -> list[Loss]:
    """What a network would lose in a simulator, as far as NIR can write it at all.

    Parameters
    ----------
    graph : Graph
    profile : Profile
    """
    found = {}
    for stage in graph:
        if not stage.fires:
            continue
        neuron = stage.neuron
        if stage.start.any():
            found["start"] = "neurons begin at zero, and here at potentials of their own"
        reset = getattr(neuron, "reset", profile.reset)
        if reset != profile.reset:
            found["reset"] = f"a spike resets by {profile.reset!r}, and here by {reset!r}"
        if getattr(neuron, "spikes_per_step", 1) < profile.spikes_per_step:
            found["spikes"] = "a neuron may send several spikes in a step, and here one"
        leaks = getattr(neuron, "leaks", False)
        floor = getattr(neuron, "floor", -math.inf) / getattr(neuron, "threshold", 1.0)
        theirs = -math.inf if leaks else profile.floor
        if not math.isclose(floor, theirs, rel_tol=1e-6):
            found["floor"] = f"potentials go down to {theirs:g} thresholds, and here to {floor:g}"
    settings = {name: profile.settings.get(name, "") for name in found}
    return [Loss(name, what, settings[name]) for name, what in found.items()]


def nir_losses(graph: Graph, dt: float = 0.001) -> dict[str, list[Loss] | str]:
    """What a network would lose in each simulator, or why it cannot be written for it.

    Parameters
    ----------
    graph : Graph
        ``network.graph``.
    dt : float
        Seconds of a step.

    Returns
    -------
    dict of str to list of Loss or str
        By profile; a text is why `to_nir` refuses, with the remedy.
    """
    found: dict[str, list[Loss] | str] = {}
    for name, profile in PROFILES.items():
        try:
            nir_of(graph, profile, dt)
            found[name] = losses(graph, profile)
        except ConversionError as error:
            found[name] = str(error)
    return found


def losses_text(found: list[Loss] | str) -> str:
    """The losses of one profile in words.

    Parameters
    ----------
    found : list of Loss or str
        Of `nir_losses`.
    """
    if isinstance(found, str):
        return f"refused: {found}"
    told = [
        f"{loss.what} ({loss.name}: " + (f"set {loss.setting})" if loss.setting else "to accept)")
        for loss in found
    ]
    return "; ".join(told) or "nothing is lost"


def to_nir(
    network: Network,
    file: str | Path,
    profile: str = "portable",
    accept: Collection[str] = (),
    x: Any = None,
    n_steps: int | None = None,
) -> list[Loss]:
    """Write a network as NIR for another simulator, and a card beside it.

    Parameters
    ----------
    network : SpikingNetwork, SlayerNetwork or SteppedNetwork
        Of integrate-and-fire or current-based neurons.
    file : path
        ``net.nir``; the card is ``net.md``, golden spikes are ``net.npz``.
    profile : {"portable", "sinabs", "norse", "snntorch", "spikingjelly"}
        Who shall read it: see `nengo_tactile.exchange.PROFILES`.
    accept : collection of str
        Losses that may be, by name, where the simulator cannot be set to do as the network does.
    x : samples, optional
        Some of which golden spikes are written, as `nengo_tactile.run` takes them: spikes of each
        neuron and of each layer and step, for whoever loads the graph to compare with.
    n_steps : int, optional
        Of these; by default the network's.

    Returns
    -------
    list of Loss
        What the simulator does otherwise, with what to set there.

    Raises
    ------
    ConversionError
        For what NIR or the simulator has not, and for losses that are not accepted.
    """
    check_network(network)
    accept = [accept] if isinstance(accept, str) else accept
    accept = set(names("accept", accept, ConversionError))
    kind, graph = profile_named(profile), getattr(network, "graph", None)
    if graph is None:
        raise ConversionError(
            f"a {type(network).__name__} has kernels of its own for each neuron, which NIR has "
            "not: convert a Keras model, or train one with nt.slayer"
        )
    if graph.stages[0].links[0].low_pass is None and getattr(network, "synapse", None):
        raise ConversionError(
            f"the network has a synapse of {network.synapse} s, which NIR has not: convert with "  # type: ignore[attr-defined]
            "synapse=None"
        )
    if not accept <= set(LOSSES):
        raise ConversionError(
            f"accept names {', '.join(sorted(map(str, accept - set(LOSSES))))}: a loss is one of "
            f"{', '.join(LOSSES)}"
        )
    nir = nir_of(graph, kind, network.dt)
    lost = losses(graph, kind)
    left = [loss for loss in lost if not loss.setting and loss.name not in accept]
    if left:
        raise ConversionError(
            f"{kind.version} would not do as the network does: "
            + "; ".join(f"{loss.what} ({loss.name})" for loss in left)
            + f": give accept={[loss.name for loss in left]!r}, or another profile"
        )
    told = _told(network, graph, kind)
    path = path_of(file)
    nir_files.write(dataclasses.replace(nir, metadata=told), path)
    golden = {} if x is None else _golden(network, graph, x, n_steps)
    if golden:
        files.write_npz(path.with_suffix(".npz"), golden)
    with files.atomic_write(path.with_suffix(".md")) as card:
        card.write(_card(path, network, kind, nir, lost, golden))
    return lost


def _told(network, graph, profile):
    """What a graph of NIR has no words for, for `from_nir`."""
    fires, names = [stage for stage in graph if stage.fires], names_of(graph)
    told = {
        "profile": profile.name,
        "dt": network.dt,
        "n_steps": network.n_steps,
        "classes": list(network.classes),
        "start": {},
    }
    for stage in fires:
        told |= {"reset": stage.neuron.reset, "spikes_per_step": stage.neuron.spikes_per_step}
        floor = stage.neuron.floor / stage.neuron.threshold
        told["floor"] = floor if math.isfinite(floor) else None
        if stage.start.any():
            start = stage.start[np.argsort(_order(stage))]
            same = (start == start[0]).all()
            told["start"][names[stage.name]] = start[:1].tolist() if same else start.tolist()
    return told


def _order(stage):
    """NIR's number of each neuron of a stage."""
    return order_of((stage.shape[-1], *stage.shape[:-1]))


def _golden(network, graph, x, n_steps):
    """Spikes of some samples, neurons in NIR's order."""
    recording = run(network, x, n_steps, engine="event", progress=False)
    # images that are shown at each step, or what arrives at each
    inputs = np.asarray(x[:], np.float32)
    inputs = np.moveaxis(inputs, -1, inputs.ndim - len(graph.input_shape))
    arrays = {"x": inputs, "outputs": recording.outputs, "dt": np.array(network.dt)}
    for stage in graph:
        if stage.fires:
            name = names_of(graph)[stage.name]
            counts = recording.spike_counts[stage.name]
            arrays[f"{name}/counts"] = counts[:, np.argsort(_order(stage))]
            arrays[f"{name}/over_time"] = recording.spikes_over_time[stage.name]
    return arrays


def _card(path, network, profile, nir, lost, golden):
    kinds = ", ".join(sorted({node.kind for node in nir.nodes.values()}))
    unit = profile.dt if profile.fixed_dt else network.dt
    arriving = "spikes step by step"
    if network.coding is None:
        arriving = "the sample itself at each step"
    lines = [
        f"# {path.name}",
        "",
        f"{network}, written for {profile.version} (profile `{profile.name}`).",
        "",
        f"- Input: {arriving}, channels first, {network.n_steps} steps of {network.dt:g} s.",
        f"- Output: {network.decision}",
        f"- Time constants are at steps of {unit:g} s.",
        f"- Nodes: {kinds}.",
        "",
        "## What it does otherwise",
        "",
    ]
    for loss in lost:
        remedy = f": set there `{loss.setting}`" if loss.setting else ": accepted as a loss"
        lines.append(f"- {loss.name}: {loss.what}{remedy}.")
    if not lost:
        lines.append("Nothing that is known.")
    if golden:
        lines += [
            "",
            "## Golden spikes",
            "",
            f"`{path.with_suffix('.npz').name}` has {len(golden['x'])} samples (`x`), the outputs "
            "after each step, and of each layer the spikes of each neuron (`LAYER/counts`, in "
            "NIR's order) and of each step (`LAYER/over_time`).",
        ]
    return "\n".join([*lines, "", "Read it again with `nengo_tactile.from_nir`.", ""])


__all__ = ["Loss", "losses", "to_nir"]
