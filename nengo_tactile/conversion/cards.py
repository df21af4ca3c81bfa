"""Model cards: what a network is, where it comes from, what was measured and how."""

import json


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
    lines = [f"# {name}", ""]
    card = network.card
    if "summary" in card:
        lines += [card["summary"], ""]
    lines += [
        "| | |",
        "| --- | --- |",
        f"| input | {' x '.join(map(str, network.input_shape))} |",
        f"| spiking layers | {', '.join(network.spiking_layers)} |",
        f"| classes | {len(network.classes)} ({', '.join(network.classes)}) |",
        f"| time steps | {network.n_steps} of {network.dt * 1000:g} ms |",
        f"| synapse | {_synapse(network.synapse)} |",
    ]
    if network.accumulates:
        neurons = [stage for stage in network.stages if stage.neuron is not None]
        told = ", ".join(f"{stage.name} {stage.neuron.threshold:.4g}" for stage in neurons)
        lines += [f"| arrives | {_coding(network.coding)} |", f"| thresholds | {told} |"]
    for key, value in card.items():
        if key != "summary" and not isinstance(value, dict | list):
            lines.append(f"| {key} | {_cell(value)} |")
    lines.append("")
    for key, value in card.items():
        if isinstance(value, dict):
            lines += [f"## {key}", "", "| | |", "| --- | --- |"]
            lines += [f"| {k} | {_cell(v)} |" for k, v in value.items()]
            lines.append("")
        elif isinstance(value, list):
            lines += [f"## {key}", "", *(f"- {_cell(item)}" for item in value), ""]
    lines += [
        "Load it with `nengo_tactile.load(" + json.dumps(name) + ")`.",
        "",
    ]
    return "\n".join(lines)


def _coding(coding):
    if coding.kind == "current":
        return f"as a current in equal parts in {coding.n_steps} steps"
    least = coding.silent_up_to * coding.largest
    return f"one spike per pixel above {least:g}, the bright ones first, in {coding.n_steps} steps"


def _synapse(seconds):
    return "none" if seconds is None else f"low-pass, {seconds * 1000:g} ms"


def _cell(value):
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)
