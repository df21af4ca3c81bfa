"""What nengo-loihi built for the chip, as flat arrays that compiled loops run.

Compartments are numbered anew, layer by layer, so that what a spike brings to a layer lies side by
side: a few runs of consecutive compartments, each with as many weights. Integers are those of
nengo-loihi 1.1.0 (``builder/discretize.py``); the order in which they are added changes none.
"""

import dataclasses
import itertools
from collections import namedtuple

import numpy as np

from nengo_tactile.errors import EngineError

#: Of each sender (compartments, then neurons of the host) its first run; of each run the first
#: compartment, its place among the weights, and how many of both. Of each segment of compartments
#: that are alike: where it begins; of 4096, what a step keeps of current and of potential; ceiling;
#: refractory steps. Of each compartment: constant current, threshold, floor.
Program = namedtuple(
    "Program",
    "first targets places lengths weights begins keep_u keep_v ceiling pause bias threshold floor",
)
#: Compartments are filled up to a multiple of this: their spikes are looked through by words.
WORD = 8
#: Weights of zero between others that a run bridges: adding them is cheaper than another run.
BRIDGED = 16
#: Synapses that are sorted at once.
_AT_ONCE = 2_000_000


@dataclasses.dataclass(frozen=True)
class Layout:
    """A program and where everything is.

    Attributes
    ----------
    program : Program
    chip, host : dict of str to slice
        Senders of each layer on the chip, and of each population on the host.
    blocks : list of str
        Labels of nengo-loihi's blocks.
    numbers : (n_compartments,) int array
        nengo-loihi's number of each compartment, block after block.
    """

    program: Program
    chip: dict
    host: dict
    blocks: list
    numbers: np.ndarray
    _starts: np.ndarray

    @property
    def n_compartments(self):
        """Compartments, with those that fill them up and never fire."""
        return len(self.program.bias)

    @property
    def n_senders(self):
        """Compartments and neurons of the host."""
        return len(self.program.first) - 1

    def place(self, compartment):
        """Block and compartment in nengo-loihi's terms, in words."""
        number = self.numbers[compartment]
        block = int(np.searchsorted(self._starts, number, side="right")) - 1
        return f"block {self.blocks[block]!r}, compartment {number - self._starts[block]}"


