"""Model cards: what a network is, where it comes from, what was measured and how."""

from nengo_tactile.networks.folders import card_page


def card_text(name, network):
    """A model card as Markdown.

    Parameters
    ----------
    name : str
    network : SpikingNetwork
        Its ``card`` has free keys; dicts become tables, everything else a line.

    Returns
    -------
    str
    """
    rows = {
        "input": " x ".join(map(str, network.input_shape)),
        "spiking layers": ", ".join(network.spiking_layers),
        "classes": f"{len(network.classes)} ({', '.join(network.classes)})",
        "time steps": f"{network.n_steps} of {network.dt * 1000:g} ms",
        "synapse": _synapse(network.synapse),
    }
    if network.accumulates:
        neurons = [stage for stage in network.graph if stage.fires]
        rows["arrives"] = _coding(network.coding)
        rows["thresholds"] = ", ".join(f"{s.name} {s.neuron.threshold:.4g}" for s in neurons)
    return card_page(name, rows, network.card)


def _coding(coding):
    if coding.kind == "current":
        return f"as a current in equal parts in {coding.n_steps} steps"
    least = coding.silent_up_to * coding.largest
    return f"one spike per pixel above {least:g}, the bright ones first, in {coding.n_steps} steps"


def _synapse(seconds):
    return "none" if seconds is None else f"low-pass, {seconds * 1000:g} ms"
