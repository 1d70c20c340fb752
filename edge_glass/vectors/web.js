"use strict";
// rows and a search without a server: ranges of a few files, as web_page.py and web_index.py write them
{
const decoder = new TextDecoder(), ASKED = 40, PLACE = 8; // requests of a question; bytes, as web_index.py has them
const spent = { requests: 0, bytes: 0 };
const site = fetch("site.json").then((response) => response.json());
const once = (make) => { const kept = new Map(); return (key) => kept.get(key) ?? kept.set(key, make(key)).get(key); };

async function range(url, start, size) {
  if (!size) return new Uint8Array();
  const response = await fetch(url, { headers: { Range: `bytes=${start}-${start + size - 1}` } });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  const whole = new Uint8Array(await response.arrayBuffer());
  spent.requests += 1;
  spent.bytes += whole.length;
  return response.status === 206 ? whole : whole.subarray(start, start + size);
}

const signed = (bytes) => new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
const bits = (bytes, at, size) => { let found = 0; for (let n = size - 1; n >= 0; n--) found = found * 256 + bytes[at + n]; return found; };

// middles of lists, and what codes stand for: read once, when the first text is looked for
const index = once(async (name) => {
  const one = await described(name), { dim, sizes, scales } = one;
  const numbers = signed(new Uint8Array(await (await fetch(`${one.place}.lists`)).arrayBuffer())), starts = [0];
  for (const size of sizes) starts.push(starts.at(-1) + size);
  const lengths = sizes.map((_, at) => Math.hypot(...numbers.subarray(at * dim, (at + 1) * dim)) * scales[0]);
  return { ...one, starts, numbers, lengths };
});

const described = once(async (name) => {
  const { columns } = await site, place = columns.findIndex((one) => one.column === name), facts = columns[place];
  return { ...facts, place, words: new Map(Object.entries(facts.words ?? {}).map(([word, weight], at) => [word, { at, weight }])) };
});

function unit(vector) {
  const length = Math.hypot(...vector) || 1;
  return Float32Array.from(vector, (value) => value / length);
}

// a record: its JSON, and for each column the vector
async function record(start, size) {
  const kept = rows.get(starts.get(start));
  if (kept) return kept;
  const bytes = await range("rows", start, size), length = bits(bytes, 0, 4);
  const found = JSON.parse(decoder.decode(bytes.subarray(4, 4 + length)));
  found.vectors = {};
  let at = 4 + length;
  for (const { column, dim } of (await site).columns) {
    found.vectors[column] = signed(bytes.subarray(at, at += dim));
  }
  starts.set(start, found.row);
  rows.set(found.row, found);
  return found;
}
const rows = new Map(), starts = new Map();

async function numbered(row) {
  if (rows.has(row)) return rows.get(row);
  if (!(row >= 0 && row < (await site).rows)) throw new Error(`no row ${row}`);
  const ends = await range("places", 8 * row, 16), start = bits(ends, 0, 8);
  return record(start, bits(ends, 8, 8) - start);
}

// a text is the mean of its words, the rare ones weighing more
async function meant(text, one) {
  const words = [...new Set(text.toLowerCase().match(/[\p{L}]{2,}/gu) ?? [])].filter((word) => one.words.has(word)).slice(0, 12);
  if (!words.length) throw new Error("None of these words stands in the data often enough: try others.");
  const sum = new Float32Array(one.dim);
  const parts = await Promise.all(words.map((word) => range(`${one.place}.words`, one.words.get(word).at * one.dim, one.dim)));
  parts.forEach((part, at) => unit(signed(part)).forEach((value, n) => { sum[n] += value * one.words.get(words[at]).weight; }));
  return unit(sum);
}

// products of a query with all words of a code
function table({ code, width, numbers, scales }, begin, query) {
  const products = new Float32Array(code * 256);
  for (let at = 0; at < code * 256; at++)
    products[at] = dot(numbers, begin + at * width, query, (at >> 8) * width, width) * scales[1];
  return (codes, at) => {
    let sum = 0;
    for (let place = 0; place < code; place++) sum += products[place * 256 + codes[at + place]];
    return sum;
  };
}

// of what stands in a file, the best of `order` first, as much as comes in so many ranges of so much room: starts and ends
function fitting(order, starts, ends, ranges, room, misses) {
  const gaps = (some) => some.slice(1).map((number, at) => [starts(number) - ends(some[at]), at]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  let kept = [], missed = 0;
  for (const number of order) {
    const wider = [...kept, number].sort((a, b) => a - b), left = gaps(wider).slice(0, ranges - 1).reduce((sum, [gap]) => sum + gap, 0);
    if (kept.length && ends(wider.at(-1)) - starts(wider[0]) - left > room) {
      if (++missed === misses) break;
    } else [kept, missed] = [wider, 0];
  }
  const cuts = gaps(kept).slice(0, ranges - 1).map(([, at]) => at).sort((a, b) => a - b);
  return [...cuts, kept.length - 1].map((last, at) => [starts(kept[at ? cuts[at - 1] + 1 : 0]), ends(kept[last])]);
}

// records at some places, with how near their vectors are to a query, the nearest first
async function shown(places, name, query) {
  const found = await Promise.all(places.map(async ([start, size]) => record(start, size)));
  return found.map((row) => ({ row, score: dot(unit(row.vectors[name]), 0, query, 0, query.length) })).sort((a, b) => b.score - a.score);
}

const placed = (bytes, at) => [bits(bytes, at + 3, 5), bits(bytes, at, 3)];

// a row's nearest are written down
async function like(row, { column, place, limits: [, rows] }) {
  const { vectors } = await numbered(row), bytes = await range(`${place}.near`, row * rows * PLACE, rows * PLACE);
  const places = Array.from({ length: rows }, (_, at) => placed(bytes, at * PLACE)).filter(([, size]) => size);
  return shown(places, column, unit(vectors[column]));
}

async function nearest(query, one, used) {
  const { dim, code, sizes, numbers, lengths, starts, place, scales } = one, [ranges, rows, most, room, exact, misses] = one.limits;
  const near = sizes.map((_, list) => dot(numbers, list * dim, query, 0, dim) * scales[0]), own = table(one, sizes.length * dim, query);
  const order = [...sizes.keys()].sort((a, b) => near[b] / lengths[b] - near[a] / lengths[a] || a - b), best = [];
  const read = fitting(order, (at) => starts[at], (at) => starts[at + 1], Math.max(2, ASKED - ranges - rows - used), Math.floor(room / code), misses);
  await Promise.all(read.map(async ([start, end]) => {
    const codes = await range(`${place}.codes`, start * code, (end - start) * code);
    for (let at = start, list = starts.findLastIndex((one) => one <= start); at < end; at++) {
      while (at >= starts[list + 1]) list++;
      best.push([near[list] + own(codes, (at - start) * code), at]);
    }
  }));
  const wanted = best.sort(([a, x], [b, y]) => b - a || x - y).slice(0, most).map(([, at]) => at), size = PLACE + dim, found = [];
  if (!wanted.length) return [];
  await Promise.all(fitting(wanted, (at) => at, (at) => at + 1, ranges, Math.floor(exact / size), misses).map(async ([start, end]) => {
    const bytes = await range(`${place}.vectors`, start * size, (end - start) * size);
    for (let at = 0; at < bytes.length; at += size)
      found.push([dot(unit(signed(bytes.subarray(at + PLACE, at + size))), 0, query, 0, dim), ...placed(bytes, at)]);
  }));
  return shown(found.sort((a, b) => b[0] - a[0]).slice(0, rows).map(([, ...where]) => where), one.column, query);
}

function dot(one, from, other, start, size) {
  let sum = 0;
  for (let n = 0; n < size; n++) sum += one[from + n] * other[start + n];
  return sum;
}

async function shownAs(row, score) {
  const { caption } = await site, text = row.columns[caption];
  const media = row.media.map(([column, kind]) => [column, 0, kind.split("/")[0]]);
  const more = score === undefined ? {} : { score };
  return { row: row.row, id: row.columns.id, split: row.columns.split, caption: String((Array.isArray(text) ? text[0] : text) ?? ""), like_it: [], media, columns: row.columns, ...more };
}

const safe = (row, wanted) => row.safe || wanted.get("nsfw") === "1";

globalThis.source = {
  spent,
  async search(wanted) {
    const { columns } = await site, name = wanted.get("in");
    const fits = columns.find((one) => (!name || one.column === name) && (wanted.has("row") || one.words));
    if (!fits) throw new Error(columns.length ? "Open a row and ask for more like it: no words were embedded here." : "Nothing here is embedded, so nothing can be looked for.");
    const before = spent.requests, bytes = spent.bytes, row = wanted.get("row"), one = await described(fits.column);
    const found = row !== null ? await like(Number(row), one) : await nearest(await meant(wanted.get("text"), one), await index(fits.column), spent.requests - before);
    globalThis.last = { requests: spent.requests - before, bytes: spent.bytes - bytes };
    const hits = found.filter(({ row }) => safe(row, wanted));
    return { in: fits.column, rows: await Promise.all(hits.map(({ row, score }) => shownAs(row, score))) };
  },
  async some() {
    const { rows: count } = await site, many = Math.min(12, count);
    const found = await Promise.all(Array.from({ length: many }, (_, at) => numbered(Math.floor(count * at / many))));
    return { rows: await Promise.all(found.filter((row) => row.safe).map((row) => shownAs(row))) };
  },
  async row(row) {
    const found = await numbered(row);
    return { row: found.columns, media: found.media.map(([column, kind]) => [column, 0, kind.split("/")[0]]) };
  },
  media: (_, row, column) => async () => {
    const { data, shards } = await site, found = await numbered(row);
    const [, kind, shard, start, size] = found.media.find(([name]) => name === column);
    return URL.createObjectURL(new Blob([await range(`${data}/${encodeURIComponent(shards[shard])}`, start, size)], { type: kind }));
  },
};
}
