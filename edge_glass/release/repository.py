"""A repository of the Hub; what fails is told in one line that holds no token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from edge_glass.core.errors import ConfigError, EdgeGlassError, HubError, of_the_hub


class OutOfReachError(EdgeGlassError):
    """The Hub gave no answer at all."""


class Repository:
    """A dataset's repository; whatever fails is told in one line that holds no token."""

    def __init__(self, repo: str, api: HfApi, sends: bool = False) -> None:
        if repo.count("/") != 1 or repo.startswith((".", "/")):
            raise ConfigError(f"{repo}: a dataset on the Hub is wanted here, as org/name")
        self.repo, self._api, self._sends = repo, api, sends
        self.url = f"{api.endpoint}/datasets/{repo}"

    def call(self, name: str, maybe: bool = False, **arguments: Any) -> Any:
        """A method of HfApi on this repository, which `maybe` does not exist (None).

        Raises HubError or NetworkError.
        """
        try:
            answer = getattr(self._api, name)(self.repo, repo_type="dataset", **arguments)
            return list(answer) if isinstance(answer, Iterator) else answer
        except of_the_hub() as error:
            if maybe and isinstance(error, RepositoryNotFoundError):
                return None
            kind = EdgeGlassError if isinstance(error, HfHubHTTPError) else OutOfReachError
            raise kind(f"{self.repo}: {self._explained(error)}") from None

    def head(self, tag: str, private: bool) -> str | None:
        """The commit to build on, None if there is no such repository.

        Raises HubError if the version is there, or the repository is public.
        """
        refs = self.call("list_repo_refs", maybe=True)
        if refs is None:
            return None
        if tag in {ref.name for ref in refs.tags}:
            raise HubError(
                f"{self.repo}: version {tag} exists and is never overwritten: choose another"
            )
        info = self.call("repo_info", revision="main")
        if private and not info.private:
            raise HubError(
                f"{self.repo} exists and is public: make it private in its settings first, or "
                "leave --private out"
            )
        return str(info.sha)

    def create(self, private: bool) -> str:
        """Create it; returns its first commit."""
        self.call("create_repo", private=private, exist_ok=True)
        return str(self.call("repo_info").sha)

    def tree(self, head: str | None) -> dict[str, str]:
        """Path -> sha256 (LFS) or git's id of everything in the repository."""
        if head is None:
            return {}
        items = self.call("list_repo_tree", revision=head, recursive=True)
        files = [item for item in items if isinstance(item, RepoFile)]
        return {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in files}

    def file(self, head: str | None, path: str) -> Path:
        """A file of the repository, in the cache."""
        return Path(self.call("hf_hub_download", filename=path, revision=head))

    def read(self, head: str | None, path: str) -> str:
        """A text of the repository. Raises HubError if it is none."""
        local = self.file(head, path)
        try:
            return local.read_text(encoding="utf-8-sig")  # some editors write a mark first
        except UnicodeDecodeError:
            raise HubError(f"{self.repo}: {path} there is not UTF-8: mend it") from None

    def tag(self, tag: str, commit: str, message: str) -> None:
        """Tag a commit. Raises HubError."""
        try:
            self.call("create_tag", tag=tag, revision=commit, tag_message=message)
        except EdgeGlassError:
            if not self._is_tagged(tag, commit):
                raise

    def _is_tagged(self, tag: str, commit: str) -> bool:
        """Whether the tag is there all the same: an answer can be lost on its way."""
        try:
            refs = self.call("list_repo_refs")
        except EdgeGlassError:
            return False
        return (tag, commit) in {(ref.name, ref.target_commit) for ref in refs.tags}

    def _explained(self, error: Exception) -> str:
        response = getattr(error, "response", None) if isinstance(error, HfHubHTTPError) else None
        causes = [error, *filter(None, [error.__cause__])]
        text = " ".join(dict.fromkeys(f"{type(each).__name__}: {each}" for each in causes))
        for token in (self._api.token, get_token()):
            if isinstance(token, str) and token:
                text = text.replace(token, "***")
        status = getattr(response, "status_code", None)
        return f"{' '.join(text.split())}\n{_advice(status, self._sends)}"


def _advice(status: int | None, sends: bool) -> str:
    if status in (401, 403):
        return "Log in with a token that may write: `hf auth login`, or set HF_TOKEN."
    if status == 412:
        return "Someone else pushed meanwhile: look at the repository, then run the same command."
    if not sends:
        return "Is the name right, and the network there? Then run the same command again."
    return "Nothing is tagged. Run the same command again: what was sent is not sent twice."
