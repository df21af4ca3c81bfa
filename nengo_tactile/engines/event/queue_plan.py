"""A sigma-delta network as flat arrays, and the memory that running it takes."""

from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.columns import aligned
from nengo_tactile.engines.event.kernel import MAX_POOL, NEURONS, READ_OUT, RELAY
from nengo_tactile.engines.event.plan import check_delays, links_of
from nengo_tactile.engines.event.queue_kernel import LINK, STAGE, WAITING, Measured, Memory
from nengo_tactile.engines.event.queue_ways import TO_NEURONS, TO_SLOTS
from nengo_tactile.engines.event.rows import LANES
from nengo_tactile.engines.event.vectors import WORD
from nengo_tactile.networks.neurons import MaxPool, SigmaDelta, Sum

_KINDS = {SigmaDelta: NEURONS, MaxPool: MAX_POOL, Sum: RELAY}
#: Kind of the stage that stands for the input.
INPUT = READ_OUT + 1
#: Spikes that wait at once, for each neuron of the network.
WAITING_PER_NEURON = 32
#: Room in the queue of a small network.
SHORTEST_QUEUE = 2**12

#: Stages (the read-out last but one, then the input) and links; of all links: weights, pointers,
#: runs and shifts; links by their source; relays that stages reach, and other stages that they
#: reach; potentials at the start, with room for a vector behind them; synapses that each neuron
#: meets, and each unit of a relay; slot and window that each unit reaches of those that go into
#: slots alone (-1: none).
QueuePlan = namedtuple(
    "QueuePlan",
    "stages links weights pointers runs shifts outs relays reached start fan_out slots",
)


