rule build_cell_graphs:
    input:
        tiles=TILES,
        nuclei=NUCLEI,
    output:
        cell_graphs=directory(CELL_GRAPHS),
    log:
        f"{OUT}/logs/build_cell_graphs/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/build_cell_graphs/{{slide}}.tsv"
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
        runtime=120,
    params:
        cell_graphs=section("cell_graphs"),
        source=source_digest("pipeline.cellgraph.build_cell_graphs"),
    script:
        "../scripts/build_cell_graphs.py"
