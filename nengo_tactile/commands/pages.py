"""Pictures and tables of a spiking network's runs, for the HTML report."""

import numpy as np

from nengo_tactile.analysis import (
    accuracy_interval,
    confusion_matrix,
    largest_confusions,
    plots,
)
from nengo_tactile.commands import costs
from nengo_tactile.engines.placement import CORE_LIMITS
from nengo_tactile.report import Explorer, KeyNumber, Picture, Readings, Sample, Section, Table


def input_section(task, dataset, index):
    """Raster and tactile image of one recording (the paper's Figures 2 and 4)."""
    events = dataset.read_events(index)
    label = dataset.classes[int(dataset.targets[index])]
    width, height = task.image.sensor_size[:2]
    seconds = task.image.duration_us / 1e6
    last = events["t"].max() / 1e6 if len(events) else seconds
    times = np.linspace(0, min(seconds, last), 9)[2:]
    frames = plots.cumulative_frames(events, times, (width, height))
    return Section(
        "What the sensor sends",
        f"One recording of class {label}: {len(events):,} events of {width} x {height} taxels. "
        "Events aggregate to a tactile image, the network's input.",
        [
            Picture(
                plots.tactile_evolution(frames, times, transpose=task.image.upright),
                "Evolution of the normalised tactile image over time (paper, Figure 4, top).",
                f"Tactile images of a {label} growing over time",
            ),
            Picture(
                plots.event_raster(events, (width, height), seconds),
                "Events of every taxel over time: ON red, OFF black (paper, Figure 4, bottom).",
                "Raster of events by taxel address and time",
            ),
        ],
    )


def accuracy_number(label, accuracy, n, note=""):
    """A tile for an accuracy on n samples, its 95 % interval beneath."""
    low, high = accuracy_interval(accuracy, n)
    return KeyNumber(
        label, f"{accuracy:.1%}", f"{low:.1%} to {high:.1%} (95 %), {n:,} samples{note}"
    )


def accuracy_section(curves, ann_accuracy, n_samples, dt, decision, reference="CNN"):
    """Accuracy after every time step, for one or more engines.

    ``ann_accuracy`` and ``n_samples`` are numbers, or dicts of them where engines were shown
    different samples; ``decision`` is the network's.
    """
    figure = plots.accuracy_over_time(curves, ann_accuracy, n_samples, dt=dt, reference=reference)
    return Section(
        "Accuracy over time",
        f"If one stopped reading after each step. {decision}",
        [
            Picture(
                figure,
                "The marker is the latency: from there on the accuracy stays within one point "
                "of its final value, or within its 95 % interval (shaded) where that is wider.",
                "Accuracy of the spiking network rising over time steps",
                Readings.of(figure, curves),
            )
        ],
    )


def activity_section(recording, numbers):
    """Firing rates, spikes and synaptic operations of one run: see `Measured.numbers`."""
    layers = [
        {
            "layer": row["layer"],
            "neurons": row["n_neurons"],
            "mean rate (Hz)": row["mean_hz"],
            "99.9th percentile (Hz)": row["percentile_hz"],
            "silent": f"{row['silent_share']:.0%}",
            "saturated": f"{row['saturated_share']:.2%}",
            "spikes / sample": row["spikes"],
            "unit spikes / sample": row["unit_spikes"],
            "synops / sample": row["synops"],
        }
        for row in numbers["layers"]
    ]
    about = costs.relayed, costs.passed_on, costs.ann_beside
    beside = " ".join(filter(None, (each(numbers) for each in about)))
    return Section(
        "Activity and cost",
        f"Until the latency step ({numbers['latency_step']}) a sample takes "
        f"{numbers['spikes_to_latency']:,.0f} spikes, "
        f"{numbers['unit_spikes_to_latency']:,.0f} unit spikes, and "
        f"{numbers['synops_to_latency']:,.0f} synaptic operations; over all "
        f"{numbers['n_steps']} steps {numbers['spikes']:,.0f}, {numbers['unit_spikes']:,.0f} and "
        f"{numbers['synops']:,.0f}. {beside}".strip(),
        [
            Table(list(layers[0]), layers, "Per spiking layer, over the whole presentation."),
            Picture(
                plots.firing_rates(recording),
                "Firing rates per layer.",
                "Distribution of firing rates for each spiking layer",
            ),
            Picture(
                plots.spikes_and_synops(recording),
                "Spikes and synaptic operations per sample.",
                "Bars of spikes and synaptic operations for each layer",
            ),
            *costs.neurobench_items(numbers),
            # the chip's section has its own
            *([] if "chip_joules_rough" in numbers else costs.energy_items(numbers)),
        ],
    )


