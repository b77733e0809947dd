/*
 * The chart: bars above, their volumes below. A final bar is solid, a forming one hollow. With the
 * keyboard one goes from bar to bar.
 */
import { element, say } from "./elements.js";
import { priceText } from "./format.js";
import { barText, direction, showLegend } from "./legend.js";
import { isInstant, secondText, tickText, timeOf, timeText } from "./times.js";

const SLOT_PX = 7;
const FEWEST_SLOTS = 60;
const ZOOM = 0.8;
const PAGE = 10;
const COLOURS = "paper label line grid muted up down up-faint down-faint up-forming down-forming";

const box = element("chart");
const chart = LightweightCharts.createChart(box, {
  autoSize: true,
  layout: { attributionLogo: true, fontFamily: getComputedStyle(document.body).fontFamily },
  localization: { locale: "en-US", dateFormat: "yyyy-MM-dd", timeFormatter: timeText },
  rightPriceScale: {
    borderVisible: false, entireTextOnly: true, scaleMargins: { top: 0.08, bottom: 0.04 },
  },
  timeScale: { borderVisible: false, minBarSpacing: 0.01, tickMarkFormatter: tickText },
  crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
  // A finger that moves up or down moves the page.
  handleScroll: { vertTouchDrag: false },
});
const prices = chart.addSeries(LightweightCharts.CandlestickSeries, {
  priceFormat: { type: "custom", formatter: priceText, minMove: 0.0001 },
});
const volumes = chart.addSeries(LightweightCharts.HistogramSeries, {
  priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false,
}, 1);
let colours = {};
let drawn = { bars: [], byTime: new Map(), name: "" };
let looked = null; // the time of the bar under the crosshair
let walks = false; // whether the keyboard put it there
const drawnListeners = [];

/** What others draw on: where prices are drawn, by which series. */
export { box as chartBox, prices as priceSeries };

/** Call `listener` whenever other bars are drawn. */
export function onDrawn(listener) {
  drawnListeners.push(listener);
}

/** Draw bars, in order of start; where only the last of those drawn has changed, that alone. */
export function draw({ symbol, interval, adjustment, bars }) {
  const name = `${symbol} ${interval}`;
  const moves = name !== drawn.name;
  const from = adjustment === drawn.adjustment && !moves ? firstChanged(drawn.bars, bars) : 0;
  const isEnd = from > 0 && from >= drawn.bars.length - 1 && bars.length >= drawn.bars.length;
  if (isEnd) drawEnd(bars, from);
  else drawAll(bars);
  Object.assign(drawn, { name, adjustment });
  if (moves) lookAtLatest();
  showLegend(lookedAt());
  if (!isEnd) drawnListeners.forEach((listener) => listener());
  box.ariaLabel = `Chart of ${bars.length} bars, ${name}`;
}

function firstChanged(bars, next) {
  let at = 0;
  while (at < bars.length && bars[at] === next[at]) at += 1;
  return at;
}

function drawAll(bars) {
  drawn = { bars, byTime: new Map(bars.map((bar) => [timeOf(bar.start), bar])) };
  chart.applyOptions({ timeScale: { timeVisible: isInstant(bars[0].start) } });
  paint();
}

function drawEnd(bars, from) {
  drawn.bars = bars;
  for (const bar of bars.slice(from)) {
    drawn.byTime.set(timeOf(bar.start), bar);
    prices.update(pricePoint(bar));
    volumes.update(volumePoint(bar));
  }
}

function paint() {
  prices.setData(drawn.bars.map(pricePoint));
  volumes.setData(drawn.bars.map(volumePoint));
}

function pricePoint({ start, open, high, low, close, state }) {
  const hollow = state === "forming" && { color: "transparent" };
  return { time: timeOf(start), open, high, low, close, ...hollow };
}

function volumePoint(bar) {
  const shade = bar.state === "forming" ? "forming" : "faint";
  return { time: timeOf(bar.start), value: bar.volume, color: colours[`${direction(bar)}-${shade}`] };
}

export function lookAtLatest() {
  const count = drawn.bars.length;
  const shown = Math.max(FEWEST_SLOTS, Math.min(count, box.clientWidth / SLOT_PX));
  prices.priceScale().setAutoScale(true);
  chart.timeScale().setVisibleLogicalRange({ from: count - shown, to: count + 1 });
}

const lookedAt = () => drawn.byTime.get(looked) ?? drawn.bars.at(-1);

