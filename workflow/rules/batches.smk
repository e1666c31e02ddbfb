# Small images in large numbers: a job takes a batch of them through a stage, each by the script of the stage's own rule.
# Every batch has a rule of its own, because a rule names what it makes.

for name, (stage, batch) in BATCH_OF_RULE.items():

    rule:
        name:
            name
        input:
            given=ancient(files_of("given", stage, BATCHES[batch])),
            made=files_of("made", stage, BATCHES[batch]),
        output:
            *batch_outputs(stage, BATCHES[batch]),
        log:
            f"{OUT}/logs/{stage}/batch_{batch}.log",
        benchmark:
            f"{OUT}/benchmarks/{stage}/batch_{batch}.tsv"
        group:
            "images"
        conda:
            BATCHED_STAGES[stage]
        params:
            made_by=made_by(stage, BATCHES[batch]),
            jobs=image_jobs(stage, BATCHES[batch]),
            script=lambda wildcards, input, stage=stage: stage_script(stage),
            kept=kept_folder(stage),
        script:
            "../scripts/run_batch.py"

    take_resources(name, stage, BATCHES[batch])


onstart:
    require_cards()
    begin_batches()
