/* The view: which symbol, interval and adjustment the part of the URL behind # asks for. */

let view = viewOf(location.hash);
const listeners = [];

function viewOf(hash) {
  const asked = Object.fromEntries(new URLSearchParams(hash.slice(1)));
  const { symbol = "", interval = "13d", adjustment = "split" } = asked;
  // A class of shares is behind a dot, as the lake has it.
  const name = symbol.trim().toUpperCase().replace(/^([A-Z]+)[/ _-]([A-Z])$/, "$1.$2");
  return { symbol: name, interval, adjustment };
}

const hashOf = (wanted) => `#${new URLSearchParams(wanted)}`;

export const currentView = () => view;

/** Call `listener` with each view that is asked for from now on. */
export function onView(listener) {
  listeners.push(listener);
}

/** Whether bars of an interval lie within a session; those are not adjusted for dividends. */
export const isWithinSession = (interval) => /[mh]$/.test(interval);

/** Ask for another view; the browser's way back leads to this one. */
export function go(changes) {
  const wanted = { ...view, ...changes };
  if (isWithinSession(wanted.interval) && wanted.adjustment === "all") wanted.adjustment = "split";
  const hash = hashOf(wanted);
  if (hash === location.hash) told();
  else location.hash = hash;
}

/** Ask for another view in place of this one. */
export function goInstead(changes) {
  location.replace(hashOf({ ...view, ...changes }));
}

function told() {
  view = viewOf(location.hash);
  for (const listener of listeners) listener(view);
}

addEventListener("hashchange", told);
