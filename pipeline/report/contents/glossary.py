"""Words of the report that a pathologist, or a statistician, may not know."""

GLOSSARY: dict[str, str] = {
    "accuracy": "Share of images called right.",
    "AUROC": (
        "Area under the ROC curve: how often an image of a class gets a higher probability of that class "
        "than an image of another; 0.5 is guessing, 1 is perfect. Over classes the mean is taken."
    ),
    "balanced accuracy": "Mean over classes of the share of their images called right; large classes count no more.",
    "baseline": "A simpler method on the same folds. Without it nobody knows what a result is worth.",
    "bilevel": "Training on two levels: the classifier on one part of the images, the graph on another.",
    "Brier score": "Mean squared distance of probabilities from the truth, 0 to 2; lower is better.",
    "confidence": "The largest probability that a model gives to a class of an image.",
    "confusion matrix": "How many images of each class were called what.",
    "cross-entropy": "What a model's probabilities are punished by in training, in nats; lower is better.",
    "ECE": (
        "Expected calibration error: mean distance of confidence from the share called right, over 15 bins "
        "of confidence; lower is better, 0 where a model knows how sure it may be."
    ),
    "edge": "A pair of patches that the graph joins; its weight says how much of one enters the other.",
    "eta squared, omega squared": (
        "Share of a feature's variation between images that groups explain; omega squared is freed of what "
        "chance explains and can be negative."
    ),
    "fold": "A part of the patients that is held out once, while the other parts train the model that is tested on it.",
    "graph path": (
        "Of default: what learned graphs add to models of pooled patches and of a fixed graph. It is switched off "
        "in a fold where it does not help patients that neither was fitted on."
    ),
    "held out": "Not used in any step that led to the model.",
    "Holm": "Holm's correction: p values made larger because several methods are compared at once.",
    "image-level": "Results in which images of one patient may stand in training and in test.",
    "interval": "95%: patients were drawn anew with replacement 1,000 times, and 95% of the results lie inside.",
    "logistic": "Logistic regression on the mean (and SD) of the features of an image's patches; no graph.",
    "lower": "The level of training that fits the classifier, on the images with the role train.",
    "macro F1": "Mean over classes of F1, which is high where few are missed and few are called falsely.",
    "nat": "Unit of cross-entropy; a guess between two classes costs 0.69.",
    "p": (
        "How often a difference as large would arise if the two methods were equally good. Small: not chance "
        "alone. Large: no proof of equality."
    ),
    "patch": "A tile of tissue that is a node of the graph.",
    "pooled": "Averaged over all patches of an image, or taken over all folds at once.",
    "reference": "The method that all others are compared with, default where it was run.",
    "SD": "Standard deviation over folds and seeds: how much they differ, not the error of their mean.",
    "seed": "Number from which everything random begins; another seed shows what chance alone changes.",
    "select": "The images that choose the epoch at which training stops, and the temperature; not test images.",
    "sign-flip test": (
        "Exact test over patients: whether one method is right more often where the two disagree than coin tosses are."
    ),
    "strength": "Summed weight of a patch's kept edges.",
    "structure": "The images on which the graph generator learns; see upper.",
    "temperature": "One number by which all of a model's logits are divided so that its probabilities fit.",
    "test fold": "The held-out patients; every number of this report is measured on them.",
    "train": "The images on which the classifier learns; see lower.",
    "upper": "The level of training that fits the graph generator, on the images with the role structure.",
}
"""Definitions by term."""

COLUMN_TERMS: dict[str, str] = {
    "p (Holm)": "Holm",
    "p over folds (Holm)": "Holm",
    "p over folds": "p",
    "probability": "confidence",
    "difference": "reference",
}
"""Terms that explain a column of another name."""


def explained(title: str) -> str:
    """Definition of what a column shows; "" of a plain word."""
    return GLOSSARY.get(COLUMN_TERMS.get(title, title), "")
