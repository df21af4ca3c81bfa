"""The command line: thin, every command calls the Python face.

How they end, see `nengo_tactile.cli_end`.
"""

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer

from nengo_tactile import __version__, cli_exchange, cli_reproduce, cli_studies
from nengo_tactile.cli_end import ended
from nengo_tactile.cli_options import (
    DataDir,
    Json,
    Out,
    Samples,
    Scale,
    Seed,
    Split,
    Task,
    X,
    Y,
    chosen,
    options_of,
    say,
    saying,
    show_or_write,
)
from nengo_tactile.conversion.neurons import NEURONS, SigmaDelta
from nengo_tactile.errors import TactileError
from nengo_tactile.files import write_json

app = typer.Typer(
    name="nengo-tactile",
    help="Keras networks and tactile event recordings as spiking networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
#: What one wants, in the order of the help.
_BEGIN, _CONVERT, _RUN, _PAPERS = "Begin", "Bring or train a network", "Run and look", "Papers"
_EXCHANGE = "Other simulators"
app.add_typer(cli_reproduce.app, name="reproduce", rich_help_panel=_PAPERS)


@app.command(rich_help_panel=_BEGIN)
def doctor(
    path: Annotated[
        str | None,
        typer.Argument(help="Or say of a network, run, study, checkpoint, model or data if whole."),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Skip the engines' self-tests.")] = False,
    as_json: Json = False,
):
    """Print versions, patches and licences; test each engine for a few seconds."""
    from nengo_tactile.doctor import diagnose, tables, told_whole

    if path is not None:
        told = told_whole(path)
        show_or_write(as_json, {"path": path, "whole": told}, ())
        if not as_json:
            say(f"{path}: {told}")
        return
    result = diagnose(quick=quick)
    show_or_write(as_json, dataclasses.asdict(result), tables(result))
    if not result.ok:
        raise TactileError(result.problem)


@app.command(rich_help_panel=_BEGIN)
def demo(
    task: Task = "eskin",
    out: Out = Path("nengo-tactile-out/demo"),
    data_dir: DataDir = None,
    seed: Seed = 0,
):
    """Events to a spiking network on the Loihi emulator, with a report, in three minutes."""
    from nengo_tactile.commands.demo import demo as run_demo

    run_demo(out, task, data_dir, seed, say=say)


@app.command(rich_help_panel=_BEGIN)
def data(
    name: Annotated[str, typer.Argument(help="A data set's name, or its folder or file.")],
    split: Split = "train",
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Also write the table as JSON.")] = None,
    paper: Annotated[bool, typer.Option(help="Show ST-MNIST's Table 1 beside it.")] = False,
    as_json: Json = False,
):
    """Statistics of an event data set, as in Table 1 of the ST-MNIST paper."""
    from nengo_tactile.datasets import compute_statistics, open_dataset, statistics

    reference = statistics.stmnist_table1() if paper else None
    dataset = open_dataset(name, split=split, data_dir=data_dir)
    found = compute_statistics(dataset, address_base=1 if paper else 0)
    title = f"{name}, {split}, {len(dataset)} samples: mean (SD)"
    content = statistics.to_dict(found, reference, data=name, split=split)
    show_or_write(as_json, content, [statistics.table(found, reference, title)])
    if out:
        write_json(out, content)
        saying(as_json)(f"wrote {out}")


@app.command(rich_help_panel=_CONVERT)
def train(
    network: Annotated[
        str,
        typer.Argument(
            help='"10x10-6c4-24c3-10o", "resnet20", "mobilenet", "densenet", "unet", "deltacnn".'
        ),
    ],
    out: Annotated[Path, typer.Option(help="Model file to write: .keras, .h5, .npz (arrays).")],
    task: Task = "eskin",
    recipe: Annotated[
        str | None, typer.Option(help="Default: the one made for such networks.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="File rewritten each epoch; training resumes from it.")
    ] = None,
    mixed_precision: Annotated[
        bool, typer.Option("--mixed-precision", help="Compute in bfloat16.")
    ] = False,
    fine_tune: Annotated[
        str | None, typer.Option(help="Weights to go on from, with quantised activations.")
    ] = None,
    levels: Annotated[int | None, typer.Option(min=1, help="Of the quantised activations.")] = None,
    deepen: Annotated[
        str | None, typer.Option(help="Weights of a shallower network to begin with.")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(help='What happens to recordings in each epoch: "drop=0.2,dead=0.1,shift=1".'),
    ] = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Compute with so many: other numbers round otherwise, and end in others."
        ),
    ] = None,
):
    """Train a network on a task."""
    from nengo_tactile.commands.train import train_model
    from nengo_tactile.experiments.threads import fixed

    with fixed(threads) if threads else contextlib.nullcontext():
        train_model(
            network,
            out,
            task,
            recipe,
            epochs,
            checkpoint,
            data_dir,
            seed,
            mixed_precision,
            fine_tune,
            levels,
            deepen,
            augment,
            say=say,
        )


@app.command(rich_help_panel=_CONVERT)
def check(
    model: Annotated[
        str, typer.Argument(help="A .keras, .h5 or .npz file; or a saved network, or its name.")
    ],
    x: X = None,
    y: Y = None,
    scale: Scale = None,
    task: Annotated[
        str | None, typer.Option("--task", help="Of a network: default its own.")
    ] = None,
    split: Split = "test",
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the network's.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Of a network: so many random ones.")] = 256,
    nir: Annotated[
        bool, typer.Option("--nir", help="What other simulators would do otherwise (NIR).")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the numbers as JSON.")] = None,
    data_dir: DataDir = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Of a model: which layers spike, on which engines, and the remedy if not.

    Of a saved network: which layers cost it accuracy, and why.
    """
    from nengo_tactile.commands.converting import check_model, check_network, is_network
    from nengo_tactile.commands.exchanging import is_saved, nir_table

    if nir and is_saved(model):
        found, table = nir_table(model)
        show_or_write(as_json, found, [table])
        return
    if is_network(model):
        options = (x, y, scale, task, split, steps, samples, data_dir, seed, out)
        found = check_network(model, *options, say=saying(as_json))
        show_or_write(as_json, found.to_dict(), [found.table()])
        return
    result = check_model(model, x, scale, nir)
    show_or_write(as_json, dataclasses.asdict(result), [result.table()])
    if not result.ok:
        raise TactileError(f"{model}: cannot be converted as it is; the table names the remedies")


@app.command(rich_help_panel=_CONVERT)
@options_of(NEURONS)
def convert(
    model: Annotated[str, typer.Argument(help="A .keras, .h5 or .npz file, or trained weights.")],
    out: Annotated[Path, typer.Option(help="Folder for the spiking network.")],
    task: Annotated[
        str | None, typer.Option("--task", help="Training samples: of a task, or give --x.")
    ] = None,
    x: X = None,
    y: Y = None,
    scale: Scale = None,
    neuron: Annotated[
        str | None,
        typer.Option(
            help="lif; if, for deep networks; sigma-delta, which sends changes (default: the "
            "model's own, if it has any; what suits --steps or --max-loss; else lif)."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Time steps per sample (default: 60; sigma-delta: until rest)."),
    ] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="The cheapest network that loses at most so many points of accuracy on training "
            "samples held out (sigma-delta: the coarsest thresholds).",
        ),
    ] = None,
    minimise: Annotated[
        str, typer.Option(help="With --max-loss: cheapest by packets, steps or synops.")
    ] = "packets",
    quantise: Annotated[
        int | None,
        typer.Option(min=2, help="Bits of the weights: 8 for the event engine's fastest sums."),
    ] = None,
    for_chip: Annotated[
        bool, typer.Option("--for-chip", help="Choose settings that hold on the Loihi emulator.")
    ] = False,
    data_dir: DataDir = None,
    seed: Seed = 0,
    given=None,
):
    """Convert a Keras model; all choices are made on training samples, of a task or in files."""
    from nengo_tactile.commands.converting import convert_model

    if neuron == SigmaDelta.name and max_loss is not None:  # it has such an option of its own
        given, max_loss = {**given, "max_loss": max_loss}, None
    if neuron is not None or given:
        neuron = chosen(NEURONS, "--neuron", neuron or "lif", given)
    convert_model(
        model,
        out,
        task,
        data_dir,
        seed,
        say=say,
        x=x,
        y=y,
        scale=scale,
        for_chip=for_chip,
        neuron=neuron,
        n_steps=steps,
        max_loss=max_loss,
        minimise=minimise,
        quantise=quantise,
    )


@app.command(rich_help_panel=_RUN)
def run(
    network: Annotated[str, typer.Argument(help="A saved network's folder, or a shipped name.")],
    out: Out = Path("nengo-tactile-out/run"),
    task: Annotated[
        str | None, typer.Option("--task", help="Default: the one it was trained for.")
    ] = None,
    x: X = None,
    y: Y = None,
    scale: Scale = None,
    split: Split = "test",
    engine: Annotated[
        str | None,
        typer.Option(help="nengo-dl, event, loihi or nengo (default: the network's fastest)."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Default: the network's.")] = None,
    samples: Samples = None,
    on_host: Annotated[
        str | None,
        typer.Option(
            help="loihi: layers on the host, from the first on: conv1,conv2; none: all on the chip."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="loihi: sim (integers), simreal (unquantised), loihi (needs NxSDK)."),
    ] = None,
    least_agreement: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="loihi: with the Keras model (default: 0.9; 0 takes what comes)."
        ),
    ] = None,
    verify: Annotated[
        int | None,
        typer.Option(min=1, help="loihi: run so many on nengo-loihi's own emulator too."),
    ] = None,
    margin: Annotated[
        str | None, typer.Option(help="event: stop a sample when its margin passes a level.")
    ] = None,
    max_loss: Annotated[
        float | None,
        typer.Option(min=0, help="Points that may be lost: says how soon recordings are decided."),
    ] = None,
    rasters: Annotated[
        int | None,
        typer.Option(min=0, help="Keep all spikes of so many samples: the report draws them."),
    ] = None,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Also say which layers cost accuracy, and why.")
    ] = False,
    data_dir: DataDir = None,
    seed: Seed = 0,
    as_json: Json = False,
):
    """Run a spiking network on a task or files; write results.json and recording.npz."""
    from nengo_tactile.commands.running import run_network

    numbers, tables = run_network(
        network,
        out,
        task,
        split,
        engine,
        steps,
        samples,
        data_dir,
        seed,
        () if on_host == "none" else on_host,
        target,
        least_agreement,
        say=saying(as_json),
        x=x,
        y=y,
        scale=scale,
        with_diagnosis=diagnose,
        margin=margin,
        verify=verify,
        rasters=rasters,
        max_loss=max_loss,
    )
    show_or_write(as_json, numbers, tables)


app.command(rich_help_panel=_RUN)(cli_studies.sweep)
app.command(rich_help_panel=_RUN)(cli_studies.robustness)


@app.command(rich_help_panel=_RUN)
def report(
    folder: Annotated[Path, typer.Argument(help="The --out folder of nengo-tactile run.")],
):
    """Write report.html for a run."""
    from nengo_tactile.commands.running import write_run_report

    say(f"wrote {write_run_report(folder)}")


@app.command(rich_help_panel=_RUN)
def play(
    network: Annotated[
        str, typer.Argument(help="A shipped name, or a saved network of recordings, of any sensor.")
    ] = "eskin-cnn",
    engine: Annotated[
        str | None, typer.Option(help="event or loihi (default: the first that takes it).")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for a free one.")] = 8765,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's address and open nothing.")
    ] = False,
    noise: Annotated[
        float, typer.Option(help="Stray messages of the skin per second and taxel, at first.")
    ] = 0.015,
    dead: Annotated[float, typer.Option(help="Share of dead taxels, 0 to 1, at first.")] = 0.0,
    neuron: Annotated[
        str | None, typer.Option(help="if or sigma-delta, of a network of LIF neurons.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps that each image is shown for.")] = None,
    taxels: Annotated[
        Path | None, typer.Option(help="Table (taxel, x, y) of a sensor that is no grid.")
    ] = None,
    data_dir: DataDir = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder in which recordings of the page are kept.")
    ] = None,
):
    """Draw on the e-skin in a browser while a spiking network decides."""
    from nengo_tactile.play.command import play as serve_page

    serve_page(
        *(network, engine, port, not no_browser, noise, dead),
        *(neuron, steps, taxels, data_dir, out, say),
    )


app.command(rich_help_panel=_EXCHANGE)(cli_exchange.export)
app.command("import", rich_help_panel=_EXCHANGE)(cli_exchange.import_)


@app.command(rich_help_panel=_PAPERS)
def model(
    name: Annotated[str, typer.Argument(help="Of a shipped model: eskin-cnn, mnist-resnet8, ...")],
    out: Annotated[Path | None, typer.Option(help="Folder for it (default: models/NAME).")] = None,
    work: Annotated[
        Path | None,
        typer.Option(help="Where an interrupted run goes on (default: its paper's --out)."),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Use so many samples alone, for a try.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of trained weights (default: the package's).")
    ] = None,
    measure_only: Annotated[
        bool, typer.Option("--measure-only", help="Measure what is in --out, and write its card.")
    ] = False,
    robustness_only: Annotated[
        bool,
        typer.Option("--robustness-only", help="Of the card, measure the robustness alone anew."),
    ] = False,
    data_dir: DataDir = None,
    seed: Seed = 0,
):
    """Make a shipped model anew: train or convert it, measure it, write it with its card."""
    from nengo_tactile.papers.shipped import make, measure

    if measure_only or robustness_only:
        measure(name, out, data_dir, robustness_only, n_samples=samples, seed=seed, say=say)
        return
    make(name, out, work, data_dir, n_samples=samples, weights=weights, seed=seed, say=say)


def _version(value: bool):
    if value:
        say(f"nengo-tactile {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
):
    pass


def main(arguments=None):
    """Entry point: maps errors to one message and an exit code."""
    return ended(lambda: app(args=arguments, standalone_mode=False))


if __name__ == "__main__":
    sys.exit(main())
