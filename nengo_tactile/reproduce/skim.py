"""The command behind ``nengo-tactile reproduce skim``: results, tables and report."""

from pathlib import Path

from nengo_tactile import files
from nengo_tactile.reproduce import pages, skim_cells, skim_pages, skim_tables, skim_transfer


def run(plan, out="nengo-tactile-out/skim", data_dir=None, progress=None, say=print):
    """Reproduce the SKIM paper's Figures 4 to 7 and Tables 1 to 4, or go on with it.

    Parameters
    ----------
    plan : skim_plan.Plan
    out : path
        Gets patterns/ (1 GB for all digits), cells/ (after every test), results.json (anew after
        each part), pictures and report.html (in the end).
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
    states, about = {}, "tactile digits"

    def keep(part, state):
        if state is None:
            return
        states[part] = state
        files.write_json(out / "results.json", summarise())

    def summarise():
        return skim_tables.summarise(plan.command(), plan.seed, about, plan.kernels, states)

    if plan.parts != ("tactile",):
        digits = skim_cells.read_digits(plan, out, data_dir, progress)
        about = digits.about
    if "growth" in plan.parts:
        grown = []
        for n_hidden in plan.hidden:
            grown.append(skim_cells.grow(plan, n_hidden, digits, out, progress))
            say(_line(grown[-1]))
            keep("growth", grown)
    if "trials" in plan.parts:
        keep("trials", skim_cells.try_patterns(plan, digits, out, progress))
    if "crossing" in plan.parts:
        keep("crossing", skim_transfer.cross(plan, digits, out, progress))
    if "tactile" in plan.parts:
        keep("tactile", skim_transfer.feel(plan, out, data_dir, progress))
    results = summarise()
    pictures = skim_pages.figures(results)
    pages.write(out, pictures, skim_pages.report(results, pictures))
    say(f"wrote {out / 'results.json'}, pictures and report.html")
    return results


def _line(state):
    last = max(
        (point for point in state["points"] if point["data"] == "simulated"),
        key=lambda point: point["n_train"],
    )
    return (
        f"{state['n_hidden']:,} hidden neurons: {last['hits'] / last['n_test']:.4f} of "
        f"{last['n_test']:,} test digits after {last['n_train']:,} training digits"
    )
