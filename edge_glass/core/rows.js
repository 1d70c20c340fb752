"use strict";
// rows of a page, filtered, ordered and shown in parts; and a map of rows, by pointer and by keys
const AT_ONCE = 12;
const made = (tag, more = {}, ...inside) => {
  const element = Object.assign(document.createElement(tag), more);
  element.append(...inside);
  return element;
};
const asText = (value) => (Array.isArray(value) ? value.map(asText).join("\n") : value !== null && typeof value === "object" ? JSON.stringify(value) : String(value ?? ""));

// column -> text of a row: what page.js says of it, or what stands in its list of columns
const columnsOf = (article) => article.columns ??= Object.fromEntries(
  [["id", article.firstElementChild.textContent], ...[...article.querySelectorAll("dt")].map((term) => [term.textContent, term.nextElementSibling.textContent])]);

// numbers by their value, before texts: 0.5 after 0.25, -10 before -5
const number = (text) => (Number.isNaN(Number(text)) ? Infinity : Number(text));
const compared = (a, b) => number(a) - number(b) || a.localeCompare(b, "en", { numeric: true });

function rowTools(box, unordered) {
  const rows = [...box.children], texts = new Map(rows.map((row) => [row, Object.values(columnsOf(row)).map(asText).join("\n").toLowerCase()]));
  const names = [...new Set(rows.flatMap((row) => Object.keys(columnsOf(row))))];
  const orders = names.flatMap((name) => [["", "ascending"], ["-", "descending"]].map(([sign, way]) => made("option", { value: sign + name, textContent: `${name}, ${way}` })));
  const filter = made("input", { type: "search", placeholder: "Filter these rows", ariaLabel: "Filter these rows by a text" });
  const order = made("select", { ariaLabel: "Order of these rows" }, made("option", { value: "", textContent: unordered }), ...orders);
  const told = made("span", { role: "status" });
  let from = 0;
  const step = (text, label, by) => made("button", { type: "button", textContent: text, ariaLabel: label, onclick: (event) => { if (event.target.ariaDisabled !== "true") draw(from + by); } });
  const back = step("‹", "Earlier rows", -AT_ONCE), on = step("›", "Later rows", AT_ONCE);
  function draw(start) {
    const wanted = filter.value.trim().toLowerCase(), fits = rows.filter((row) => texts.get(row).includes(wanted));
    const down = order.value.startsWith("-"), name = order.value.replace(/^-/, ""), sign = down ? -1 : 1;
    const key = (row) => asText(columnsOf(row)[name]).trim().replace(/^nan$/, "");
    if (name) fits.sort((a, b) => !key(a) - !key(b) || sign * compared(key(a), key(b)));
    from = start;
    const end = Math.min(from + AT_ONCE, fits.length);
    box.replaceChildren(...fits.slice(from, end));
    told.textContent = fits.length ? `${from + 1} to ${end} of ${fits.length} rows` : "No row here has this text.";
    back.ariaDisabled = String(from === 0);
    on.ariaDisabled = String(end >= fits.length);
  }
  filter.oninput = order.onchange = () => draw(0);
  box.tools?.remove();
  box.tools = made("div", { className: "tools" }, filter, order, made("span", {}, back, on), told);
  if (rows.length > 1) box.before(box.tools);
  draw(0);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function rowMap(figure, open) {
  const picture = figure.querySelector("svg"), dots = [...picture.querySelectorAll("circle")], told = figure.querySelector("output");
  const place = (dot) => [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))];
  const least = (some, cost) => some.reduce((best, dot) => (best === null || cost(dot) < cost(best) ? dot : best), null);
  let at = null;
  function show(dot) {
    at?.classList.remove("at");
    at = dot;
    at.classList.add("at");
    told.textContent = at.textContent;
  }
  const beside = (event) => {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    return least(dots, (dot) => Math.hypot(place(dot)[0] - x, place(dot)[1] - y));
  };
  picture.onpointermove = (event) => show(beside(event));
  picture.onclick = (event) => { show(beside(event)); open(Number(at.dataset.row)); };
  figure.onfocus = () => { if (!at) show(dots[0]); };
  figure.onkeydown = (event) => {
    if (event.key !== "Enter" && !(event.key in ARROWS)) return;
    event.preventDefault(); // or Enter presses a button of the row that it opens
    if (event.key === "Enter") return open(Number(at.dataset.row));
    const [x, y] = place(at), [right, down] = ARROWS[event.key];
    const along = (dot) => (place(dot)[0] - x) * right + (place(dot)[1] - y) * down;
    const aside = (dot) => Math.abs((place(dot)[0] - x) * down) + Math.abs((place(dot)[1] - y) * right);
    const next = least(dots.filter((dot) => along(dot) > 0), (dot) => along(dot) + 2 * aside(dot));
    if (next) show(next);
  };
}

for (const box of document.querySelectorAll("main .rows")) rowTools(box, "as drawn");
for (const map of document.querySelectorAll("main .map")) rowMap(map, (row) => globalThis.openRow?.(row));
