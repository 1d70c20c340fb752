"""What the Hub for tests keeps: blobs by sha256 on disk, commits that never change, and refs."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

DATE = "2024-01-01T00:00:00.000Z"  # clients parse dates; a clock would make answers differ
GITATTRIBUTES = b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"


class HubError(Exception):
    """An answer other than success; `code` is what clients turn into an exception class."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, **headers}
        if code:
            self.headers["X-Error-Code"] = code


@dataclass(frozen=True)
class Blob:
    sha256: str
    size: int
    oid: str  # git's: the sha1 of the content, or of the pointer file for LFS
    lfs: bool

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.oid

    def entry(self, path: str) -> dict[str, Any]:
        about = {"type": "file", "path": path, "size": self.size, "oid": self.oid}
        return about | ({"lfs": {"oid": self.sha256, **self._lfs}} if self.lfs else {})

    def sibling(self, path: str) -> dict[str, Any]:
        about = {"rfilename": path, "size": self.size, "blobId": self.oid}
        return about | ({"lfs": {"sha256": self.sha256, **self._lfs}} if self.lfs else {})

    @property
    def _lfs(self) -> dict[str, int]:
        return {"size": self.size, "pointerSize": len(lfs_pointer(self.sha256, self.size))}


def lfs_pointer(sha256: str, size: int) -> bytes:
    spec = "https://git-lfs.github.com/spec/v1"
    return f"version {spec}\noid sha256:{sha256}\nsize {size}\n".encode()


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass(frozen=True)
class Commit:
    oid: str
    parent: str | None
    title: str
    message: str
    files: Mapping[str, Blob]

    @property
    def last(self) -> dict[str, str]:
        return {"id": self.oid, "title": self.title, "date": DATE}

    def blob(self, path: str) -> Blob:
        if path not in self.files:
            commit = {"X-Repo-Commit": self.oid}
            raise HubError(404, f"{path} does not exist", "EntryNotFound", **commit)
        return self.files[path]

    def folder(self, path: str) -> dict[str, Any] | None:
        files = sorted(self.files.items())
        inside = [f"{name} {blob.oid}\n" for name, blob in files if name.startswith(f"{path}/")]
        oid = hashlib.sha1("".join(inside).encode()).hexdigest()
        return {"type": "directory", "path": path, "size": 0, "oid": oid} if inside else None

    def tree(self, folder: str, recursive: bool) -> list[dict[str, Any]]:
        prefix = f"{folder}/" if folder else ""
        found: dict[str, Any] = {}
        for path in sorted(p for p in self.files if p.startswith(prefix)):
            *parents, _ = accumulate(path[len(prefix) :].split("/"), "{}/{}".format)
            for parent in parents if recursive else parents[:1]:
                found.setdefault(prefix + parent, self.folder(prefix + parent))
            if recursive or not parents:
                found[path] = self.files[path].entry(path)
        if folder and not found:
            raise HubError(404, f"{folder} does not exist", "EntryNotFound")
        return list(found.values())

    def paths(self, paths: list[str]) -> list[dict[str, Any]]:
        found = [self.files[p].entry(p) if p in self.files else self.folder(p) for p in paths]
        return [entry for entry in found if entry]


@dataclass
class Repo:
    name: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    tag_messages: dict[str, str | None] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)  # refs/heads/main, refs/tags/v1, refs/pr/1

    def find(self, rev: str) -> Commit:
        for ref in (rev, f"refs/heads/{rev}", f"refs/tags/{rev}"):
            if ref in self.refs:
                return self.commits[self.refs[ref]]
        if rev not in self.commits:
            raise HubError(404, f"Invalid rev id: {rev}", "RevisionNotFound")
        return self.commits[rev]

    def history(self, rev: str) -> list[Commit]:
        commits = [self.find(rev)]
        while (parent := commits[-1].parent) is not None:
            commits.append(self.commits[parent])
        return commits

    def set_ref(self, ref: str, commit: Commit) -> None:
        if ref in self.refs:
            raise HubError(409, f"Reference {ref} already exists")
        self.refs[ref] = commit.oid

    def drop_ref(self, ref: str) -> None:
        if self.refs.pop(ref, None) is None:
            raise HubError(404, f"Reference {ref} does not exist", "RevisionNotFound")

    def list_refs(self, prefix: str, *, short: bool = True) -> list[dict[str, str]]:
        found = sorted((ref, oid) for ref, oid in self.refs.items() if ref.startswith(prefix))
        name = len(prefix) if short else 0
        return [{"name": ref[name:], "ref": ref, "targetCommit": oid} for ref, oid in found]