def layout_of(model, chip, host):
    """Read what was built.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
        With integers.
    chip : dict of str to nengo.Ensemble
        Of each layer on the chip.
    host : dict of str to (nengo.Ensemble or None, int)
        Populations on the host, and their sizes; ensembles may send to the chip.

    Returns
    -------
    Layout

    Raises
    ------
    EngineError
        For noise, learning, and what else the project's networks have not.
    """
    blocks = list(model.blocks)
    starts = np.cumsum([0, *(block.n_neurons for block in blocks)])
    begin_of = dict(zip(blocks, starts))
    place, slices = _places(model, chip, begin_of, starts[-1])
    n = -(-starts[-1] // WORD) * WORD
    inputs, hosts, at = _inputs(model, host), {}, n
    for name, (_, size) in host.items():
        hosts[name] = slice(at, at + size)
        at += size
    rows, axons = _Rows(), []
    for block, begin in begin_of.items():
        _check(block)
        senders = place[begin : begin + block.n_neurons]
        axons += [(axon, senders) for axon in block.axons]
        for synapse in block.synapses:
            rows.add(synapse, begin)
    for name, found in inputs.items():
        senders = np.arange(hosts[name].start, hosts[name].stop)
        axons += [(axon, senders) for source in found for axon in source.axons]
    runs = _runs(rows, axons, place, at, n)
    numbers = np.full(n, starts[-1])
    numbers[place] = np.arange(starts[-1])
    program = Program(*runs, *_compartments(blocks, place, n))
    return Layout(program, slices, hosts, [str(b.label) for b in blocks], numbers, starts[:-1])


def _places(model, chip, begin_of, n):
    """New number of each compartment, and the slice of each layer."""
    place, slices, at = np.full(n, -1), {}, 0
    for name, ensemble in chip.items():
        for block in _listed(model.objs[ensemble.neurons]["out"]):
            positions = model.block_comp_map.get(block)
            positions = np.arange(block.n_neurons) if positions is None else np.asarray(positions)
            place[begin_of[block] : begin_of[block] + block.n_neurons] = at + positions
        slices[name] = slice(at, at + ensemble.n_neurons)
        at += ensemble.n_neurons
    if not np.array_equal(np.sort(place), np.arange(n)):
        raise EngineError(
            f"nengo-loihi built {n} compartments, of which {at} are neurons of the layers "
            f"{', '.join(chip)}: please report the network"
        )
    return place, slices


def _listed(blocks):
    return blocks if isinstance(blocks, list | tuple) else [blocks]


def _inputs(model, host):
    """nengo-loihi's inputs that each population on the host drives."""
    ensembles, found = {id(each): name for name, (each, _) in host.items()}, {n: [] for n in host}
    for receiver, source in model.spike_targets.items():
        for built in (model.host_pre, model.host):
            for connection in built.params:
                if model.host2chip_senders.get(getattr(connection, "post_obj", None)) is receiver:
                    name = ensembles.get(id(getattr(connection.pre_obj, "ensemble", None)))
                    whole = connection.pre is connection.pre_obj
                    if name is None or not whole:
                        raise EngineError(
                            f"{connection} comes from no whole layer on the host: please report "
                            "the network"
                        )
                    found[name].append(source)
    if sum(map(len, found.values())) != len(model.inputs):
        raise EngineError(
            f"nengo-loihi built {len(model.inputs)} inputs of the chip, of which layers on the "
            f"host drive {sum(map(len, found.values()))}: please report the network"
        )
    return found


def _check(block):
    compartment = block.compartment
    learning = sum(bool(synapse.learning) for synapse in block.synapses)
    if compartment.vth.dtype != np.int32 or learning or np.any(compartment.enable_noise):
        raise EngineError(
            f"block {block.label!r} has {compartment.vth.dtype.name} thresholds, {learning} "
            "learning synapses, and noise or not: steps are compiled for integers without "
            "learning and noise; use target='simreal' for numbers that are not whole"
        )


class _Rows:
    """What one spike along one axon brings: rows of compartments and weights."""

    def __init__(self):
        self.begin_of = {}
        self._number, self._targets, self._weights = {}, [], []

    def add(self, synapse, begin):
        """Take in a synapse of the block whose first compartment is ``begin``."""
        self.begin_of[synapse] = begin
        sizes = [len(weights) for weights in synapse.weights]
        self._number[synapse] = len(self._targets) + np.cumsum([0, *sizes])[:-1]
        for indices, weights in zip(synapse.indices, synapse.weights):
            self._targets += [np.asarray(each, np.int64) for each in indices]
            self._weights += [np.asarray(each, np.int64) for each in weights]

    def found(self, axon, senders):
        """Deliveries of senders along an axon: sender, row, compartment that it counts from."""
        synapse = axon.target
        axons = np.arange(len(senders)) if axon.compartment_map is None else axon.compartment_map
        axons = np.asarray(axons)
        atoms = np.zeros(len(axons), int)
        if axon.compartment_atoms is not None:
            atoms = np.asarray(axon.compartment_atoms)
        used = axons >= 0
        bases = np.zeros(len(axons), int)
        if synapse.axon_compartment_bases is not None:
            bases[used] = np.asarray(synapse.axon_compartment_bases)[axons[used]]
            used &= bases >= 0
        kinds = axons[used]
        if synapse.axon_to_weight_map is not None:
            kinds = np.asarray(synapse.axon_to_weight_map)[kinds]
        rows = self._number[synapse][kinds] + atoms[used]
        return np.stack([senders[used], rows, bases[used] + self.begin_of[synapse]])

    def flat(self):
        """Where each row begins, and all targets and weights."""
        none = [np.zeros(0, np.int64)]
        starts = np.cumsum([0, *map(len, self._targets)])
        return starts, np.concatenate(self._targets or none), np.concatenate(self._weights or none)


def _runs(rows, axons, place, n_senders, n):
    """The first fields of `Program`."""
    found = [rows.found(axon, senders) for axon, senders in axons]
    found = np.concatenate([np.zeros((3, 0), np.int64), *found], axis=1)
    found = found[:, np.argsort(found[0], kind="stable")]
    starts, targets, weights = rows.flat()
    counts = np.diff(starts)[found[1]]
    kept, parts, numbers, size = [], [], {}, 0
    for part in _chunks(found[0], counts):
        senders, run_rows, bases = found[:, part]
        many = counts[part]
        entries = np.repeat(starts[run_rows] - np.cumsum(many) + many, many)
        entries += np.arange(len(entries))
        to = place[np.repeat(bases, many) + targets[entries]]
        sender, to, value = _summed(np.repeat(senders, many), to, weights[entries], n)
        if not len(to):
            continue
        gaps = np.diff(to)
        starting = np.concatenate([[True], (np.diff(sender) != 0) | (gaps > BRIDGED + 1)])
        begin = np.flatnonzero(starting)
        last = np.append(begin[1:], len(to)) - 1
        lengths = to[last] - to[begin] + 1
        dense = np.zeros(lengths.sum(), np.int64)
        offsets = np.cumsum(lengths) - lengths
        run = np.cumsum(starting) - 1
        dense[offsets[run] + to - to[begin][run]] = value
        places = np.empty(len(begin), np.int64)
        for k, (offset, length) in enumerate(zip(offsets.tolist(), lengths.tolist())):
            row = dense[offset : offset + length]
            key = row.tobytes()
            at = numbers.get(key)
            if at is None:  # equal rows, such as a kernel's at all its pixels, are kept once
                at = numbers[key] = size
                kept.append(row)
                size += length
            places[k] = at
        parts.append((sender[begin], to[begin], places, lengths))
    none = [np.zeros(0, np.int64)]
    sender, to, places, lengths = (np.concatenate(each) for each in zip([none[0]] * 4, *parts))
    weights = np.concatenate(kept or none)
    narrow = len(weights) == 0 or np.abs(weights).max() < 2**15
    return (
        np.searchsorted(sender, np.arange(n_senders + 1)),
        to.astype(np.int32),
        places.astype(np.int32 if size < 2**31 else np.int64),
        lengths.astype(np.int32),
        weights.astype(np.int16 if narrow else np.int32),
    )


def _chunks(senders, counts):
    """Slices of deliveries with about `_AT_ONCE` synapses each; none parts a sender's."""
    part = np.cumsum(counts) // _AT_ONCE
    ends = np.flatnonzero(np.diff(part)) + 1
    ends = np.unique(np.searchsorted(senders, senders[ends]))
    return [slice(*each) for each in itertools.pairwise([0, *ends[ends > 0], len(senders)])]


def _summed(sender, to, value, n):
    """Synapses in order, those from the same sender to the same compartment added, zeros left."""
    key = sender * n + to
    order = np.argsort(key, kind="stable")
    key, value = key[order], value[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    value = np.add.reduceat(value, first) if len(first) else value
    key, value = key[first], value
    some = value != 0
    return key[some] // n, key[some] % n, value[some]


def _compartments(blocks, place, n):
    """The last fields of `Program`."""
    size, rows = len(place), []
    for block in blocks:
        each = block.compartment
        values = each.decay_u, each.decay_v, each.vmax, each.refract_delay, each.bias
        values = [
            np.broadcast_to(value, block.n_neurons) for value in (*values, each.vth, each.vmin)
        ]
        rows.append(np.stack([np.asarray(value, np.int64) for value in values]))
    rows = np.concatenate([np.zeros((7, 0), np.int64), *rows], axis=1)
    columns = np.zeros((7, n), np.int64)
    columns[:, place] = rows
    columns[:, size:] = columns[:, size - 1 : size]  # alike, but without a bias
    decay_u, decay_v, ceiling, pause, bias, threshold, floor = columns
    bias[size:], threshold[size:] = 0, np.iinfo(np.int32).max
    alike = np.stack([4095 - decay_u, 4096 - decay_v, ceiling, pause]).astype(np.int32)
    begins = np.flatnonzero((np.diff(alike, prepend=alike[:, :1] - 1) != 0).any(axis=0))
    return (
        np.append(begins, n),
        *alike[:, begins],
        *(each.astype(np.int32) for each in (bias, threshold, floor)),
    )
