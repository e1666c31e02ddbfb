rule write_report:
    input:
        tiles=of_slides(TILES, REPORTED),
        overviews=of_slides(rules.tile_slide.output.overview, REPORTED),
        nuclei=of_slides(NUCLEI, REPORTED),
        splits=rules.split_cohort.output.splits,
        excluded=rules.split_cohort.output.excluded,
        metrics=rules.evaluate.output.metrics,
        comparison=rules.evaluate.output.comparison,
        histories=expand(
            rules.train_fold.output.history, method=METHODS, seed=SEEDS, fold=FOLDS
        ),
        graphs=expand(
            rules.train_fold.output.graphs, method=METHODS, seed=SEEDS, fold=FOLDS
        ),
        evidence=expand(
            rules.explain_fold.output, method=EXPLAINED, seed=SEEDS, fold=FOLDS
        ),
        interpretations=expand(rules.interpret.output.interpretation, method=EXPLAINED),
        predictions=wanted_predictions(),
    output:
        page=report(
            f"{OUT}/report/{RUN}/index.html",
            caption="../report/write_report.rst",
            category="Results",
        ),
        figures=directory(f"{OUT}/report/{RUN}/figures"),
    log:
        f"{OUT}/logs/write_report/{RUN}.log",
    benchmark:
        f"{OUT}/benchmarks/write_report/{RUN}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=120,
    params:
        report=section("report"),
        shown=SHOWN,
        source=source_digest("pipeline.report.write_report"),
    script:
        "../scripts/write_report.py"


rule write_panels:
    input:
        report=inputs_of("write_report"),
    output:
        panels=directory(f"{OUT}/report/{RUN}/panels"),
    log:
        f"{OUT}/logs/write_panels/{RUN}.log",
    benchmark:
        f"{OUT}/benchmarks/write_panels/{RUN}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: half_the_cores(4)
    resources:
        mem_mb=more_memory(6000),
        runtime=240,
    params:
        report=section("report"),
        shown=SHOWN,
        source=source_digest("pipeline.report.write_panels"),
    script:
        "../scripts/write_panels.py"


rule export_geojson:
    input:
        tiles=TILES,
        nuclei=NUCLEI,
        features=f"{OUT}/features/{{slide}}.zarr",
    output:
        nuclei=f"{OUT}/geojson/{{slide}}.nuclei.geojson.gz",
        patches=f"{OUT}/geojson/{{slide}}.patches.geojson",
    log:
        f"{OUT}/logs/export_geojson/{{slide}}.log",
    benchmark:
        f"{OUT}/benchmarks/export_geojson/{{slide}}.tsv"
    wildcard_constraints:
        slide=ALONE,
    group:
        "slide"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        source=source_digest("pipeline.report.export_geojson"),
    script:
        "../scripts/export_geojson.py"


rule export_run:
    input:
        tiles=of_slides(TILES, COMPUTED),
        predictions=expand(
            rules.train_fold.output.predictions,
            method=REFERENCE,
            seed=SEEDS[0],
            fold=FOLDS,
        ),
        graphs=expand(
            rules.train_fold.output.graphs, method=REFERENCE, seed=SEEDS[0], fold=FOLDS
        ),
        evidence=expand(
            rules.explain_fold.output.evidence,
            method=[method for method in EXPLAINED if method == REFERENCE],
            seed=SEEDS[0],
            fold=FOLDS,
        ),
    output:
        slides=directory(f"{OUT}/geojson/{RUN}"),
    log:
        f"{OUT}/logs/export_run/{RUN}.log",
    benchmark:
        f"{OUT}/benchmarks/export_run/{RUN}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=120,
    params:
        computed=COMPUTED,
        features=f"{OUT}/features",
        source=source_digest("pipeline.report.export_run"),
    script:
        "../scripts/export_run.py"
