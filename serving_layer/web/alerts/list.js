/* The alerts: what each says, how it is, and what can be done with it. */
import { element, make, say } from "../elements.js";
import { secondText } from "../times.js";
import { currentView, go } from "../view.js";
import { fateOf, isSettled } from "./fate.js";
import { change, isOfAllSymbols, refresh, sayProblem, sayResult } from "./panel.js";
import { deleteAlert, firingOf, muteAlert, testAlert, unmuteAlert } from "./requests.js";
import { actionButton, askInPlace, Rows } from "./rows.js";
import { isMoved, moveLevel, onAlerts, onLevel, restoreLevel, saveLevel, shownLevels } from "./store.js";
import { conditionText, levelText, mannerText, tickOf } from "./words.js";

const HOUR_MS = 3_600_000;
const LONGEST_MUTE_MS = 100 * 365 * 24 * HOUR_MS; // later: until it is taken back
const PAGE = 10;
const TEST_AGAIN_MS = 1000;
const TEST_ASKS = 20;
const STATES = {
  active: "", expired: "",
  waiting: "No service evaluates it yet.",
  muted: "It goes on, and nobody is told.",
  done: "It has fired, and does not repeat.",
};
const sliders = new Map(); // by level's key: {slider, level}
const rows = new Rows(element("alert-list"), contentOf);
let edit = () => {};

/** @param onEdit called with the alert that is to be edited. */
export function startList(onEdit) {
  edit = onEdit;
}

onAlerts((alerts) => {
  const { symbol } = currentView();
  const things = alerts.map((alert) => ({ alert, isShown: alert.symbol === symbol }));
  rows.show(things, ({ alert }) => alert.alert);
  element("alerts-empty").hidden = alerts.length > 0;
  element("alerts-empty").textContent = `No alerts${isOfAllSymbols() ? "" : ` of ${symbol}`} yet.`;
  const shown = new Set(alerts.flatMap(shownLevels).map(({ key }) => key));
  for (const key of sliders.keys()) if (!shown.has(key)) sliders.delete(key);
});

const nameOf = ({ rule }) => rule.name || conditionText(rule.when);
/** What an alert is called while its condition changes. */
const titleOf = ({ rule, symbol }) => rule.name || symbol;

/** Put the focus on what an alert's row begins with. */
export function focusAlert(alert) {
  rows.item(alert)?.querySelector("[data-action]")?.focus();
}

function contentOf({ alert, isShown }) {
  const { rule, state } = alert;
  const head = make("p", "", { class: "head" });
  head.append(
    symbolOf(alert, isShown),
    make("b", nameOf(alert)),
    make("span", stateText(alert), { class: "state", "data-state": state, title: STATES[state] }),
  );
  const told = [rule.name && conditionText(rule.when), mannerText(rule), firedText(alert)];
  const words = make("p", told.filter(Boolean).join(" · "), { class: "hint" });
  const levels = make("div", "", { class: "levels" });
  levels.append(...shownLevels(alert).map((level, index) => sliderOf(level, index)));
  const note = rule.note ? [make("p", rule.note, { class: "hint note" })] : [];
  return [head, words, ...note, ...(levels.children.length ? [levels] : []), actionsOf(alert)];
}

function symbolOf({ symbol }, isShown) {
  if (isShown) return make("span", symbol, { class: "symbol" });
  const button = actionButton("go", symbol, () => go({ symbol }), `Chart of ${symbol}`);
  button.className = "symbol";
  return button;
}

function stateText({ state, muted_until: until }) {
  const isForGood = !until || Date.parse(until) > Date.now() + LONGEST_MUTE_MS;
  return state === "muted" && !isForGood ? `muted until ${secondText(until).slice(0, 16)}` : state;
}

function firedText({ fired, last_fired: last }) {
  if (!fired) return "";
  return `fired ${fired === 1 ? "once" : `${fired} times`}${last ? `, last ${secondText(last)}` : ""}`;
}

