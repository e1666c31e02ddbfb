"""Images as networks take them, standardised, and where they lie: on the device, or where each use fetches them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from pipeline.devices import free_memory
from pipeline.logs import get_logger
from pipeline.training.cohort.cohort_nodes import Nodes, StoredNodes
from pipeline.training.cohort.node_scaler import NodeScaler
from pipeline.training.graphs.image_batches import NodeImage
from pipeline.training.graphs.lazy_images import LazyImage
from pipeline.training.graphs.resident_images import store_images
from pipeline.training.params import DEFAULT_READING

BYTES_PER_VALUE = 4
"""Of float32."""

CPU = torch.device("cpu")

log = get_logger("training")


@dataclass(frozen=True)
class Labelled:
    """Nodes of an image, its class, -1 when unknown, and whose it is."""

    nodes: Nodes
    label: int
    patient: str = ""


def standardised_images(
    images: Sequence[Labelled],
    scaler: NodeScaler,
    device: torch.device,
    card_share: float = DEFAULT_READING.card_share,
) -> list[NodeImage]:
    """``images``, which lie on ``device`` one after the other if they fit, with the same results if not.

    Images fit a processor whose features are all in memory already, and a card of whose free memory they
    take ``card_share`` at most.
    """
    if resides(images, scaler, device, card_share):
        each = (node_image(one.nodes, scaler, one.label, CPU, one.patient) for one in images)
        return [*store_images(each, sum(len(one.nodes.coords) for one in images), device)]
    return [*_each(images, scaler, device)]


def resides(images: Sequence[Labelled], scaler: NodeScaler, device: torch.device, card_share: float) -> bool:
    """Whether ``images`` are to lie on ``device`` together."""
    if device.type != "cuda":
        return not any(isinstance(one.nodes, StoredNodes) for one in images)
    n_nodes = sum(len(one.nodes.coords) for one in images)
    needed, free = (n_nodes + 1) * (scaler.n_outputs + 2) * BYTES_PER_VALUE, free_memory(device)
    fits = needed <= card_share * free
    log.info(
        "%d images of %.2f GiB %s (training.card_share: %g of %.2f GiB that are free)",
        *(len(images), needed / 2**30, "lie on the card" if fits else "are copied to the card at every use"),
        *(card_share, free / 2**30),
    )
    return fits


def node_image(nodes: Nodes, scaler: NodeScaler, label: int, device: torch.device, patient: str = "") -> NodeImage:
    """One standardised image on ``device``; nodes that stay in their file are read and standardised at every use."""
    coords = torch.from_numpy(nodes.coords).to(device)
    if isinstance(nodes, StoredNodes):
        return LazyImage(lambda: torch.from_numpy(scaler.apply(nodes.x)), coords, label, nodes.readers, patient)
    return NodeImage(torch.from_numpy(scaler.apply(nodes.x)).to(device), coords, label, patient)


def _each(images: Sequence[Labelled], scaler: NodeScaler, device: torch.device) -> Iterator[NodeImage]:
    """Images of which none is on a card before it is used."""
    for one in images:
        image = node_image(one.nodes, scaler, one.label, CPU, one.patient)
        if device.type == "cpu":
            yield image
        elif isinstance(image, LazyImage):
            yield image.but(coords=image.coords.to(device))
        else:
            yield LazyImage(partial(getattr, image, "x"), image.coords.to(device), one.label, None, one.patient)
