/*
 * The alerts that are shown, and where their levels are drawn: as they are kept, or, while one is
 * moved, where it is moved to.
 */
import { listAlerts, replaceAlert } from "./requests.js";
import { levelsOf, onTick, withLevel } from "./words.js";

const listeners = [];
const levelListeners = [];
const moved = new Map(); // by level's key: its price while it is moved
let alerts = [];
let asks = 0;

/** Call `listener` with all alerts whenever they were read, or forgotten. */
export function onAlerts(listener) {
  listeners.push(listener);
}

/** Call `listener` with a level whenever it is moved, or is no more. */
export function onLevel(listener) {
  levelListeners.push(listener);
}

export const alertsNow = () => alerts;

/** Read the alerts of a symbol, or, where that is empty, of any; of two calls the later one counts. */
export async function readAlerts(symbol) {
  asks += 1;
  const mine = asks;
  const read = await listAlerts(symbol);
  if (mine === asks) take(read);
}

export function forgetAlerts() {
  asks += 1;
  take([]);
}

function take(read) {
  alerts = read;
  listeners.forEach((listener) => listener(alerts));
}

/** Return an alert's levels, as they are shown: [{key, alert, path, saved, price, kind, relation}]. */
export function shownLevels(alert) {
  return levelsOf(alert.rule.when).map((level) => {
    const key = [alert.alert, ...level.path].join(".");
    return { ...level, key, alert, saved: level.price, price: moved.get(key) ?? level.price };
  });
}

const tell = (level) => levelListeners.forEach((listener) => listener(level));

/** Show a level elsewhere. */
export function moveLevel(level, price) {
  const at = onTick(price);
  moved.set(level.key, at);
  tell({ ...level, price: at });
}

export const isMoved = ({ key, saved }) => moved.has(key) && moved.get(key) !== saved;

/** Show a level where it is kept. */
export function restoreLevel(level) {
  if (moved.delete(level.key)) tell({ ...level, price: level.saved });
}

/** Keep a level where it is shown, else show it where it is kept; throws a problem. */
export async function saveLevel(level) {
  const { alert, path, key, saved } = level;
  const price = moved.get(key) ?? saved;
  if (price === saved) return restoreLevel(level);
  try {
    const now = await replaceAlert(alert, withLevel(alert.rule, path, price));
    moved.delete(key);
    asks += 1; // what is being read may be from before
    take(alerts.map((each) => (each.alert === now.alert ? now : each)));
  } catch (problem) {
    restoreLevel(level);
    throw problem;
  }
}
