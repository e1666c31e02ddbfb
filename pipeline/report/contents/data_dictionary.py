"""What every column of every CSV file of a run means."""

from collections.abc import Mapping

SLIDE = {
    "slide_id": "the slide, as in the sheet",
    "case_id": "the patient; the slide itself where the sheet names none",
    "label": "the class of the sheet; empty when unknown",
}
PREDICTED = {
    **SLIDE,
    "predicted": "the most probable class",
    "p_<class>": "its probability, one column a class",
}

COMPARED = {
    "method": "the method",
    "n_runs": "seeds times folds that were tested",
    "n_images": "distinct test images",
    "<metric>_mean": "mean over runs",
    "<metric>_sd": "sample SD over runs",
    "<metric>_ci_low": "lower bound of the 95% interval of the mean, patients drawn with replacement",
    "<metric>_ci_high": "upper bound",
    "reference": "the method compared with",
    "accuracy_difference": "share of images right, method minus reference, over the same images",
    "p_value": "exact two-sided sign-flip test of that difference over patients",
    "p_holm": "the same, after Holm's correction for the number of methods",
    "p_folds": "t-test over folds and seeds, corrected for shared training images; empty where runs do not differ",
    "p_folds_holm": "the same, after Holm's correction",
    "status": "trained, or why the method is not applicable",
    "<metric>_minus_reference": "mean over runs minus the reference's",
    "<metric>_minus_reference_ci_low": "lower bound of its 95% interval, patients drawn alike for both",
    "<metric>_minus_reference_ci_high": "upper bound",
}

TABLES: Mapping[str, Mapping[str, str]] = {
    "training/{run}/splits.csv": {
        **SLIDE,
        "seed": "of the division into folds",
        "fold": "the fold",
        "role": "what the slide is in that fold: train, structure, select or test",
    },
    "training/{run}/excluded.csv, predictions/{run}.excluded.csv": {**SLIDE, "reason": "why it was left out"},
    "training/{run}/comparison.csv": COMPARED,
    "training/{run}/{method}/predictions.csv": {
        "seed": "of training",
        "fold": "the fold that held the image out",
        **PREDICTED,
    },
    "training/{run}/{method}/seed_{s}/fold_{k}/predictions.csv, predictions/{run}.csv": PREDICTED,
    "training/{run}/{method}/seed_{s}/fold_{k}/history.csv": {
        "epoch": "counted from 0",
        "lower_loss": "of the classifier's steps on train images, mean over the epoch",
        "lower_accuracy": "share of them right",
        "upper_loss": "of the graph generator's steps on structure images; empty for methods of one level",
        "upper_accuracy": "share of them right",
        "select_loss": "on select images after the epoch; empty without any",
        "select_accuracy": "share of them right",
        "tau": "temperature of the edges' relaxation; empty without one",
        "mean_degree": "effective neighbours of a patch; empty without a graph",
        "selected": "whether the weights of this epoch were kept",
        "model": "which of several graph models",
        "stage": "search or refit of a graph model beside a pooled one, else fit",
    },
    "report/{run}/figures/features.csv": {
        "feature": "the feature",
        "class_omega": "share of its variation between images that the class explains beyond chance (omega squared)",
        "class_p": "F-test of a one-way analysis of variance by image, uncorrected",
        "patient_omega": "what patients of one class explain besides; empty where each has one image",
        "mean_<class>": "mean over the images of a class of their patches' mean, one column a class",
    },
    "report/{run}/figures/confusion_{method}.csv": {
        "true": "the true class",
        "<class>": "images called so, one column a class",
    },
    "report/{run}/figures/fold_dots.csv": {
        "method": "the method",
        "seed": "of training",
        "fold": "the test fold",
        "<metric>": "its value",
    },
    "report/{run}/figures/roc_{method}.csv": {
        "class": "the class against the rest",
        "false_positive_rate": "share of other images called so",
        "true_positive_rate": "share of its images called so",
        "threshold": "least probability that is called so",
    },
    "report/{run}/figures/reliability_{method}.csv": {
        "confidence": "mean confidence of the bin",
        "share_right": "share called right",
        "images": "in the bin",
    },
    "report/{run}/figures/edge_weights_{method}.csv": {
        "class": "of the images",
        "weight_above": "lower end of the bin",
        "weight_below": "upper end",
        "edges": "kept edges in it, both directions",
    },
    "report/{run}/figures/patches_per_image.csv": {"class": "of the image", "patches": "nodes of its graph"},
    "report/{run}/figures/learning_{method}.csv": {
        "seed": "of training",
        "fold": "the test fold of the training run",
        "(all others)": "as in history.csv",
    },
}
"""Columns with their meaning, by the files that have them."""
