"""The page to look at a build with: a small server of this machine, for whoever sits at it.

What a caption says is text on the page and never markup; the page loads nothing from elsewhere and
runs no script but its own; media are served as what their bytes are, pictures and sounds alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache, partial
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from edge_glass.core import interrupts, pages
from edge_glass.core.errors import ConfigError, EdgeGlassError
from edge_glass.core.ledger import Dropped
from edge_glass.core.row import JsonObject
from edge_glass.core.visible import visible
from edge_glass.media import images, magic
from edge_glass.vectors import embedding_map
from edge_glass.vectors.numbered_rows import SHOWN, SPLIT, Filter, caption
from edge_glass.vectors.query import Finder, Kind, Query

FILES = [Path(__file__).with_name(f"page.{kind}") for kind in ("css", "js")] + pages.ROWS
LARGEST = 2**25  # bytes of a file to search by: 32 MB
SIDE, QUALITY = 480, 85  # of a picture in the grid: pixels of its longest side, as JPEG
FIRST = 12  # rows that are shown before the first question
MOST = 200  # rows that are shown
SECONDS = 1.0  # that answers under way get at the end
DIGITS = 15  # of a row number; one of more is no row either
FRAMES = 16  # files of one column of a row
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
KEPT = {"Cache-Control": "private, max-age=3600"}  # by the browser
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """The page and what it asks for; `hosts` are the names that it may be reached by."""

    def __init__(self, finder: Finder, hosts: frozenset[str]) -> None:
        self._finder, self._hosts, table = finder, hosts, finder.table
        self._searching = asyncio.Lock()  # one query computes at a time
        self._choices = lru_cache(maxsize=1)(table.choices)
        self._maps = lru_cache(maxsize=1)(partial(embedding_map.of, table.folder, finder.root))
        self._small = lru_cache(maxsize=512)(self._shrunk)

    def app(self) -> web.Application:
        """The application."""
        logging.getLogger("aiohttp.server").addFilter(_is_ours)
        app = web.Application(client_max_size=LARGEST, middlewares=[self._guarded])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/favicon.ico", _nothing),
                *(web.get(f"/{path.name}", _file(path)) for path in FILES),
                web.get("/filters", self._filters),
                web.get("/some", self._some),
                web.post("/search", self._search),
                web.get(r"/row/{row:\d{1,15}}", self._row),
                web.get(r"/media/{row:\d{1,15}}/{column}/{place:\d{1,6}}", self._media),
                web.get(r"/small/{row:\d{1,15}}/{column}/{place:\d{1,6}}", self._small_media),
            ]
        )
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Names that are not ours are not answered: one may lead here from any page (rebinding)."""
        hosts = [request.host, *request.headers.getall("Host", [])]  # a whole URL overrides Host
        if not all(map(self._is_ours, hosts)):
            return web.Response(status=403, text="not a name of this server", headers=HEADERS)
        away = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        origins = request.headers.getall("Origin", [])  # of a browser that says no more
        away = away or any(origin.partition("://")[2] != request.host for origin in origins)
        if away and request.path != "/":  # a link to the page may stand anywhere
            return web.Response(status=403, text="asked for by another site", headers=HEADERS)
        try:
            response = await handler(request)
        except EdgeGlassError as error:
            response = web.json_response({"error": str(error)}, status=400)
        except web.HTTPException as error:
            response = web.json_response({"error": error.reason}, status=error.status)
        except (ValueError, OverflowError):
            response = web.json_response({"error": "not understood"}, status=400)
        response.headers.update(HEADERS)
        return response

    def _is_ours(self, host: str) -> bool:
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in self._hosts
        return True  # nobody's DNS gives an address another meaning

    async def _page(self, request: web.Request) -> web.Response:
        table, columns = self._finder.table, self._finder.columns.values()
        kinds: list[Kind] = ["text", "image", "audio"]
        text = pages.render(
            "vectors",
            "page.html",
            config=table.manifest.config,
            prompt="Type a text, or drop a picture or a sound",
            rows=table.rows,
            columns=[(c.stored.name, [k for k in kinds if c.takes(k)]) for c in columns],
            filters=[SPLIT, *table.columns],
            maps=await asyncio.to_thread(self._maps),
            unsafe=table.unsafe,
            static=False,
            report=False,
        )
        return web.Response(text=text, content_type="text/html")

    async def _filters(self, request: web.Request) -> web.Response:
        choices = await asyncio.to_thread(self._choices)
        return web.json_response({name: asdict(one) for name, one in choices.items()})

    async def _search(self, request: web.Request) -> web.Response:
        """Rows near to `text` or `row` of the URL, or to the file that is the body."""
        asked = request.query
        query = _query(asked, await request.read())
        filters = [Filter.parsed(one) for one in asked.getall("filter", [])]
        k = min(MOST, _number(asked.get("k")) or 24)
        name, unsafe = asked.get("in") or None, asked.get("nsfw") == "1"
        fold = asked.get("fold", "1") == "1"
        async with self._searching:
            hits = await asyncio.to_thread(self._finder.find, query, name, k, filters, unsafe, fold)
            rows = await asyncio.to_thread(
                lambda: [self._hit(hit.row, hit.score, hit.like_it) for hit in hits]
            )
        column = self._finder.column(query, name).stored.name
        return web.json_response({"in": column, "rows": rows}, dumps=pages.browser_json)

    async def _some(self, request: web.Request) -> web.Response:
        """Rows from all over the data: something to see before the first question."""
        rows = await asyncio.to_thread(self._spread)
        return web.json_response({"rows": rows}, dumps=pages.browser_json)

    def _spread(self) -> list[JsonObject]:
        passing = self._finder.passing((), False)
        rows = range(self._finder.table.rows) if passing is None else passing.nonzero()[0].tolist()
        many = min(FIRST, len(rows))
        some = [rows[len(rows) * n // many] for n in range(many)]
        return [self._hit(row) for row in some]

    def _hit(
        self, number: int, score: float | None = None, like_it: tuple[int, ...] = ()
    ) -> JsonObject:
        table = self._finder.table
        row = table.row(number)
        page: JsonObject = visible(
            {
                "row": number,
                "score": score,
                "similarity": score,  # and the next two: names of clip-retrieval
                "url": row.get("url") or row.get("image_url"),
                "NSFW": row[table.unsafe] if table.unsafe else None,
                "like_it": like_it,
                "id": row["id"],
                "split": row[SPLIT],
                "caption": caption(row[table.caption]),
                "media": self._previews(number, 1),
                "columns": row,
            }
        )
        return page

    def _previews(self, row: int, most: int) -> list[tuple[str, int, str]]:
        """Column, place in it and kind (image or audio) of the media that can be shown."""
        previews = []
        for column in self._finder.table.media:
            for place, data in enumerate(self._finder.table.files(row, column)[:most]):
                if (kind := magic.kind((data or b"")[: magic.HEAD])) in SHOWN:
                    previews.append((column, place, str(kind).partition("/")[0]))
        return previews

    async def _row(self, request: web.Request) -> web.Response:
        """All of a row but its media, and its entry in the ledger."""
        number = int(request.match_info["row"])
        row = await asyncio.to_thread(self._whole, number)
        return web.json_response(row, dumps=pages.browser_json)

    def _whole(self, number: int) -> JsonObject:
        table = self._finder.table
        row, media = table.row(number), self._previews(number, FRAMES)
        return {"row": visible(row), "media": media, "ledger": visible(table.entry(number))}

    async def _media(self, request: web.Request) -> web.Response:
        """A media file as it is, or the range of it that is asked for."""
        data = await asyncio.to_thread(self._finder.table.file, *_which(request))
        kind = magic.kind((data or b"")[: magic.HEAD])
        if not data or kind not in SHOWN:
            raise web.HTTPNotFound
        return _ranged(request, data, kind)

    async def _small_media(self, request: web.Request) -> web.Response:
        data = await asyncio.to_thread(self._small, *_which(request))
        return web.Response(body=data, content_type="image/jpeg", headers=KEPT)

    def _shrunk(self, row: int, column: str, place: int) -> bytes:
        data = self._finder.table.file(row, column, place) or b""
        try:
            return images.convert(data, "jpeg", QUALITY, "longest", SIDE)[0]
        except Dropped as drop:
            raise ConfigError(f"row {row}: {column}: {drop.outcome}") from None


def serve(finder: Finder, host: str, port: int) -> None:
    """Serve until Ctrl-C. Only this machine is answered, unless `host` is another address.

    Raises ConfigError if the port is taken.
    """
    site = Site(finder, frozenset({"localhost", host.lower()}))
    if host not in ("127.0.0.1", "localhost", "::1"):
        print(f"Everyone who can reach {host} sees this data: there is no password.", flush=True)

    async def run() -> None:
        runner = web.AppRunner(site.app(), access_log=None, shutdown_timeout=SECONDS)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        # weights are read while somebody still thinks of what to ask; the end does not wait for it
        Thread(target=finder.warm, daemon=True).start()
        where = runner.addresses[0]
        print(f"http://{f'[{where[0]}]' if ':' in where[0] else where[0]}:{where[1]}/", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    try:
        with suppress(KeyboardInterrupt):
            interrupts.run(run())
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} cannot be listened on ({error.strerror}): give another --port or --host"
        ) from None


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether what is logged is a fault of the server: a request that is no HTTP is none."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def _nothing(request: web.Request) -> web.Response:
    return web.Response(status=204)


def _query(asked: Any, body: bytes) -> Query:
    if body:
        kind = (magic.kind(body[: magic.HEAD]) or "").partition("/")[0]
        if kind not in ("image", "audio"):
            raise ConfigError(f"this is {magic.looks_like(body)}: give a picture or a sound")
        return Query("image" if kind == "image" else "audio", body)
    if (row := _number(asked.get("row"))) is not None:
        return Query("row", row)
    if text := asked.get("text", "").strip():
        return Query("text", text)
    raise ConfigError("type a text, or drop a picture or a sound")


def _number(text: str | None) -> int | None:
    """A number as it stands in a URL; one of thousands of digits is none that rows have."""
    return int(text[:DIGITS]) if text and text.isdecimal() else None


def _which(request: web.Request) -> tuple[int, str, int]:
    match = request.match_info
    return int(match["row"]), match["column"], int(match["place"])


def _ranged(request: web.Request, data: bytes, kind: str) -> web.Response:
    """Players ask for parts of a sound to go to a place in it."""
    try:
        part = data[request.http_range] if request.http_range != slice(None, None, 1) else None
    except ValueError:
        part = b""
    headers = KEPT | {"Accept-Ranges": "bytes"}
    if part is None:
        return web.Response(body=data, content_type=kind, headers=headers)
    if not part:
        raise web.HTTPRequestRangeNotSatisfiable
    start, _, _ = request.http_range.indices(len(data))
    headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
    return web.Response(status=206, body=part, content_type=kind, headers=headers)


def _file(path: Path) -> Handler:
    text = path.read_text(encoding="utf-8")
    kind = {".css": "text/css", ".js": "text/javascript"}[path.suffix]

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind)

    return handler
