/* What is asked of the server about alerts; each returns its answer, or throws a problem. */
import { get, send } from "../answers.js";

const MOST_FIRINGS = 50;
const at = (...parts) => ["v1/alerts", ...parts.map(encodeURIComponent)].join("/");
const withQuery = (path, asked) => `${path}?${new URLSearchParams(asked)}`;
let asked = null;

/** Return the JSON Schema of rules; where the server does not answer, the next call asks again. */
export function ruleSchema() {
  asked ??= get(at("schema")).catch((problem) => {
    asked = null;
    throw problem;
  });
  return asked;
}

/** Return all alerts of a symbol, or, where that is empty, of any. */
export async function listAlerts(symbol) {
  const path = withQuery(at(), { limit: 100, ...(symbol && { symbol }) });
  const pages = [await get(path)];
  while (pages.at(-1).next_cursor) {
    pages.push(await get(`${path}&cursor=${encodeURIComponent(pages.at(-1).next_cursor)}`));
  }
  return pages.flatMap(({ alerts }) => alerts);
}

export const createAlert = (rule) => send("POST", at(), rule);

/** Replace an alert's rule, unless it is no more what it was when it was read. */
export async function replaceAlert({ alert, revision }, rule) {
  try {
    return await send("PUT", withQuery(at(alert), { revision }), rule);
  } catch (problem) {
    if (problem.code !== "alert_changed") throw problem;
    const detail = "Somebody else changed it, or another tab; it is shown as it is now.";
    throw Object.assign(new Error(detail), { title: "Not saved.", detail });
  }
}

export const deleteAlert = (alert) => send("DELETE", at(alert));
export const muteAlert = (alert, until) => send("POST", at(alert, "mute"), { until });
export const unmuteAlert = (alert) => send("POST", at(alert, "unmute"));
export const testAlert = (alert) => send("POST", at(alert, "test"));

/** Return the latest firings of a symbol, or, where that is empty, of any; the latest first. */
export async function latestFirings(symbol) {
  const query = { limit: MOST_FIRINGS, ...(symbol && { symbol }) };
  return (await get(withQuery(at("firings"), query))).firings;
}

export const firingOf = (firing) => get(at("firings", firing));
export const redeliver = (firing, destination) =>
  send("POST", withQuery(at("firings", firing, "redeliver"), { destination }));

export const listDestinations = async () => (await get(at("destinations"))).destinations;
export const putDestination = (name, url, secret) =>
  send("PUT", at("destinations", name), { url, secret });
export const deleteDestination = (name) => send("DELETE", at("destinations", name));

export const dryRun = (rule, asked, signal) =>
  send("POST", withQuery(at("dry-run"), asked), rule, signal);
