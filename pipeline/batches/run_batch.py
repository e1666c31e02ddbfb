"""One batch of small images through a stage: the stage's own script, image by image, in one process."""

import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artefacts.resume_key import resume_key
from pipeline.batches.kept_artefacts import KeptArtefacts
from pipeline.errors import AbignetError
from pipeline.logs import get_logger
from pipeline.provenance import file_digest

log = get_logger("batch")


@dataclass(frozen=True)
class ImageJob:
    """What the rule of a stage is given for one image.

    Attributes
    ----------
    slide_id
        The image.
    given
        Files of the user by role, an empty list where there is none; their fingerprints are among the parameters.
    made
        Artefacts of earlier stages, by role.
    output
        Where its artefacts go, by role.
    params
        Parameters of the rule.
    log
        Its own log.
    """

    slide_id: str
    given: Mapping[str, Any]
    made: Mapping[str, str]
    output: Mapping[str, str]
    params: Mapping[str, Any]
    log: str

    @property
    def places(self) -> tuple[str, ...]:
        """Paths of its artefacts."""
        return tuple(self.output.values())

    def key(self, script_digest: str) -> str:
        """Digest of everything that its artefacts depend on."""
        made = {role: file_digest(path) for role, path in self.made.items()}
        return resume_key({"params": dict(self.params), "made": made, "script": script_digest})


class _Named(dict[str, Any]):
    """Values that a script asks for by name, as attributes or with ``get``."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def run_batch(
    script: str | Path, jobs: Sequence[Mapping[str, Any]], kept_root: str | Path, resources: Mapping[str, Any]
) -> None:
    """Make the artefacts of a batch of images, each by itself, and put all in their places when none has failed.

    Artefacts that are set aside and were made from the same files, with the same parameters and source, are kept.  An
    image that fails stops no other; at one that killed an earlier job the batch arrives last.

    Parameters
    ----------
    script
        Script of the stage's rule, which takes its job from the global ``snakemake``.
    jobs
        Fields of an ``ImageJob`` for each image.
    kept_root
        Folder of what is set aside for this stage; see ``KeptArtefacts``.
    resources
        What the job of the batch asked for, which its images share.

    Raises
    ------
    AbignetError
        If images failed; names each with its reason, after all others are made and set aside.
    """
    images = [ImageJob(**job) for job in jobs]
    kept = {image.slide_id: KeptArtefacts(Path(kept_root), image.slide_id) for image in images}
    digest = file_digest(script)
    failures = {}
    n_kept = 0
    for image in sorted(images, key=lambda image: kept[image.slide_id].is_begun):
        key, aside = image.key(digest), kept[image.slide_id]
        if aside.are_made_by(key, image.places):
            n_kept += 1
        elif (reason := _failure(script, image, aside, resources)) is None:
            aside.finish(key, image.places)
        else:
            failures[image.slide_id] = reason
            aside.forget()
    n_made = len(images) - n_kept - len(failures)
    log.info("%d images: %d made, %d kept, %d failed", len(images), n_made, n_kept, len(failures))
    if failures:
        listed = "\n".join(f"  {slide_id}: {reason}" for slide_id, reason in failures.items())
        raise AbignetError(
            f"{len(failures)} of {len(images)} images of this batch failed; the others are done and wait for these:"
            f"\n{listed}\nMend them, take them out of the sheet, or set on_bad_slide: exclude."
        )
    for image in images:
        kept[image.slide_id].put_in_place(image.places)


def _failure(script: str | Path, image: ImageJob, aside: KeptArtefacts, resources: Mapping[str, Any]) -> str | None:
    """Run the script of a stage for one image, its artefacts going aside; why it failed, None where it did not."""
    aside.begin()
    job = _Named(
        input=_Named({**image.given, **image.made}),
        output=_Named({role: str(aside.aside(place)) for role, place in image.output.items()}),
        params=_Named(image.params),
        wildcards=_Named(slide=image.slide_id),
        resources=resources,
        log=[image.log],
    )
    try:
        runpy.run_path(str(script), init_globals={"snakemake": job})
    except SystemExit as error:
        return str(error.__cause__)
    except Exception as error:  # whatever one image does to its stage, the others go on
        log.exception("%s failed", image.slide_id)
        return f"{type(error).__name__}: {error}"
    return None
