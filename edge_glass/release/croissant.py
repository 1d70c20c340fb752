"""Croissant: a release for machines to read.

After version 1.1 of https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html and of its
vocabulary for responsible AI. Each shard is a file of its own at its address on the Hub, and has a
record set of its own: that is how `mlcroissant` reads Parquet over HTTP; a set of files it reads
out of git alone, and a tag it cannot check out.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from edge_glass.core import licences
from edge_glass.core.columns import is_list, item_of, media_kinds, note
from edge_glass.core.manifest import Appended, File, Manifest
from edge_glass.core.row import JsonObject, Parameters
from edge_glass.core.spec import Spec
from edge_glass.corpora import catalog
from edge_glass.release import citation

FILE = "croissant.json"
MOST = 1000  # shards of a config with record sets of their own: a kilobyte and more a column
PARQUET = "application/x-parquet"
SPECS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
TERMS = """
annotation arrayShape citeAs column containedIn equivalentProperty excludes extract field fileObject
fileProperty fileSet format includes isArray isLiveDataset jsonPath key md5 parentField readLines
path recordSet references regex repeated replace samplingRate sdVersion separator source subField
transform unArchive
"""
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cc": "http://creativecommons.org/ns#",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in TERMS.split()},
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
MEDIA = {"Image": "sc:ImageObject", "Audio": "sc:AudioObject", "Video": "sc:VideoObject"}
KINDS = {  # of dtypes, by how they begin
    "int": "cr:Int",
    "uin": "cr:UInt",
    "flo": "cr:Float",
    "boo": "sc:Boolean",
    "tim": "sc:DateTime",
    "dat": "sc:Date",
}
SPLITS = {"train": "cr:TrainingSplit", "valid": "cr:ValidationSplit", "test": "cr:TestSplit"}
MAINTENANCE = (
    "Each version is a tag that does not change. Rows are withdrawn on request; what was withdrawn "
    "or amended, and why, is a table beside the shards of its config."
)

Node = JsonObject


def render(
    manifests: list[Manifest], url: str, tag: str, doi: str | None, published: str | None = None
) -> str:
    """JSON-LD of a release: every shard with its size and sha256, every column with its type.

    `url` is the dataset's page on the Hub, `published` the day of its first version.
    """
    specs = catalog.specs(manifests)
    owner, name = url.split("/")[-2:]
    release: Node = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": name,
        "description": "; ".join(spec.title for spec in specs),
        "conformsTo": SPECS,
        "license": [*dict.fromkeys(_licence(spec) for spec in specs)],
        "usageInfo": [_conditions(spec) for spec in specs],
        "citeAs": "\n".join(spec.citation.strip() for spec in specs if spec.citation),
        "creator": _creators(specs) or [{"@type": "sc:Organization", "name": owner}],
        "publisher": {"@type": "sc:Organization", "name": owner},
        "keywords": _keywords(specs, manifests),
        "inLanguage": [*dict.fromkeys(word for spec in specs for word in spec.languages)],
        "url": url,
        "version": tag.removeprefix("v"),
        "datePublished": published or "",
        "isLiveDataset": False,
        **_provenance(manifests),
        **_responsible(specs, manifests),
        "distribution": [_file(m, shard, url, tag) for m in manifests for shard in m.shards()],
        "recordSet": [node for manifest in manifests for node in _records(manifest)],
        "identifier": f"https://doi.org/{doi}" if doi else "",
    }
    release = {key: value for key, value in release.items() if value not in ("", [])}
    return json.dumps(release, indent=0, ensure_ascii=False) + "\n"


def _licence(spec: Spec) -> str:
    name = licences.spdx(spec.licence_tag)
    listed = name and not name.startswith(licences.REFERENCE)
    return f"https://spdx.org/licenses/{name}.html" if listed else spec.licence


def _conditions(spec: Spec) -> Node:
    """On what conditions a corpus can be used: in words, and what its licence says as ODRL."""
    said: Node = {
        "@type": ["CreativeWork", "odrl:Offer"],
        "name": f"Conditions of use: {spec.title}",
        "text": " ".join(spec.licence.split()),
    }
    if spec.homepage:
        said["url"] = str(spec.homepage)
    if terms := licences.terms(spec.licence_tag):
        rule: Node = {"@type": "odrl:Permission", "odrl:action": {"@id": "odrl:use"}}
        asked = [("cc:Attribution", terms.attribution), ("cc:ShareAlike", terms.share_alike)]
        if duties := [{"odrl:action": {"@id": name}} for name, due in asked if due]:
            rule["odrl:duty"] = duties
        refused = [("cc:CommercialUse", terms.commercial), ("cc:DerivativeWorks", terms.changes)]
        said["odrl:permission"] = rule
        if nots := [{"odrl:action": {"@id": name}} for name, allowed in refused if not allowed]:
            said["odrl:prohibition"] = nots
    return said


def _creators(specs: list[Spec]) -> list[Node]:
    cited = dict.fromkeys(spec.citation for spec in specs if spec.citation)
    names = [name for text in cited for name in citation.authors(text)]
    return [{"@type": "sc:Person", "name": name} for name in dict.fromkeys(names)]


def _keywords(specs: list[Spec], manifests: list[Manifest]) -> list[str]:
    kinds = [kind for m in manifests for kind, _ in media_kinds(m.features).values()]
    return [*dict.fromkeys([*kinds, *(task for spec in specs for task in spec.tasks)])]


def _provenance(manifests: list[Manifest]) -> Node:
    """What the shards were made of and by what, in the words of PROV-O."""
    sources: dict[str, Node] = {}
    parts: list[Manifest | Appended] = [*manifests]
    parts += [part for build in manifests for part in build.appended]
    for used in (source for part in parts for source in part.sources):
        entity = {"@type": "prov:Entity", "prov:label": used.file}
        entity |= {"url": used.url} if used.url else {}
        entity |= {"sha256": used.sha256} if used.sha256 else {}
        sources.setdefault(json.dumps(entity), entity)
    agents = {build.made_with.get("edge_glass") for build in manifests}
    return {
        "prov:wasDerivedFrom": [*sources.values()],
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": "edge-glass build",
            "prov:wasAssociatedWith": [
                {"@type": "prov:SoftwareAgent", "prov:label": f"Edge Glass {version}"}
                for version in sorted(filter(None, agents))
            ],
        },
    }


def _responsible(specs: list[Spec], manifests: list[Manifest]) -> Node:
    """What a build knows of the questions of responsible AI, out of manifests and ledgers."""
    fetched = any(source.fetch for spec in specs for source in spec.sources.values())
    missing, noted = [], list[str]()
    for build in manifests:
        drops = sorted(n for n in build.outcomes().items() if n[0] != "kept")
        what = ", ".join(f"{rows} {outcome}" for outcome, rows in drops) or "none"
        rows = build.outcomes().total()
        missing.append(f"{build.config}: of {rows} source rows dropped: {what}.")
        noted += [
            f"{build.config}: {n} rows: {kind}" for kind, n in sorted(build.warnings().items())
        ]
    return {
        "rai:dataCollection": "; ".join(
            f"{spec.title}: {', '.join(spec.sources)}" for spec in specs
        ),
        "rai:dataCollectionType": ["Web Scraping"] if fetched else ["Secondary Data analysis"],
        "rai:dataCollectionMissingData": " ".join(missing)
        + " The ledger of each config (ledger.parquet) says so of each row.",
        "rai:dataPreprocessingProtocol": [f"{m.config}: {_set(m.parameters)}" for m in manifests],
        "rai:dataLimitations": noted,
        "rai:dataReleaseMaintenancePlan": MAINTENANCE,
    }


def _set(parameters: Parameters) -> str:
    said = ", ".join(f"{n}={v}" for n, v in sorted(parameters.items()) if v not in (None, False))
    return said or "as the source has it"


def _file(build: Manifest, shard: File, url: str, tag: str) -> Node:
    path = f"{build.config}/{shard.file}"
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": f"{url}/resolve/{tag}/{path}",
        "contentSize": f"{shard.bytes} B",
        "sha256": shard.sha256,
        "encodingFormat": PARQUET,
    }


def _records(build: Manifest) -> Iterator[Node]:
    """The splits of a config, and the rows of each of its shards."""
    splits, left = f"{build.config}/splits", len(build.shards()) - MOST
    more = f" The last {left:,} of its files have the columns of the others." if left > 0 else ""
    kinds = {"name": "sc:Text", "url": ["sc:URL", "cr:Split"], "rows": "sc:Integer"}
    yield {
        "@type": "cr:RecordSet",
        "@id": splits,
        "name": splits,
        "description": f"The splits of {build.config}, which has {build.rows:,} rows.{more}",
        "dataType": "cr:Split",
        "key": {"@id": f"{splits}/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"{splits}/{name}", "name": name, "dataType": kind}
            for name, kind in kinds.items()
        ],
        "data": [
            {f"{splits}/name": name, f"{splits}/url": _meant(name), f"{splits}/rows": split.rows}
            for name, split in build.splits.items()
        ],
    }  # fmt: skip
    for split, shard in build.shards_by_split()[:MOST]:
        if shard.rows:
            yield _rows(build, split, shard)


def _meant(split: str) -> str | None:
    """What a split is for, as Croissant calls that."""
    return next((kind for start, kind in SPLITS.items() if split.startswith(start)), None)


def _rows(build: Manifest, split: str, shard: File) -> Node:
    file = f"{build.config}/{shard.file}"
    name = file.removesuffix(".parquet")
    fields = [_field(file, name, (column,), f, build) for column, f in build.features.items()]
    if "split" not in build.features:
        said = {"name": "split", "description": "the split of the row", "dataType": "sc:Text"}
        # the specification has it in one vocabulary, and its own library reads it in the other
        said |= {"value": split, "cr:value": split}
        fields.append({"@type": "cr:Field", "@id": f"{name}/split", **said})
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{shard.rows:,} rows of {build.config}, split {split}",
        "key": {"@id": f"{name}/id"},
        "field": fields,
    }


def _field(file: str, records: str, path: tuple[str, ...], feature: Any, build: Manifest) -> Node:
    """A column, or (`path` longer than one) a part of one."""
    inner, depth = feature, 0
    while is_list(inner):
        inner, depth = item_of(inner), depth + 1
    source: Node = {"fileObject": {"@id": file}, "extract": {"column": path[0]}}
    field: Node = {
        "@type": "cr:Field",
        "@id": "/".join([records, *path]),
        "name": "/".join(path),
        "source": source,
    }
    if not path[1:]:
        field["description"] = note(path[0], feature, build.roles[path[0]])
    if depth:
        field |= {"isArray": True, "arrayShape": ",".join(["-1"] * depth)}
    if "_type" not in inner:  # a struct
        parts = inner.items()
        field["subField"] = [_field(file, records, (*path, k), part, build) for k, part in parts]
        return field
    if inner["_type"] in MEDIA:
        source["transform"] = {"jsonPath": "bytes"}
        field |= {"repeated": True} if depth else {}  # without it mlcroissant reads one image
    elif path[1:]:
        source["transform"] = {"jsonPath": ".".join(path[1:])}
    return field | {"dataType": _type(inner)}


def _type(feature: Node) -> str:
    if (kind := feature["_type"]) in MEDIA:
        return MEDIA[kind]
    dtype = feature.get("dtype", "int64")  # of a class label's
    data_type = KINDS.get(dtype[:3], "sc:Text")
    return data_type + re.sub(r"\D", "", dtype) if data_type.startswith("cr:") else data_type
