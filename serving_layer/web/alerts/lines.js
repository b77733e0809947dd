/*
 * Levels on the chart: a line for each, with its alert's name, that a mouse or a finger can drag.
 * A press with Alt held, or once it is asked for, chooses a price.
 */
import { chartBox, colourOf, distanceTo, priceAt, priceSeries } from "../chart.js";
import { currentView } from "../view.js";
import { alertsNow, isMoved, onAlerts, onLevel, shownLevels } from "./store.js";
import { moveLevel, restoreLevel, saveLevel } from "./store.js";
import { conditionText, onTick } from "./words.js";

const REACH_PX = { mouse: 5, pen: 8, touch: 16 };
const STILL_PX = 6;
const LONGEST_TITLE = 28;
const lines = new Map(); // by level's key: {line, level}
let held = null; // {level, pointerId} while one is dragged
let chooser = () => {};
let saver = () => {};
let pressed = null; // where, where a price may be chosen
let isActive = false;

/**
 * Draw the levels of the alerts that are read.
 *
 * @param onChosen called with a price that was pressed at.
 * @param onSaving called with a promise of a level's being kept once it was dragged.
 */
export function startLines(onChosen, onSaving) {
  chooser = onChosen;
  saver = onSaving;
}

/** Draw levels, and let them be dragged, or no more. */
export function activateLines(active) {
  isActive = active;
  if (!active) armChoosing(false);
  drawLines();
}

/** Let the next press on the chart choose a price, or no more. */
export function armChoosing(isArmed) {
  chartBox.classList.toggle("armed", isArmed);
}

export const isArmed = () => chartBox.classList.contains("armed");

/** Draw all levels anew: of what is read, and in the colours of the theme. */
export function drawLines() {
  const { symbol } = currentView();
  const shown = isActive ? alertsNow().filter((alert) => alert.symbol === symbol) : [];
  const levels = new Map(shown.flatMap(shownLevels).map((level) => [level.key, level]));
  for (const [key, { line }] of lines) {
    if (levels.has(key)) continue;
    priceSeries.removePriceLine(line);
    lines.delete(key);
  }
  for (const level of levels.values()) drawLine(level);
}

function drawLine(level) {
  const known = lines.get(level.key);
  const options = optionsOf(level);
  if (known) known.line.applyOptions(options);
  lines.set(level.key, { line: known?.line ?? priceSeries.createPriceLine(options), level });
}

function optionsOf(level) {
  const { state, rule } = level.alert;
  const isAwake = ["active", "waiting"].includes(state);
  const colour = colourOf(isMoved(level) ? "forming" : isAwake ? "accent" : "muted");
  const { LineStyle } = LightweightCharts;
  const title = rule.name || conditionText(rule.when);
  return {
    price: level.price,
    color: colour,
    axisLabelColor: colour,
    axisLabelTextColor: colourOf("paper"),
    lineWidth: isMoved(level) ? 2 : 1,
    lineStyle: state === "active" ? LineStyle.Solid : LineStyle.Dashed,
    axisLabelVisible: true,
    title: title.length > LONGEST_TITLE ? `${title.slice(0, LONGEST_TITLE - 1)}…` : title,
  };
}

/* Dragging */

/** Return the level whose line is nearest to a pointer's event, within its reach. */
function levelAt(event) {
  const reach = REACH_PX[event.pointerType] ?? REACH_PX.mouse;
  if (priceAt(event) === null) return null;
  return [...lines.values()]
    .map(({ level }) => ({ level, away: Math.abs(distanceTo(level.price, event) ?? Infinity) }))
    .filter(({ away }) => away <= reach)
    .sort((one, other) => one.away - other.away)[0]?.level ?? null;
}

function grab(event) {
  if (held || event.altKey || isArmed() || event.button !== 0) return;
  const level = levelAt(event);
  if (!level) return;
  held = { level, pointerId: event.pointerId };
  chartBox.setPointerCapture(event.pointerId);
  chartBox.classList.add("drags");
}

function drag(event) {
  if (!held) {
    if (event.pointerType === "mouse") chartBox.classList.toggle("grabs", levelAt(event) !== null);
    return;
  }
  const price = event.pointerId === held.pointerId ? priceAt(event) : null;
  if (price !== null) moveLevel(held.level, price);
}

function release(isKept) {
  if (!held) return;
  const { level, pointerId } = held;
  held = null;
  chartBox.classList.remove("drags");
  if (chartBox.hasPointerCapture(pointerId)) chartBox.releasePointerCapture(pointerId);
  if (isKept) saver(saveLevel(level), level);
  else restoreLevel(level);
}

/** Keep the chart from moving, and the page too, while a line is held. */
function keepStill(event) {
  if (!held) return;
  event.stopPropagation();
  if (event.type !== "mousedown") event.preventDefault();
}

/* Choosing a price: a press that goes nowhere */

function press(event) {
  pressed = isActive && (event.altKey || isArmed()) ? { x: event.clientX, y: event.clientY } : null;
}

function choose(event) {
  if (!pressed || Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > STILL_PX) return;
  const price = priceAt(event);
  if (price === null) return;
  armChoosing(false);
  chooser(onTick(price));
}

chartBox.addEventListener("pointerdown", press);
chartBox.addEventListener("pointerdown", grab, { capture: true });
for (const type of ["mousedown", "touchstart", "touchmove"]) {
  chartBox.addEventListener(type, keepStill, { capture: true, passive: false });
}
chartBox.addEventListener("pointermove", drag);
chartBox.addEventListener("pointerup", choose);
chartBox.addEventListener("pointerup", () => release(true));
chartBox.addEventListener("pointercancel", () => release(false));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !held) return;
  event.preventDefault();
  release(false);
});
onAlerts(drawLines);
onLevel((level) => { if (lines.has(level.key)) drawLine(level); });
