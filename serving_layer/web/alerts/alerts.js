/* The alerts of the page: its panel, their levels on the chart, and what makes a new one. */
import { lastBar } from "../chart.js";
import { element } from "../elements.js";
import { currentView, go, onView } from "../view.js";
import "./destinations.js";
import { endDryRun } from "./dryrun.js";
import "./firings.js";
import { openForm } from "./form.js";
import { activateLines, armChoosing, drawLines, isArmed, startLines } from "./lines.js";
import { focusAlert, saveShown, startList } from "./list.js";
import { drawMarks } from "./marks.js";
import { isPanelOpen, onOpened, openPanel, refresh, sayProblem, sayResult, startPanel } from "./panel.js";
import { createAlert } from "./requests.js";
import { levelText } from "./words.js";

const HINT = "Press on the chart at a price; Esc: none. By keyboard, New alert has a field for it.";

/** Show the panel where it was open, and follow what is done. */
export function startAlerts() {
  startLines(makeHere, saveShown);
  startList(edit);
  onOpened((isOpen) => {
    activateLines(isOpen);
    arm(false);
    if (!isOpen) endDryRun();
  });
  onView(() => {
    drawLines();
    showSymbol();
    refresh();
  });
  element("alert-new").onclick = () => edit(null);
  element("alert-here").onclick = () => arm(!isArmed());
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && isArmed()) arm(false); });
  startPanel();
  showSymbol();
}

/** Draw what is on the chart in the colours of the theme. */
export function recolourAlerts() {
  drawLines();
  drawMarks();
}

export const toggleAlerts = () => openPanel(!isPanelOpen());

/** Show the form for a new alert. */
export function newAlert() {
  openPanel();
  if (isPanelOpen()) edit(null);
}

async function edit(alert) {
  try {
    await openForm(alert);
  } catch (problem) {
    sayProblem(problem);
  }
}

function arm(isArmedNow) {
  armChoosing(isArmedNow);
  element("alert-here").ariaPressed = String(isArmedNow);
  element("alert-here-hint").textContent = isArmedNow ? HINT : "";
}

/** Make an alert for when the price gets to where it is not yet. */
async function makeHere(level) {
  arm(false);
  const { symbol } = currentView();
  const relation = level >= (lastBar()?.close ?? 0) ? "above" : "below";
  try {
    const kept = await createAlert({ symbol, when: { kind: "price", relation, level } });
    if (kept.symbol !== symbol) go({ symbol: kept.symbol }); // the name that it has today
    await refresh();
    sayResult(`An alert is kept: ${kept.symbol} ${relation} ${levelText(level)}, once, to the log.`);
    focusAlert(kept.alert);
  } catch (problem) {
    sayProblem(problem);
  }
}

function showSymbol() {
  element("alerts-one").textContent = currentView().symbol || "the symbol";
}
