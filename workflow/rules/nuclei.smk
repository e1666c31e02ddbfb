rule segment_nuclei:
    input:
        slide=ancient(given_file("path")),
        tiles=TILES,
        weights=ancient(WEIGHTS_FILE),
    output:
        nuclei=f"{OUT}/nuclei/{{slide}}.parquet",
    log:
        f"{OUT}/logs/segment_nuclei/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/segment_nuclei/{{slide}}.tsv"
    conda:
        environment("nuclei")
    threads: config["nuclei"]["threads"]
    resources:
        mem_mb=more_memory(4000),
        runtime=24 * 60,
        gpu=GPUS,
    params:
        nuclei=section("nuclei"),
        device=config["device"],
        partial=f"{OUT}/.partial/segment_nuclei",
        on_bad_slide=config["on_bad_slide"],
        on_bad_tile=config["on_bad_tile"],
        reader=config["reader"],
        inputs=fingerprints(slide=given_file("path"), weights=WEIGHTS_FILE),
        source=source_digest("pipeline.nuclei.segment_nuclei"),
    script:
        "../scripts/segment_nuclei.py"