function actionsOf(alert) {
  const name = nameOf(alert);
  const actions = make("div", "", { class: "actions" });
  const unmute = () => change(() => unmuteAlert(alert.alert), `${name} is told again.`);
  actions.append(
    actionButton("edit", "Edit", () => edit(alert), `Edit ${name}`),
    alert.muted_until
      ? actionButton("mute", "Unmute", unmute, `Unmute ${name}`)
      : actionButton("mute", "Mute", () => askHowLong(alert, actions), `Mute ${name}`),
    actionButton("test", "Test", () => sendTest(alert), `Send a test of ${name}`),
    actionButton("delete", "Delete", () => askWhether(alert, actions), `Delete ${name}`),
  );
  return actions;
}

function askHowLong(alert, actions) {
  const mute = (ms) => () => {
    const until = ms && new Date(Date.now() + ms).toISOString();
    change(() => muteAlert(alert.alert, until), `${nameOf(alert)} is muted.`);
  };
  askInPlace(actions, "Mute for", [
    ["1 hour", mute(HOUR_MS)], ["1 day", mute(24 * HOUR_MS)], ["until unmuted", mute(null)],
  ]);
}

function askWhether(alert, actions) {
  const name = nameOf(alert);
  askInPlace(actions, `Delete ${name}?`, [["Delete", async () => {
    if (await change(() => deleteAlert(alert.alert), `${name} is deleted.`)) element("alert-new").focus();
  }]]);
}

/** Send a test, and tell what becomes of it until that is known for good, or takes too long. */
async function sendTest(alert) {
  try {
    const { notification } = await testAlert(alert.alert);
    sayResult(`Test of ${nameOf(alert)}: sent.`);
    for (let asks = 0; asks < TEST_ASKS; asks += 1) {
      const { deliveries } = await firingOf(notification);
      sayResult(`Test of ${nameOf(alert)}: ${deliveries.map(fateOf).join("; ")}.`);
      if (deliveries.every(isSettled)) return;
      await new Promise((resolve) => { setTimeout(resolve, TEST_AGAIN_MS); });
    }
  } catch (problem) {
    sayProblem(problem);
  }
}

/* Levels, by keyboard: the arrow keys move one, Enter keeps it there, Escape restores it */

function sliderOf(level, index) {
  const slider = make("span", "", {
    class: "level", role: "slider", tabindex: "0", "aria-orientation": "vertical",
    "data-action": `level-${index}`, "aria-description": "Arrow keys move it, Enter keeps, Escape restores.",
  });
  slider.ariaLabel = `Level of ${titleOf(level.alert)}`;
  slider.onkeydown = (event) => onKey(event, level.key);
  slider.onblur = () => { if (!isSaving(slider)) restoreLevel(sliders.get(level.key)?.level ?? level); };
  sliders.set(level.key, { slider, level });
  showLevel(level);
  return slider;
}

const isSaving = (slider) => slider.ariaBusy === "true";

function showLevel(level) {
  const found = sliders.get(level.key);
  if (!found) return;
  found.level = level;
  const { slider } = found;
  const text = levelText(level.price);
  say(slider, isMoved(level) ? `${text}, not kept yet` : text);
  slider.ariaValueNow = String(level.price);
  slider.ariaValueText = slider.textContent;
  slider.ariaValueMin = "0.0001";
  slider.ariaValueMax = "1000000000";
  slider.classList.toggle("moved", isMoved(level));
}

async function onKey(event, key) {
  const { slider, level } = sliders.get(key) ?? {};
  if (!level || event.ctrlKey || event.metaKey || event.altKey || isSaving(slider)) return;
  const move = (ticks) => () => moveLevel(level, level.price + ticks * tickOf(level.price));
  const action = {
    ArrowUp: move(1), ArrowRight: move(1), ArrowDown: move(-1), ArrowLeft: move(-1),
    PageUp: move(PAGE), PageDown: move(-PAGE),
    Enter: () => keep(slider, level),
    Escape: () => restoreLevel(level),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  await action();
}

async function keep(slider, level) {
  slider.ariaBusy = "true";
  await saveShown(saveLevel(level), level);
  slider.ariaBusy = null;
}

/** Tell what becomes of a level that is being kept. */
export async function saveShown(saving, level) {
  try {
    await saving;
    const price = sliders.get(level.key)?.level.price ?? level.price;
    sayResult(`The level of ${titleOf(level.alert)} is ${levelText(price)}.`);
  } catch (problem) {
    sayProblem(problem, `The level of ${titleOf(level.alert)} is ${levelText(level.saved)} again.`);
    refresh();
  }
}

onLevel(showLevel);
