/*
 * When a bar starts: a date, or, of a bar of minutes or hours, an instant, shown in the exchange's
 * time. The chart has dates as texts and instants as seconds since 1970.
 */

const ZONE = "America/New_York";
const CLOCK = { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const DAY = { timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit" };
const clockOf = new Intl.DateTimeFormat("en-CA", CLOCK).format;
const clockToSecondOf = new Intl.DateTimeFormat("en-CA", { ...CLOCK, second: "2-digit" }).format;
const dayOf = new Intl.DateTimeFormat("en-CA", DAY).format;

export const isInstant = (start) => start.includes("T");
export const timeOf = (start) => (isInstant(start) ? Date.parse(start) / 1000 : start);

/** Return a time of the chart in full. */
export function timeText(time) {
  if (typeof time !== "number") return dateText(time);
  const instant = new Date(time * 1000);
  return `${dayOf(instant)} ${clockOf(instant)}`;
}

/** Return an instant as a date and a time of the exchange, to the second. */
export function secondText(instant) {
  const date = new Date(instant);
  return `${dayOf(date)} ${clockToSecondOf(date)}`;
}

/** Return a mark of the time scale; null: as the chart has it. */
export function tickText(time, kind) {
  if (typeof time !== "number") return null;
  const instant = new Date(time * 1000);
  return kind >= LightweightCharts.TickMarkType.Time ? clockOf(instant) : dayOf(instant).slice(5);
}

function dateText(time) {
  if (typeof time === "string") return time;
  const { year, month, day } = time;
  return [year, month, day].map((part) => String(part).padStart(2, "0")).join("-");
}
