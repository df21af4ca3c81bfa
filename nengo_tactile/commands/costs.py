"""What a run cost, in words and tables: spikes, operations, energy, and the ANN beside."""

from nengo_tactile.analysis import ANN_NOTE, DEVICES, ENERGY_NOTE, joules_text
from nengo_tactile.analysis.neurobench import PUBLISHED_RATE
from nengo_tactile.report import Note, Table

_NO_CHIP = (
    "Published energies per operation times counted operations: nothing ran on a chip, and memory, "
    "which takes most, is left out."
)


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


def passed_on(numbers):
    """What a count of operations holds that no spike caused, a sentence; "" where there is none."""
    count = numbers["passed_on_synops"]
    if not count:
        return ""
    return (
        f"{count:,.0f} of the synaptic operations are of layers without neurons, which send what "
        "they have added up on, one value a step."
    )


def ann_beside(numbers):
    """What the ANN computes for a sample, a sentence; "" of networks that stand for none."""
    count = numbers["ann_multiplications"]
    if count is None:
        return ""
    return f"The ANN takes {count:,} multiplications a sample, one for each weight that it meets."


def energy_rows(numbers):
    """Energies of a run, one dict a row: of one on the chip, and of arithmetic alone."""
    rows = _on_loihi(numbers) if "chip_joules_rough" in numbers else []
    return [
        {
            "energy of a sample": what,
            "operations": None if operations is None else round(operations),
            "energy": joules_text(joules),
            "source": source,
        }
        for what, operations, joules, source in rows + _arithmetic(numbers)
    ]


def _on_loihi(numbers):
    loihi = DEVICES["loihi"]
    count, synops = numbers["ann_multiplications"], numbers["chip_synops"]
    updates = numbers["chip_neuron_updates"]
    return [
        ("Loihi, synaptic operations", synops, synops * loihi.joules_per_synop, ""),
        ("Loihi, neuron updates", updates, updates * loihi.joules_per_neuron_update, ""),
        ("Loihi, both", None, numbers["chip_joules_rough"], f"rough: {loihi.source}"),
        *(
            (f"the ANN, {name}", count, joules, DEVICES[name].source)
            for name, joules in numbers["ann_joules_rough"].items()
        ),
    ]


def _arithmetic(numbers):
    """Arithmetic alone, of what spikes and of a quantised network of equal bits."""
    beside = numbers.get("beside_quantised")
    if beside is None:
        return []
    done, source = numbers["neurobench"]["synaptic_operations"], DEVICES["arithmetic"].source
    operations = done["Effective_ACs"] + done["Effective_MACs"]
    source = f"{source.split(',')[0]}: 0.2 pJ a product of 8 bits, 0.1 pJ a sum of 32; no memory"
    rows = [("spikes, arithmetic in integers", operations, beside["spiking_joules_rough"], source)]
    if "quantised_joules_rough" in beside:
        what = f"a quantised network of equal bits ({beside['bits']}), arithmetic"
        count = numbers["ann_multiplications"]
        rows.append((what, count, beside["quantised_joules_rough"], source))
    return rows


def standing(numbers):
    """Where a network stands beside a quantised one, a sentence; "" where it was not measured."""
    beside = numbers.get("beside_quantised")
    if beside is None:
        return ""
    rate, even = beside["spikes_per_neuron_and_step"], beside.get("break_even")
    told = f"{rate:.2%} of the neurons fire in a step."
    if even is not None:
        saves = "less" if rate < even else "more"
        told += (
            f" In arithmetic alone that is {saves} than a quantised network of equal bits "
            f"({beside['bits']} for {numbers['n_steps']} steps) takes; both take the same at "
            f"{even:.2%}."
        )
    return told + (
        " With memory and data movement counted, spikes were found to save only below about "
        f"{PUBLISHED_RATE:.1%} at 5 steps (Yan et al. 2026, arXiv:2409.08290)."
    )


def neurobench_rows(numbers):
    """NeuroBench's metrics in words, {name: value}; none where they were not measured."""
    found = numbers.get("neurobench")
    if found is None:
        return {}
    done = found["synaptic_operations"]
    return {
        "NeuroBench: footprint": f"{found['footprint']:,} bytes",
        "NeuroBench: connection sparsity": f"{found['connection_sparsity']:.4f}",
        "NeuroBench: activation sparsity": f"{found['activation_sparsity']:.4f}",
        "NeuroBench: synaptic operations": f"{done['Effective_MACs']:,.0f} effective MACs, "
        f"{done['Effective_ACs']:,.0f} effective ACs, {done['Dense']:,.0f} dense",
        "beside a quantised network": standing(numbers),
    }


def neurobench_items(numbers):
    """The same as items of a report's section."""
    rows = neurobench_rows(numbers)
    if not rows:
        return []
    told = rows.pop("beside a quantised network")
    rows = [{"metric": name.split(": ")[1], "value": value} for name, value in rows.items()]
    note = "Weights, biases and states in 32 bits; operations a sample, without poolings."
    return [Table(["metric", "value"], rows, f"NeuroBench's metrics. {note}"), Note(told)]


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
    notes = [ENERGY_NOTE] if "chip_joules_rough" in numbers else [_NO_CHIP]
    notes += [ANN_NOTE] if numbers.get("ann_joules_rough") else []
    return [Table(list(rows[0]), rows, "Energy, a rough estimate."), Note(" ".join(notes))]
