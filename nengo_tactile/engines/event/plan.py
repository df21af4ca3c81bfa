"""A network as flat arrays, which compiled loops run without going back to Python."""

import dataclasses
from collections import namedtuple

import numpy as np

from nengo_tactile.engines.event.choices import Ways, products_in, slides_in, worths_of
from nengo_tactile.engines.event.columns import aligned
from nengo_tactile.engines.event.kernel import (
    BLOCK,
    GRADED,
    LAST,
    MAX_POOL,
    NEURONS,
    READ_OUT,
    RELAY,
    SHIFT,
    USUAL,
)
from nengo_tactile.engines.event.links import runs_of
from nengo_tactile.engines.event.vectors import WORD
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.neurons import IntegrateFire, MaxPool, Sum

_KINDS = {IntegrateFire: NEURONS, MaxPool: MAX_POOL, Sum: RELAY}

#: Of each stage: what it does; its neurons, and these in whole words; inputs of a window, and
#: whether constants or the image add to them, of a max pooling; where its state begins, in it its
#: maxima, and its analogue current (or -1); its first link, and the one after its last, and so of
#: slides, of products, and of the grids that readers see it as; where its events go, how many there
#: may be with their tables, whether something arrives at each step by itself, and whether events
#: are worth other numbers than one; whether it resets to zero; most that a spike is worth, what one
#: is below a net count of zero (0: it has none there), whether spikes are taken back, and whether
#: one may be worth several; where its firing is kept as bits, for those who read it neuron by
#: neuron (or -1); where its currents of the first steps begin, and how many have any; most synapses
#: that leave one of its neurons, the bytes of what others lack of these, and its first word of
#: neurons that lack any, and the one after its last.
Stages = namedtuple(
    "Stages",
    "kind size padded window biased state tops drive first_link last_link first_slide last_slide "
    "first_product last_product first_grid last_grid events room busy graded to_zero most slope "
    "signed several bits early n_early fan_out n_bytes first_edge last_edge",
)
#: Of each link: the stage it comes from; channels, and their reciprocal; weights of a channel;
#: where its weights, pointers and shifts (or -1) begin; target of the first neuron, where each has
#: one and these follow one another (or -1); events up to which it is used, if it is a product too.
#: The rest are those of all links (see `links.Runs`); target, offset and length of a run stand side
#: by side. For a max pooling, targets are slots and offsets the windows that these are in.
Links = namedtuple(
    "Links",
    "source channels reciprocal width weight pointer shift ahead most weights pointers runs shifts",
)
#: These, links as `columns.Slides` and `products.Products`, and channels of each grid; of all
#: neurons the potential at the start, constant current, and synapses that it lacks, (n_bytes,
#: n_neurons), the lowest byte first; currents of the first steps, stage by stage and step by step;
#: and the words of neurons that lack any.
Plan = namedtuple("Plan", "stages links slides products grids start constant lacks early edges")


