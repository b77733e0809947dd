/* The legend above the chart tells of one bar; a hidden text tells the same to who cannot see. */
import { element, say } from "./elements.js";
import { countText, priceText } from "./format.js";
import { isInstant, timeOf, timeText } from "./times.js";

export const direction = ({ open, close }) => (close < open ? "down" : "up");

const ofMinutes = (bar) => (bar.minutes_expected ? `/${bar.minutes_expected}` : "");

const FIELDS = {
  span: ({ start, through }) => {
    if (isInstant(start)) return timeText(timeOf(start));
    return start === through ? start : `${start} – ${through}`;
  },
  open: (bar) => priceText(bar.open),
  high: (bar) => priceText(bar.high),
  low: (bar) => priceText(bar.low),
  close: (bar) => priceText(bar.close),
  volume: (bar) => countText(bar.volume),
  vwap: (bar) => (bar.vwap == null ? "" : priceText(bar.vwap)),
  sessions: (bar) => (isInstant(bar.start) ? "" : `${bar.sessions}/${bar.sessions_expected}`),
  minutes: (bar) => (isInstant(bar.start) && bar.minutes != null ? `${bar.minutes}${ofMinutes(bar)}` : ""),
  revision: (bar) => bar.revision ?? "",
  state: (bar) => bar.state,
};

export function showLegend(bar) {
  Object.assign(element("legend").dataset, { state: bar.state, direction: direction(bar) });
  for (const field of document.querySelectorAll("[data-field]")) {
    say(field, String(FIELDS[field.dataset.field](bar)));
    field.parentElement.hidden = field.textContent === "";
  }
}

/** Return a bar in words. */
export function barText(bar) {
  const numbers = ["open", "high", "low", "close", "volume"];
  const told = numbers.map((name) => `${name} ${FIELDS[name](bar)}`);
  return `${FIELDS.span(bar)}: ${told.join(", ")}, ${bar.state}`;
}
