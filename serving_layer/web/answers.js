/*
 * Answers come from the API, or, in a page that is a file of its own, from within: an element
 * <script id="answers" type="application/gzip;base64"> holds base64 of gzip of a JSON object that
 * maps each path that get() is asked for, percent-decoded, to the API's answer:
 *   "v1/intervals"
 *   "v1/symbols?query="                                        all symbols; searched here
 *   "v1/bars/AAPL?interval=13d&adjustment=split&limit=50000"   one for each view
 */
import { element } from "./elements.js";
import { fetchWithKey } from "./key.js";

const BARS_PER_REQUEST = 50000;
export const ALL_SYMBOLS = "v1/symbols?query=";

const answersWithin = unpack(element("answers"));

/** Whether there is a server to ask for what is not within. */
export const hasServer = element("answers") === null;

async function unpack(holder) {
  if (!holder) return null;
  const packed = Uint8Array.from(atob(holder.textContent), (char) => char.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).json();
}

/** Return the answer to `path`; throws a problem, or what `signal` aborts with. */
export async function get(path, signal) {
  const answers = await answersWithin;
  const answer = answers ? answerAmong(answers, path) : await fetchAnswer(path, { signal });
  signal?.throwIfAborted();
  return answer;
}

/** Return an error with the members of an RFC 9457 problem: title, status, detail, hint. */
const problemOf = (members) => Object.assign(new Error(members.detail), members);

function answerAmong(answers, path) {
  const key = decodeURIComponent(path);
  if (Object.hasOwn(answers, key)) return answers[key];
  if (key.startsWith(ALL_SYMBOLS)) {
    return { symbols: matching(answers[ALL_SYMBOLS].symbols, key.slice(ALL_SYMBOLS.length)) };
  }
  throw problemOf({ title: "Not Found", status: 404, detail: `This file has no ${key}.` });
}

/** Return the symbols that contain `text`; those that begin with it come first. */
function matching(symbols, text) {
  const wanted = text.trim().toUpperCase();
  const begins = ({ symbol }) => Number(symbol.startsWith(wanted));
  return symbols
    .filter(({ symbol }) => symbol.includes(wanted))
    .sort((one, other) => begins(other) - begins(one));
}

/** Ask the server to do something; returns its answer, null where that is empty; throws a problem. */
export function send(method, path, body, signal) {
  const told = body === undefined ? {} : {
    body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
  };
  return fetchAnswer(path, { method, signal, ...told });
}

async function fetchAnswer(path, options) {
  const response = await fetchWithKey(path, options).catch((error) => {
    if (options.signal?.aborted) throw error;
    throw problemOf({ title: "The server does not answer.", detail: "", hint: "is fiblake up?" });
  });
  if (response.ok) return response.status === 204 ? null : response.json();
  const { status, statusText: title } = response;
  throw problemOf({ title, status, detail: "", ...(await response.json().catch(() => ({}))) });
}

const barsPath = (symbol, asked) =>
  `v1/bars/${encodeURIComponent(symbol)}?${new URLSearchParams(asked)}`;

/** Return the first answer for a view, with the bars of all the answers behind it; from `start` on. */
export async function barsOf({ symbol, interval, adjustment }, signal, start = {}) {
  const path = barsPath(symbol, { interval, adjustment, limit: BARS_PER_REQUEST, ...start });
  const pages = [await get(path, signal)];
  while (pages.at(-1).next_cursor) {
    const cursor = encodeURIComponent(pages.at(-1).next_cursor);
    pages.push(await get(`${path}&cursor=${cursor}`, signal));
  }
  return { ...pages[0], bars: pages.flatMap(({ bars }) => bars) };
}

/**
 * Return the answer with the last daily bars of a symbol, the latest first.
 *
 * @param asOf the session on whose split basis they are to be; null: today's.
 */
export async function latestDays(symbol, asOf, count = 3) {
  const asked = { interval: "1d", adjustment: "split" };
  if (await answersWithin) {
    const answer = await barsOf({ symbol, ...asked });
    return { ...answer, bars: answer.bars.slice(-count).reverse() };
  }
  const basis = asOf ? { as_of: asOf } : {};
  return get(barsPath(symbol, { ...asked, ...basis, order: "desc", limit: count }));
}
