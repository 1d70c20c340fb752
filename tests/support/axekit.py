"""axe-core over a page, as it is shown wide and narrow, light and dark."""

from collections.abc import Iterator

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# colours are judged as they are in the end, not as they are on the way from another width
ENDED = """() => document.getAnimations().filter(one => one instanceof CSSTransition)
    .forEach(one => one.finish())"""

# words that are cut in a field, or smaller than can be read: axe-core looks for neither
UNREAD = """() => {
  const context = document.createElement("canvas").getContext("2d"), seen = [];
  for (const field of document.querySelectorAll("input[placeholder]")) {
    const style = getComputedStyle(field);
    context.font = style.font;
    const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const cut = field.clientWidth && context.measureText(field.placeholder).width > room;
    if (cut) seen.push(`cut: ${field.placeholder}`);
  }
  for (const text of document.querySelectorAll("svg text")) {
    const size = parseFloat(getComputedStyle(text).fontSize) * (text.getScreenCTM()?.a ?? 1);
    if (text.getClientRects().length && size < 10) seen.push(`small: ${text.textContent}`);
  }
  return seen.slice(0, 3);
}"""


def violations(page: Page, within: str = "html") -> Iterator[str]:
    """What axe-core finds on the page that is open, or in parts, and what runs over its edge."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate(ENDED)
            for found in Axe().run(page, within).response["violations"]:
                yield f"{scheme} {width}: {found['id']}: {found['nodes'][0]['html'][:200]}"
            yield from (f"{scheme} {width}: {seen}" for seen in page.evaluate(UNREAD))
            if page.evaluate("document.documentElement.scrollWidth") > width:
                yield f"{scheme} {width}: wider than the window"


def unfold(page: Page) -> None:
    """Open all that is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