class Store:
    def __init__(self, root: Path) -> None:
        self.lock = threading.RLock()
        self.repos: dict[str, Repo] = {}
        self._blobs = root / "blobs"
        self._blobs.mkdir()

    def path(self, sha256: str) -> Path:
        return self._blobs / sha256

    def add(self, upload: Path, sha256: str) -> None:
        upload.replace(self.path(sha256))

    def add_bytes(self, data: bytes) -> Blob:
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.path(sha256).exists():  # written once: somebody may be reading it
            self.path(sha256).write_bytes(data)
        return Blob(sha256, len(data), git_oid(data), lfs=False)

    def create(self, name: str, private: bool) -> None:
        with self.lock:
            if name in self.repos:
                raise HubError(409, "You already created this dataset repo")
            repo = self.repos[name] = Repo(name, private)
            files = {".gitattributes": self.add_bytes(GITATTRIBUTES)}
            self._record(repo, "refs/heads/main", None, {"summary": "initial commit"}, files)

    def squash(self, repo: Repo, ref: str, message: str) -> None:
        """The head of a branch as its only commit."""
        with self.lock:
            self._record(repo, ref, None, {"summary": message}, repo.find(ref).files)

    def lfs_files(self, repo: Repo) -> list[tuple[str, Blob]]:
        """The files of all commits that are stored, each once."""
        every = {
            blob.sha256: (p, blob) for c in repo.commits.values() for p, blob in c.files.items()
        }
        return [one for sha, one in sorted(every.items()) if one[1].lfs and self.path(sha).exists()]

    def commit(
        self, repo: Repo, rev: str, lines: Iterable[bytes], create_pr: bool
    ) -> tuple[Commit, str]:
        """Apply the lines of a commit to the head of `rev`; the commit and the ref it went to."""
        with self.lock:
            head = repo.find(rev)
            ref = rev if rev.startswith("refs/pr/") else f"refs/heads/{rev}"
            if create_pr:
                ref = f"refs/pr/{len(repo.list_refs('refs/pr/')) + 1}"
            elif ref not in repo.refs:
                raise HubError(400, f"{rev} is not a branch")
            header, files = {}, dict(head.files)
            for line in map(json.loads, lines):
                if line["key"] == "header":
                    header = line["value"]
                    if header.get("parentCommit", head.oid) != head.oid:
                        raise HubError(412, "A commit has happened since. Please refresh.")
                else:
                    self._apply(files, line["key"], line["value"])
            return self._record(repo, ref, head, header, files), ref

    def _apply(self, files: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
        path = value["path"].rstrip("/")
        if key == "file":
            files[path] = self.add_bytes(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            files[path] = self._lfs_blob(value["oid"])
        elif key in ("deletedFile", "deletedFolder"):
            folder = key == "deletedFolder"
            gone = [p for p in files if (p.startswith(f"{path}/") if folder else p == path)]
            if not gone:
                raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
            for name in gone:
                del files[name]
        else:
            raise HubError(400, f"Unknown operation {key}")

    def _lfs_blob(self, sha256: str) -> Blob:
        if not self.path(sha256).exists():
            raise HubError(400, f"LFS pointer pointed to a file that does not exist: {sha256}")
        size = self.path(sha256).stat().st_size
        return Blob(sha256, size, git_oid(lfs_pointer(sha256, size)), lfs=True)

    def _record(
        self,
        repo: Repo,
        ref: str,
        parent: Commit | None,
        header: Mapping[str, str],
        files: Mapping[str, Blob],
    ) -> Commit:
        title, message = header.get("summary", ""), header.get("description", "")
        tree = [[path, blob.sha256, blob.lfs] for path, blob in sorted(files.items())]
        before = parent.oid if parent else None
        what = json.dumps([repo.name, before, title, message, tree])
        oid = hashlib.sha1(what.encode()).hexdigest()
        commit = Commit(oid, before, title, message, files)
        repo.commits[oid] = commit
        repo.refs[ref] = oid
        return commit
