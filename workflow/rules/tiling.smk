rule tile_slide:
    input:
        slide=slide_file,
        mask=mask_file,
    output:
        tiles=f"{OUT}/tiles/{{slide}}.parquet",
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
        source=source_digest("pipeline.tiling"),
    script:
        "../scripts/tile_slide.py"
