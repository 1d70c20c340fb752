"use strict";
// what the theme leaves out: a key moves tables that scroll, buttons beside code have a name, and
// the corner of a table is no header of anything
function mend() {
  document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])").forEach((table, at) => Object.assign(table, { tabIndex: 0, role: "region", ariaLabel: `Table ${at + 1}` }));
  document.querySelectorAll("th:empty").forEach((corner) => corner.replaceWith(document.createElement("td")));
  document.querySelectorAll("nav.md-code__nav:not([aria-label])").forEach((buttons, at) => { buttons.ariaLabel = `Buttons of code block ${at + 1}`; });
}
new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });
mend();
