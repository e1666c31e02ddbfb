ruleorder: tile_nuclei > import_tiles > tile_slide


rule tile_slide:
    input:
        slide=ancient(given_file("path")),
        mask=ancient(given_file("mask")),
    output:
        tiles=TILES,
        overview=report(
            f"{OUT}/tiles/{{slide}}.png",
            caption="../report/tile_slide.rst",
            category="Tiles",
            labels={"slide": "{slide}"},
        ),
    log:
        f"{OUT}/logs/tile_slide/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/tile_slide/{{slide}}.tsv"
    wildcard_constraints:
        slide=ALONE,
    priority: 1
    conda:
        "../../envs/tiling.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        tiling=section("tiling"),
        row=row_values,
        on_bad_slide=config["on_bad_slide"],
        on_bad_tile=config["on_bad_tile"],
        reader=config["reader"],
        inputs=fingerprints(slide=given_file("path"), mask=given_file("mask")),
        source=source_digest("pipeline.tiling.tile_slide"),
    script:
        "../scripts/tile_slide.py"


rule import_tiles:
    input:
        slide=ancient(given_file("path")),
        coords=ancient(given_file("tiles")),
    output:
        tiles=TILES,
        overview=report(
            f"{OUT}/tiles/{{slide}}.png",
            caption="../report/tile_slide.rst",
            category="Tiles",
            labels={"slide": "{slide}"},
        ),
    log:
        f"{OUT}/logs/import_tiles/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/import_tiles/{{slide}}.tsv"
    wildcard_constraints:
        slide=alternatives(TILED_ELSEWHERE),
    conda:
        "../../envs/tiling.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        tiling=section("tiling"),
        row=row_values,
        on_bad_slide=config["on_bad_slide"],
        on_bad_tile=config["on_bad_tile"],
        reader=config["reader"],
        inputs=fingerprints(slide=given_file("path"), coords=given_file("tiles")),
        source=source_digest("pipeline.tiling.import_tiles"),
    script:
        "../scripts/import_tiles.py"


rule tile_nuclei:
    input:
        found=ancient(given_file("nuclei")),
    output:
        tiles=TILES,
        overview=report(
            f"{OUT}/tiles/{{slide}}.png",
            caption="../report/tile_slide.rst",
            category="Tiles",
            labels={"slide": "{slide}"},
        ),
    log:
        f"{OUT}/logs/tile_nuclei/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/tile_nuclei/{{slide}}.tsv"
    wildcard_constraints:
        slide=alternatives(WITHOUT_SLIDE),
    conda:
        "../../envs/tiling.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        tiling=section("tiling"),
        mpp=lambda wildcards: SLIDES[wildcards.slide].mpp,
        on_bad_slide=config["on_bad_slide"],
        inputs=fingerprints(found=given_file("nuclei")),
        source=source_digest("pipeline.tiling.tile_nuclei"),
    script:
        "../scripts/tile_nuclei.py"


rule export_tiles:
    input:
        slide=ancient(given_file("path")),
        tiles=TILES,
    output:
        trident=f"{OUT}/coords/trident/{{slide}}_patches.h5",
        clam=f"{OUT}/coords/clam/{{slide}}.h5",
        outlines=f"{OUT}/coords/geojson/{{slide}}.tiles.geojson",
    log:
        f"{OUT}/logs/export_tiles/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/export_tiles/{{slide}}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        inputs=fingerprints(slide=given_file("path")),
        source=source_digest("pipeline.report.export_tiles"),
    script:
        "../scripts/export_tiles.py"