def explorer_sections(measured, classes, explored):
    """Samples to step through, right ones and wrong ones; none where there are no such classes.

    ``explored`` is None, or `nengo_tactile.commands.explored.Explored`.
    """
    recording, names = measured.recording, _class_names(classes)
    if explored is None or not len(explored.indices):
        return []
    winners, frames, outputs = recording.predictions(), explored.frames, recording.outputs
    if outputs.shape[-1] == 1:  # which class it is says its sign
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=-1)
    samples = [
        Sample(
            int(i),
            int(measured.labels[i]),
            winners[i],
            outputs[i],
            {name: counts[i] for name, counts in recording.spikes_over_time.items()},
            None if frames is None else frames[k] / 255,
        )
        for k, i in enumerate(explored.indices)
    ]
    return [
        Section(
            "Step by step",
            "Some samples that are read wrong in the end, and some that are read right. The true "
            "class is underlined.",
            [Explorer(names, samples, recording.dt)],
            scripted=True,
        )
    ]


def raster_sections(measured, classes):
    """Every spike of the samples that a run kept them of; none if it did not."""
    recording, labels = measured.recording, measured.labels
    n = max(map(len, recording.rasters.values()), default=0)
    if not n:
        return []
    texts = [f"Sample {i}" for i in range(n)]
    if not measured.targets.are_values and labels.ndim == 1:
        names = _class_names(classes)
        answers = recording.predictions()[:n, -1]
        texts = [
            f"{text}: {names[label]}, read as {names[answer]}"
            for text, label, answer in zip(texts, labels, answers)
        ]
    pictures = [
        Picture(
            plots.spike_raster(recording, i),
            f"{text}.",
            f"Raster of the spikes of each layer over time steps, sample {i}",
        )
        for i, text in enumerate(texts)
    ]
    return [
        Section(
            "When neurons spike",
            "A band for each layer, in it a row for each neuron, and a tick for each spike. Of "
            "large layers some neurons are shown, chosen at random.",
            pictures,
        )
    ]


def diagnosis_section(diagnosis):
    """Which layers cost accuracy, and why: see `nengo_tactile.conversion.diagnosis`."""
    rows = diagnosis.rows()
    return Section(
        "Which layers cost accuracy",
        f"{diagnosis.title[:1].upper()}{diagnosis.title[1:]}. Errors are of mean outputs, as root "
        "mean squares over samples and neurons in per cent of the activations': inherited from "
        "the layers before, clipped at the highest rate, rounded to whole spikes (with what "
        "corrections add), and uneven, of spikes at other times than constant currents give.",
        [
            Table(list(rows[0]), rows, "And the network's measure if one layer alone were exact."),
            Picture(
                plots.layer_errors(diagnosis),
                "Errors by their causes, and what exactness of each layer alone would win.",
                "Dots and bars of the errors of each layer of neurons",
            ),
        ],
    )


def curve_section(curves, ann, n_samples, dt, decision, reference, spread=None):
    """Accuracy, or with their ``spread`` the error of values, after every time step."""
    if spread is None:
        return accuracy_section(curves, ann, n_samples, dt, decision, reference)
    figure = plots.error_over_time(curves, ann, spread, dt, reference=reference)
    return Section(
        "Error over time",
        "Root mean square error in the output's units, if one stopped reading after each step. "
        f"{decision}",
        [
            Picture(
                figure,
                "The marker is the latency: from there on the error stays within a hundredth of "
                "the values' standard deviation of its final value.",
                "Error of the spiking network falling over time steps",
                Readings.of(figure, curves, percent=False),
            )
        ],
    )


