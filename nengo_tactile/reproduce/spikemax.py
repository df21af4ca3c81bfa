"""The command behind ``nengo-tactile reproduce spikemax``: runs, results and report."""

from pathlib import Path

from nengo_tactile import files
from nengo_tactile.reproduce import pages, spikemax_cells, spikemax_pages, spikemax_tables
from nengo_tactile.reproduce.spikemax_plan import SETTINGS


def run(plan, out="nengo-tactile-out/spikemax", data_dir=None, progress=None, say=print):
    """Reproduce the Spikemax paper's Table I and Figures 2 to 7, or go on with it.

    Parameters
    ----------
    plan : spikemax_plan.Plan
    out : path
        Gets cells/ (after every run), checkpoints/ (after every epoch), networks/, samples/ (of
        simulated digits), results.json (anew after each run), pictures and report.html (in the
        end).
    data_dir : path, optional
    progress : bool, optional
    say : callable

    Returns
    -------
    dict
        As in results.json.
    """
    out, states = Path(out), []
    files.check_writable(out)
    for name in plan.data:
        data = spikemax_cells.read_data(plan, name, out, data_dir, progress)
        # a trial of each loss before the next: what was stopped has all losses
        for trial in range(plan.n_trials):
            for loss in plan.losses:
                state = spikemax_cells.run_cell(plan, name, loss, trial, data, out, progress)
                states.append(state)
                say(line(state))
                files.write_json(out / "results.json", summarise(plan, states))
    return finish(plan, states, out, say)


def summarise(plan, states):
    """All numbers; see `spikemax_tables.summarise`.

    Parameters
    ----------
    plan : spikemax_plan.Plan
    states : iterable of dict
        What `spikemax_cells.run_cell` returned, in any order.

    Returns
    -------
    dict
        As in results.json.
    """
    about = {name: setting.about for name, setting in SETTINGS.items()}
    return spikemax_tables.summarise(plan.command(), plan.seed, about, states)


def finish(plan, states, out, say=print):
    """Write results.json, pictures and report.html.

    Parameters
    ----------
    plan : spikemax_plan.Plan
    states : iterable of dict
        See `summarise`.
    out : path
        The folder.
    say : callable

    Returns
    -------
    dict
        As in results.json.
    """
    out, results = Path(out), summarise(plan, states)
    files.write_json(out / "results.json", results)
    pictures = spikemax_pages.figures(results)
    pages.write(out, pictures, spikemax_pages.report(results, pictures))
    say(f"wrote {out / 'results.json'}, pictures and report.html")
    return results


def line(state):
    """A run in a line, for the terminal.

    Parameters
    ----------
    state : dict
        What `spikemax_cells.run_cell` returned.

    Returns
    -------
    str
    """
    return (
        f"{state['data']}, {state['loss']}, trial {state['trial'] + 1}: {state['accuracy']:.4f} of "
        f"{state['n_test']:,} test samples, {sum(state['spikes'].values()):,.0f} spikes each"
    )
