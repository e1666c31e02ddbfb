"""The files that abignet reads, each with small true examples and the function that reads it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.fuzz import mutations
from tests.fuzz.mutations import Mutation
from tests.fuzz.outcomes import EXAMPLE, Read

if TYPE_CHECKING:
    import pandas as pd

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
    """

    name: str
    examples: Callable[[Path], Sequence[Path]]
    read: Read


BY_SUFFIX: dict[str, Sequence[Mutation]] = {
    **dict.fromkeys((".json", ".geojson"), mutations.JSON),
    **dict.fromkeys((".csv", ".yaml", ".set"), mutations.TEXT),
    ".pt": mutations.ZIP,
}
"""What is done to files of text, of JSON and of archives; to others what is done to any bytes."""


def write_input(kind: Format, examples: Sequence[Path], folder: Path, number: int) -> Path:
    """Input ``number`` of a format: an example with something done to it, at the same path each time."""
    if number == EXAMPLE:
        return true_example(examples[0], folder)
    rng = np.random.default_rng([RNG_SEED, sum(kind.name.encode()), number])
    example = examples[int(rng.integers(len(examples)))]
    return _changed_folder(example, folder, rng) if example.is_dir() else _changed_file(example, rng)


def true_example(example: Path, folder: Path) -> Path:
    """A copy of an example under the name that inputs made of it have."""
    import shutil

    copy = shutil.copytree if example.is_dir() else shutil.copy
    path = example.with_name(_name_of_input(example))
    shutil.rmtree(path, ignore_errors=True)
    return Path(copy(example, path))


def _changed_file(example: Path, rng: np.random.Generator) -> Path:
    # Beside the example, so that what it names by relative paths is there.
    path = example.with_name(_name_of_input(example))
    path.write_bytes(_changed(example, rng))
    return path


def _changed(file: Path, rng: np.random.Generator) -> bytes:
    return mutations.mutated(file.read_bytes(), BY_SUFFIX.get(file.suffix, mutations.BYTES), rng)


def _name_of_input(example: Path) -> str:
    """Readers are chosen by what an input was made of."""
    return f"input_{example.stem.rstrip('012')}{example.suffix}"


def _changed_folder(example: Path, folder: Path, rng: np.random.Generator) -> Path:
    """A copy of a store of which one file is mutated, emptied or missing."""
    import shutil

    path = folder / _name_of_input(example)
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
        file.write_bytes(_changed(file, rng))
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


def _nuclei_examples(folder: Path) -> list[Path]:
    """Of each program one file of the same two nuclei, beside the tiles of their slide."""
    import json

    import pandas as pd

    from pipeline.artefacts import tiles
    from pipeline.artefacts.tables import write_table

    ring = [[20, 20], [60, 20], [60, 60], [20, 60]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
        "properties": {
            "objectType": "detection",
            "classification": {"name": "Tumor"},
            "measurements": {"Nucleus: Area": 100.0},
        },
    }
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [90, 90]}, "properties": {}}
    nucleus = {"bbox": [[20, 20], [60, 60]], "centroid": [40, 40], "contour": ring, "type": 1, "type_prob": 0.9}
    contents = {
        "a.geojson": {"type": "FeatureCollection", "features": [feature, point]},
        "hovernet.json": {"mag": 40, "nuc": {"1": nucleus, "2": {"centroid": [90, 90], "contour": [], "type": 0}}},
        "cellvit.json": {"type_map": {"1": "Neoplastic"}, "cells": [nucleus]},
    }
    files = [_written(folder / name, json.dumps(content)) for name, content in contents.items()]
    table = pd.DataFrame({"x_um": [10.0, 22.5], "y_um": [10.0, 22.5], "type": ["a", "b"], "outline_um": [WKT, ""]})
    table.to_csv(folder / "cells.csv", index=False)
    table.to_parquet(folder / "cells.parquet")
    header = tiles.TileHeader("s", 0.25, 400, 400, None, {"params": {"mpp": 0.5}})
    write_table(folder / "tiles.parquet", _row_of_tiles(1), tiles.COLUMNS, header.plain())
    return [*files, folder / "cells.csv", folder / "cells.parquet"]


def _row_of_tiles(n_tiles: int) -> "pd.DataFrame":
    """Kept tiles of 400 level-0 pixels side by side."""
    import pandas as pd

    from pipeline.artefacts.tiles import QC_COLUMNS

    number = np.arange(n_tiles)
    places = {"tile_id": number, "x_l0": 400 * number, "y_l0": 0, "row": 0, "col": number}
    sizes = {"width_l0": 400.0, "tile_px": 200, "mpp": 0.5}
    return pd.DataFrame(
        {**places, **sizes, "tissue_fraction": 1.0, "kept": True, "reason": "", **dict.fromkeys(QC_COLUMNS, 0.0)}
    )


WKT = "POLYGON ((5 5, 15 5, 15 15, 5 15, 5 5))"


