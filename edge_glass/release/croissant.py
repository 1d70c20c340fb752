"""Croissant: a release for machines to read.

After version 1.0 of https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html.
"""

import json
from collections.abc import Iterator
from typing import Any

from edge_glass.core.columns import is_list, item_of
from edge_glass.core.manifest import Manifest
from edge_glass.core.spec import Spec
from edge_glass.corpora import catalog

FILE = "croissant.json"
REPOSITORY = "repository"
PARQUET = "application/x-parquet"
SPEC = "http://mlcommons.org/croissant/1.0"
TERMS = """
citeAs column conformsTo dataType equivalentProperty extract field fileObject fileProperty
fileSet format includes isLiveDataset jsonPath key md5 parentField path
recordSet references regex repeated replace samplingRate separator source subField
transform
"""
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in TERMS.split()},
    "conformsTo": "dct:conformsTo",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
MEDIA = {"Image": "sc:ImageObject", "Audio": "sc:AudioObject", "Video": "sc:VideoObject"}
KINDS = {"str": "sc:Text", "int": "cr:Int", "flo": "cr:Float", "boo": "sc:Boolean"}  # of dtypes

Node = dict[str, Any]


def render(manifests: list[Manifest], url: str, tag: str, doi: str | None) -> str:
    """JSON-LD of a release: every shard with its size and sha256, every column with its type.

    `url` is the dataset's page on the Hub.
    """
    specs = catalog.specs(manifests)
    release: Node = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": url.rsplit("/", maxsplit=1)[-1],
        "description": "; ".join(spec.title for spec in specs),
        "conformsTo": SPEC,
        "license": [*dict.fromkeys(_licence(spec) for spec in specs)],
        "citeAs": "\n".join(spec.citation.strip() for spec in specs if spec.citation),
        "url": url,
        "version": tag.removeprefix("v"),
        "isLiveDataset": False,
        "distribution": [
            _repository(url, tag),
            *(node for manifest in manifests for node in _files(manifest, url, tag)),
        ],
        "recordSet": [_records(manifest) for manifest in manifests],
    }
    if doi:
        release["identifier"] = f"https://doi.org/{doi}"
    return json.dumps(release, indent=1, ensure_ascii=False) + "\n"


def _licence(spec: Spec) -> str:
    return spec.licence if spec.licence_tag == "other" else spec.licence_tag


def _repository(url: str, tag: str) -> Node:
    """The whole repository, as tools of Croissant clone it."""
    return {
        "@type": "cr:FileObject",
        "@id": REPOSITORY,
        "name": REPOSITORY,
        "contentUrl": f"{url}/tree/{tag}",
        "encodingFormat": "git+https",
        # what the specification asks for where there is no checksum
        "sha256": "https://github.com/mlcommons/croissant/issues/80",
    }


def _files(manifest: Manifest, url: str, tag: str) -> Iterator[Node]:
    """A config's shards, and the set of them that its columns are read from."""
    for shard in manifest.shards():
        path = f"{manifest.config}/{shard.file}"
        yield {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": f"{url}/resolve/{tag}/{path}",
            "contentSize": f"{shard.bytes} B",
            "sha256": shard.sha256,
            "encodingFormat": PARQUET,
        }
    yield {
        "@type": "cr:FileSet",
        "@id": f"{manifest.config}-shards",
        "name": f"{manifest.config}-shards",
        "containedIn": {"@id": REPOSITORY},
        "includes": f"{manifest.config}/*-of-*.parquet",
        "encodingFormat": PARQUET,
    }


def _records(manifest: Manifest) -> Node:
    config = manifest.config
    fields = [_field(config, (name,), feature) for name, feature in manifest.features.items()]
    if "split" not in manifest.features:
        fields.append(_split(config))
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": f"{manifest.rows:,} rows",
        "key": {"@id": f"{config}/id"},
        "field": fields,
    }


def _split(config: str) -> Node:
    """The split of a row is said by the name of its shard."""
    return {
        "@type": "cr:Field",
        "@id": f"{config}/split",
        "name": "split",
        "dataType": "sc:Text",
        "source": {
            "fileSet": {"@id": f"{config}-shards"},
            "extract": {"fileProperty": "filename"},
            "transform": {"regex": r"^(.+)-\d+-of-\d+\.parquet$"},
        },
    }


def _field(config: str, path: tuple[str, ...], feature: Any) -> Node:
    """A column, or (`path` longer than one) a part of one."""
    inner, repeated = feature, is_list(feature)
    while is_list(inner):
        inner = item_of(inner)
    source: Node = {
        "fileSet": {"@id": f"{config}-shards"},
        "extract": {"column": path[0]},
    }
    field: Node = {
        "@type": "cr:Field",
        "@id": "/".join([config, *path]),
        "name": "/".join(path),
        "source": source,
    }
    if repeated:
        field["repeated"] = True
    if "_type" not in inner:  # a struct
        field["subField"] = [_field(config, (*path, key), part) for key, part in inner.items()]
        return field
    if inner["_type"] in MEDIA:
        source["transform"] = {"jsonPath": "bytes"}
    elif path[1:]:
        source["transform"] = {"jsonPath": ".".join(path[1:])}
    return field | {"dataType": _type(inner)}


def _type(feature: Node) -> str:
    if (kind := feature["_type"]) in MEDIA:
        return MEDIA[kind]
    dtype = feature.get("dtype", "int64")  # of a class label's
    found = KINDS.get(dtype[:3], "sc:Text")
    return found + dtype.lstrip("intfloa") if found.startswith("cr:") else found
