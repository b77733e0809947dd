/*
 * The latest price of each symbol that is wanted, by the stream, and the close before its session.
 * Where nothing is live, the price is the lake's last close.
 */
import { get, latestDays } from "./answers.js";
import { isPolling, onOpen, onStatus, stream } from "./connection.js";

const POLL_MS = 2000;
const wanted = new Set();
const told = new Map(); // by symbol: {price, time, session, feed, lagMs, at}
const days = new Map(); // by symbol: {asOf, bars, problem}
const listeners = [];
let isLive = false;

/** Call `listener` with each symbol whose quote changes. */
export function onQuote(listener) {
  listeners.push(listener);
}

const tell = (symbol) => listeners.forEach((listener) => listener(symbol));

/**
 * Return what is known of a symbol; null: nothing yet.
 *
 * {price, from, session, live, problem}: `from` is the close before the price's session, null where
 * there is none; `live` is {time, feed, lagMs, at}, or null where the price is a close.
 */
export function quoteOf(symbol) {
  const live = told.get(symbol) ?? null;
  const { bars = [], problem = null } = days.get(symbol) ?? {};
  const session = live?.session ?? bars[0]?.start;
  if (!session) return problem && { problem };
  const before = bars.find(({ start }) => start < session);
  return { price: live?.price ?? bars[0].close, from: before?.close ?? null, session, live, problem };
}

/** Follow these symbols, and no others. */
export function wantPrices(symbols) {
  for (const symbol of wanted) if (!symbols.has(symbol)) forget(symbol);
  for (const symbol of symbols) if (!wanted.has(symbol)) begin(symbol);
}

/** From now on, prices are live: once it is known that there is a feed. */
export function followLivePrices() {
  isLive = true;
  wanted.forEach(join);
  poll();
}

function begin(symbol) {
  wanted.add(symbol);
  readDays(symbol, null);
  if (isLive) join(symbol);
}

function forget(symbol) {
  wanted.delete(symbol);
  told.delete(symbol);
  days.delete(symbol);
  stream.leave(`price:${symbol}`);
}

function join(symbol) {
  stream.join(`price:${symbol}`, (event) => {
    if (event.type === "snapshot") event.prices.forEach(takePrice);
    if (event.type === "change") takePrice(event.price);
  });
}

function takePrice({ symbol, price, time, session, source, feed = source }) {
  if (!wanted.has(symbol)) return;
  if (price === null) {
    // All its trades were cancelled.
    told.delete(symbol);
    tell(symbol);
    return;
  }
  const now = Date.now();
  told.set(symbol, { price, time, session, feed, lagMs: now - Date.parse(time), at: now });
  const known = days.get(symbol);
  if (known && known.asOf !== session) readDays(symbol, session);
  tell(symbol);
}

/** Read the closes before a price, on the basis of its session, so that both compare. */
async function readDays(symbol, session) {
  days.set(symbol, { ...days.get(symbol), asOf: session });
  try {
    const { bars, as_of: asOf } = await latestDays(symbol, session);
    days.set(symbol, { bars, asOf: session ?? asOf });
    const later = told.get(symbol)?.session;
    if (later && later !== days.get(symbol).asOf) await readDays(symbol, later);
  } catch (problem) {
    days.set(symbol, { bars: [], ...days.get(symbol), problem });
  }
  if (wanted.has(symbol)) tell(symbol);
  else days.delete(symbol);
}

async function poll() {
  for (;;) {
    const asked = encodeURIComponent([...wanted].join());
    const problem = isPolling() && asked && (await ask(asked).then(() => null, (error) => error));
    // A key that may not have prices never may.
    if (problem?.status === 403) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function ask(symbols) {
  const { prices } = await get(`v1/prices?symbols=${symbols}`);
  const isNew = ({ symbol, time }) => told.get(symbol)?.time !== time;
  prices.filter(({ source }) => source === "live").filter(isNew).forEach(takePrice);
}

const readAgain = (symbol) => readDays(symbol, told.get(symbol)?.session ?? null);
onStatus(() => wanted.forEach(readAgain));
onOpen(() => [...wanted].filter((symbol) => days.get(symbol)?.problem).forEach(readAgain));
