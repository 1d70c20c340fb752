"use strict";
// whatever comes from the data becomes text of an element or a part of a URL, never markup
const $ = (id) => document.getElementById(id);
let file = null, row = null, chips = [], turn = 0, choices = null;

async function asked(url, options) {
  const response = await fetch(url, options);
  const found = await response.json();
  if (!response.ok) throw new Error(found.error || response.statusText);
  return found;
}

// where rows come from: a server, or files that web.js reads
const source = globalThis.source ?? {
  search: (wanted, file) => asked(`/search?${wanted}`, { method: "POST", body: file }),
  some: () => asked("/some"),
  row: (row) => asked(`/row/${row}`),
  filters: () => asked("/filters"),
  media: (kind, row, column, place) => `/${kind}/${row}/${encodeURIComponent(column)}/${place}`,
};

// an image or a sound, whose bytes are asked for when it comes near the window
const near_by = new IntersectionObserver((seen) => {
  for (const { target } of seen.filter((one) => one.isIntersecting)) { near_by.unobserve(target); target.load_now(); }
}, { rootMargin: "300px" });
function filled(element, ...where) {
  const address = source.media(...where);
  if (typeof address === "string") return Object.assign(element, { src: address });
  element.load_now = async () => { element.src = await source.media(...where)(); };
  near_by.observe(element);
  return element;
}

function say(text, wrong = false) {
  $("said").textContent = text;
  $("said").className = wrong ? "wrong" : "";
}

async function search() {
  const text = $("text").value.trim(), mine = ++turn;
  if (!file && row === null && !text) return say($("text").dataset.hint);
  const wanted = new URLSearchParams();
  if (!file) wanted.set(row === null ? "text" : "row", row ?? text);
  if ($("in").value) wanted.set("in", $("in").value);
  chips.forEach((chip) => wanted.append("filter", chip));
  if ($("nsfw")?.checked) wanted.set("nsfw", "1");
  if ($("fold")?.checked === false) wanted.set("fold", "0");
  if ($("maps")) $("maps").hidden = true;
  if (!file) history.replaceState(null, "", `#${wanted}`);
  say("Searching…");
  try {
    const start = performance.now();
    const found = await source.search(wanted, file);
    if (mine !== turn) return;
    show(found.rows, "nearest first");
    const what = found.rows.length ? `${found.rows.length} rows` : "No rows";
    say(`${what} by ${found.in}, ${Math.round(performance.now() - start)} ms`);
  } catch (error) {
    if (mine !== turn) return;
    show([]);
    say(error.message, true);
  }
}

// something to look at before the first question
async function some() {
  const mine = turn;
  try {
    const { rows } = await source.some();
    if (mine !== turn) return;
    show(rows, "as they stand");
    say(`${rows.length} rows from all over the data. ${$("text").dataset.hint}.`);
  } catch (error) {
    if (mine === turn) say(error.message, true);
  }
}

function show(rows, order) {
  $("hits").replaceChildren(...rows.map(card));
  rowTools($("hits"), order);
}

function card(hit) {
  const [column, place, kind] = hit.media.find(([, , kind]) => kind === "image") || hit.media[0] || [];
  const open = () => detail(hit.row), parts = [];
  if (kind === "image") {
    const image = filled(made("img", { loading: "lazy", alt: "" }), "small", hit.row, column, place);
    parts.push(made("button", { className: "look", ariaLabel: `Row ${hit.row}`, onclick: open }, image));
  }
  if (kind === "audio")
    parts.push(filled(made("audio", { controls: true, preload: "none" }), "media", hit.row, column, place));
  parts.push(made("button", { className: "words", onclick: open }, made("p", { textContent: hit.caption || hit.id })));
  const more = hit.like_it.length ? [made("span", { textContent: `+${hit.like_it.length} like it`, title: `rows ${hit.like_it.join(", ")}` })] : [];
  parts.push(made("footer", {}, made("span", { textContent: `${hit.split} · ${hit.id}`, title: hit.id }), ...more,
    ...(hit.score == null ? [] : [made("span", { className: "score", textContent: hit.score.toFixed(3) })])));
  return Object.assign(made("article", {}, ...parts), { columns: hit.columns });
}

function listed(record) {
  const there = Object.entries(record).filter(([, value]) => value !== null && value !== "");
  return made("dl", {}, ...there.flatMap(([name, value]) => [made("dt", { textContent: name }), made("dd", { textContent: asText(value) })]));
}

