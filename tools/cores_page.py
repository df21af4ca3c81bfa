"""docs/loihi_cores.md: what ResNet-20 would need on Loihi.

    python tools/cores_page.py

Converts the trained network, unless WORK holds it, and places it on neuron cores; nothing is run.
NENGO_TACTILE_DATA names the folder of CIFAR-10.
"""

from pathlib import Path

from nengo_tactile.engines.loihi import chip_report, chip_settings
from nengo_tactile.files import atomic_write
from nengo_tactile.papers.shipped import Order
from nengo_tactile.papers.spiking_resnet.model import converted
from nengo_tactile.papers.spiking_resnet.plan import NETWORKS

NAME = "cifar10-resnet20"
WORK = "nengo-tactile-out/spiking-resnet"
PAGE = Path(__file__).parents[1] / "docs" / "loihi_cores.md"


def cores_of(name, order, **options):
    """A converted network, and where it lies on the chip."""
    _, spiking = converted(name, order, **options)
    spiking = chip_settings(spiking)
    return spiking, chip_report(spiking)


def cores_page(name, spiking, report):
    """What a network would need on Loihi, as a page of the docs.

    Parameters
    ----------
    name : str
    spiking : SpikingNetwork
    report : ChipReport

    Returns
    -------
    str
        Markdown.
    """
    neurons = sum(row["neurons"] for row in report.rows())
    lines = [
        f"# {NETWORKS[name].title} on Loihi",
        "",
        "Made by `python tools/cores_page.py`: the converted network, placed on neuron "
        "cores by nengo-loihi, nothing run. A core takes 1,024 neurons, 4,096 input and "
        "output axons and 1,048,576 bits of synapses; a chip has 128 cores.",
        "",
        f"{len(report.cores):,} cores on {report.n_chips} chips for {neurons:,} neurons; on the "
        f"host: {', '.join(report.on_host) or 'nothing'}. Numbers of a layer's fullest core:",
        "",
        "| layer | cores | neurons | neurons of a core | input axons | output axons | synapse bits "
        "| 8-bit weight error | worst neuron's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in report.rows():
        errors = f"{row['weight_error']:.2%} | {row['worst_weight_error']:.2%}"
        lines.append(
            f"| `{row['layer']}` | {row['cores']} | {row['neurons']:,} | {row['compartments']:,} | "
            f"{row['in_axons']:,} | {row['out_axons']:,} | {row['synapse_bits']:,} | {errors} |"
        )
    lines += [
        f"| all | {len(report.cores):,} | {neurons:,} | | | | | | |",
        "",
        f"The read-out of {len(spiking.classes)} classes is a sum on the host.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    with atomic_write(PAGE) as file:
        file.write(cores_page(NAME, *cores_of(NAME, Order(WORK, n_samples=1))))