def plan_of(network):
    """Lay a network out for `nengo_tactile.engines.event.kernel`.

    Parameters
    ----------
    network : SpikingNetwork

    Returns
    -------
    plan : Plan
    stages : list of Stage
        In the order of the plan: those that carry only the input have no place in it.

    Raises
    ------
    EngineError
        For neurons that are not integrate-and-fire, and for filters.
    """
    driven, stages = network.graph.driven, network.graph.varying().stages
    check(network, stages)
    fan_out = network.graph.fan_out()
    worths = worths_of(stages, driven)
    sums = {stage.name for stage in stages if not stage.spikes}
    every = [
        [Ways(link, stage.neuron, worths[link.source], link.source in sums) for link in stage.links]
        for stage in stages
    ]
    alone = [[ways for ways in each if ways.slides is None] for each in every]
    spans, links = links_of(
        [
            dataclasses.replace(stage, links=[ways.link for ways in each])
            for stage, each in zip(stages, alone)
        ]
    )
    links = links._replace(most=np.array([ways.most for each in alone for ways in each], np.int64))
    slide_spans, slides = slides_in(stages, every)
    product_spans, products = products_in(stages, every)
    grid_spans, grids = _grids(stages, slides)
    rows, start, constant, lacks, early, edges = [], [], [], [], [np.zeros(0)], []
    begin, n_driven = 0, 0
    for stage, *around in zip(stages, spans, slide_spans, product_spans, grid_spans):
        own, pools = stage.spikes and stage.name in driven, stage.neuron.forwards
        row = _row(stage, network.dt, around, own)
        row["kind"] = READ_OUT if stage is stages[-1] else _kind(stage.neuron)
        currents = row["tops"] if pools else row["padded"]
        room = row["tops"] + row["padded"] if pools else row["padded"]
        row["state"], row["tops"] = begin, begin + row["tops"]
        row["drive"] = n_driven if own else -1
        rows.append(row)
        start.append(_filled(room, stage.start))
        constant.append(_filled(room, stage.bias))
        row["fan_out"] = int(fan_out[stage.name].max())
        lack = row["fan_out"] - fan_out[stage.name]
        row["n_bytes"] = -(-int(lack.max()).bit_length() // 8)
        lacks.append(_filled(room, lack).astype(np.int64))
        row["first_edge"] = len(edges)
        edges += np.unique(np.flatnonzero(lack) // WORD).tolist()
        row["last_edge"] = len(edges)
        row["early"], row["n_early"] = sum(map(len, early)), len(stage.step_bias)
        early.append(np.tile(stage.step_bias, stage.n_inputs // stage.step_bias.shape[1]).ravel())
        begin += room
        n_driven += currents if own else 0
    tables = [USUAL + sum(n // grids[grid] for grid in range(*span)) for n, span in zip(
        (stage.n_neurons for stage in stages), grid_spans
    )]  # fmt: skip
    for row, place, table in zip(rows, _places(stages, tables), tables):
        row["events"], row["room"] = place, _room(row["size"] + table)
    read, n_bits = set(links.source[links.ahead >= 0].tolist()), 0
    multiplied = set(products.source.tolist())
    for index, row in enumerate(rows):
        kept = index in multiplied or (index in read and stages[index].spikes)
        row["bits"] = n_bits if kept else -1
        n_bits += BLOCK * row["padded"] if kept else 0
    types = dict.fromkeys(("most", "slope", "signed"), np.float32)
    columns = {
        name: np.array([row[name] for row in rows], types.get(name, np.int64))
        for name in Stages._fields
    }
    plan = Plan(
        Stages(**columns),
        links,
        slides,
        products,
        grids,
        # a tile of the last neurons may have more places than there are
        aligned(np.concatenate([*start, np.zeros(WORD)]).astype(np.float32)),
        aligned(np.concatenate(constant).astype(np.float32)),
        aligned(_bytes_of(np.concatenate(lacks), max(row["n_bytes"] for row in rows))),
        np.concatenate(early).astype(np.float32),
        np.array(edges, np.int64),
    )
    return plan, stages


def check(network, stages):
    """Refuse what the engine has not.

    Raises
    ------
    EngineError
        Naming the layer and the remedy.
    """
    for stage in stages[:-1]:
        known = type(stage.neuron) in _KINDS and not (stage.neuron.leaks or stage.neuron.remembers)
        if not known or getattr(stage.neuron, "threshold", 1) != 1:
            raise EngineError(
                f"layer '{stage.name}': its neurons are {type(stage.neuron).__name__}, the event "
                "engine takes integrate-and-fire and sigma-delta neurons: convert the model with "
                "neuron=nt.IF() or nt.SigmaDelta(), or use engine='nengo-dl'"
            )
    check_delays(stages)
    if network.synapse is not None:
        raise EngineError(
            f"the network has a synapse of {network.synapse:g} s, the event engine passes spikes "
            "on as they are: use dataclasses.replace(network, synapse=None), or engine='nengo-dl'"
        )


def check_delays(stages):
    """Refuse delays: what is sent passes all stages in the same step."""
    for stage in stages:
        loops = [link for link in stage.links if link.delay and link.low_pass is None]
        if stage.axon is not None or loops:
            raise EngineError(
                f"layer '{stage.name}' has delays, which the event engine has not for these "
                "neurons: use engine='nengo-dl'"
            )


def pool_size(plan):
    """Events that are kept at once, and their tables, at most."""
    return int((plan.stages.events + plan.stages.room).max())


def n_words(plan):
    """Words of bits that are kept of a block of steps."""
    stages = plan.stages
    return int((stages.padded[stages.bits >= 0] * BLOCK).sum()) // WORD


def n_driven(plan):
    """Currents that the input drives by itself, (n_samples, n_driven) in all."""
    stages = plan.stages
    sizes = np.where(stages.kind == MAX_POOL, stages.tops - stages.state, stages.padded)
    return int(sizes[stages.drive >= 0].sum())


def _row(stage, dt, around, driven):
    """What `Stages` says about one stage, as far as the stage alone decides."""
    pools = stage.neuron.forwards
    return {
        "size": stage.n_neurons,
        "padded": _whole_words(stage.n_neurons),
        "window": stage.neuron.window if pools else 0,
        "biased": pools and (driven or stage.bias.any()),
        "tops": _whole_words(stage.n_inputs),
        **{
            f"{end}_{name}": place
            for name, span in zip(("link", "slide", "product", "grid"), around)
            for end, place in zip(("first", "last"), span)
        },
        "busy": bool(driven or stage.bias.any()),
        "graded": stage.neuron.graded or stage.neuron.forwards or not stage.spikes,
        "to_zero": getattr(stage.neuron, "reset", None) == "zero",
        # as Nengo computes it: the slope times the amplitude of one step, by the step
        "slope": getattr(stage.neuron, "negative_slope", 0.0) * dt / dt,
        "most": getattr(stage.neuron, "spikes_per_step", 1),
        "signed": getattr(stage.neuron, "signed", False),
        "several": stage.neuron.forwards or getattr(stage.neuron, "spikes_per_step", 1) > 1,
    }


def _kind(neuron):
    kind = _KINDS[type(neuron)]
    return GRADED if kind == NEURONS and neuron.graded else kind


def _grids(stages, slides):
    """Channels of the grids that each stage is seen as; sets where slides find their tables."""
    spans, grids = [], []
    for index, stage in enumerate(stages):
        first, begin = len(grids), 0
        for channels in np.unique(slides.channels[slides.source == index]).tolist():
            slides.table[(slides.source == index) & (slides.channels == channels)] = begin
            begin += stage.n_neurons // channels
            grids.append(channels)
        spans.append((first, len(grids)))
    return spans, np.array(grids, np.int64)


def links_of(stages):
    """Lay the links into stages out.

    Returns
    -------
    spans : list of (int, int)
        First link of each stage and the one after its last.
    links : Links
        The source of those that come from the input is -1.
    """
    number = {"input": -1, **{stage.name: index for index, stage in enumerate(stages)}}
    spans, sources, links, runs = [], [], [], []
    for stage in stages:
        first = len(links)
        for link in stage.links:
            found = runs_of(link)
            offsets = found.offsets
            if stage.neuron.forwards:
                offsets = found.targets // stage.neuron.window
            sources.append(number[link.source])
            links.append(found)
            runs.append(np.stack([found.targets, offsets, found.lengths], axis=1))
        spans.append((first, len(links)))
    moved = [np.zeros(0) if link.shifts is None else link.shifts for link in links]
    columns = {
        "source": sources,
        "channels": [len(link.weights) for link in links],
        "width": [link.weights.shape[1] for link in links],
        "weight": _begins([link.weights for link in links]),
        "pointer": _begins([link.pointers for link in links]),
        "shift": [
            -1 if link.shifts is None else begin for link, begin in zip(links, _begins(moved))
        ],
    }
    pointers = [link.pointers + begin // 3 for link, begin in zip(links, _begins(runs))]
    return spans, Links(
        **{name: np.array(column, np.int64) for name, column in columns.items()},
        reciprocal=np.array(
            [reciprocal_of(len(link.weights), len(link.pointers) - 1) for link in links], np.uint64
        ),
        ahead=np.array([link.ahead for link in links], np.int64),
        most=np.full(len(links), LAST, np.int64),
        weights=aligned(_joined([*(link.weights for link in links), np.zeros(WORD)], np.float32)),
        pointers=_joined(pointers, np.int64),
        runs=_joined(runs, np.int32),
        shifts=_joined(moved, np.int64),
    )


def _begins(parts):
    """Where each array begins when all are put one after another."""
    return np.cumsum([0, *(part.size for part in parts)])[:-1]


def _joined(parts, dtype):
    return np.concatenate(
        [np.zeros(0), *(part.ravel() for part in parts)], dtype=dtype, casting="unsafe"
    )


def reciprocal_of(channels, n_pixels):
    """What the number of a neuron is multiplied with, and shifted, to divide it by the channels.

    Raises
    ------
    EngineError
        For maps so large that the quotient would not be exact in 64 bits.
    """
    if n_pixels == 1:
        return 0
    if n_pixels * channels**2 > 2**SHIFT:
        raise EngineError(
            f"a map of {n_pixels} pixels of {channels} channels is too large for the event engine: "
            "use engine='nengo-dl'"
        )
    return 2**SHIFT // channels + 1


def _places(stages, tables):
    """Where in the pool of events each stage writes: room is used again after the last reader."""
    last = {stage.name: index for index, stage in enumerate(stages)}
    for index, stage in enumerate(stages):
        for link in stage.links:
            last[link.source] = index
    taken, places = [], []  # (begin, end, last reader), in order
    for index, stage in enumerate(stages):
        taken = [one for one in taken if one[2] >= index]
        room, begin = _room(stage.n_neurons + tables[index]), 0
        for other, end, _ in taken:
            if other - begin >= room:
                break
            begin = end
        places.append(begin)
        taken = sorted([*taken, (begin, begin + room, last[stage.name])])
    return places


def _room(n):
    """Events and entries of tables in a block, of which a step has ``n``."""
    return BLOCK * n


def _whole_words(n):
    """The next multiple of a word's neurons."""
    return -(-n // WORD) * WORD


def _bytes_of(numbers, n_bytes):
    """(n_bytes, n_numbers), the lowest first."""
    return (numbers[None] >> 8 * np.arange(n_bytes)[:, None] & 255).astype(np.uint8)


def _filled(size, values):
    """A number for all, or numbers with zeros behind them."""
    result = np.zeros(size)
    if np.ndim(values):
        result[: len(values)] = values
    else:
        result[:] = values
    return result
