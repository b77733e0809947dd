/* How the layers are: what batch has committed, how old the last tick is, how the page is told. */
import { connection, isPolling } from "./connection.js";
import { element, make, say } from "./elements.js";
import { agoText, countText, priceText } from "./format.js";
import { onQuote, quoteOf } from "./prices.js";
import { isInstant, secondText, timeOf, timeText } from "./times.js";
import { currentView } from "./view.js";

const AGAIN_MS = 1000;
const GAP_SHOWN_MS = 20_000;
const REPLAY_MS = 24 * 3600 * 1000; // what is told later is told again
let isLive = false;
let layer = null;

/** Show what an answer of /v1/bars tells of the layers; null: nothing is shown. */
export function showLayers(answer) {
  layer = answer?.live ?? null;
  element("extent").replaceChildren(...(answer?.bars.length ? extentOf(answer) : []));
  showTick();
}

export function startStatus(hasFeed) {
  isLive = hasFeed;
  showNow();
  setInterval(showNow, AGAIN_MS);
  onQuote((symbol) => { if (symbol === currentView().symbol) showTick(); });
}

function extentOf({ bars, boundary, as_of: asOf }) {
  const nothing = isInstant(bars[0].start) ? "no minutes committed yet" : "no session committed yet";
  const through = boundary ? `data through ${boundary}` : nothing;
  const count = bars.length === 1 ? "1 bar" : `${countText(bars.length)} bars`;
  const splits = asOf ? ` · splits as of ${asOf}` : "";
  const first = isInstant(bars[0].start) ? timeText(timeOf(bars[0].start)) : bars[0].start;
  return [make("b", through), ` · ${count} from ${first}${splits}`];
}

function showNow() {
  showTick();
  const { kind, why, retryAt, gap } = connection();
  const [name, text] = isLive ? connectionText() : ["none", "no live feed: what the lake has"];
  const place = element("connection");
  place.dataset.kind = name;
  say(place, text);
  const inS = kind === "waiting" && retryAt ? Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)) : null;
  say(element("retry"), isLive && inS !== null ? `the stream again in ${inS} s` : "");
  place.title = why || gap?.message || "";
}

function connectionText() {
  const { kind, why, isAnswered, gap } = connection();
  const isLately = gap && Date.now() - gap.at < GAP_SHOWN_MS;
  if (kind === "open") return ["stream", `live by stream${isLately ? ", after a gap that was filled" : ""}`];
  if (isPolling() && isAnswered) {
    const reason = kind === "refused" ? why : "the stream cannot be had";
    return ["polling", `live by asking each second: ${reason}`];
  }
  if (kind === "refused") return ["waiting", why];
  if (isPolling()) return ["waiting", "the server does not answer"];
  return ["waiting", kind === "connecting" ? "connecting…" : why || "the connection was lost"];
}

function showTick() {
  const { symbol } = currentView();
  const live = quoteOf(symbol)?.live;
  const away = layer === "away" ? "live prices are away: the lake's bars alone" : "";
  if (!isLive || !live) {
    say(element("live"), away || (isLive ? `no live price of ${symbol} yet` : ""));
    return;
  }
  const { time, feed, lagMs, at } = live;
  const lag = Math.abs(lagMs) < REPLAY_MS ? `lag ${agoText(lagMs)}` : "a replay";
  const price = priceText(quoteOf(symbol).price);
  const told = `${price} at ${secondText(time)} (${feed}, ${lag}), told ${agoText(Date.now() - at)} ago`;
  say(element("live"), away ? `${away}; last ${told}` : `live ${told}`);
}