/** Return the time of the bar that an instant falls in, null: in none; a session's at its close. */
export function barTimeAt(instant) {
  const isWithin = drawn.bars.length > 0 && isInstant(drawn.bars[0].start);
  const time = isWithin ? Date.parse(instant) / 1000 : secondText(instant).slice(0, 10);
  const at = drawn.bars.findLastIndex(({ start }) => timeOf(start) <= time);
  const bar = drawn.bars[at];
  const isAfter = at === drawn.bars.length - 1 && !isWithin && bar?.through < time;
  return bar && !isAfter ? timeOf(bar.start) : null;
}

/** Return the price at the height of a pointer's event; null: none is drawn there. */
export function priceAt({ clientY }) {
  const y = clientY - box.getBoundingClientRect().top;
  return drawn.bars.length && y < chart.panes()[0].getHeight() ? prices.coordinateToPrice(y) : null;
}

/** Return how high above a pointer's event a price is drawn, in px; null: nowhere. */
export function distanceTo(price, { clientY }) {
  const y = prices.priceToCoordinate(price);
  return y === null ? null : clientY - box.getBoundingClientRect().top - y;
}

/** Return the last bar that is drawn; null: there is none. */
export const lastBar = () => drawn.bars.at(-1) ?? null;

/* With the keyboard: from bar to bar, and nearer or farther */

function indexLookedAt() {
  const at = looked === null ? -1 : drawn.bars.indexOf(drawn.byTime.get(looked));
  return at < 0 ? drawn.bars.length : at;
}

function lookAt(index) {
  const at = Math.max(0, Math.min(drawn.bars.length - 1, index));
  const bar = drawn.bars[at];
  if (!bar) return;
  const { from, to } = chart.timeScale().getVisibleLogicalRange();
  const by = Math.min(at - 1 - from, 0) + Math.max(at + 1 - to, 0);
  if (by) chart.timeScale().setVisibleLogicalRange({ from: from + by, to: to + by });
  looked = timeOf(bar.start);
  walks = true;
  showLegend(bar);
  // Another range is in force from the next frame on.
  requestAnimationFrame(() => { if (walks) chart.setCrosshairPosition(bar.close, looked, prices); });
  say(element("bar-told"), barText(bar));
}

function leaveBars() {
  looked = null;
  walks = false;
  chart.clearCrosshairPosition();
  if (drawn.bars.length) showLegend(lookedAt());
}

function zoom(factor) {
  const range = chart.timeScale().getVisibleLogicalRange();
  if (!range) return;
  const { from, to } = range;
  chart.timeScale().setVisibleLogicalRange({ from: to - (to - from) * factor, to });
}

const ON_KEY = {
  ArrowLeft: () => lookAt(indexLookedAt() - 1),
  ArrowRight: () => lookAt(indexLookedAt() + 1),
  PageUp: () => lookAt(indexLookedAt() - PAGE),
  PageDown: () => lookAt(indexLookedAt() + PAGE),
  Home: () => lookAt(0),
  End: () => { leaveBars(); lookAtLatest(); },
  "+": () => zoom(ZOOM),
  "=": () => zoom(ZOOM),
  "-": () => zoom(1 / ZOOM),
};

function onKey(event) {
  const action = event.ctrlKey || event.metaKey || event.altKey ? null : ON_KEY[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

/* Colours are the style sheet's */

export function colourOf(name) {
  box.style.color = `var(--${name})`;
  return getComputedStyle(box).color;
}

export function applyColours() {
  colours = Object.fromEntries(COLOURS.split(" ").map((name) => [name, colourOf(name)]));
  const { up, down, grid, label, line, muted, paper } = colours;
  const cross = { color: muted, labelBackgroundColor: label };
  chart.applyOptions({
    layout: { background: { color: paper }, textColor: muted, panes: { separatorColor: line } },
    grid: { vertLines: { color: grid }, horzLines: { color: grid } },
    crosshair: { vertLine: cross, horzLine: cross },
  });
  prices.applyOptions({
    upColor: up, borderUpColor: up, wickUpColor: up, priceLineColor: label,
    downColor: down, borderDownColor: down, wickDownColor: down,
  });
  paint();
}

chart.panes()[0].setStretchFactor(4);
chart.subscribeCrosshairMove(({ time }) => {
  if (walks) return;
  looked = time ?? null;
  if (drawn.bars.length) showLegend(lookedAt());
});
box.addEventListener("keydown", onKey);
box.addEventListener("pointermove", () => { walks = false; });
box.addEventListener("blur", leaveBars);
