"""What the Hub for tests answers: one function a route, as the clients call them."""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote

import yaml
from hub_store import DATE, Commit, HubError, Repo, Store

LFS_FROM = 10_000  # bytes; the real Hub's limit is 10 MB, which would make for slow tests
USER = "tester"


@dataclass(frozen=True)
class Answer:
    body: bytes | Path = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    span: tuple[int, int] | None = None  # first byte and end; None is all

    def extent(self) -> tuple[int, int]:
        size = len(self.body) if isinstance(self.body, bytes) else self.body.stat().st_size
        return self.span or (0, size)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.body) if isinstance(self.body, bytes) else self.body.open("rb")


@dataclass(frozen=True)
class Call:
    """A request as the routes see it."""

    url: str  # of the Hub
    store: Store
    authorized: bool
    headers: Message
    args: Mapping[str, str]  # the named parts of the path, decoded
    query: Mapping[str, str]
    body: Path
    sha256: str  # of the body

    def json(self) -> Any:
        return json.loads(self.body.read_bytes())

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def repo(self) -> Repo:
        repo = self.store.repos.get(self.args["repo"])
        if repo is None:
            raise HubError(404, "Repository not found", "RepoNotFound")
        if repo.private and not self.authorized:
            raise HubError(401, "Repository not found", "RepoNotFound")
        return repo

    def commit(self) -> Commit:
        return self.repo().find(self.args.get("rev", "main"))


Route = Callable[[Call], Any]  # an Answer, or what becomes its JSON
ROUTES: list[tuple[str, re.Pattern[str], bool, Route]] = []
PARTS = {"repo": "[^/]+/[^/]+", "path": ".+"}  # any other part holds no slash


def route(method: str, path: str, *, token: bool = False) -> Callable[[Route], Route]:
    pattern = re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{PARTS.get(m[1], '[^/]+')})", path)

    def register(function: Route) -> Route:
        ROUTES.append((method, re.compile(pattern), token, function))
        return function

    return register


@route("GET", "/api/whoami-v2", token=True)
def whoami(call: Call) -> Any:
    return {"type": "user", "id": USER, "name": USER, "fullname": USER, "orgs": []}


@route("POST", "/api/repos/create", token=True)
def create_repo(call: Call) -> Any:
    ask = call.json()
    name = f"{ask['organization'] or USER}/{ask['name']}"
    if ask.get("type") != "dataset":
        raise HubError(400, "This Hub serves datasets only: pass repo_type='dataset'")
    made = {"url": f"{call.url}/datasets/{name}", "name": name}
    try:
        private = ask.get("visibility") == "private" or ask.get("private") is True  # before 1.0
        call.store.create(name, private=private)
    except HubError as error:  # clients that take what exists want to know where it is
        body = json.dumps(made | {"error": str(error)})
        return Answer(body.encode(), error.status, error.headers)
    return made


@route("DELETE", "/api/repos/delete", token=True)
def delete_repo(call: Call) -> Any:
    ask = call.json()
    if call.store.repos.pop(f"{ask['organization'] or USER}/{ask['name']}", None) is None:
        raise HubError(404, "Repository not found", "RepoNotFound")
    return {}


@route("POST", "/api/validate-yaml")
def validate_yaml(call: Call) -> Any:
    head = re.match(r"---\s*\n(.*?)^---\s*$", call.json()["content"], re.DOTALL | re.MULTILINE)
    try:
        loaded = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError as error:
        body = json.dumps({"errors": [{"message": str(error)}], "warnings": []})
        return Answer(body.encode(), 400)
    warnings = [] if loaded else [{"message": "empty or missing yaml metadata in repo card"}]
    return {"errors": [], "warnings": warnings}


@route("GET", "/api/datasets/{repo}(?:/revision/{rev})?")
def info(call: Call) -> Any:
    repo = call.repo()
    commit = call.commit()
    blobs = call.flag("blobs")
    files = sorted(commit.files.items())
    return {
        "id": repo.name,
        "author": repo.name.split("/")[0],
        "sha": commit.oid,
        "private": repo.private,
        "gated": False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "createdAt": DATE,
        "lastModified": DATE,
        "cardData": card(call, commit),
        "siblings": [b.sibling(path) if blobs else {"rfilename": path} for path, b in files],
    }


def card(call: Call, commit: Commit) -> Any:
    """What stands at the top of the README."""
    if "README.md" not in commit.files:
        return None
    text = call.store.path(commit.blob("README.md").sha256).read_text()
    head = re.match(r"---\s*\n(.*?)^---\s*$", text, re.DOTALL | re.MULTILINE)
    try:
        return yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:
        return None


@route("GET", "/api/datasets/{repo}/refs")
def refs(call: Call) -> Any:
    repo = call.repo()
    return {
        "branches": repo.list_refs("refs/heads/"),
        "tags": repo.list_refs("refs/tags/"),
        "converts": [],
        "pullRequests": repo.list_refs("refs/pr/", short=False),
    }


@route("GET", "/api/datasets/{repo}/commits/{rev}")
def commits(call: Call) -> Any:
    found = call.repo().history(call.args["rev"])
    return [c.last | {"message": c.message, "authors": [{"user": USER}]} for c in found]


@route("GET", "/api/datasets/{repo}/tree/{rev}(?:/{path})?")
def tree(call: Call) -> Any:
    commit = call.commit()
    found = commit.tree(call.args.get("path", ""), call.flag("recursive"))
    return expanded(commit, found) if call.flag("expand") else found


