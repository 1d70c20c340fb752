"""Verify a folder of builds: each of them, and what is said of them beside: card, citation, DOI."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, constants

from edge_glass.audit import verify as builds
from edge_glass.audit.checked_build import Finding
from edge_glass.core import manifest
from edge_glass.core.errors import EdgeGlassError
from edge_glass.core.manifest import Manifest
from edge_glass.core.names import PLOTS
from edge_glass.core.progress import Progress
from edge_glass.core.version import VERSION
from edge_glass.corpora import catalog
from edge_glass.release import card, card_section, citation, croissant

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
REMEDY = "push it again, or write the card anew with `edge-glass report`"


@dataclass(frozen=True)
class Release:
    """Builds in one folder, and the texts that lie beside them."""

    out: Path
    manifests: list[Manifest]

    def text(self, name: str) -> str | None:
        """A file beside the builds, None if there is none."""
        path = self.out / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None

    @property
    def known(self) -> list[Manifest]:
        """Those of corpora that are installed here."""
        return [build for build in self.manifests if catalog.of(build)]

    def finding(self, where: str, what: str) -> Finding:
        """An error; a note if another release of Edge Glass wrote some of it."""
        writers = {build.made_with.get("edge_glass") for build in self.manifests}
        kind: Literal["error", "note"] = "error" if writers == {VERSION} else "note"
        return Finding(kind, self.out.name, where, what)


def unsealed_manifest(release: Release) -> Iterator[Finding]:
    """A manifest is not the one that the card's header has the sha256 of."""
    if (readme := release.text(card.FILE)) is not None:
        sealed = card.sealed(readme)
        for build in release.manifests:
            said = sealed.get(build.config)
            if said is None:
                what = f"has no sha256 of {build.config}'s manifest: {REMEDY}"
                yield release.finding(card.FILE, what)
            elif said != build.seal:
                what = f"sha256 is {build.seal}, the card says {said}: {REMEDY}"
                yield Finding("error", build.config, manifest.FILE, what)


def unpushed_manifest(release: Release) -> Iterator[Finding]:
    """A manifest of a version on the Hub is not the one that was pushed, as its history has it."""
    place: Any = release.out
    if getattr(place, "protocol", None) != "hf":
        return
    where = place.fs.resolve_path(place.path)
    commits = HfApi(endpoint=constants.ENDPOINT).list_repo_commits(
        where.repo_id, repo_type=where.repo_type, revision=where.revision
    )
    pushed = card.pushed_seals(commit.message for commit in reversed(commits))
    for build in release.manifests:
        if pushed.get(build.config, build.seal) != build.seal:
            what = (
                f"sha256 is {build.seal}, what was pushed had {pushed[build.config]}: push it anew"
            )
            yield Finding("error", build.config, manifest.FILE, what)


def outdated_card(release: Release) -> Iterator[Finding]:
    """README.md is missing, or does not say what the manifests give."""
    readme = release.text(card.FILE)
    if readme is None:
        yield release.finding(card.FILE, f"is missing: {REMEDY}")
    elif known := release.known:
        plots = {path.stem for path in (release.out / PLOTS).glob("*.png")}
        gone = card.sealed(readme).keys() - {build.config for build in release.manifests}
        readme = card.resealed(readme, known)  # seals are another check's
        if gone or card.render(known, release.out.name, readme, plots) != readme:
            yield release.finding(card.FILE, f"does not say what the manifests give: {REMEDY}")


def edited_card(release: Release) -> Iterator[Finding]:
    """A note: README.md of a folder says what no build writes there; the next one takes it out."""
    readme, remote = release.text(card.FILE), getattr(release.out, "protocol", None)
    is_release = remote or release.text(croissant.FILE)
    if readme is None or is_release or release.known != release.manifests:
        return
    plots = {path.stem for path in (release.out / PLOTS).glob("*.png")}
    readme = card.resealed(readme, release.manifests)
    examples = {m.config: card_section.example_in(readme, m) for m in release.manifests}
    aligned = card.alignments(release.out / m.config for m in release.manifests)
    if card.render(release.manifests, card.title(readme), None, plots, examples, aligned) != readme:
        what = "has text that no build writes, or a flipped bit; the next build writes it anew"
        yield Finding("note", release.out.name, card.FILE, what)


def outdated_croissant(release: Release) -> Iterator[Finding]:
    """croissant.json is not what the manifests give."""
    yield from _outdated(release, croissant.FILE, croissant.render)


def outdated_citation(release: Release) -> Iterator[Finding]:
    """CITATION.cff is not what the manifests give."""
    yield from _outdated(release, citation.FILE, citation.render)


def _outdated(release: Release, file: str, render: Callable[..., str]) -> Iterator[Finding]:
    """A release says address, version and day in croissant.json, and has both files or none."""
    text, said = release.text(file), release.text(croissant.FILE)
    if (text or said) and release.known == release.manifests:
        try:
            stated = json.loads(said or "")
            about = str(stated["url"]), f"v{stated['version']}"
        except (ValueError, KeyError, TypeError):
            yield release.finding(croissant.FILE, f"is missing or damaged: {REMEDY}")
            return
        doi, day = (
            card.doi(release.text(card.FILE)),
            DAY.fullmatch(str(stated.get("datePublished"))),
        )
        more = {"published": day[0]} if day and file == croissant.FILE else {}
        if text != render(release.manifests, *about, doi, **more):
            yield release.finding(file, f"does not say what the manifests give: {REMEDY}")


PAPER_CHECKS: tuple[Callable[[Release], Iterator[Finding]], ...] = (
    unsealed_manifest,
    unpushed_manifest,
    outdated_card,
    edited_card,
    outdated_croissant,
    outdated_citation,
)


def verify(out: Path, progress: Progress | None = None) -> Iterator[Finding]:
    """Findings over every config built under `out`, and over what is said of them there.

    `out` may be the folder of one build, which has nothing beside it.
    """
    yield from builds.verify(out, progress)
    folders = manifest.built(out)
    if [*folders.values()] != [out]:
        release = Release(out, [manifest.read(folder) for folder in folders.values()])
        for check in PAPER_CHECKS:
            try:
                for finding in check(release):
                    yield replace(finding, check=check.__name__)
            except EdgeGlassError as error:  # a header that nobody can read, or a section edited
                yield replace(release.finding(card.FILE, str(error)), check=check.__name__)
                break
