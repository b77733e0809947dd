/*
 * The chart page: location.hash says which view to show (symbol, interval, adjustment), the
 * controls only change the hash, and each change of the hash draws.
 *
 * Answers come from the API, or, in a page that is a file of its own, from within: an element
 * <script id="answers" type="application/gzip;base64"> holds base64 of gzip of a JSON object that
 * maps each path that get() is asked for, percent-decoded, to the API's answer:
 *   "v1/intervals"
 *   "v1/symbols?query="                                        all symbols; searched here
 *   "v1/bars/AAPL?interval=13d&adjustment=split&limit=50000"   one for each view
 *
 * The root element tells tests what is shown: data-state (loading, ready, empty or error) and,
 * once that is not loading, data-symbol, data-interval, data-adjustment and data-bars (a count).
 */
"use strict";

const BARS_PER_REQUEST = 50000;
const ALL_SYMBOLS = "v1/symbols?query=";
const SLOT_PX = 7;
const FEWEST_SLOTS = 60;
const COLOURS = "paper label line grid muted up down up-faint down-faint up-forming down-forming";

const root = document.documentElement;
const element = (id) => document.getElementById(id);
const box = element("chart");
const search = element("search");
const suggestions = element("suggestions");

function make(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/* Answers */

const answersWithin = unpack(element("answers"));

async function unpack(holder) {
  if (!holder) return null;
  const packed = Uint8Array.from(atob(holder.textContent), (char) => char.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).json();
}

/** Return the answer to `path`; throws a problem, or what `signal` aborts with. */
async function get(path, signal) {
  const answers = await answersWithin;
  const answer = answers ? answerAmong(answers, path) : await fetchAnswer(path, signal);
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

async function fetchAnswer(path, signal) {
  const response = await fetchWithKey(path, { signal }).catch((error) => {
    if (signal?.aborted) throw error;
    throw problemOf({ title: "The server does not answer", detail: "", hint: "is fiblake up?" });
  });
  if (response.ok) return response.json();
  const { status, statusText: title } = response;
  throw problemOf({ title, status, detail: "", ...(await response.json().catch(() => ({}))) });
}

/** Return the first answer for a view, with the bars of all the answers behind it; from `start` on. */
async function barsOf({ symbol, interval, adjustment }, signal, start = {}) {
  const query = new URLSearchParams({ interval, adjustment, limit: BARS_PER_REQUEST, ...start });
  const path = `v1/bars/${encodeURIComponent(symbol)}?${query}`;
  const pages = [await get(path, signal)];
  while (pages.at(-1).next_cursor) {
    const cursor = encodeURIComponent(pages.at(-1).next_cursor);
    pages.push(await get(`${path}&cursor=${cursor}`, signal));
  }
  return { ...pages[0], bars: pages.flatMap(({ bars }) => bars) };
}

/* The view: what the hash asks for */

let view = viewOf(location.hash);
let pending = new AbortController();

const offered = get("v1/intervals");

function viewOf(hash) {
  const asked = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  const { symbol = "", interval = "13d", adjustment = "split" } = asked;
  return { symbol: symbol.toUpperCase(), interval, adjustment };
}

const hashOf = (wanted) => `#${new URLSearchParams(wanted)}`;

function go(changes) {
  const hash = hashOf({ ...view, ...changes });
  if (hash === location.hash) show();
  else location.hash = hash;
}

/** Draw the view that the hash asks for; a later call makes this one give up. */
async function show() {
  pending.abort();
  pending = new AbortController();
  const { signal } = pending;
  view = viewOf(location.hash);
  root.dataset.state = "loading";
  element("notice").textContent = "Loading…";
  showProblem(null);
  showControls();
  try {
    if (view.symbol) await showBars(signal);
    else await goToFirstSymbol(signal);
  } catch (problem) {
    if (signal.aborted) return;
    settle(problem.status === 404 && !view.symbol ? "empty" : "error");
    showProblem(problem);
  }
}

async function goToFirstSymbol(signal) {
  const { symbols } = await get(ALL_SYMBOLS, signal);
  if (symbols.length) location.replace(hashOf({ ...view, symbol: symbols[0].symbol }));
  else settle("empty");
}

/** Draw bars, and those that form meanwhile as long as this view is shown. */
async function showBars(signal) {
  const { live } = await offered;
  showLiveText("");
  const answer = await barsOf(view, signal);
  showAnswer(answer);
  if (live) follow(answer, signal);
}

function showAnswer(answer) {
  if (answer.bars.length) draw(answer);
  settle(answer.bars.length ? "ready" : "empty", answer);
}

function settle(state, answer = { bars: [] }) {
  const bars = answer.bars.length;
  element("notice").textContent = state === "empty" ? "No bars: run fiblake import" : "";
  element("extent").replaceChildren(...(bars ? extentOf(answer) : []));
  Object.assign(root.dataset, { ...view, state, bars });
}

/* Chart */

const priceText = (price) => price.toFixed(price !== 0 && Math.abs(price) < 1 ? 4 : 2);
const countText = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 }).format;
const direction = ({ open, close }) => (close < open ? "down" : "up");

