ruleorder: import_features > cache_features


rule cache_features:
    input:
        tiles=TILES,
        nuclei=NUCLEI,
        cell_graphs=CELL_GRAPHS,
        imported=ancient(imported_beside),
    output:
        features=directory(f"{OUT}/features/{{slide}}.zarr"),
    log:
        f"{OUT}/logs/cache_features/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/cache_features/{{slide}}.tsv"
    wildcard_constraints:
        slide=ALONE,
    priority: 1
    group:
        "slide"
    conda:
        "../../envs/cellgraph.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=240,
    params:
        features=section("features"),
        on_bad_slide=config["on_bad_slide"],
        inputs=fingerprints(imported=imported_beside),
        source=source_digest("pipeline.cellgraph.cache_features"),
    script:
        "../scripts/cache_features.py"


rule import_features:
    input:
        imported=ancient(given_file("features")),
    output:
        features=directory(f"{OUT}/features/{{slide}}.zarr"),
    log:
        f"{OUT}/logs/import_features/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/import_features/{{slide}}.tsv"
    wildcard_constraints:
        slide=alternatives(IMPORTED),
    conda:
        "../../envs/cellgraph.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=30,
    params:
        slide_mpp=lambda wildcards: SLIDES[wildcards.slide].mpp,
        on_bad_slide=config["on_bad_slide"],
        inputs=fingerprints(imported=given_file("features")),
        source=source_digest("pipeline.cellgraph.import_features"),
    script:
        "../scripts/import_features.py"
