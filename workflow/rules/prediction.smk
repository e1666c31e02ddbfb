rule predict:
    input:
        model=f"{OUT}/training/{RUN}/{config['prediction']['method']}/final/model.pt",
        features=predicted_caches,
    output:
        predictions=f"{OUT}/predictions/{RUN}.csv",
        excluded=f"{OUT}/predictions/{RUN}.excluded.csv",
        graphs=directory(f"{OUT}/predictions/{RUN}.graphs.zarr"),
        provenance=f"{OUT}/predictions/{RUN}.provenance.json",
    log:
        f"{OUT}/logs/predict/{RUN}.log",
    benchmark:
        f"{OUT}/benchmarks/predict/{RUN}.tsv"
    conda:
        environment("training")
    threads: config["training"]["threads"]
    resources:
        mem_mb=more_memory(TRAINING_MB),
        runtime=240,
        gpu=GPUS,
    params:
        rows=[row.plain() for row in PREDICTED],
        features=f"{OUT}/features",
        device=config["device"],
        on_mismatch=config["on_mismatch"],
        source=source_digest("pipeline.training.predict"),
    script:
        "../scripts/predict.py"