@route("POST", "/api/datasets/{repo}/paths-info/{rev}")
def paths_info(call: Call) -> Any:
    commit = call.commit()
    form = parse_qs(call.body.read_text())
    found = commit.paths(form.get("paths", []))
    return expanded(commit, found) if form.get("expand", ["false"])[0].lower() == "true" else found


def expanded(commit: Commit, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry | {"lastCommit": commit.last} for entry in found]


@route("POST", "/api/datasets/{repo}/(?P<kind>tag|branch)/{name}", token=True)
def create_ref(call: Call) -> Any:
    repo, ask, name = call.repo(), call.json(), call.args["name"]
    with call.store.lock:
        if call.args["kind"] == "tag":  # here the path names what is tagged
            repo.set_ref(f"refs/tags/{ask['tag']}", repo.find(name))
            repo.tag_messages[ask["tag"]] = ask.get("message")
        else:
            repo.set_ref(f"refs/heads/{name}", repo.find(ask.get("startingPoint", "main")))
    return {}


@route("DELETE", "/api/datasets/{repo}/(?P<kind>tag|branch)/{name}", token=True)
def delete_ref(call: Call) -> Any:
    folder = {"tag": "refs/tags", "branch": "refs/heads"}[call.args["kind"]]
    call.repo().drop_ref(f"{folder}/{call.args['name']}")
    return {}


@route("POST", "/api/datasets/{repo}/super-squash/{name}", token=True)
def super_squash(call: Call) -> Any:
    call.store.squash(call.repo(), f"refs/heads/{call.args['name']}", call.json()["message"])
    return {}


@route("GET", "/api/datasets/{repo}/lfs-files", token=True)
def lfs_files(call: Call) -> Any:
    return [
        {"fileOid": blob.sha256, "filename": path, "oid": blob.oid, "pushedAt": DATE,
         "ref": None, "size": blob.size}
        for path, blob in call.store.lfs_files(call.repo())
    ]  # fmt: skip


@route("POST", "/api/datasets/{repo}/lfs-files/batch", token=True)
def delete_lfs_files(call: Call) -> Any:
    for sha256 in call.json()["deletions"]["sha"]:
        call.store.path(sha256).unlink()
    return {}


@route("POST", "/api/datasets/{repo}/preupload/{rev}", token=True)
def preupload(call: Call) -> Any:
    have = call.commit().files
    answers = []
    for ask in call.json()["files"]:
        path, size = ask["path"], ask["size"]
        # Papers are text of less than the real limit: regular files, as on the real Hub.
        papers = path.endswith((".md", "croissant.json"))
        lfs = path.endswith(".parquet") or (size > LFS_FROM and not papers)
        answer = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
        answers.append(answer | ({"oid": have[path].etag} if path in have else {}))
    return {"files": answers}


@route("POST", "/datasets/{repo}.git/info/lfs/objects/batch", token=True)
def lfs_batch(call: Call) -> Any:
    call.repo()
    objects = call.json()["objects"]
    for ask in objects:
        href = f"{call.url}/lfs/{ask['oid']}"
        if not call.store.path(ask["oid"]).exists():
            ask["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
    return {"transfer": "basic", "objects": objects}


@route("PUT", "/lfs/{oid}")  # no token: the real one is a signed address
def lfs_put(call: Call) -> Any:
    if call.sha256 != call.args["oid"]:
        raise HubError(400, f"sha256 is {call.sha256}, expected {call.args['oid']}")
    call.store.add(call.body, call.sha256)
    return Answer()


@route("POST", "/lfs/{oid}/verify", token=True)
def lfs_verify(call: Call) -> Any:
    path = call.store.path(call.args["oid"])
    if not path.exists() or path.stat().st_size != call.json()["size"]:
        raise HubError(404, "LFS object not found")
    return {}


@route("POST", "/api/datasets/{repo}/commit/{rev}", token=True)
def commit(call: Call) -> Any:
    repo = call.repo()
    create_pr = call.flag("create_pr")
    with call.body.open("rb") as lines:
        made, ref = call.store.commit(repo, call.args["rev"], lines, create_pr)
    page = f"{call.url}/datasets/{repo.name}"
    answer = {"success": True, "commitOid": made.oid, "commitUrl": f"{page}/commit/{made.oid}"}
    number = ref.rpartition("/")[2]
    return answer | ({"pullRequestUrl": f"{page}/discussions/{number}"} if create_pr else {})


@route("GET", "/datasets/{repo}/resolve/{rev}/{path}")
def resolve(call: Call) -> Any:
    commit = call.commit()
    blob = commit.blob(call.args["path"])
    headers = {"ETag": f'"{blob.etag}"', "X-Repo-Commit": commit.oid, "Accept-Ranges": "bytes"}
    if blob.lfs:
        headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(blob.size)}
    path = call.store.path(blob.sha256)
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("Range", ""))
    if asked is None:
        return Answer(path, 200, headers)
    first, end = int(asked[1]), min(int(asked[2] or blob.size) + 1, blob.size)
    if first >= blob.size:
        raise HubError(416, "Range", **{"Content-Range": f"bytes */{blob.size}"})
    headers["Content-Range"] = f"bytes {first}-{end - 1}/{blob.size}"
    return Answer(path, 206, headers, (first, end))


def find_route(method: str, path: str) -> tuple[Route, bool, dict[str, str]]:
    """The function for a request, whether it wants a token, and the named parts of the path."""
    for wanted, pattern, token, function in ROUTES:
        if wanted == method and (match := pattern.fullmatch(path)):
            parts = {name: unquote(part) for name, part in match.groupdict().items() if part}
            return function, token, parts
    raise HubError(404, f"No such address: {method} {path}")
