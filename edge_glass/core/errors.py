"""What a user can mend."""

import difflib
import errno
import re
from collections.abc import Iterable

OUT_OF = {  # what a process has no more of, and where to look
    errno.ENOMEM: ": allow more memory (`ulimit -v`), or give fewer --jobs",
    errno.EFBIG: ": files may not be as large (`ulimit -f`)",
    errno.EMFILE: ": allow more open files (`ulimit -n`)",
    errno.ENOSPC: ": make room and run the same command again",
    errno.EDQUOT: ": make room and run the same command again",
}
# behind a scheme, or with a password: a proxy needs no scheme, and a slash is easily forgotten
USER = re.compile(r"(?<=://)[^\s/?#]*@|(?<![\w.%+~:-])[\w.%+~-]+:[^\s/\\?#'\"]*@")
SECRET = r"(?:key|token|secret|sig|signature|passwd|password|credential|auth)"
VALUE = re.compile(rf"(?i)([?&;][\w.-]*{SECRET}[\w.-]*=)[^\s&;#'\"]+")


class EdgeGlassError(Exception):
    """One or more problems that a user can mend; the command line prints no traceback for it.

    Each problem names the corpus, the file or row, what was expected, what was found, and what to
    do.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = tuple(map(redacted, problems))
        super().__init__("\n".join(self.problems))


class ConfigError(EdgeGlassError):
    """An option, a parameter, a config or its YAML is not as it may be, or wants a library."""


class ChoiceError(ConfigError):
    """Data of one's own can be read in several ways: `choices` are options, one of which decides.

    `question` is what there is to decide.
    """

    question: str = ""
    choices: tuple[str, ...] = ()


class SourceError(EdgeGlassError):
    """Raw files are not there, damaged, or not what upstream publishes."""


class DataError(EdgeGlassError):
    """What was built is not there, damaged or made otherwise, or something lies in its way."""


class NetworkError(EdgeGlassError):
    """The far end is out of reach, or does not give what it should: another try may help."""


class HubError(EdgeGlassError):
    """The Hub has no such dataset, model or version, or refuses what is asked."""


class SpaceError(EdgeGlassError):
    """The disk is full, or memory is short: make room, and the same command goes on."""


def of_the_hub() -> tuple[type[Exception], ...]:
    """What `huggingface_hub` raises, whichever HTTP client it stands on; uploads a RuntimeError."""
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, OSError, ValueError, RuntimeError)


def hub_reason(error: Exception, page: str) -> str:
    """Why the Hub does not give what was asked for, and what to do; `page` is the dataset's."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError) or status == 403:
        return denied(page)
    if isinstance(error, RepositoryNotFoundError) or status == 401:
        return "the Hub has none of this name, or none that you may see: log in, `hf auth login`"
    detail = redacted(" ".join(f"{type(error).__name__}: {error}".split())[:300])
    return detail if status else f"the Hub is out of reach ({detail}): is the network there?"


def denied(page: str) -> str:
    """What to do where the Hub gives something to some people alone."""
    return f"it is for those who have access: ask for it at {page}, then log in (`hf auth login`)"


def redacted(text: str) -> str:
    """A text without the users, passwords, keys and tokens that URLs in it hold."""
    return VALUE.sub(r"\1***", USER.sub("***@", text))


def absent(what: str, name: str, known: Iterable[str]) -> str:
    """A name that is none, with those that there are and the ones that were perhaps meant."""
    names = list(known)
    return f"no {what} {name}; there are {', '.join(names)}{meant(name, names)}"


def meant(name: str, known: Iterable[str]) -> str:
    """The names that are spelt much like this one, as the end of a sentence."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f": did you mean {', '.join(close)}?" if close else ""


def raise_all(problems: Iterable[str], kind: type[EdgeGlassError] = EdgeGlassError) -> None:
    """Raise all problems together; do nothing if there are none."""
    if each := list(problems):
        raise kind(*each)
