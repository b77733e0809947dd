/*
 * The page: the part of the URL behind # says which view to show (symbol, interval, adjustment), the
 * controls only change that, and each change of it draws.
 *
 * The root element tells tests what is shown: data-state (loading, ready, empty or error) and, once
 * that is not loading, data-symbol, data-interval, data-adjustment and data-bars (a count); of bars
 * that are followed, data-live (the close of the last), data-live-state and data-live-version, which
 * grows with each change that is drawn.
 */
import { newAlert, recolourAlerts, startAlerts, toggleAlerts } from "./alerts/alerts.js";
import { ALL_SYMBOLS, get } from "./answers.js";
import { applyColours, draw } from "./chart.js";
import { onOpen, startStream } from "./connection.js";
import { element, make, root } from "./elements.js";
import { follow } from "./follow.js";
import { followLivePrices } from "./prices.js";
import { showProblem } from "./problems.js";
import "./search.js";
import { startShortcuts } from "./shortcuts.js";
import { showLayers, startStatus } from "./status.js";
import { followTheme, toggleTheme } from "./theme.js";
import { currentView, go, goInstead, isWithinSession, onView } from "./view.js";
import { goAlong, toggleWatched } from "./watchlist.js";

const AGAIN_MS = 2000;
let asked = null;
let pending = new AbortController();
let isUnanswered = false; // whether the server did not answer for the view

/** Return what bars there are; where the server does not answer, the next call asks again. */
function offered() {
  asked ??= get("v1/intervals").catch((problem) => {
    asked = null;
    throw problem;
  });
  return asked;
}

/** Draw a view; a later call makes this one give up. */
async function show(view) {
  pending.abort();
  pending = new AbortController();
  const { signal } = pending;
  isUnanswered = false;
  root.dataset.state = "loading";
  element("notice").textContent = "Loading…";
  showProblem(null);
  showControls();
  try {
    if (view.symbol) await showBars(view, signal);
    else await goToFirstSymbol(signal);
  } catch (problem) {
    if (signal.aborted) return;
    settle(problem.status === 404 && !view.symbol ? "empty" : "error");
    isUnanswered = problem.status === undefined;
    showProblem(problem);
  }
}

async function goToFirstSymbol(signal) {
  const { symbols } = await get(ALL_SYMBOLS, signal);
  if (symbols.length) goInstead({ symbol: symbols[0].symbol });
  else settle("empty");
}

async function showBars(view, signal) {
  const { live } = await offered();
  signal.throwIfAborted();
  await follow(view, signal, showAnswer, live);
}

function showAnswer(answer, version) {
  const last = answer.bars.at(-1);
  if (last) draw(answer);
  settle(last ? "ready" : "empty", answer);
  if (version > 0 && last) {
    Object.assign(root.dataset, { live: last.close, liveState: last.state, liveVersion: version });
  }
}

function settle(state, answer = { bars: [] }) {
  element("notice").textContent = state === "empty" ? noBarsText() : "";
  showLayers(answer);
  Object.assign(root.dataset, { ...currentView(), state, bars: answer.bars.length });
}

function noBarsText() {
  const { symbol, interval } = currentView();
  return symbol ? `No ${interval} bars of ${symbol} yet.` : "No bars: run fiblake import";
}

/* Controls */

function showControls() {
  const { symbol, interval, adjustment } = currentView();
  element("search").value = symbol;
  document.title = symbol ? `${symbol} ${interval} · fiblake` : "fiblake";
  for (const button of document.querySelectorAll(":is(#intervals, #adjustments) button")) {
    const asked = button.dataset;
    button.ariaPressed = String([interval, adjustment].includes(asked.interval ?? asked.adjustment));
    button.disabled = asked.adjustment === "all" && isWithinSession(interval);
    button.onclick = () => go({ ...asked });
  }
}

async function showIntervals() {
  const { intervals } = await offered();
  element("intervals").replaceChildren(...intervals.map(({ interval }) =>
    make("button", interval, { type: "button", "data-interval": interval })));
  showControls();
}

/** Choose the next of a row of buttons, or the one before. */
function choose(row, by) {
  const buttons = [...element(row).children].filter(({ disabled }) => !disabled);
  const at = buttons.findIndex(({ ariaPressed }) => ariaPressed === "true");
  buttons.at((at + by) % buttons.length)?.click();
}

async function startLive() {
  const { live } = await offered();
  startStatus(live);
  if (!live) return;
  followLivePrices();
  startStream();
}

/** Begin with what needs the server, however long it takes to answer. */
async function begin() {
  for (let failures = 0; ; failures += 1) {
    try {
      await showIntervals();
      if (failures) show(currentView());
      return await startLive();
    } catch (problem) {
      showProblem(problem);
      await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
    }
  }
}

root.dataset.connection = "none";
followTheme(() => {
  applyColours();
  recolourAlerts();
});
startShortcuts({
  "/": () => element("search").focus(),
  "[": () => choose("intervals", -1),
  "]": () => choose("intervals", 1),
  a: () => choose("adjustments", 1),
  w: toggleWatched,
  j: () => goAlong(1),
  k: () => goAlong(-1),
  c: () => element("chart").focus(),
  l: toggleAlerts,
  n: newAlert,
  t: toggleTheme,
});
onView(show);
onOpen(() => { if (isUnanswered) show(currentView()); });
begin();
show(currentView());
startAlerts();
