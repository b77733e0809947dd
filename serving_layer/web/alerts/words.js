/* Rules in words, and the levels within them. */
import { secondText } from "../times.js";

const levelFormat = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2, maximumFractionDigits: 4, useGrouping: false,
});
export const levelText = (level) => levelFormat.format(level);

const WAYS = { either: "up or down by", up: "up by", down: "down by" };
const DAYS = { mon: "Mon", tue: "Tue", wed: "Wed", thu: "Thu", fri: "Fri" };
const relationText = (relation) => relation.replace("_", " ");
const hoursText = ({ hours }) => (hours === "extended" ? " of extended hours" : "");
const stateText = ({ state }) => (state === "forming" ? ", also forming," : "");
const barText = (when) => `${when.interval} bar${hoursText(when)}${stateText(when)}`;
const backText = ({ hysteresis_percent: percent }) => (percent ? ` (back by ${percent}%)` : "");

function thanText({ relation, than }) {
  if (than.level != null) return levelText(than.level);
  if (than.average != null) return `the average of ${than.average} closes before`;
  return `the ${relation === "below" ? "low" : "high"} of ${than.range} bars before`;
}

const WORDS = {
  price: (when) => `price ${relationText(when.relation)} ${levelText(when.level)}${backText(when)}`,
  move: (when) =>
    `price ${WAYS[when.direction ?? "either"]} ${when.percent}% in ${when.window}${backText(when)}`,
  close: (when) =>
    `${barText(when)} closes ${relationText(when.relation)} ${thanText(when)}${backText(when)}`
      .replace("closes crosses", "close crosses"),
  volume: (when) => `${barText(when)} with ${when.times} times the volume of ${when.average} before`,
  all: ({ of }) => of.map(innerText).join(" and "),
  any: ({ of }) => of.map(innerText).join(" or "),
};

/** Return a condition in words. */
export const conditionText = (when) => WORDS[when.kind](when);
const innerText = (when) => (when.of?.length > 1 ? `(${conditionText(when)})` : conditionText(when));

/** Return what else a rule says: how often, when, where to. */
export function mannerText({ repeat, cooldown_seconds: seconds, active, expires, deliver }) {
  return [
    repeat ? `each time${seconds ? `, at most every ${durationText(seconds)}` : ""}` : "once",
    active && `${activeDays(active)} ${active.start.slice(0, 5)}–${endText(active)}`,
    expires && `until ${secondText(expires).slice(0, 16)}`,
    `to ${deliver.join(", ")}`,
  ].filter(Boolean).join(" · ");
}

const endText = ({ end }) => (end.startsWith("23:59:59") ? "24:00" : end.slice(0, 5));

function activeDays({ days }) {
  const named = Object.keys(DAYS).filter((day) => days.includes(day)).map((day) => DAYS[day]);
  return named.length === 5 ? "Mon–Fri" : named.join(" ");
}

function durationText(seconds) {
  const units = [[86_400, "d"], [3600, "h"], [60, "min"]];
  const [size, unit] = units.find(([each]) => seconds && seconds % each === 0) ?? [1, "s"];
  return `${seconds / size} ${unit}`;
}

/** Return the levels of a condition, and where each is in it: [{path, price, kind, relation}]. */
export function levelsOf(when, path = []) {
  if (when.of) return when.of.flatMap((each, index) => levelsOf(each, [...path, "of", index]));
  const { kind, relation } = when;
  if (kind === "price") return [{ path: [...path, "level"], price: when.level, kind, relation }];
  if (when.than?.level == null) return [];
  return [{ path: [...path, "than", "level"], price: when.than.level, kind, relation }];
}

/** Return a rule with another level at a place of its condition. */
export function withLevel(rule, path, price) {
  const changed = structuredClone(rule);
  const holder = path.slice(0, -1).reduce((part, step) => part[step], changed.when);
  holder[path.at(-1)] = price;
  return changed;
}

export const tickOf = (price) => (price < 1 ? 0.0001 : 0.01);

/** Return a price that can be a level. */
export function onTick(price) {
  const tick = tickOf(price);
  return Math.max(0.0001, Number((Math.round(price / tick) * tick).toFixed(4)));
}