def _read_nuclei(path: Path) -> object:
    from pipeline.nuclei.import_nuclei import import_nuclei

    return import_nuclei(path.with_name("tiles.parquet"), path, path.with_name("n.parquet"), slide_id="s", source="x")


def _config_examples(folder: Path) -> list[Path]:
    from pipeline.config_files import config_text

    small = "sheet: slides.csv\noutdir: out\nseeds: [0, 1]\ntiling: {mpp: 0.5}\ntraining:\n  epochs: 3\n"
    return [_written(folder / "whole.yaml", config_text()), _written(folder / "small.yaml", small)]


def _read_config(path: Path) -> object:
    from pipeline.config import load_config

    return load_config(path)


def _setting_examples(folder: Path) -> list[Path]:
    import json

    from pipeline.config import default_config

    settings: list[str] = []
    for name, value in default_config().items():
        section = value.items() if isinstance(value, dict) else [(None, value)]
        settings += [(name if key is None else f"{name}.{key}") + f"={json.dumps(one)}" for key, one in section]
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


def _coords_examples(folder: Path) -> list[Path]:
    return [path for path in _h5_examples(folder) if path.stem != "stamp"]


def _read_coords(path: Path) -> object:
    from pipeline.artefacts.tile_coords import read_tile_coords

    return read_tile_coords(path)


def _read_h5(path: Path) -> object:
    from pipeline.artefacts.imported_features import read_imported_features

    return read_imported_features(path, slide_id="input", slide_mpp=0.25)


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


def _table_examples(folder: Path) -> list[Path]:
    """Each table as it is written and as version 1 was, which carries no digest."""
    import pandas as pd

    from pipeline.artefacts import nuclei, tiles
    from pipeline.artefacts.parquet_seal import SEAL_BYTES, read_seal
    from pipeline.artefacts.tables import write_table

    cells = pd.DataFrame({name: pd.Series(range(3)).astype(dtype) for name, dtype in nuclei.COLUMNS.items()})
    provenance = {"params": {"mpp": 0.5}}
    nucleus_header = nuclei.NucleusHeader("s", 0.25, 0.5, "w", "d", None, provenance)
    tables = {
        "tiles": (_row_of_tiles(3), tiles.COLUMNS, tiles.TileHeader("s", 0.25, 1200, 400, None, provenance)),
        "nuclei": (cells.assign(contour_um=b""), nuclei.COLUMNS, nucleus_header),
    }
    for name, (rows, columns, header) in tables.items():
        write_table(folder / f"{name}2.parquet", rows, columns, header.plain())
        old = folder / f"{name}1.parquet"
        write_table(old, rows, columns, {**header.plain(), "format_version": 1})
        seal, content = read_seal(old), old.read_bytes()
        assert seal is not None
        old.write_bytes(content[: seal.n_page_bytes] + content[seal.n_page_bytes + SEAL_BYTES :])
    return sorted(folder.glob("*.parquet"))


def _read_table(path: Path) -> object:
    from pipeline.artefacts.nuclei import iterate_nuclei, read_nuclei
    from pipeline.artefacts.tile_ownership import check_single_ownership
    from pipeline.artefacts.tiles import kept_tiles, read_tiles

    if path.stem == "input_tiles":
        table = read_tiles(path)
        check_single_ownership(kept_tiles(table), "s")
        return table
    return read_nuclei(path), list(iterate_nuclei(path))


def _store_examples(folder: Path) -> list[Path]:
    """Each store as it is written and as version 1 was."""
    import json
    import shutil

    from pipeline.artefacts.cell_graphs import CellGraphs, write_cell_graphs
    from pipeline.artefacts.features import FeatureStore, write_features
    from pipeline.artefacts.learned_graphs import LearnedGraph, write_learned_graphs

    edges, ids = np.array([[0, 1, 1], [1, 0, 2]]), np.arange(3)
    store = FeatureStore(
        slide_id="s",
        features=np.ones((3, 2), np.float32),
        feature_names=("a", "b"),
        coords=np.array([[0, 0], [9, 0], [0, 9]]),
        tile_id=ids,
        embeddings={"uni": np.ones((3, 4), np.float32)},
    )
    write_features(folder / "features2.zarr", store)
    graph = LearnedGraph(edges, np.full(3, 0.5, np.float32), np.ones(3, bool))
    write_learned_graphs(folder / "learned2.zarr", [("s", graph)], {"params": {}})
    graphs = CellGraphs(
        tile_id=ids[:2],
        nucleus_id=ids,
        node_offsets=np.array([0, 2, 3]),
        edge_index=edges[:, :2],
        edge_offsets=np.array([0, 2, 2]),
        **{name: np.ones(2, np.float32) for name in ("length_um", "delta_orientation", "edge_to_axis", "weight")},
    )
    write_cell_graphs(folder / "cells2.zarr", graphs, slide_id="s", reason=None, provenance={"params": {}})
    for name in ("features", "learned", "cells"):
        old = Path(shutil.copytree(folder / f"{name}2.zarr", folder / f"{name}1.zarr"))
        document = json.loads((old / "zarr.json").read_text())
        for key in ("digest", "digests"):
            document["attributes"].pop(key, None)
        document["attributes"]["format_version"] = 1
        (old / "zarr.json").write_text(json.dumps(document))
    return sorted(folder.glob("*.zarr"))