const chart = LightweightCharts.createChart(box, {
  autoSize: true,
  layout: { attributionLogo: true, fontFamily: getComputedStyle(document.body).fontFamily },
  localization: { locale: "en-US", dateFormat: "yyyy-MM-dd", timeFormatter: timeText },
  rightPriceScale: {
    borderVisible: false, entireTextOnly: true, scaleMargins: { top: 0.08, bottom: 0.04 },
  },
  timeScale: { borderVisible: false, minBarSpacing: 0.01, tickMarkFormatter: tickText },
  crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
});
const prices = chart.addSeries(LightweightCharts.CandlestickSeries, {
  priceFormat: { type: "custom", formatter: priceText, minMove: 0.0001 },
});
const volumes = chart.addSeries(LightweightCharts.HistogramSeries, {
  priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false,
}, 1);
let colours = {};
let drawn = { bars: [], byTime: new Map(), name: "" };

function draw({ symbol, interval, bars }) {
  const name = `${symbol} ${interval}`;
  const moves = name !== drawn.name;
  drawn = { bars, byTime: new Map(bars.map((bar) => [timeOf(bar.start), bar])), name };
  chart.applyOptions({ timeScale: { timeVisible: isInstant(bars[0].start) } });
  paint();
  if (moves) lookAtLatest();
  showLegend();
  box.ariaLabel = `Chart of ${bars.length} bars, ${name}`;
}

function paint() {
  prices.setData(drawn.bars.map(pricePoint));
  volumes.setData(drawn.bars.map(volumePoint));
}

/** A final bar is solid, a forming one hollow. */
function pricePoint({ start, open, high, low, close, state }) {
  const hollow = state === "forming" && { color: "transparent" };
  return { time: timeOf(start), open, high, low, close, ...hollow };
}

function volumePoint(bar) {
  const shade = bar.state === "forming" ? "forming" : "faint";
  return { time: timeOf(bar.start), value: bar.volume, color: colours[`${direction(bar)}-${shade}`] };
}

function lookAtLatest() {
  const count = drawn.bars.length;
  const shown = Math.max(FEWEST_SLOTS, Math.min(count, box.clientWidth / SLOT_PX));
  prices.priceScale().setAutoScale(true);
  chart.timeScale().setVisibleLogicalRange({ from: count - shown, to: count + 1 });
}

/* Legend, footer, controls, problems */

const LEGEND = {
  span: ({ start, through }) => {
    if (isInstant(start)) return timeText(timeOf(start));
    return start === through ? start : `${start} – ${through}`;
  },
  open: (bar) => priceText(bar.open),
  high: (bar) => priceText(bar.high),
  low: (bar) => priceText(bar.low),
  close: (bar) => priceText(bar.close),
  volume: (bar) => countText(bar.volume),
  vwap: (bar) => (bar.vwap === null ? "" : priceText(bar.vwap)),
  sessions: (bar) => (isInstant(bar.start) ? "" : `${bar.sessions}/${bar.sessions_expected}`),
  minutes: (bar) => (isInstant(bar.start) ? `${bar.minutes}${ofMinutes(bar)}` : ""),
  revision: (bar) => bar.revision ?? "",
  state: (bar) => bar.state,
};

const ofMinutes = (bar) => (bar.minutes_expected ? `/${bar.minutes_expected}` : "");

/** Show `bar`, or else the last. */
function showLegend(bar = drawn.bars.at(-1)) {
  if (!bar) return;
  Object.assign(element("legend").dataset, { state: bar.state, direction: direction(bar) });
  for (const field of document.querySelectorAll("[data-field]")) {
    field.textContent = LEGEND[field.dataset.field](bar);
    field.parentElement.hidden = field.textContent === "";
  }
}

function extentOf({ bars, boundary, as_of: asOf }) {
  const through = boundary ? `data through ${boundary}` : "no session committed yet";
  const count = bars.length === 1 ? "1 bar" : `${countText(bars.length)} bars`;
  const splits = asOf ? ` · splits as of ${asOf}` : "";
  const first = isInstant(bars[0].start) ? timeText(timeOf(bars[0].start)) : bars[0].start;
  return [make("b", through), ` · ${count} from ${first}${splits}`];
}

