# Small images in large numbers: a job takes a batch of them through a stage, each by the script of the stage's own rule.
# Every batch has a rule of its own, because a rule names what it makes.

for stage, environment_file in BATCHED_STAGES.items():
    for batch, slides in BATCHES.items():

        rule:
            name:
                f"{stage}_{batch}"
            input:
                given=ancient(files_of("given", stage, slides)),
                made=files_of("made", stage, slides),
            output:
                *batch_outputs(stage, slides),
            log:
                f"{OUT}/logs/{stage}/batch_{batch}.log",
            benchmark:
                f"{OUT}/benchmarks/{stage}/batch_{batch}.tsv"
            group:
                "images"
            conda:
                environment_file
            params:
                made_by=made_by(stage, slides),
                jobs=image_jobs(stage, slides),
                script=lambda wildcards, input, stage=stage: stage_script(stage),
                kept=kept_folder(stage),
            script:
                "../scripts/run_batch.py"

        take_resources(f"{stage}_{batch}", stage, slides)


onstart:
    begin_batches()
