"""``abignet segment``."""

from pathlib import Path

import click

from pipeline.commands.options import EXISTING_FILE, MPP_OF_SLIDE, NEW_FILE, config_options, configured, device_option
from pipeline.config import params
from pipeline.provenance import source_digest


@click.command("segment")
@click.option("--image", "image_path", type=EXISTING_FILE, required=True, help="Image or slide.")
@click.option("--mpp", type=MPP_OF_SLIDE, help="um per pixel of the image, where the file does not hold it.")
@click.option("--weights", help="Shipped name, path, or name in $CELLPOSE_LOCAL_MODELS_PATH. [default: the config's]")
@click.option("--out", "nuclei_path", type=NEW_FILE, required=True, help="Table of nuclei to write (.parquet).")
@click.option("--masks", "masks_path", type=NEW_FILE, help="Label image to write (.tif, uint32, 0 = background).")
@click.option("--geojson", "geojson_path", type=NEW_FILE, help="Outlines to write for QuPath (.geojson.gz).")
@device_option
@config_options
def command(
    image_path: Path,
    mpp: float | None,
    weights: str | None,
    nuclei_path: Path,
    masks_path: Path | None,
    geojson_path: Path | None,
    device: str | None,
    config_path: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Segment the nuclei of a whole image.

    No tissue mask is applied; masks are in the image's own pixels.
    """
    from pipeline.nuclei.params import NucleiParams
    from pipeline.nuclei.segmentation.segment_image import segment_image
    from pipeline.report.export_geojson import nuclei_geojson
    from pipeline.slides.slide_input import SlideInput
    from pipeline.tiling.params import TilingParams

    config = configured(config_path, settings, nuclei__weights=weights, device=device)
    n_nuclei = segment_image(
        SlideInput(
            image_path.stem,
            image_path,
            mpp,
            config["reader"],
            mpp_range=params(config, "tiling", TilingParams).slide_mpp_range,
        ),
        nuclei_path,
        masks_path,
        params=params(config, "nuclei", NucleiParams),
        device=config["device"],
        source=source_digest("pipeline.nuclei.segmentation.segment_image"),
    )
    if geojson_path is not None:
        nuclei_geojson(nuclei_path, geojson_path)
    click.echo(f"{nuclei_path}: {n_nuclei} nuclei")
