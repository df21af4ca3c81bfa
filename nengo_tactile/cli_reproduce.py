"""``nengo-tactile reproduce``: a command for each paper."""

from pathlib import Path
from typing import Annotated

import typer

from nengo_tactile.cli_options import DataDir, Out, Samples, Seed, say, show

app = typer.Typer(no_args_is_help=True, help="A paper's tables, ours beside theirs.")


@app.command("st-mnist")
def reproduce_st_mnist(
    task: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            help="stmnist, eskin, eskin-pendigits or stemnist (default: what --data-dir holds, "
            "else the e-skin).",
        ),
    ] = None,
    splits: Annotated[
        int, typer.Option(min=1, help="Random 80-20 splits, or seeds of the given split.")
    ] = 10,
    protocol: Annotated[
        str, typer.Option(help="random (the paper's) or given (by writer for the e-skin).")
    ] = "random",
    emulator_samples: Annotated[int, typer.Option(min=1)] = 200,
    slayer: Annotated[
        bool, typer.Option("--slayer", help="Train on the events as well (a quarter of an hour).")
    ] = False,
    slayer_epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of that (default: its recipe's).")
    ] = None,
    out: Out = Path("nengo-tactile-out/st-mnist"),
    data_dir: DataDir = None,
    seed: Seed = 0,
):
    """Table 2 of the ST-MNIST paper: CNN, converted, on the Loihi emulator, SLAYER."""
    from nengo_tactile.reproduce import table2

    show(
        table2.run(
            task,
            splits,
            emulator_samples,
            protocol,
            out,
            data_dir,
            seed,
            say=say,
            slayer=slayer,
            slayer_epochs=slayer_epochs,
        )
    )


@app.command("spiking-resnet")
def reproduce_spiking_resnet(
    parts: Annotated[
        str | None, typer.Option(help="table1,table2,table3,figure3,figure4,steps (default: all).")
    ] = None,
    networks: Annotated[
        str | None, typer.Option(help="cifar10-resnet20,... (default: all that are trained).")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Time steps per image.")] = 128,
    samples: Samples = None,
    figure3_samples: Annotated[int, typer.Option(min=1, help="Random training images.")] = 1000,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of trained weights (default: the package's).")
    ] = None,
    out: Out = Path("nengo-tactile-out/spiking-resnet"),
    data_dir: DataDir = None,
    seed: Seed = 0,
):
    """Tables 1 to 3 and Figures 3 and 4 of the Spiking ResNet paper; an interrupted run goes on."""
    from nengo_tactile.reproduce import resnet_pages, resnet_plan, spiking_resnet

    plan = resnet_plan.make_plan(
        parts,
        networks,
        n_steps=steps,
        n_samples=samples,
        n_figure3=figure3_samples,
        weights=weights,
        seed=seed,
    )
    results = spiking_resnet.run(plan, out, data_dir, say=say)
    for table in resnet_pages.terminal_tables(results):
        show(table)


@app.command("sigma-delta")
def reproduce_sigma_delta(
    settings: Annotated[
        str | None, typer.Option(help="threshold-1,rate-25,... (default: all).")
    ] = None,
    samples: Samples = None,
    weights: Annotated[
        Path | None, typer.Option(help="Folder of trained weights (default: the package's).")
    ] = None,
    out: Out = Path("nengo-tactile-out/sigma-delta"),
    data_dir: DataDir = None,
    seed: Seed = 0,
):
    """Table I and Figures 2 to 4 of the sigma-delta paper; an interrupted run goes on."""
    from nengo_tactile.reproduce import delta_pages, delta_plan, sigma_delta

    plan = delta_plan.make_plan(settings, n_samples=samples, weights=weights, seed=seed)
    show(delta_pages.terminal_table(sigma_delta.run(plan, out, data_dir, say=say)))


@app.command("skim")
def reproduce_skim(
    parts: Annotated[
        str | None, typer.Option(help="growth,trials,crossing,tactile (default: all).")
    ] = None,
    hidden: Annotated[
        str | None, typer.Option(help="Hidden sizes of Figure 4: 10,100,... (default: to 10000).")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Training digits (default: all 60,000).")
    ] = None,
    test_samples: Annotated[
        int | None, typer.Option(min=1, help="Test digits (default: all 10,000).")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Networks with weights of their own.")] = 60,
    trial_hidden: Annotated[int, typer.Option(min=1, help="Their hidden neurons.")] = 1000,
    trial_samples: Annotated[int, typer.Option(min=1, help="Their training digits.")] = 10_000,
    kernels: Annotated[str, typer.Option(help="resonance; alpha, as in the paper.")] = "resonance",
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of the whole N-MNIST (default: simulate it).")
    ] = None,
    out: Out = Path("nengo-tactile-out/skim"),
    data_dir: DataDir = None,
    seed: Seed = 0,
):
    """Figures 4 to 7 and Tables 1 to 4 of the SKIM paper; an interrupted run goes on."""
    from nengo_tactile.reproduce import skim, skim_pages, skim_plan

    plan = skim_plan.make_plan(
        parts,
        hidden,
        n_samples=samples,
        n_test=test_samples,
        n_trials=trials,
        trial_hidden=trial_hidden,
        trial_samples=trial_samples,
        kernels=kernels,
        recordings=recordings,
        seed=seed,
    )
    results = skim.run(plan, out, data_dir, say=say)
    for table in skim_pages.terminal_tables(results):
        show(table)


@app.command("spikemax")
def reproduce_spikemax(
    sets: Annotated[
        str | None,
        typer.Option(help="Data sets: eskin,ev-objects,... (default: those at hand)."),
    ] = None,
    losses: Annotated[
        str | None,
        typer.Option(help="spike-rate,spikemax,spikemax_g,spikemax_s,spike-count (default: all)."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Networks of each, with own seeds.")] = 5,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs (default: the data set's).")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Random training samples (default: all).")
    ] = None,
    test_samples: Annotated[
        int | None, typer.Option(min=1, help="Random test samples (default: all).")
    ] = None,
    out: Out = Path("nengo-tactile-out/spikemax"),
    data_dir: DataDir = None,
    seed: Seed = 0,
):
    """Table I and Figures 2 to 7 of the Spikemax paper; an interrupted run goes on."""
    from nengo_tactile.reproduce import spikemax, spikemax_pages, spikemax_plan

    plan = spikemax_plan.make_plan(
        sets,
        losses,
        n_trials=trials,
        epochs=epochs,
        n_samples=samples,
        n_test=test_samples,
        seed=seed,
    )
    results = spikemax.run(plan, out, data_dir, say=say)
    for table in spikemax_pages.terminal_tables(results):
        show(table)
