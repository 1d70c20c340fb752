"""Licences of rows: an SPDX identifier for what owners write, and what that licence allows.

What is not understood to the last word is no licence: a row of it is not used on a guess.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

Use = Literal["commercial", "share-alike", "permissive"]
PUBLIC_DOMAIN = "LicenseRef-Public-Domain"  # somebody says so: SPDX has no identifier for it
LONGEST = 300  # characters of a licence's name
REFERENCE = "LicenseRef-"  # how SPDX names what is not on its list
VERSIONS = ("1.0", "2.0", "2.1", "2.5", "3.0", "4.0")  # of Creative Commons
PORTED = """
ar at au be bg br ca ch cl cn co cr cz de dk ec ee eg es fi fr ge gr gt hk hr hu ie igo il in it jp
kr lu mk mt mx my nl no nz pe ph pl pr pt ro rs se sg si th tw ug uk us ve vn za
"""
CODES = {"by", "nc", "sa", "nd"}
NOISE = """
license licence licensed licenses under the a an international unported generic public of for v ver
version deed legalcode universal migrated gnu software dedication
"""
PHRASES = (  # after punctuation is gone
    (r"\bcreative ?commons\b", "cc"),
    (r"\bnon ?commercial\b", "nc"),
    (r"\bshare ?alike\b", "sa"),
    (r"\bno ?deriv(ative)?s?( works)?\b", "nd"),
    (r"\battribution\b", "by"),
    (r"\bpublic ?domain\b", "pd"),
    (r"\bopen data commons\b", "odc"),
    (r"\bfree documentation\b|\bfdl\b", "gfdl"),
    (r"\bopen database\b", "odbl"),
    (r"\b(?:cc ?)?(by)? ?(nc)? ?(sa|nd)\b", r"cc \1 \2 \3"),
    (r"\bcc ?(by)(nc)?\b", r"cc \1 \2"),
    (r"\bunited states\b", "us"),
)
NAMES = {
    "cc 0": "CC0-1.0",
    "cc zero": "CC0-1.0",
    "cc 0 pd": "CC0-1.0",
    "pd cc 0": "CC0-1.0",
    "cc pd": "CC-PDDC",
    "pd mark": "CC-PDM-1.0",
    "pdm": "CC-PDM-1.0",
    "pd": PUBLIC_DOMAIN,
    "odc by": "ODC-By-1.0",
    "odbl": "ODbL-1.0",
    "odc odbl": "ODbL-1.0",
    "pddl": "PDDL-1.0",
    "odc pd": "PDDL-1.0",
    "odc pd and": "PDDL-1.0",
    "odc pddl": "PDDL-1.0",
    "unlicense": "Unlicense",
    "mit": "MIT",
    "zlib": "Zlib",
}
URL = re.compile(r"(?:https?:)?(?://)?(?:www\.)?([a-z]+(?:\.[a-z]+)+)/([\w./+-]*)(?:[?#].*)?")
DEED = "/?(?:(?:deed|legalcode).*)?"
PATHS = (  # of a licence's page -> what it is called there
    (rf"creativecommons\.org/licenses/([a-z-]+/[\d.]+(?:/[a-z]{{2,3}})?){DEED}", r"cc \1"),
    (rf"creativecommons\.org/publicdomain/zero/1\.0{DEED}", "cc 0"),
    (rf"creativecommons\.org/publicdomain/mark/1\.0{DEED}", "pdm"),
    (r"creativecommons\.org/licenses/publicdomain/?", "cc pd"),
    (r"spdx\.org/licenses/(.+?)(?:\.html|\.json)?/?", r"\1"),
    (r"(?:opensource\.org/licenses?|choosealicense\.com/licenses)/([\w.-]+?)/?", r"\1"),
    (r"gnu\.org/licenses/(?:old-licenses/)?([a-z]+-\d\.\d)(?:\.\w+)*", r"\1"),
    (r"apache\.org/licenses/license-2\.0(?:\.txt|\.html)?", "apache-2.0"),
    (r"opendatacommons\.org/licenses/(by|odbl|pddl)(?:/1[-.]0)?/?", r"odc \1"),
)
PERMISSIVE = {
    "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Zlib", "ODC-By-1.0",
    "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "OGL-UK-3.0", "etalab-2.0",
}  # fmt: skip
FREE = {"CC0-1.0", "CC-PDDC", "CC-PDM-1.0", "PDDL-1.0", "Unlicense", "0BSD", PUBLIC_DOMAIN}
SHARED = re.compile(  # a whole identifier: more of an expression may ask for more
    r"((GFDL-1\.[123](-no-invariants)?|[AL]?GPL-[123]\.\d)(\+|-only|-or-later)?"
    r"|ODbL-1\.0|CDLA-Sharing-1\.0|LAL-1\.[23])"
)
CC = re.compile(rf"(?:{REFERENCE})?CC-BY((?:-(?:NC|SA|ND))*)(?:-[\d.]+)?(?:-[A-Z]{{2,3}})?")


class Terms(NamedTuple):
    """What a licence allows, and asks for."""

    commercial: bool
    changes: bool
    share_alike: bool
    attribution: bool = True


@lru_cache(4096)
def spdx(text: str | None) -> str | None:
    """The SPDX identifier of a licence as somebody spelled it, None if it is not understood.

    One of Creative Commons without a version, or ported to a country that SPDX has no identifier
    for, is a `LicenseRef-`: what it allows is known all the same.
    """
    if text is None or len(text) > LONGEST:  # a part of it would be a guess
        return None
    said = unicodedata.normalize("NFKC", html.unescape(text)).strip().casefold()
    said = re.sub(r"[\u2010-\u2015]", "-", said)
    if twice := re.fullmatch(r"([^()]+) \(([^()]+)\)(.*)", said):  # a name with its abbreviation
        name = _named(twice[1] + twice[3])
        return name if name in (_named(twice[2]), _named(twice[2] + twice[3])) else _named(said)
    return _of_url(said) or _named(said) or _canonical(said)


def terms(text: str | None) -> Terms | None:
    """What a licence allows, however it is spelled; None if nobody can tell."""
    name = spdx(text)
    if name is None:
        return None
    if name in FREE or name in PERMISSIVE:
        return Terms(True, True, False, attribution=name not in FREE)
    if SHARED.fullmatch(name):
        return Terms(True, True, True)
    if licence := CC.fullmatch(name):
        parts = licence[1].split("-")
        return Terms("NC" not in parts, "ND" not in parts, "SA" in parts)
    return None


def allows(text: str | None, uses: Iterable[Use]) -> bool:
    """Whether a licence allows all of these; one that is not understood allows nothing.

    commercial: to sell what is made of the row. share-alike: to change the row and publish that
    under the same licence. permissive: both, and under any licence.
    """
    known = terms(text)
    if known is None:
        return False
    allowed = {
        "commercial": known.commercial,
        "share-alike": known.changes,
        "permissive": known.commercial and known.changes and not known.share_alike,
    }
    assert allowed.keys() == set(get_args(Use))
    return all(allowed[use] for use in uses)


def _of_url(said: str) -> str | None:
    if parts := URL.fullmatch(said):
        page = f"{parts[1]}/{parts[2]}"
        for pattern, name in PATHS:
            if match := re.fullmatch(pattern, page):
                return _named(match.expand(name))
    return None


def _named(said: str) -> str | None:
    """The licence of a name, out of words and versions alone."""
    said = re.sub(r"[\s/,()\[\]{}:_\"'-]+", " ", said).strip()
    said = re.sub(r"(?<=[a-z])v(?=\d)|\bv(?:er(?:sion)?)?[. ]*(?=\d)", " ", said)
    if _words(said) == ["by"] or re.search(r"[^a-z\d. +]", said):
        return None
    said = re.sub(r"(?<=[a-z])(?=\d)", " ", said)
    for pattern, name in PHRASES:
        said = re.sub(pattern, name, said)
    words = _words(said)
    return _creative_commons(words) or _listed(words)


def _words(said: str) -> list[str]:
    return [word for word in said.split() if word not in NOISE.split()]


def _creative_commons(words: list[str]) -> str | None:
    words = words[words[:1] == ["cc"] :]
    words = [word for word in words if word != "cc"] if words.count("cc") < 2 else words
    codes = [word for word in words if word in CODES]
    versions = [word for word in words if re.fullmatch(r"\d(\.\d)?", word)]
    places = [word for word in words[1:] if word in PORTED.split()]
    if "by" not in codes or len({*words}) < len(words) or {"sa", "nd"} <= {*codes}:
        return None
    if len(codes) + len(versions) + len(places) < len(words) or max(len(versions), len(places)) > 1:
        return None
    version = [v if "." in v else f"{v}.0" for v in versions]
    if not {*version} <= {*VERSIONS} or (places and version in ([], ["4.0"])):
        return None
    order = [code for code in ("by", "nc", "sa", "nd") if code in codes]
    name = "-".join(["cc", *order, *version, *places]).upper()
    return _canonical(name) or f"{REFERENCE}{name}"


def _listed(words: list[str]) -> str | None:
    plain = " ".join(word for word in words if word not in ("1", "1.0"))  # of these the only one
    if plain in NAMES:
        return NAMES[plain]
    return _canonical("-".join(words)) or _canonical("-".join(words) + ".0")


def _canonical(name: str) -> str | None:
    try:
        return canonicalize_license_expression(name)
    except InvalidLicenseExpression:
        return None
