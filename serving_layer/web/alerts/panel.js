/*
 * The panel of alerts: which part of it is shown, what it says, and that it is read again while it
 * is open. Whether it is open is kept in the browser.
 *
 * The root element tells tests: data-alerts is closed, reading, ready, refused or failed.
 */
import { hasServer } from "../answers.js";
import { element, lasting, make, root, say } from "../elements.js";
import { currentView } from "../view.js";
import { forgetAlerts, readAlerts } from "./store.js";

const POLL_MS = 4000;
const tabs = [...document.querySelectorAll("#alerts-tabs button")];
const readers = new Map(); // by tab: what reads it, called with a symbol
const openListeners = [];
let isOpen = false;
let isOfAll = false;
let tab = "list";
let polls = 0;
let failure = null; // why the last reading failed

/** Read a tab by `reader`, called with a symbol or an empty text for all, while it is shown. */
export function readTab(name, reader) {
  readers.set(name, reader);
}

/** Call `listener` with whether the panel is open, whenever that changes. */
export function onOpened(listener) {
  openListeners.push(listener);
}

export const isPanelOpen = () => isOpen;
export const isOfAllSymbols = () => isOfAll;

export function openPanel(wanted = true) {
  if (wanted === isOpen || !hasServer) return;
  isOpen = wanted;
  lasting.fiblakeAlerts = isOpen ? "open" : "closed";
  element("alerts").hidden = !isOpen;
  element("alerts-button").ariaExpanded = String(isOpen);
  root.dataset.alerts = isOpen ? "reading" : "closed";
  failure = null;
  showProblemText(null);
  sayResult("");
  openListeners.forEach((listener) => listener(isOpen));
  if (isOpen) poll();
  else forgetAlerts();
}

/** Show one part: a tab, or the form. */
export function showPart(name) {
  sayResult("");
  for (const part of document.querySelectorAll("#alerts [data-panel]")) {
    part.hidden = part.dataset.panel !== name;
  }
  element("alerts-tabs").hidden = name === "form";
  tab = name;
  for (const button of tabs) button.ariaPressed = String(button.dataset.tab === name);
  element("alerts-body").scrollTop = 0;
}

/* Reading */

async function poll() {
  polls += 1;
  const mine = polls;
  while (isOpen && mine === polls) {
    if (!document.hidden) await refresh();
    if (isRefusal(failure)) return;
    await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
  }
}

/** Read what is shown, now. */
export async function refresh() {
  const { symbol } = currentView();
  if (!isOpen || (!symbol && !isOfAll)) return;
  const of = isOfAll ? "" : symbol;
  try {
    await readAlerts(of);
    await readers.get(tab)?.(of);
    if (!isOpen) return;
    if (failure) showProblemText(null);
    failure = null;
  } catch (problem) {
    if (!isOpen) return;
    failure = problem;
    // What a server that does not answer told last is shown on.
    if (isRefusal(failure)) forgetAlerts();
    showProblemText(failure, refusalText(problem));
  }
  element("alerts-body").hidden = isRefusal(failure);
  root.dataset.alerts = failure === null ? "ready" : failure.status === 403 ? "refused" : "failed";
}

/** Whether a failure lasts: the key may not have alerts, or the server has none. */
const isRefusal = (problem) => problem?.status === 403 || problem?.status === 404;

function refusalText({ status }) {
  if (status === 403) return "Alerts need a key with the scope alerts.";
  return status === 404 ? "This server keeps no alerts." : "";
}

/** Ask for a change, say so or why not, and read what is shown; return whether it was made. */
export async function change(ask, result) {
  try {
    await ask();
    sayResult(result);
    return true;
  } catch (problem) {
    sayProblem(problem);
    return false;
  } finally {
    await refresh();
  }
}

/* Saying */

export function sayResult(text) {
  showProblemText(failure);
  say(element("alerts-said"), text);
}

/** Say what went wrong, and what that means. */
export function sayProblem(problem, besides = "") {
  say(element("alerts-said"), "");
  showProblemText(problem, besides);
}

function showProblemText(problem, besides = "") {
  const place = element("alerts-problem");
  if (!problem) return place.replaceChildren();
  const text = problemText(problem);
  if (place.textContent !== `${text} ${besides}`) place.replaceChildren(make("span", `${text} `), besides);
}

/** Return a problem as one text. */
export function problemText({ title, detail, hint, message }) {
  const told = detail || title || message || "It failed.";
  return hint ? `${told} Hint: ${hint}` : told;
}

/* Controls */

function chooseSymbols(all) {
  isOfAll = all;
  element("alerts-one").ariaPressed = String(!all);
  element("alerts-all").ariaPressed = String(all);
  refresh();
}

export function startPanel() {
  root.dataset.alerts = "closed";
  element("alerts-button").hidden = !hasServer;
  element("alerts-button").onclick = () => openPanel(!isOpen);
  element("alerts-close").onclick = () => {
    openPanel(false);
    element("alerts-button").focus();
  };
  element("alerts-one").onclick = () => chooseSymbols(false);
  element("alerts-all").onclick = () => chooseSymbols(true);
  for (const button of tabs) {
    button.onclick = () => {
      showPart(button.dataset.tab);
      refresh();
    };
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  if (lasting.fiblakeAlerts === "open") openPanel();
}