def queue_plan(network):
    """Lay a sigma-delta network out for `nengo_tactile.engines.event.queue_kernel`.

    Parameters
    ----------
    network : SpikingNetwork

    Returns
    -------
    QueuePlan
    """
    stages = network.graph.stages
    check_delays(stages)
    spans, shared = links_of(stages)
    links = np.zeros(len(shared.source), LINK)
    for name in LINK.names[1:]:
        links[name] = getattr(shared, name)
    for index, (first, last) in enumerate(spans):
        links["target"][first:last] = index
    sources = np.where(shared.source < 0, len(stages), shared.source)
    outs = np.argsort(sources, kind="stable")
    ends = np.searchsorted(sources[outs], np.arange(len(stages) + 2))
    relays, reached = _reach(stages, links["target"], sources)
    synapses = network.graph.fan_out()
    table = np.zeros(len(stages) + 1, STAGE)
    state, units, words = 0, 0, 0
    start, fan_out = [], []
    for index, (row, stage) in enumerate(zip(table, [*stages, None])):
        name, n = (
            ("input", len(synapses["input"])) if stage is None else (stage.name, stage.n_neurons)
        )
        row["kind"] = INPUT if stage is None else _kind(stage, stages)
        row["size"], row["row"] = n, -1
        row["state"], row["unit"], row["marks"] = state, units, words
        row["first_out"], row["last_out"] = ends[index], ends[index + 1]
        for column, lists in (("relay", relays), ("reached", reached)):
            row[f"first_{column}"] = sum(map(len, lists[:index]))
            row[f"last_{column}"] = row[f"first_{column}"] + len(lists[index])
        if row["kind"] != READ_OUT:
            row["row"] = 0 if stage is None else 1 + index
            fan_out.append(synapses[name])
            units += n
        if stage is not None:
            values = _state(stage, row)
            start.append(np.pad(values, (0, -len(values) % LANES)))
            state += len(start[-1])
            words += -(-n // WORD)
    slots = _set_ways(table, links, shared, outs, relays)
    return QueuePlan(
        table,
        links,
        shared.weights,
        shared.pointers,
        shared.runs,
        shared.shifts,
        outs,
        np.array([k for one in relays for k in one], np.int64),
        np.array([k for one in reached for k in one], np.int64),
        np.concatenate([*start, np.zeros(LANES)]),
        np.concatenate(fan_out).astype(np.int32),
        slots,
    )


def _set_ways(table, links, shared, outs, relays):
    """Set how the spikes of each stage go on; returns slots of max poolings."""
    found, n_slots = [], 0
    for index, row in enumerate(table):
        own = outs[row["first_out"] : row["last_out"]]
        if len(own) != 1 or relays[index]:
            continue
        link = links[own[0]]
        target = table[link["target"]]
        row["only"] = link["target"]
        n_pixels = -(-int(row["size"]) // int(link["channels"]))
        pointers = shared.pointers[link["pointer"] :][: n_pixels + 1]
        runs = shared.runs.reshape(-1, 3)[pointers[0] : pointers[-1]]
        if target["kind"] == NEURONS and _in_order(runs, pointers - pointers[0]):
            row["way"] = TO_NEURONS
        elif target["kind"] == MAX_POOL and link["channels"] == 1 and link["shift"] < 0:
            counts = np.diff(pointers)
            if counts.max() == 1:
                slots = np.full((len(counts), 2), -1, np.int32)
                slots[counts == 1] = runs[:, :2]
                row["way"], row["first_slot"] = TO_SLOTS, n_slots
                found.append(slots.ravel())
                n_slots += slots.size
    return np.concatenate([*found, np.zeros(0, np.int32)])


def _in_order(runs, pointers):
    """Whether each run of a pixel begins behind the one before."""
    begins, ends = runs[:, 0], runs[:, 0] + runs[:, 2]
    behind = begins[1:] >= ends[:-1]
    first = np.zeros(len(runs) + 1, bool)
    first[pointers] = True
    return (behind | first[1 : len(runs)]).all()


def _kind(stage, stages):
    return READ_OUT if stage is stages[-1] else _KINDS[type(stage.neuron)]


def _state(stage, row):
    """Potentials of a stage at the start; sets what its row says of them."""
    start = stage.start
    if row["kind"] == NEURONS:
        row["threshold"] = stage.neuron.threshold
        row["least"] = 0 if stage.neuron.rectify else np.iinfo(np.int32).min
    if row["kind"] == MAX_POOL:
        row["window"], row["tops"] = stage.neuron.window, row["state"] + stage.n_inputs
        start = np.concatenate([start, start.reshape(-1, stage.neuron.window).max(axis=1)])
    return start


def _reach(stages, targets, sources):
    """For each stage and the input: relays that its events reach, and the stages behind these."""
    relays, reached = [], []
    for index in range(len(stages) + 1):
        found, new = set(), {index}
        while new:
            new = {int(k) for k in targets[np.isin(sources, list(new))]} - found
            found |= new
            new = {k for k in new if _kind(stages[k], stages) == RELAY}
        relays.append(sorted(k for k in found if _kind(stages[k], stages) == RELAY))
        reached.append(sorted(found - set(relays[-1])))
    return relays, reached


def memory_of(plan):
    """What a thread needs for itself, for any number of steps and samples."""
    n, stages = len(plan.start), plan.stages
    n_rows = int(stages["row"].max()) + 1
    return Memory(
        potentials=aligned(np.zeros(n)),
        sent=aligned(np.zeros(n, np.int32)),
        drive=np.zeros(n),
        marks=np.zeros(int(stages["marks"][-1]) + 1, np.uint64),
        low=np.zeros(len(stages), np.int64),
        high=np.zeros(len(stages), np.int64),
        queue=np.empty(max(SHORTEST_QUEUE, WAITING_PER_NEURON * len(plan.fan_out)), WAITING),
        cursor=np.zeros(4, np.int64),
        senders=np.zeros(int(stages["size"].max()), np.int64),
        values=np.zeros(int(stages["size"].max())),
        spent=np.zeros((2, n_rows), np.int64),
        stop=np.zeros(1, np.uint8),
    )


def measured_of(plan, n_samples, n_steps, n_rasters):
    """Room for what is measured of some samples."""
    n_units, n_rows = len(plan.fan_out), int(plan.stages["row"].max()) + 1
    # as one array, whose memory the next minibatch finds again: allocators give two back
    counts, sent = np.zeros((2, n_samples, n_units), np.int32)
    return Measured(
        potentials=np.zeros((n_samples, n_steps, int(plan.stages["size"][-2])), np.float32),
        counts=counts,
        sent=sent,
        spikes=np.zeros((n_samples, n_rows, n_steps), np.int64),
        synops=np.zeros((n_samples, n_rows, n_steps), np.int64),
        rasters=np.zeros((n_rasters, n_steps, n_units), np.uint16),
    )