def mistakes_sections(measured, classes):
    """What a network takes for something else: none for values, labels one by one."""
    targets = measured.targets
    if targets.are_values:
        return []
    if measured.recording.decisions is not None:
        return [confusion_section(measured, classes)]
    found, wanted = targets.read_out.answers(measured.recording.outputs[:, -1], targets.y)
    several = targets.read_out.is_multi_label and wanted.shape[1:] == targets.read_out.output_shape
    return [
        _labels_section(found, wanted, classes) if several else confusion_section(measured, classes)
    ]


def _labels_section(found, wanted, classes):
    """Right and wrong answers of each of several labels, the last axis."""
    found, wanted = (array.reshape(-1, array.shape[-1]) == 1 for array in (found, wanted))
    rows = [
        {
            "label": name,
            "there": int(wanted[:, i].sum()),
            "found": int((found & wanted)[:, i].sum()),
            "found where it is not": int((found & ~wanted)[:, i].sum()),
            "accuracy": f"{(found == wanted)[:, i].mean():.1%}",
        }
        for i, name in enumerate(classes)
    ]
    return Section(
        "Labels one by one", "", [Table(list(rows[0]), rows, f"Of {len(wanted):,} answers each.")]
    )


def confusion_section(measured, classes):
    """Confusion matrix after the last step, of all places of maps."""
    recording = measured.recording
    if recording.decisions is not None:
        predictions, labels = recording.decisions[:, -1], measured.labels
    else:
        found = recording.read_out.answers(recording.outputs[:, -1], measured.labels)
        predictions, labels = (array.ravel() for array in found)
    classes = _class_names(classes)
    matrix = confusion_matrix(labels, predictions, len(classes))
    pairs = [
        {
            "class": pair["true"],
            "read as": pair["read_as"],
            "samples": pair["count"],
            "share of class": f"{pair['share']:.1%}",
        }
        for pair in largest_confusions(matrix, list(classes))
    ]
    items = [
        Picture(
            plots.confusion(matrix, list(classes)),
            f"{len(measured.labels)} samples, {recording.engine}.",
            "Confusion matrix of true and predicted classes",
        )
    ]
    if pairs:
        items.append(Table(list(pairs[0]), pairs, "The most frequent confusions."))
    return Section("What it confuses", "", items)


def _class_names(classes):
    """Of what a network decides between; a single output tells two apart."""
    return ("0", "1") if len(classes) == 1 else classes


def chip_section(report, numbers):
    """Where the network lies on Loihi's cores, and what a run there took: `Measured.numbers`."""
    rows = [
        {
            "layer": row["layer"],
            "cores": row["cores"],
            "neurons": row["neurons"],
            "fullest synapse memory": f"{row['synapse_bits'] / CORE_LIMITS['synapse_bits']:.1%}",
            "8-bit weight error": f"{row['weight_error']:.2%}",
            "worst neuron's": f"{row['worst_weight_error']:.2%}",
        }
        for row in report.rows()
    ]
    host = ", ".join(report.on_host) or "none"
    return Section(
        "On the chip",
        f"Neuron cores: {len(report.cores)}, chips: {report.n_chips}, layers on the host: {host}. "
        "Only nengo-loihi's emulator was tried, not the chip itself.",
        [
            Table(list(rows[0]), rows, "Per layer on the chip."),
            Picture(
                plots.core_map(report.cores),
                "Use of each core against its limits: 1,024 compartments, 4,096 input and output "
                "axons, 1,048,576 synapse bits.",
                "Map of neuron cores with their utilisation",
            ),
            *costs.energy_items(numbers),
        ],
    )
