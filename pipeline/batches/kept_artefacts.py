"""Artefacts of a batch that are set aside while its job runs, and how each was made.

Snakemake removes what a job will make before it starts, and what it has made when it fails.  The artefacts of a batch
are therefore made beside their places and moved there when all are done; those of an earlier run are moved aside
before the job starts, and taken back if nothing that they depend on has changed.

    {root}/{slide}/        artefacts that are set aside, by the name that they have in their place
    {root}/{slide}.json    key and digests of the artefacts, wherever they are
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.artefacts.atomic import remove, writing
from pipeline.provenance import file_digest


@dataclass(frozen=True)
class KeptArtefacts:
    """Artefacts of one slide and stage that are set aside.

    Attributes
    ----------
    root
        Folder of the stage.
    slide_id
        The slide.
    """

    root: Path
    slide_id: str

    @property
    def folder(self) -> Path:
        """Where they lie while they are set aside."""
        return self.root / self.slide_id

    @property
    def record(self) -> Path:
        """File that tells how they were made."""
        return self.root / f"{self.slide_id}.json"

    @property
    def is_begun(self) -> bool:
        """Whether a job began to make them and died."""
        return self.folder.is_dir() and not self.record.is_file()

    def aside(self, place: str | Path) -> Path:
        """Where the artefact of a place lies while it is set aside."""
        return self.folder / Path(place).name

    def set_aside(self, places: Iterable[str | Path]) -> None:
        """Move what stands in its place aside, if it is known how it was made."""
        if not self.record.is_file():
            return
        for place in map(Path, places):
            if place.exists() and not self.aside(place).exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                shutil.move(place, self.aside(place))

    def are_made_by(self, key: str, places: Iterable[str | Path]) -> bool:
        """Whether all artefacts of these places are set aside, were made by ``key`` and are as they were made."""
        try:
            recorded = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(recorded == self._making(key, places))

    def begin(self) -> None:
        """Forget what is known and set aside, and note that the artefacts are being made."""
        self.forget()
        self.folder.mkdir(parents=True)

    def finish(self, key: str, places: Iterable[str | Path]) -> None:
        """Note that the artefacts that are set aside were made by ``key``."""
        with writing(self.record) as temporary:
            temporary.write_text(json.dumps(self._making(key, places)), encoding="utf-8")

    def put_in_place(self, places: Iterable[str | Path]) -> None:
        """Move artefacts that are set aside to their places."""
        for place in map(Path, places):
            remove(place)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.aside(place), place)
        remove(self.folder)

    def forget(self) -> None:
        """Remove what is set aside and what is known of it, so that it is made anew."""
        self.record.unlink(missing_ok=True)
        remove(self.folder)

    def _making(self, key: str, places: Iterable[str | Path]) -> Mapping[str, object]:
        return {"key": key, "artefacts": {Path(place).name: _digest(self.aside(place)) for place in places}}


def _digest(path: Path) -> str | None:
    return file_digest(path) if path.exists() else None
