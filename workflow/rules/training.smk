rule split_cohort:
    input:
        features=labelled_caches,
    output:
        splits=f"{OUT}/training/{RUN}/splits.csv",
        excluded=f"{OUT}/training/{RUN}/excluded.csv",
        provenance=f"{OUT}/training/{RUN}/provenance.json",
    log:
        f"{OUT}/logs/split_cohort/{RUN}.log",
    benchmark:
        f"{OUT}/benchmarks/split_cohort/{RUN}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        splits=section("splits"),
        seeds=SEEDS,
        rows=[row.plain() for row in LABELLED],
        features=f"{OUT}/features",
        on_mismatch=config["on_mismatch"],
        source=source_digest("pipeline.training.split_cohort"),
    script:
        "../scripts/split_cohort.py"


rule train_fold:
    input:
        splits=rules.split_cohort.output.splits,
        provenance=rules.split_cohort.output.provenance,
    output:
        model=f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/model.pt",
        history=f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/history.csv",
        predictions=f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/predictions.csv",
        graphs=directory(
            f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/graphs.zarr"
        ),
        graph_path=f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/graph_path.json",
        provenance=f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/provenance.json",
    log:
        f"{OUT}/logs/train_fold/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}.log",
    benchmark:
        f"{OUT}/benchmarks/train_fold/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}.tsv"
    priority: 1
    conda:
        environment("training")
    threads: config["training"]["threads"]
    resources:
        mem_mb=more_memory(TRAINING_MB),
        runtime=24 * 60,
        gpu=GPUS,
    params:
        training=training_section(),
        features=f"{OUT}/features",
        device=config["device"],
        partial=f"{OUT}/.partial/train_fold/{RUN}",
        on_mismatch=config["on_mismatch"],
        source=source_digest("pipeline.training.train_fold"),
    script:
        "../scripts/train_fold.py"


rule explain_fold:
    input:
        model=rules.train_fold.output.model,
        graphs=rules.train_fold.output.graphs,
    output:
        evidence=directory(
            f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/evidence.zarr"
        ),
        faithfulness=f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}/faithfulness.json",
    log:
        f"{OUT}/logs/explain_fold/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}.log",
    benchmark:
        f"{OUT}/benchmarks/explain_fold/{RUN}/{{method}}/seed_{{seed}}/fold_{{fold}}.tsv"
    priority: 2
    conda:
        environment("training")
    threads: config["training"]["threads"]
    resources:
        mem_mb=more_memory(TRAINING_MB),
        runtime=12 * 60,
        gpu=GPUS,
    params:
        explain={
            key: value for key, value in section("explain").items() if key != "methods"
        },
        features=f"{OUT}/features",
        device=config["device"],
        source=source_digest("pipeline.training.explain_fold"),
    script:
        "../scripts/explain_fold.py"


rule interpret:
    input:
        models=expand(
            rules.train_fold.output.model, seed=SEEDS, fold=FOLDS, allow_missing=True
        ),
        graphs=expand(
            rules.train_fold.output.graphs, seed=SEEDS, fold=FOLDS, allow_missing=True
        ),
        faithfulness=expand(
            rules.explain_fold.output.faithfulness,
            seed=SEEDS,
            fold=FOLDS,
            allow_missing=True,
        ),
    output:
        interpretation=report(
            directory(f"{OUT}/training/{RUN}/{{method}}/interpretation"),
            patterns=["{table}.csv"],
            caption="../report/interpret.rst",
            category="Interpretation",
            labels={"method": "{method}", "table": "{table}"},
        ),
    log:
        f"{OUT}/logs/interpret/{RUN}/{{method}}.log",
    benchmark:
        f"{OUT}/benchmarks/interpret/{RUN}/{{method}}.tsv"
    priority: 2
    conda:
        environment("training")
    threads: config["training"]["threads"]
    resources:
        mem_mb=more_memory(TRAINING_MB),
        runtime=12 * 60,
    params:
        interpretation=section("interpretation"),
        runs=[(seed, fold) for seed in SEEDS for fold in FOLDS],
        features=f"{OUT}/features",
        source=source_digest("pipeline.training.interpret"),
    script:
        "../scripts/interpret.py"


rule train_final:
    input:
        splits=rules.split_cohort.output.splits,
        provenance=rules.split_cohort.output.provenance,
    output:
        model=f"{OUT}/training/{RUN}/{{method}}/final/model.pt",
        history=f"{OUT}/training/{RUN}/{{method}}/final/history.csv",
        provenance=f"{OUT}/training/{RUN}/{{method}}/final/provenance.json",
    log:
        f"{OUT}/logs/train_final/{RUN}/{{method}}.log",
    benchmark:
        f"{OUT}/benchmarks/train_final/{RUN}/{{method}}.tsv"
    priority: 2
    conda:
        environment("training")
    threads: config["training"]["threads"]
    resources:
        mem_mb=more_memory(TRAINING_MB),
        runtime=24 * 60,
        gpu=GPUS,
    params:
        training=training_section(),
        splits=section("splits"),
        seed=SEEDS[0],
        features=f"{OUT}/features",
        device=config["device"],
        partial=f"{OUT}/.partial/train_final/{RUN}",
        on_mismatch=config["on_mismatch"],
        source=source_digest("pipeline.training.train_final"),
    script:
        "../scripts/train_final.py"


rule evaluate:
    input:
        predictions=expand(
            rules.train_fold.output.predictions, method=METHODS, seed=SEEDS, fold=FOLDS
        ),
    output:
        metrics=expand(
            f"{OUT}/training/{RUN}/{{method}}/seed_{{seed}}/metrics.json",
            method=METHODS,
            seed=SEEDS,
        ),
        pooled=expand(
            f"{OUT}/training/{RUN}/{{method}}/predictions{{end}}",
            method=METHODS,
            end=[".csv", ".provenance.json"],
        ),
        comparison=report(
            f"{OUT}/training/{RUN}/comparison.csv",
            caption="../report/evaluate.rst",
            category="Results",
        ),
        provenance=f"{OUT}/training/{RUN}/comparison.provenance.json",
    log:
        f"{OUT}/logs/evaluate/{RUN}.log",
    benchmark:
        f"{OUT}/benchmarks/evaluate/{RUN}.tsv"
    conda:
        "../../envs/training.yaml"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
    params:
        methods=METHODS,
        seeds=SEEDS,
        folds=FOLDS,
        source=source_digest("pipeline.training.evaluate"),
    script:
        "../scripts/evaluate.py"
