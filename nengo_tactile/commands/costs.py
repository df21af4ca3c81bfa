"""What a run cost, in words and tables: spikes, operations, energy, and the ANN beside."""

from nengo_tactile.analysis import ANN_NOTE, DEVICES, ENERGY_NOTE, joules_text
from nengo_tactile.report import Note, Table


def relayed(numbers):
    """What a count of spikes holds that no neuron sent, a sentence; "" where there is none.

    Parameters
    ----------
    numbers : dict
        See `Measured.numbers`.
    """
    relays, layers = numbers["relays"], numbers["layers"]
    if not relays:
        return ""
    neurons = [row for row in layers if row["layer"] not in ("input", *relays)]
    messages = sum(row["spikes"] for row in layers if row["layer"] in relays)
    n_neurons, spikes = (sum(row[key] for row in neurons) for key in ("n_neurons", "spikes"))
    return (
        f"{messages:,.0f} of the spikes are messages of max pooling "
        f"({', '.join(relays)}), which has no neurons: {spikes / n_neurons:.3f} spikes "
        f"a neuron without them, {(spikes + messages) / n_neurons:.3f} with them."
    )


def ann_beside(numbers):
    """What the ANN computes for a sample, a sentence; "" of networks that stand for none."""
    count = numbers["ann_multiplications"]
    if count is None:
        return ""
    return f"The ANN takes {count:,} multiplications a sample, one for each weight that it meets."


def energy_rows(numbers):
    """Energies of a run on the chip, one dict a row; none of a run elsewhere."""
    if "chip_joules_rough" not in numbers:
        return []
    loihi = DEVICES["loihi"]
    count, synops = numbers["ann_multiplications"], numbers["chip_synops"]
    updates = numbers["chip_neuron_updates"]
    rows = [
        ("Loihi, synaptic operations", synops, synops * loihi.joules_per_synop, ""),
        ("Loihi, neuron updates", updates, updates * loihi.joules_per_neuron_update, ""),
        ("Loihi, both", None, numbers["chip_joules_rough"], f"rough: {loihi.source}"),
        *(
            (f"the ANN, {name}", count, joules, DEVICES[name].source)
            for name, joules in numbers["ann_joules_rough"].items()
        ),
    ]
    return [
        {
            "energy of a sample": what,
            "operations": None if operations is None else round(operations),
            "energy": joules_text(joules),
            "source": source,
        }
        for what, operations, joules, source in rows
    ]


def energy_line(numbers):
    """The same in a line, for cards."""
    ann = [f"{joules_text(value)} ({name})" for name, value in numbers["ann_joules_rough"].items()]
    chip = f"{joules_text(numbers['chip_joules_rough'])} on Loihi without the host's layers"
    return f"{chip}; the ANN: {', '.join(ann)}" if ann else chip


def energy_items(numbers):
    """The same as items of a report's section."""
    rows = energy_rows(numbers)
    if not rows:
        return []
    note = ENERGY_NOTE + (f" {ANN_NOTE}" if numbers["ann_joules_rough"] else "")
    return [Table(list(rows[0]), rows, "Energy, a rough estimate."), Note(note)]