async function detail(number) {
  try {
    const found = await source.row(number);
    const close = made("button", { textContent: "Close", onclick: () => $("detail").close() });
    const like = made("button", { className: "main", textContent: "More like this", onclick: () => { $("detail").close(); near(number); } });
    const top = made("div", { className: "top" }, made("h2", { textContent: `Row ${number}: ${found.row.id}` }), made("span", {}, like, close));
    const media = found.media.map(([column, place, kind]) => shown(kind, number, column, place));
    const ledger = found.ledger ? listed(found.ledger) : made("p", { textContent: "None: the row is not in the ledger." });
    const known = found.ledger === undefined ? [] : [made("h3", { textContent: "Ledger: what became of the source row" }), ledger];
    $("detail").replaceChildren(top, ...media, listed(found.row), ...known);
    if (!$("detail").open) $("detail").showModal();
  } catch (error) {
    say(error.message, true);
  }
}

function shown(kind, ...where) {
  const element = kind === "image" ? made("img", { alt: where[1] }) : made("audio", { controls: true, preload: "metadata" });
  return filled(element, "media", ...where);
}

function near(number) {
  take(null);
  row = number;
  $("text").value = "";
  $("sample").replaceChildren(`Rows like row ${number} `, made("button", { type: "button", textContent: "×", ariaLabel: "Clear", onclick: () => { row = null; $("sample").hidden = true; } }));
  $("sample").hidden = false;
  search();
}

function take(given) {
  for (const old of $("sample").querySelectorAll("img, audio")) URL.revokeObjectURL(old.src);
  file = given;
  row = null;
  if ($("file")) $("file").value = "";
  $("sample").hidden = !given;
  if (!given) return;
  $("text").value = "";
  const source = URL.createObjectURL(given), image = given.type.startsWith("image/");
  const sample = image ? made("img", { src: source, alt: "" }) : made("audio", { controls: true, src: source });
  const clear = made("button", { type: "button", textContent: "×", ariaLabel: "Clear", onclick: () => take(null) });
  $("sample").replaceChildren(sample, made("span", { textContent: given.name }), clear);
  search();
}

function drawChips() {
  const chip = (text, at) => made("button", { type: "button", textContent: `${text} ×`, onclick: () => { chips.splice(at, 1); drawChips(); search(); } });
  $("chips")?.replaceChildren(...chips.map(chip));
}

// what is given for the column that is chosen: one of its values, ends of a range, or a text within
function add() {
  const name = $("column").value, given = [["=", "one"], [">=", "least"], ["<=", "most"], ["~", "within"]].filter(([, id]) => !$(id).hidden && $(id).value);
  if (!name || !given.length) return;
  chips.push(...given.map(([compare, id]) => name + compare + $(id).value));
  for (const [, id] of given) $(id).value = "";
  drawChips();
  search();
}

async function choose() {
  choices ??= await source.filters().catch((error) => { say(error.message, true); return {}; });
  const { values = [], least = null, most = null } = choices[$("column").value] ?? {};
  const kind = !$("column").value ? "" : values.length ? "one" : least === null ? "within" : "least most";
  for (const id of ["one", "least", "most", "within"]) $(id).hidden = !kind.split(" ").includes(id);
  $("one").replaceChildren(made("option", { value: "", textContent: "any value" }), ...values.map((value) => made("option", { value, textContent: value })));
  const short = (number) => number?.toLocaleString("en", { maximumSignificantDigits: 4, useGrouping: false });
  Object.assign($("least"), { placeholder: `from ${short(least)}`, value: "" });
  Object.assign($("most"), { placeholder: `to ${short(most)}`, value: "" });
}

$("ask").onsubmit = (event) => { event.preventDefault(); if ($("text").value.trim()) take(null); search(); };
if ($("file")) $("file").onchange = (event) => event.target.files[0] && take(event.target.files[0]);
if ($("add")) $("add").onclick = add;
if ($("column")) $("column").onchange = choose;
for (const id of ["least", "most", "within"]) if ($(id)) $(id).onkeydown = (event) => { if (event.key === "Enter") { event.preventDefault(); add(); } };
for (const id of ["in", "fold", "nsfw"]) $(id)?.addEventListener("change", search);
globalThis.openRow = detail;

let inside = 0;
if ($("file")) addEventListener("dragenter", (event) => { event.preventDefault(); inside++; $("drop").hidden = false; });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("dragleave", () => { if (--inside <= 0) { inside = 0; $("drop").hidden = true; } });
addEventListener("drop", (event) => {
  event.preventDefault();
  if (!$("file")) return;
  inside = 0;
  $("drop").hidden = true;
  if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
});

const before = new URLSearchParams(location.hash.slice(1));
$("text").value = before.get("text") || "";
$("in").value = before.get("in") || "";
chips = before.getAll("filter");
if ($("nsfw")) $("nsfw").checked = before.get("nsfw") === "1";
if ($("fold")) $("fold").checked = before.get("fold") !== "0";
drawChips();
if (before.get("row")) near(Number(before.get("row")));
else if ($("text").value) search();
else some();
