"""A converted network on the chip's integers, built once: images in, recordings out."""

import contextlib
import dataclasses
import itertools

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.batches import LARGEST_BATCH
from nengo_tactile.engines.chip_build import Shown, placed, prepare
from nengo_tactile.engines.chip_host import check_input
from nengo_tactile.engines.chip_inputs import Host
from nengo_tactile.engines.chip_outputs import HostReadOut
from nengo_tactile.engines.chip_program import layout_of
from nengo_tactile.engines.chip_samples import Memory, Readings, compile_loops
from nengo_tactile.engines.chip_settings import changes, for_chip
from nengo_tactile.engines.emulator import each_sample, run_steps, verify_outputs, verify_sample
from nengo_tactile.engines.recording import ReadOutMean, Recording, operations
from nengo_tactile.progress import track

_REMEDY = "lower the firing rates (`network.with_rates(0.5)`) or train with smaller weights"


class ImageChip:
    """A network built for the chip, and what is kept of it between runs.

    Parameters
    ----------
    network : SpikingNetwork
    on_host, rate, n_steps :
        As for `nengo_tactile.engines.loihi.run`.

    Attributes
    ----------
    network : SpikingNetwork
        With `chip_settings`.
    n_steps : int
    notes : tuple of str
        What was changed for the chip.
    prepared : Prepared
    report : ChipReport
    layout : Layout or None
        None where the host waits for the chip, which compiled steps have not.
    """

    def __init__(self, network, on_host, rate, n_steps):
        shown = self.network = for_chip(network, rate)
        self.n_steps = n_steps or shown.n_steps
        self.notes = changes(network, shown, self.n_steps)
        prepared = self.prepared = prepare(shown, on_host, self.n_steps)
        graph, self._shown = prepared.graph, Shown(shown)
        self._built, model, self.report = placed(prepared, self._shown)
        probes, chip = self._built.spike_probes, list(prepared.blocks)
        chip_fan_out = shown.graph.fan_out(chip)
        # the host's synapses of the image itself carry no spikes
        self._fan_out = shown.fan_out() | {"input": chip_fan_out["input"]}
        self._chip_fan_out = chip_fan_out
        self._settings = {
            "dt": shown.dt,
            "read_out": shown.read_out,
            "chip_neurons": sum(stage.n_neurons for stage in shown.graph if stage.name in chip),
        }
        on_host = [stage for stage in graph if stage.name in probes and stage.name not in chip]
        sources = {stage.name: {link.source for link in stage.links} for stage in on_host}
        waiting = [name for name, read in sources.items() if read & set(chip)]
        self.layout = None
        if waiting:
            self.notes += (
                f"layer '{waiting[0]}' on the host reads layers on the chip, so that nengo-loihi's "
                "own emulator ran, one sample after another",
            )
            return
        hosts = {name: probe for name, probe in probes.items() if name not in chip}
        self.layout = layout_of(
            model,
            {name: self._built.neurons[name].ensemble for name in chip},
            {
                name: (getattr(probe.target, "ensemble", None), probe.size_in)
                for name, probe in hosts.items()
            },
        )
        constant = all(read <= graph.constant for read in sources.values())
        constant &= all(stage.fires and not len(stage.step_bias) for stage in on_host)
        self._host = Host(model, hosts, constant, self.layout.host)
        self._read_out = HostReadOut(graph, self.layout, model.split.precompute)
        lags = dict.fromkeys(probes, 0)
        self._readings = Readings(
            self.layout, lags, self._fan_out, self._chip_fan_out, self._settings
        )

    def recordings(self, x, target, threads, verify, first, progress=None, rasters=0):
        """Run samples.

        Parameters
        ----------
        x : (n_samples, ...) float array
        target : {"sim", "simreal", "loihi"}
        threads : int
            Samples side by side, of "sim".
        verify : int
            So many of its samples are run by nengo-loihi's own emulator too.
        first : int
            Samples of the first recording.
        progress : bool, optional
        rasters : int
            Samples of which all spikes are kept.

        Yields
        ------
        Recording
            Of a minibatch, in order.
        """
        if target != "sim" or self.layout is None:
            yield from self._by_nengo_loihi(x, target, progress, rasters)
            return
        memories = [Memory(self.layout) for _ in range(min(threads, max(len(x), 1)))]
        compile_loops(self.layout, progress)
        if verify:
            self._verify(x[:verify], memories[0], progress)
        starts = [0, *range(first, len(x), LARGEST_BATCH)]
        parts = list(itertools.pairwise([*starts, len(x)]))
        doing = f"running the chip's integers, {self.n_steps} steps"
        for start, stop in track(parts, doing, progress=progress):
            yield self._batch(x[start:stop], start, memories, max(0, rasters - start))

    @property
    def in_chunks(self):
        """Whether a run can stop and go on."""
        return self.layout is not None and self._host.steps_on

    def beginning(self, threads, progress=None):
        """What `State` makes room with."""
        compile_loops(self.layout, progress)

        def begin(n_samples):
            memories = [Memory(self.layout) for _ in range(n_samples)]
            hosts = [self._host.at_rest() for _ in memories]
            filters, mean = (
                [self._read_out.at_rest() for _ in memories],
                ReadOutMean(self.network.discard),
            )

            @stack.guest()
            def advance(x, n_steps):
                if self.prepared.takes_spikes:
                    check_input(x, self.network.dt)
                arrived = self._read_out.constant(x)
                currents = [self._prepared(image) for image in x]

                def sample(index, memory):
                    shown = self._host.spikes(currents[index], n_steps, hosts[index])
                    fired = memories[index].run(shown, n_steps, f"sample {index}, ", _REMEDY)
                    about = fired, n_steps, arrived[index], filters[index]
                    return fired, n_steps, self._read_out.values(*about).astype(np.float32)

                recording = self._readings.record(n_samples, n_steps, memories[:threads], sample)
                return self._read(recording, mean)

            return advance

        return begin

    def _batch(self, x, start, memories, rasters):
        arrived = self._read_out.constant(x)
        sent = [self._prepared(image) for image in x]

        def sample(index, memory):
            fired = self._fired(sent[index], start + index, memory)
            values = self._read_out.values(fired, self.n_steps, arrived[index])
            return fired, self.n_steps, values.astype(np.float32)

        return self._read(self._readings.record(len(x), self.n_steps, memories, sample, rasters))

    def _show(self, image):
        self._shown.values = image.reshape(-1).astype(float)

    def _prepared(self, image):
        self._show(image)
        return self._host.prepared(self.n_steps)

    def _fired(self, prepared, index, memory):
        memory.rest()
        shown = self._host.spikes(prepared, self.n_steps)
        return memory.run(shown, self.n_steps, f"sample {index}, ", _REMEDY)

    def _read(self, recording, mean=None):
        """The recording of potentials with outputs as one reads them."""
        mean = ReadOutMean(self.network.discard) if mean is None else mean
        outputs = mean(recording.outputs)
        if self.network.chip_offset is not None:
            outputs = outputs + np.asarray(self.network.chip_offset, np.float32)
        return dataclasses.replace(recording, outputs=outputs)

    def _verify(self, x, memory, progress):
        samples = each_sample(
            self._built.net, self.network.dt, len(x), self.n_steps, "sim", progress
        )
        with contextlib.closing(samples):
            for index, sim in samples:
                self._show(x[index])
                run_steps(sim, self.n_steps, index, _REMEDY)
                fired = self._fired(self._prepared(x[index]), index, memory)
                verify_sample(sim, self._built.spike_probes, fired, memory, index)
                arrived = self._read_out.constant(x[index : index + 1])[0]
                values = self._read_out.values(fired, self.n_steps, arrived)
                verify_outputs(sim.data[self._built.output_probe], values, index)

    def _by_nengo_loihi(self, x, target, progress, rasters):
        """The same of nengo-loihi's simulator, sample by sample."""
        samples = each_sample(
            self._built.net, self.network.dt, len(x), self.n_steps, target, progress
        )
        probes = self._built.spike_probes
        with contextlib.closing(samples):
            for index, sim in samples:
                self._show(x[index])
                run_steps(sim, self.n_steps, index, _REMEDY)
                fired = {
                    name: np.asarray(sim.data[probe])[None] > 0 for name, probe in probes.items()
                }
                potentials = np.asarray(sim.data[self._built.output_probe], np.float32)[None]
                yield self._read(
                    Recording.of_spikes(
                        potentials,
                        fired,
                        self._fan_out,
                        int(index < rasters),
                        engine="loihi",
                        chip_synops_over_time=operations(fired, self._chip_fan_out),
                        **self._settings,
                    )
                )
