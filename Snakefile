# From slides to a report. The stages in the order of the science:
#   slides.csv -> tile_slide -> segment_nuclei -> build_cell_graphs -> cache_features
#              -> split_cohort -> train_fold -> evaluate, explain_fold, interpret -> write_report
# Named targets stand at the end; `snakemake --list` prints them.
# Priority 2: long jobs for which others wait at the end; 1: what leads to a model; 0: what fills the gaps.

from snakemake.utils import min_version

min_version("9.20")


configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"


# Takes effect with `--software-deployment-method conda apptainer` only.
if config["container"]:

    containerized: config["container"]


include: "workflow/rules/tiling.smk"
include: "workflow/rules/nuclei.smk"
include: "workflow/rules/cell_graphs.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/prediction.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/batches.smk"


wildcard_constraints:
    slide=SLIDE_ID_PATTERN,
    method="[a-z_]+",
    seed="[0-9]+",
    fold="[0-9]+",


localrules:
    all,
    tiles,
    coords,
    nuclei,
    cell_graphs,
    features,
    train,
    report,
    geojson,


rule all:
    default_target: True
    input:
        rules.write_report.output.page,
        rules.write_panels.output.panels,
        wanted_predictions(),
        expand(rules.export_geojson.output, slide=targeted(COMPUTED)),
        rules.export_run.output.slides,


rule tiles:
    input:
        expand(rules.tile_slide.output, slide=targeted(COMPUTED)),


rule coords:
    input:
        expand(
            rules.export_tiles.output,
            slide=[
                slide for slide in targeted(COMPUTED) if slide not in WITHOUT_SLIDE
            ],
        ),


rule nuclei:
    input:
        expand(NUCLEI, slide=targeted(COMPUTED)),


rule cell_graphs:
    input:
        expand(rules.build_cell_graphs.output, slide=targeted(COMPUTED)),


rule features:
    input:
        expand(f"{OUT}/features/{{slide}}.zarr", slide=targeted(COMPUTED + IMPORTED)),


rule train:
    input:
        rules.evaluate.output,


rule report:
    input:
        rules.write_report.output.page,
        rules.write_panels.output.panels,


rule geojson:
    input:
        expand(rules.export_geojson.output, slide=targeted(COMPUTED)),