function showControls() {
  search.value = view.symbol;
  document.title = `${view.symbol} ${view.interval} · fiblake`;
  for (const button of document.querySelectorAll(".choice button")) {
    const { interval, adjustment } = button.dataset;
    button.ariaPressed = String([view.interval, view.adjustment].includes(interval ?? adjustment));
    button.onclick = () => go({ ...button.dataset });
  }
}

async function showIntervals() {
  const { intervals } = await offered;
  element("intervals").replaceChildren(...intervals.map(({ interval }) =>
    make("button", interval, { type: "button", "data-interval": interval })));
  showControls();
}

function showProblem(problem) {
  element("problem").replaceChildren();
  if (!problem) return;
  const { title = "Error", detail = String(problem), hint } = problem;
  const text = make("p", "");
  text.append(make("strong", title), detail, hint ? make("em", ` Hint: ${hint}`) : "");
  const dismiss = make("button", "×", { type: "button", "aria-label": "Dismiss" });
  dismiss.onclick = () => showProblem(null);
  element("problem").append(text, dismiss);
}

/* Symbol search: a combobox and its listbox */

let suggesting = new AbortController();
let options = [];
let active = -1;

async function suggest() {
  closeSuggestions();
  const { signal } = suggesting;
  const text = search.value === view.symbol ? "" : search.value;
  try {
    const { symbols } = await get(ALL_SYMBOLS + encodeURIComponent(text), signal);
    options = symbols.map(optionOf);
    suggestions.replaceChildren(...(options.length ? options : [make("li", "No such symbol.")]));
    search.ariaExpanded = "true";
    activate(text === "" ? -1 : 0);
  } catch (problem) {
    if (!signal.aborted) showProblem(problem);
  }
}

function optionOf({ symbol, first, last }, index) {
  const option = make("li", "", { role: "option", id: `option-${index}` });
  option.append(make("b", symbol), make("span", `${first} – ${last}`));
  option.onclick = () => choose(symbol);
  return option;
}

function closeSuggestions() {
  suggesting.abort();
  suggesting = new AbortController();
  options = [];
  search.ariaExpanded = "false";
  activate(-1);
}

function activate(index) {
  active = index;
  options.forEach((option, at) => { option.ariaSelected = String(at === index); });
  search.setAttribute("aria-activedescendant", options[index]?.id ?? "");
  options[index]?.scrollIntoView({ block: "nearest" });
}

function choose(symbol) {
  closeSuggestions();
  if (symbol) go({ symbol });
}

function leaveSearch() {
  closeSuggestions();
  search.value = view.symbol;
}

function moveActive(by) {
  if (options.length === 0) suggest();
  else activate((Math.max(active + by, -1) + options.length) % options.length);
}

function onSearchKey(event) {
  const action = {
    ArrowDown: () => moveActive(1),
    ArrowUp: () => moveActive(-1),
    Enter: () => (options[active] ? options[active].click() : choose(search.value.trim())),
    Escape: leaveSearch,
  }[event.key];
  if (action) event.preventDefault();
  action?.();
}

/* Theme: the system's, until one is chosen */

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const storage = openStorage();
const theme = () => storage.fiblakeTheme ?? (systemDark.matches ? "dark" : "light");

/** Storage may be denied to a file: then a choice lasts as long as the page. */
function openStorage() {
  try {
    return localStorage;
  } catch {
    return {};
  }
}

function toggleTheme() {
  storage.fiblakeTheme = theme() === "dark" ? "light" : "dark";
  applyTheme();
}

function colourOf(name) {
  box.style.color = `var(--${name})`;
  return getComputedStyle(box).color;
}

function applyTheme() {
  root.dataset.theme = theme();
  element("theme").ariaPressed = String(theme() === "dark");
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

/* Start */

chart.panes()[0].setStretchFactor(4);
chart.subscribeCrosshairMove(({ time }) => showLegend(drawn.byTime.get(time)));
search.addEventListener("input", suggest);
search.addEventListener("click", suggest);
search.addEventListener("focus", () => search.select());
search.addEventListener("blur", leaveSearch);
search.addEventListener("keydown", onSearchKey);
suggestions.addEventListener("mousedown", (event) => event.preventDefault());
element("theme").addEventListener("click", toggleTheme);
systemDark.addEventListener("change", applyTheme);
addEventListener("hashchange", show);
applyTheme();
showIntervals().catch(showProblem);
show();
