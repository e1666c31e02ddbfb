"""The files that abignet reads, each with small true examples and the function that reads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import mutations
from tests.fuzz.mutations import Mutation
from tests.fuzz.outcomes import EXAMPLE, Read

RNG_SEED = 20_240_601
"""Of all inputs; the number of an input and its format do the rest."""


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes
    ----------
    name
        Of the format.
    examples
        Writes true examples into a folder and returns their paths; a folder is an example whose files are mutated.
    read
        Reads one, as the stages and commands do.
    mutations
        What is done to its bytes.
    """

    name: str
    examples: Callable[[Path], Sequence[Path]]
    read: Read
    mutations: Sequence[Mutation] = mutations.BYTES


def write_input(kind: Format, examples: Sequence[Path], folder: Path, number: int) -> Path:
    """Input ``number`` of a format: an example with something done to it, at the same path each time."""
    if number == EXAMPLE:
        return examples[0]
    rng = np.random.default_rng([RNG_SEED, sum(kind.name.encode()), number])
    example = examples[int(rng.integers(len(examples)))]
    return (
        _changed_folder(kind, example, folder, rng) if example.is_dir() else _changed_file(kind, example, folder, rng)
    )


def _changed_file(kind: Format, example: Path, folder: Path, rng: np.random.Generator) -> Path:
    # Beside the example, so that what it names by relative paths is there.
    path = example.with_name(f"input{example.suffix}")
    path.write_bytes(mutations.mutated(example.read_bytes(), kind.mutations, rng))
    return path


def _changed_folder(kind: Format, example: Path, folder: Path, rng: np.random.Generator) -> Path:
    """A copy of a store of which one file is mutated, emptied or missing."""
    import shutil

    path = folder / f"input{example.suffix}"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(example, path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    file = files[int(rng.integers(len(files)))]
    choice = rng.integers(10)
    if choice == 0:
        file.unlink()
    elif choice == 1:
        file.write_bytes(b"")
    else:
        kinds = mutations.JSON if file.suffix == ".json" else mutations.BYTES
        file.write_bytes(mutations.mutated(file.read_bytes(), kinds, rng))
    return path


def _geojson_examples(folder: Path) -> list[Path]:
    import json

    ring = [[0, 0], [100, 0], [100, 80], [0, 80], [0, 0]]
    hole = [[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]]
    properties = {"objectType": "annotation", "classification": {"name": "Ignore*: Fold", "color": [1, 2, 3]}}
    collection = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring, hole]}, "properties": properties},
            {
                "type": "Feature",
                "id": "b1",
                "geometry": {"type": "MultiPolygon", "coordinates": [[ring], [hole]]},
                "properties": {"objectType": "tmaCore", "isMissing": False, "name": "A-1"},
            },
            {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": None},
        ],
    }
    geometry = {"type": "GeometryCollection", "geometries": [{"type": "Polygon", "coordinates": [ring]}]}
    contents = (collection, collection["features"], geometry)
    return [_written(folder / f"mask{n}.geojson", json.dumps(content)) for n, content in enumerate(contents)]


def _read_geojson(path: Path) -> object:
    from pipeline.tiling.grid.tile_grid import SlideSize
    from pipeline.tiling.polygons.polygon_mask import read_polygon_mask

    return read_polygon_mask(path, SlideSize(200, 100), shape=(20, 40))


def _config_examples(folder: Path) -> list[Path]:
    from pipeline.config_files import config_text

    small = "sheet: slides.csv\noutdir: out\nseeds: [0, 1]\ntiling: {mpp: 0.5}\ntraining:\n  epochs: 3\n"
    return [_written(folder / "whole.yaml", config_text()), _written(folder / "small.yaml", small)]


def _read_config(path: Path) -> object:
    from pipeline.config import load_config

    return load_config(path)


def _setting_examples(folder: Path) -> list[Path]:
    from pipeline.config import default_config

    settings = []
    for name, value in default_config().items():
        section = value.items() if isinstance(value, dict) else [(None, value)]
        settings += [f"{name}={one}" if key is None else f"{name}.{key}={one}" for key, one in section]
    return [_written(folder / f"{n:03}.set", setting) for n, setting in enumerate(settings)]


def _read_setting(path: Path) -> object:
    from pipeline.config import load_config

    # As the shell hands them over: what is no UTF-8 comes as lone surrogates.
    return load_config(settings=[path.read_bytes().replace(b"\0", b"").decode("utf-8", "surrogateescape")])


def _sheet_examples(folder: Path) -> list[Path]:
    for name in ("a.svs", "b.tif", "c.h5", "m.geojson", "t.h5"):
        (folder / name).write_bytes(name.encode())
    full = (
        "slide_id,path,features,label,case_id,mpp,fold,mask,tiles\n"
        "s1,a.svs,,tumour,p1,0.25,0,m.geojson,\ns2,b.tif,,normal,p2,,1,,t.h5\ns3,,c.h5,normal,p3,,1,,\n"
    )
    short = "slide_id,path,label\ns1,a.svs,tumour\ns2,b.tif,\n"
    return [_written(folder / "full.csv", full), _written(folder / "short.csv", short)]


