ruleorder: import_nuclei > segment_nuclei


rule segment_nuclei:
    input:
        slide=ancient(given_file("path")),
        tiles=TILES,
        weights=ancient(WEIGHTS_FILE),
    output:
        nuclei=NUCLEI,
    log:
        f"{OUT}/logs/segment_nuclei/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/segment_nuclei/{{slide}}.tsv"
    wildcard_constraints:
        slide=ALONE,
    priority: 1
    conda:
        environment("nuclei")
    threads: cores_of_job(config["nuclei"]["threads"], card=bool(GPUS and WEIGHTS))
    resources:
        mem_mb=more_memory(8000 if GPUS and WEIGHTS else 4000),
        runtime=24 * 60,
        gpu=GPUS if WEIGHTS else 0,
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


rule import_nuclei:
    input:
        tiles=TILES,
        found=ancient(given_file("nuclei")),
    output:
        nuclei=NUCLEI,
    log:
        f"{OUT}/logs/import_nuclei/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/import_nuclei/{{slide}}.tsv"
    wildcard_constraints:
        slide=alternatives(SEGMENTED_ELSEWHERE),
    conda:
        "../../envs/tiling.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(8000),
        runtime=60,
    params:
        on_bad_slide=config["on_bad_slide"],
        inputs=fingerprints(found=given_file("nuclei")),
        source=source_digest("pipeline.nuclei.import_nuclei"),
    script:
        "../scripts/import_nuclei.py"
