"use strict";
// rows and a search without a server: ranges of a few files, as web_page.py and web_index.py write them
{
const decoder = new TextDecoder();
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

// the middles of all lists and what their codes stand for: read once, when the first question comes
const index = once(async (name) => {
  const { columns } = await site, place = columns.findIndex((one) => one.column === name), facts = columns[place];
  const response = await fetch(`${place}.lists`);
  const numbers = signed(new Uint8Array(await response.arrayBuffer()));
  const starts = [0];
  for (const size of facts.sizes) starts.push(starts.at(-1) + size * (facts.code + 8));
  return { ...facts, place, starts, numbers, words: new Map(Object.entries(facts.words ?? {}).map(([word, weight], at) => [word, { at, weight }])) };
});

function unit(vector) {
  const length = Math.hypot(...vector) || 1;
  return Float32Array.from(vector, (value) => value / length);
}

// a record: its JSON, and for each column the vector
async function record(start, size) {
  const bytes = await range("rows", start, size), length = bits(bytes, 0, 4);
  const found = JSON.parse(decoder.decode(bytes.subarray(4, 4 + length)));
  found.vectors = {};
  let at = 4 + length;
  for (const { column, dim } of (await site).columns) {
    found.vectors[column] = signed(bytes.subarray(at, at += dim));
  }
  return keep(found);
}
const rows = new Map();
const keep = (found) => { rows.set(found.row, found); return found; };

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

async function nearest(query, one) {
  const { dim, code, sizes, scales, numbers, probes, budget, starts } = one, width = dim / code;
  const near = sizes.map((_, list) => [dot(numbers, list * dim, query, 0, dim) * scales[0], list]);
  near.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  const table = new Float32Array(code * 256), begin = sizes.length * dim;
  for (let place = 0; place < code; place++)
    for (let value = 0; value < 256; value++)
      table[place * 256 + value] = dot(numbers, begin + (place * 256 + value) * width, query, place * width, width) * scales[1];
  const best = [], most = (await site).candidates;
  let bytes = 0;
  const read = near.slice(0, probes).filter(([, list], at) => (bytes += sizes[list] * (code + 8)) <= budget || !at);
  await Promise.all(read.map(async ([score, list]) => {
    const size = sizes[list], bytes = await range(`${one.place}.codes`, starts[list], size * (code + 8));
    for (let at = 0; at < size; at++) {
      let sum = score;
      for (let place = 0; place < code; place++) sum += table[place * 256 + bytes[at * code + place]];
      const place = size * code + at * 8;
      best.push([sum, bits(bytes, place + 3, 5), bits(bytes, place, 3)]);
    }
  }));
  best.sort((a, b) => b[0] - a[0]);
  const found = await Promise.all(best.slice(0, most).map(([, start, size]) => record(start, size)));
  return found.map((row) => ({ row, score: dot(unit(row.vectors[one.column]), 0, query, 0, dim) })).sort((a, b) => b.score - a.score);
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
    const found = await nearest(await vector(wanted, one), one);
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