def _read_sheet(path: Path) -> object:
    from pipeline.artefacts.sheet import read_sheet

    return read_sheet(path)


def _h5_examples(folder: Path) -> list[Path]:
    import h5py

    features, coords = np.arange(32, dtype=np.float32).reshape(4, 8), np.array([[0, 0], [256, 0], [0, 256], [256, 256]])
    trident = {"patch_size": 256, "patch_size_level0": 256, "level0_magnification": 20, "target_magnification": 20}
    names = {"name": "s1", "savetodir": ".", "overlap": 0, "level0_width": 512, "level0_height": 512}
    clam = {"patch_size": 256, "patch_level": 0, "downsample": (1.0, 1.0), "name": "s1", "save_path": "."}
    with h5py.File(folder / "trident.h5", "w") as file:
        file["features"], file["coords"] = features, coords
        file["coords"].attrs.update({**trident, **names})
    with h5py.File(folder / "clam.h5", "w") as file:
        chunks: dict[str, Any] = {"maxshape": (None, 8), "chunks": (2, 8), "compression": "gzip"}
        file.create_dataset("features", data=features.astype(np.float16)[None], chunks=(1, 2, 8), compression="gzip")
        file.create_dataset("feats_of_none", data=features, **chunks)
        file["coords"] = coords
        file["coords"].attrs.update(clam)
    with h5py.File(folder / "stamp.h5", "w") as file:
        file["feats"], file["coords"] = features, coords / 4
        file.attrs.update({"unit": "um", "tile_size_um": 64.0, "tile_size_px": 256})
    return [folder / f"{name}.h5" for name in ("trident", "clam", "stamp")]


def _read_coords(path: Path) -> object:
    from pipeline.artefacts.tile_coords import read_tile_coords

    return read_tile_coords(path)


def _read_h5(path: Path) -> object:
    from pipeline.artefacts.imported_features import read_imported_features

    return read_imported_features(path, slide_mpp=0.25)


def _slide_examples(folder: Path) -> list[Path]:
    import tifffile
    from PIL import Image

    from pipeline.synthetic.painting.pyramid import write_pyramid

    rng = np.random.default_rng(0)
    rgb = np.kron(rng.integers(60, 240, (20, 24, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    write_pyramid(folder / "pyramid.tif", rgb, 0.5)
    tifffile.imwrite(folder / "plain.tif", rgb, photometric="rgb", resolution=(20_000, 20_000), resolutionunit=3)
    tifffile.imwrite(folder / "tiled.tif", rgb, photometric="rgb", tile=(128, 128), compression="deflate")
    tifffile.imwrite(folder / "a.ome.tif", rgb, photometric="rgb", metadata={"axes": "YXS", "PhysicalSizeX": 0.5})
    for suffix in ("png", "jpg", "bmp", "webp"):
        Image.fromarray(rgb).save(folder / f"image.{suffix}")
    names = ("pyramid.tif", "plain.tif", "tiled.tif", "a.ome.tif", "image.png", "image.jpg", "image.bmp", "image.webp")
    return [folder / name for name in names]


def _read_slide(path: Path) -> object:
    from pipeline.slides.reader import open_slide

    with open_slide(path, slide_id="s", mpp=0.5) as slide:
        return slide.thumbnail(4.0), slide.read_box(8, 8, 64, 64, width_px=32, height_px=32)


def _weights_examples(folder: Path) -> list[Path]:
    from pipeline.nuclei.network.weights_files import resolve_weights
    from pipeline.nuclei.params import SHIPPED_WEIGHTS

    path = folder / "weights.pt"
    path.write_bytes(resolve_weights(SHIPPED_WEIGHTS).read_bytes())
    return [path]


def _read_weights(path: Path) -> object:
    from pipeline.nuclei.network.cpnet_folding import fold
    from pipeline.nuclei.network.weights import load_weights

    return fold(load_weights(path))


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


FORMATS = {
    kind.name: kind
    for kind in (
        Format("geojson", _geojson_examples, _read_geojson, mutations.JSON),
        Format("config", _config_examples, _read_config, mutations.TEXT),
        Format("setting", _setting_examples, _read_setting, mutations.TEXT),
        Format("sheet", _sheet_examples, _read_sheet, mutations.TEXT),
        Format("coords_h5", _h5_examples, _read_coords),
        Format("feature_h5", _h5_examples, _read_h5),
        Format("slide", _slide_examples, _read_slide),
        Format("weights", _weights_examples, _read_weights),
    )
}
