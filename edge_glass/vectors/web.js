"use strict";
// rows and a search without a server: ranges of a few files, as web_page.py and web_index.py write them
{
const decoder = new TextDecoder(), ASKED = 40, RANK = 4, PLACE = 8; // requests of a question; bytes, as web_index.py has them
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

// middles of groups and lists, and what codes stand for: read once, when the first question comes
const index = once(async (name) => {
  const { columns } = await site, place = columns.findIndex((one) => one.column === name), facts = columns[place];
  const response = await fetch(`${place}.lists`);
  const bytes = new Uint8Array(await response.arrayBuffer()), codes = bytes.length - facts.sizes.length * facts.code;
  const starts = [0], group = facts.groups.flatMap((lists, number) => Array(lists).fill(number));
  for (const size of facts.sizes) starts.push(starts.at(-1) + size);
  return { ...facts, place, starts, group, numbers: signed(bytes.subarray(0, codes)), codes: bytes.subarray(codes), words: new Map(Object.entries(facts.words ?? {}).map(([word, weight], at) => [word, { at, weight }])) };
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
async function vector(wanted, one) {
  if (wanted.has("row")) return unit((await numbered(Number(wanted.get("row")))).vectors[one.column]);
  const words = [...new Set(wanted.get("text").toLowerCase().match(/[\p{L}]{2,}/gu) ?? [])].filter((word) => one.words.has(word)).slice(0, 12);
  if (!words.length) throw new Error("None of these words stands in the data often enough: try others.");
  const sum = new Float32Array(one.dim);
  const parts = await Promise.all(words.map((word) => range(`${one.place}.words`, one.words.get(word).at * one.dim, one.dim)));
  parts.forEach((part, at) => unit(signed(part)).forEach((value, n) => { sum[n] += value * one.words.get(words[at]).weight; }));
  return unit(sum);
}

// products of a query with all words of a code; `begin` is where they stand
function table({ dim, code, numbers }, begin, scale, query) {
  const width = dim / code, products = new Float32Array(code * 256);
  for (let place = 0; place < code; place++)
    for (let value = 0; value < 256; value++)
      products[place * 256 + value] = dot(numbers, begin + (place * 256 + value) * width, query, place * width, width) * scale;
  return (codes, at) => {
    let sum = 0;
    for (let place = 0; place < code; place++) sum += products[place * 256 + codes[at + place]];
    return sum;
  };
}

// first and last list of what is read of each group: of the best lists what fits
function runs({ sizes, starts, group, code }, budget, scores, most) {
  const found = new Map();
  let left = Math.floor(budget / (code + RANK));
  for (const list of [...sizes.keys()].sort((a, b) => scores[b] - scores[a] || a - b)) {
    if (!found.has(group[list]) && found.size === most) continue;
    const [first, last] = found.get(group[list]) ?? [list, list - 1], wider = [Math.min(first, list), Math.max(last, list)];
    const more = starts[wider[1] + 1] - starts[wider[0]] - (starts[last + 1] - starts[first]);
    if (more > left && found.size) continue;
    found.set(group[list], wider);
    left -= more;
  }
  return [...found.values()];
}

// of candidates, the best first, as many as come in so many ranges and bytes: first and last of each
function fitting(ranks, ranges, room) {
  for (let count = ranks.length; ; count--) {
    const sorted = ranks.slice(0, count).sort((a, b) => a - b), gaps = sorted.slice(1).map((rank, at) => [rank - sorted[at], at]);
    const cuts = gaps.sort((a, b) => b[0] - a[0] || a[1] - b[1]).slice(0, ranges - 1).map(([, at]) => at).sort((a, b) => a - b);
    const parts = [...cuts, sorted.length - 1].map((last, at) => [sorted[at ? cuts[at - 1] + 1 : 0], sorted[last]]);
    if (count <= 1 || parts.reduce((sum, [first, last]) => sum + last - first + 1, 0) <= room) return [parts, new Set(sorted)];
  }
}

async function nearest(query, one, used, itself) {
  const { dim, code, sizes, groups, group, scales, numbers, codes, starts, place } = one, [probes, ranges, shown, most, bytes, exact] = one.limits;
  const middles = groups.map((_, at) => dot(numbers, at * dim, query, 0, dim) * scales[0]), begin = groups.length * dim;
  const beside = table(one, begin, scales[1], query), own = table(one, begin + 256 * dim, scales[2], query);
  const scores = sizes.map((_, list) => middles[group[list]] + beside(codes, list * code)), best = new Map();
  const read = runs(one, bytes, scores, Math.max(1, Math.min(probes, ASKED - ranges - shown - used)));
  await Promise.all(read.map(async ([first, last]) => {
    const found = await range(`${place}.codes`, starts[first] * (code + RANK), (starts[last + 1] - starts[first]) * (code + RANK));
    for (let list = first, from = 0; list <= last; from += sizes[list++] * (code + RANK))
      for (let at = 0; at < sizes[list]; at++) {
        const sum = scores[list] + own(found, from + at * code), rank = bits(found, from + sizes[list] * code + at * RANK, RANK);
        if (!(best.get(rank) >= sum)) best.set(rank, sum); // it stands in two groups
      }
  }));
  const ranks = [...best].sort(([, a], [, b]) => b - a).slice(0, most).map(([rank]) => rank), size = PLACE + dim;
  if (!ranks.length) return [];
  const [parts, wanted] = fitting(ranks, ranges, exact / size), near = [];
  await Promise.all(parts.map(async ([first, last]) => {
    const found = await range(`${place}.vectors`, first * size, (last - first + 1) * size);
    for (let rank = first, at = 0; rank <= last; rank++, at += size)
      if (wanted.has(rank)) near.push([dot(unit(signed(found.subarray(at + PLACE, at + size))), 0, query, 0, dim), bits(found, at + 3, 5), bits(found, at, 3)]);
  }));
  near.sort((a, b) => b[0] - a[0]);
  return Promise.all(near.slice(0, shown + itself).map(async ([score, start, length]) => ({ row: await record(start, length), score })));
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
    const one = await index(fits.column), before = { ...spent };
    const query = await vector(wanted, one), found = await nearest(query, one, spent.requests - before.requests, Number(wanted.has("row")));
    globalThis.last = { requests: spent.requests - before.requests, bytes: spent.bytes - before.bytes };
    const hits = found.filter(({ row }) => safe(row, wanted) && String(row.row) !== wanted.get("row"));
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