def _read_store(path: Path) -> object:
    from pipeline.artefacts.cell_graphs import read_cell_graphs
    from pipeline.artefacts.feature_parts import open_features, read_patch_places
    from pipeline.artefacts.features import read_features
    from pipeline.artefacts.learned_graphs import read_learned_graph

    if path.stem.startswith("input_features"):
        return read_features(path), read_patch_places(path), open_features(path).read()
    return read_learned_graph(path, "s") if path.stem.startswith("input_learned") else read_cell_graphs(path)


def _model_examples(folder: Path) -> list[Path]:
    from dataclasses import replace

    import torch

    from pipeline.training.classifiers.image_classifier import build_model
    from pipeline.training.cohort.node_scaler import NodeScaler
    from pipeline.training.fitting.checkpoint import TrainedModel, write_model
    from pipeline.training.methods.presets import METHODS

    torch.manual_seed(0)
    spec = replace(METHODS["default"], settings=replace(METHODS["default"].settings, hidden=8, heads=2))
    zeros, ones = np.zeros(5, np.float32), np.ones(5, np.float32)
    scaler = NodeScaler(median=zeros, mean=zeros, scale=ones, indicator=np.zeros(5, bool), clip_sd=5.0)
    network = build_model(spec, scaler.n_outputs, 2)
    write_model(folder / "model2.pt", TrainedModel(network, scaler, spec, tuple("abcde"), ("n", "t")), source="s")
    torch.save(torch.load(folder / "model2.pt", weights_only=True) | {"format_version": 1}, folder / "model1.pt")
    return [folder / "model2.pt", folder / "model1.pt"]


def _read_model(path: Path) -> object:
    import torch

    from pipeline.training.fitting.checkpoint import read_model

    return read_model(path, torch.device("cpu"))


CSV_TEXTS = {
    "splits": "slide_id,case_id,label,seed,fold,role\ns1,p1,a,0,0,train\ns2,p2,b,0,0,test\n"
    "s1,p1,a,0,1,test\ns2,p2,b,0,1,train\n",
    "excluded": "slide_id,case_id,label,reason\ns3,p3,,no tissue\n",
    "predictions": "slide_id,case_id,label,predicted,p_a,p_b\ns1,p1,a,a,0.75,0.25\ns2,p2,,b,0.1,0.9\n",
    "history": "epoch,lower_loss,lower_accuracy,upper_loss,upper_accuracy,select_loss,select_accuracy,tau,mean_degree,"
    "selected,model,stage\n0,0.7,0.5,,,0.69,0.5,1,8.5,False,0,search\n1,0.6,0.75,,,0.68,0.5,0.9,8.5,True,0,search\n",
}


def _csv_examples(folder: Path) -> list[Path]:
    """Without a provenance beside them, so that no digest refuses what is changed."""
    return [_written(folder / f"{name}.csv", text) for name, text in CSV_TEXTS.items()]


def _read_csv(path: Path) -> object:
    from pipeline.artefacts.predictions import read_history, read_predictions
    from pipeline.artefacts.splits import read_excluded, read_splits

    readers = {
        "splits": read_splits,
        "excluded": read_excluded,
        "predictions": read_predictions,
        "history": read_history,
    }
    return readers[path.stem.removeprefix("input_")](path)


def _json_examples(folder: Path) -> list[Path]:
    import json

    from pipeline.artefacts.json_files import write_json

    record = {"params": {"mpp": 0.5}, "source": "s", "upstream": {"tiles": "d"}, "packages": {"numpy": "2"}}
    write_json(folder / "new.json", {"format_version": 2, **record})
    return [folder / "new.json", _written(folder / "old.json", json.dumps({"format_version": 1, **record}))]


def _read_json(path: Path) -> object:
    from pipeline.artefacts.json_files import read_json

    return read_json(path, "provenance")


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


FORMATS = {
    kind.name: kind
    for kind in (
        Format("geojson", _geojson_examples, _read_geojson),
        Format("nuclei", _nuclei_examples, _read_nuclei),
        Format("config", _config_examples, _read_config),
        Format("setting", _setting_examples, _read_setting),
        Format("sheet", _sheet_examples, _read_sheet),
        Format("coords_h5", _coords_examples, _read_coords),
        Format("feature_h5", _h5_examples, _read_h5),
        Format("slide", _slide_examples, _read_slide),
        Format("weights", _weights_examples, _read_weights),
        Format("parquet", _table_examples, _read_table),
        Format("zarr", _store_examples, _read_store),
        Format("model", _model_examples, _read_model),
        Format("csv", _csv_examples, _read_csv),
        Format("json", _json_examples, _read_json),
    )
}
