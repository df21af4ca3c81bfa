"""How each link is run: as slides, or event by event, and as a product where that is quicker."""

from nengo_tactile.engines.event import columns, products
from nengo_tactile.engines.event.kernel import LAST


def worths_of(stages, driven):
    """Least and most that an event of each stage is worth; None where that is no whole number."""
    worths = {}
    for stage in stages:
        neuron, worth = stage.neuron, None
        if neuron.forwards:  # what rises by the spikes of others
            ones = all((link.map.values == 1).all() for link in stage.links)
            found = [worths[link.source] for link in stage.links]
            if ones and None not in found and not stage.bias.any() and stage.name not in driven:
                most = max((each[1] for each in found), default=1)
                worth = -most, most
        elif stage.spikes and not neuron.negative_slope:
            most = neuron.spikes_per_step
            worth = -most if neuron.signed else 0, most
        worths[stage.name] = worth
    return worths


class Ways:
    """How a link may be run: as slides or runs, and as a product from some number of events on.

    Parameters
    ----------
    link : Link
    neuron : Neuron
        Of the stage that it leads to: a max pooling has marks to set.
    worth : (int, int) or None
        See `columns.slides_of`.
    sums : bool
        Whether what sends passes on sums.
    """

    def __init__(self, link, neuron, worth, sums):
        self.link, self.slides, self.product = link, None, None
        if not neuron.forwards:
            self.slides = columns.slides_of(link.map, link.target, worth)
            if self.slides is None or sums:
                self.product = products.product_of(link.map, link.target, sums)
        self.most = int(LAST) if self.product is None else self.product["least"]


def slides_in(stages, every):
    """Those of all links, and the first of each stage and the one after its last."""

    def parts(ways):
        return [{**one, "table": 0, "most": ways.most} for one in ways.slides or ()]

    spans, found = _spans(stages, every, parts)
    return spans, columns.joined(found)


def products_in(stages, every):
    """The same of products."""
    spans, found = _spans(stages, every, lambda ways: [ways.product] if ways.product else [])
    return spans, products.joined(found)


def _spans(stages, every, parts):
    """Where those of each stage begin and end, and ``parts(ways)`` of all, with their source."""
    number = {stage.name: index for index, stage in enumerate(stages)}
    spans, found = [], []
    for each in every:
        first = len(found)
        for ways in each:
            found += [{**one, "source": number[ways.link.source]} for one in parts(ways)]
        spans.append((first, len(found)))
    return spans, found
