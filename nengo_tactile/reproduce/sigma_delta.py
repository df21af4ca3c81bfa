"""The command behind ``nengo-tactile reproduce sigma-delta``: results, table and report."""

from pathlib import Path

from nengo_tactile import files
from nengo_tactile.reproduce import delta_pages, delta_tables, pages
from nengo_tactile.reproduce.delta_cells import first_image, read_images, run_cell
from nengo_tactile.reproduce.delta_plan import SETTINGS, SHOWN


def run(plan, out="nengo-tactile-out/sigma-delta", data_dir=None, progress=None, say=print):
    """Reproduce the sigma-delta paper's Table I and Figures 2 to 4, or go on with it.

    Parameters
    ----------
    plan : delta_plan.Plan
    out : path
        Gets cells/ (sums, after every minibatch), networks/ (as converted), results.json (anew
        after each cell), pictures and report.html (in the end).
    data_dir : path, optional
    progress : bool, optional
    say : callable

    Returns
    -------
    dict
        As in results.json.
    """
    out = Path(out)
    files.check_writable(out)
    data, states, first = read_images(plan.seed, data_dir), {}, None
    for key in plan.settings:
        states[key] = run_cell(plan, key, data.data, out, progress)
        say(_line(key, states[key]))
        if key == SHOWN:
            first = first_image(data, out)
        files.write_json(out / "results.json", summarise(plan, states, first))
    results = summarise(plan, states, first)
    pictures = delta_pages.figures(results)
    pages.write(out, pictures, delta_pages.report(results, pictures))
    say(f"wrote {out / 'results.json'}, pictures and report.html")
    return results


def _line(key, state):
    (row,) = (row for row in delta_tables.all_rows({key: state}) if row["kind"] == "snn")
    return (
        f"{SETTINGS[key].title}: {row['ours_mean']:.4f}, {row['lost_points']:+.2f} points lost, "
        f"{row['spikes']:.3f} spikes per neuron, {row['synops']:,.0f} accumulations, "
        f"{row['n_test']:,} images"
    )


def summarise(plan, states, first):
    """All numbers.

    Returns
    -------
    dict
        ``rows`` (see `delta_tables.all_rows`), ``curves`` (see `delta_tables.curves`),
        ``figure2`` (see `delta_cells.first_image`) and ``ann_operations``.
    """
    return {
        "paper": "Yousefzadeh et al., Conversion of Synchronous Artificial Neural Network to "
        "Asynchronous Spiking Neural Network using sigma-delta quantization, Table I, Figures 2 "
        "to 4",
        "command": plan.command(),
        "seed": plan.seed,
        "engine": "event",
        "rows": delta_tables.all_rows(states),
        "curves": delta_tables.curves(states),
        "figure2": first,
        "ann_operations": delta_tables.ANN_OPERATIONS,
    }
