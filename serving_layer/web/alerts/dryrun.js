/* A rule tried on history: how often it would have fired, and what the price did then. */
import { make } from "../elements.js";
import { countText } from "../format.js";
import { secondText } from "../times.js";
import { markFirings } from "./marks.js";
import { problemText } from "./panel.js";
import { dryRun } from "./requests.js";

const RESOLUTIONS = { "1d": "daily bars", "1m": "bars of minutes", ticks: "recorded ticks" };
const FROM = "The first session; empty: as early as may be";
const TO = "The last session; empty: the last there is";
const MOST_SHOWN = 100;
let running = new AbortController();

/** Return the part of a form that tries its rule: what `read` returns, or null where there is none. */
export function startDryRun(read) {
  endDryRun();
  const place = make("fieldset", "", { class: "dry-run" });
  const [start, end] = [["from", FROM], ["to", TO]].map(([name, title]) =>
    make("input", "", { type: "date", name, title }));
  const resolution = make("select");
  resolution.append(...Object.entries(RESOLUTIONS).map(([value, text]) => make("option", text, { value })));
  const button = make("button", "Dry run", { type: "button" });
  const result = make("div", "", { class: "result" });
  const said = make("p", "", { role: "status" });
  const fault = make("p", "", { class: "problem", role: "alert" });
  const fields = make("div", "", { class: "fields" });
  fields.append(labelled("From", start), labelled("To", end), labelled("By", resolution), button);
  button.onclick = () => run(read, { start, end, resolution, button, said, fault, result });
  place.append(make("legend", "On history"), fields, said, fault, result);
  return place;
}

/** Give up what is being tried, and mark nothing. */
export function endDryRun() {
  running.abort();
  markFirings("", []);
}

function labelled(text, control) {
  const label = make("label", "", { class: "field" });
  label.append(make("span", text), control);
  return label;
}

async function run(read, { start, end, resolution, button, said, fault, result }) {
  const rule = read();
  if (!rule) return;
  running.abort();
  running = new AbortController();
  const { signal } = running;
  said.textContent = "Trying…";
  fault.textContent = "";
  result.replaceChildren();
  button.disabled = true;
  try {
    const asked = {
      resolution: resolution.value,
      ...(start.value && { start: start.value }), ...(end.value && { end: end.value }),
    };
    const answer = await dryRun(rule, asked, signal);
    signal.throwIfAborted();
    said.textContent = summaryOf(answer);
    result.append(...(answer.fired ? [outcomesOf(answer), firingsOf(answer)] : []));
    markFirings(answer.symbol, answer.firings);
    result.parentElement.scrollIntoView({ block: "nearest" });
  } catch (problem) {
    if (signal.aborted) return;
    said.textContent = "";
    fault.textContent = problemText(problem);
    markFirings("", []);
  } finally {
    button.disabled = false;
  }
}

const timesText = (count) => (count === 1 ? "once" : `${countText(count)} times`);

function summaryOf({ symbol, fired, start, end, sessions, untold, seen, expired }) {
  const how = fired ? `It would have fired ${timesText(fired)}` : "It would not have fired";
  const without = untold ? `, ${countText(untold)} of them without a price` : "";
  const of = `${countText(sessions)} sessions from ${start} to ${end}${without}`;
  const over = expired
    ? ` It expired ${secondText(expired)} exchange time: from then on nothing fires.` : "";
  return `${how}: ${symbol}, ${of}; ${countText(seen)} prices and bars.${over}`;
}

function percentText(percent) {
  if (percent == null) return "–";
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(2)}%`;
}

function tableOf(caption, head, rows) {
  const table = make("table");
  const top = make("tr");
  top.append(...head.map((text) => make("th", text, { scope: "col" })));
  const body = make("tbody");
  body.append(...rows.map((cells) => {
    const row = make("tr");
    const [first, ...others] = cells;
    row.append(make("th", first, { scope: "row" }), ...others.map((text) => make("td", text)));
    return row;
  }));
  const thead = make("thead");
  thead.append(top);
  table.append(make("caption", caption), thead, body);
  return table;
}

function outcomesOf({ outcomes }) {
  const head = ["after sessions", "firings", "mean", "median", "up"];
  return tableOf("What the price did then", head, outcomes.map((each) => [
    String(each.sessions),
    String(each.count),
    percentText(each.mean_percent),
    percentText(each.median_percent),
    each.up_share == null ? "–" : `${Math.round(100 * each.up_share)}%`,
  ]));
}

function firingsOf({ firings, fired }) {
  const details = make("details");
  const first = firings.slice(0, MOST_SHOWN);
  const which = first.length < fired ? `The first ${first.length} firings` : "The firings";
  const list = make("ul", "", { class: "fates" });
  list.append(...first.map(({ time, text, outcomes }) => {
    const changes = outcomes.map((each) => `${each.sessions}: ${percentText(each.change_percent)}`);
    const when = make("time", secondText(time), { datetime: time });
    const item = make("li");
    item.append(when, ` ${text} `, make("small", changes.join("  ")));
    return item;
  }));
  details.append(make("summary", which), list);
  return details;
}
