/*
 * The form of an alert, new or edited: made from the schema of rules. What a condition of others
 * (all, any) says is written as JSON.
 */
import { lastBar } from "../chart.js";
import { element, make } from "../elements.js";
import { currentView } from "../view.js";
import { endDryRun, startDryRun } from "./dryrun.js";
import { fieldOf, fieldsOf, readAll, resolved, saidOf, someOfField, writeAll } from "./fields.js";
import { focusAlert } from "./list.js";
import { problemText, refresh, sayResult, showPart } from "./panel.js";
import { createAlert, listDestinations, replaceAlert, ruleSchema } from "./requests.js";
import { onTick } from "./words.js";

const form = element("alert-form");
const KINDS = {
  price: "the price, and a level", move: "a move of the price", close: "the close of a bar",
  volume: "the volume of a bar", all: "all of some conditions", any: "any of some conditions",
};
let shown = null; // {schema, alert, fields, when} of what is in the form

/** Show the form for an alert, or for a new one: of the chart's symbol, and a level where it is. */
export async function openForm(alert = null) {
  const [schema, destinations] = await Promise.all([ruleSchema(), listDestinations()]);
  build(schema, alert, destinations.map(({ name }) => name));
  fill(alert?.rule ?? newRule());
  showPart("form");
  form.querySelector("[name=kind]").focus();
}

function newRule() {
  const level = lastBar()?.close;
  return {
    symbol: currentView().symbol,
    when: { kind: "price", relation: "above", ...(level && { level: onTick(level) }) },
  };
}

/* What is in the form */

function build(schema, alert, names) {
  const destinations = [...new Set([...names, ...(alert?.rule.deliver ?? [])])];
  const fields = {
    symbol: fieldOf(schema, schema, "symbol"),
    name: fieldOf(schema, schema, "name"),
    others: ["repeat", "cooldown_seconds", "expires", "note"].map((name) => fieldOf(schema, schema, name)),
    active: activeField(schema),
    deliver: someOfField("deliver", "Deliver to", destinations, saidOf(schema).deliver),
  };
  const when = whenField(schema);
  shown = { schema, alert, fields, when };
  const problem = make("p", "", { class: "problem", role: "alert", id: "alert-form-problem" });
  const actions = make("div", "", { class: "actions" });
  const cancel = make("button", "Cancel", { type: "button" });
  cancel.onclick = () => closeForm();
  actions.append(make("button", "Save", { type: "submit", class: "main" }), cancel);
  const fieldset = make("div", "", { class: "fields" });
  fieldset.append(fields.symbol.element, fields.name.element);
  const manner = make("div", "", { class: "fields" });
  manner.append(...fields.others.map((field) => field.element));
  form.replaceChildren(
    make("h3", alert ? "Edit alert" : "New alert", { id: "alert-form-title" }),
    fieldset, when.element, manner, fields.active.element, fields.deliver.element, problem, actions,
    startDryRun(readForDryRun),
  );
}

/** Return the field of a condition: its kind, and what that kind has. */
function whenField(schema) {
  const definitions = schema.properties.when.oneOf.map((each) => resolved(schema, each));
  const kinds = new Map(definitions.map((each) => [each.properties.kind.const, each]));
  const whole = make("div", "", { class: "stack" });
  const select = make("select", "", { name: "kind" });
  select.append(...[...kinds.keys()].map((kind) => make("option", KINDS[kind] ?? kind, { value: kind })));
  const label = make("label", "", { class: "field" });
  label.append(make("span", "When"), select);
  const place = make("div", "", { class: "fields" });
  whole.append(label, place);
  let fields = [];
  let text = null; // the JSON of a condition of others
  const show = (kind) => {
    const definition = kinds.get(kind);
    select.value = kind;
    const isOfOthers = definition.properties.of !== undefined;
    fields = isOfOthers ? [] : fieldsOf(schema, definition, ["kind"]);
    text = isOfOthers ? jsonField() : null;
    place.replaceChildren(...fields.map((field) => field.element), ...(text ? [text.element] : []));
  };
  const read = () => (text ? parsed(text.area.value) : { kind: select.dataset.kind, ...readAll(fields) });
  const write = (when) => {
    show(when.kind);
    select.dataset.kind = when.kind;
    if (text) text.area.value = JSON.stringify(when, null, 2);
    else writeAll(fields, when);
  };
  select.onchange = () => write(changedTo(select.value, read));
  return { element: whole, read, write };
}

/** Return a condition of another kind that has what it can of the one before. */
function changedTo(kind, read) {
  let before = null;
  try {
    before = read();
  } catch {
    return { kind, of: [] }; // what is no JSON is nothing to keep
  }
  if (kind !== "all" && kind !== "any") return { ...before, ...before.of?.[0], kind };
  return { kind, of: before.of ?? [before] };
}

function jsonField() {
  const area = make("textarea", "", { name: "of", rows: "12", spellcheck: "false", required: "" });
  const whole = make("label", "", { class: "field wide" });
  whole.append(make("span", "The conditions, as JSON"), area);
  return { element: whole, area };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch ({ message }) {
    throw Object.assign(new Error(message), { detail: `of: this is not JSON: ${message}` });
  }
}

/** Return the field of when a rule may fire: always, or on some days between two times. */
function activeField(schema) {
  const definition = resolved(schema, schema.properties.active);
  const days = someOfField("days", "Days", definition.properties.days.items.enum);
  const times = ["start", "end"].map((name) => fieldOf(schema, definition, name));
  const check = make("input", "", { type: "checkbox", name: "active" });
  const label = make("label", "", { class: "field check" });
  label.append(check, make("span", "Only at certain times"));
  const inner = make("div", "", { class: "fields" });
  inner.append(days.element, ...times.map((field) => field.element));
  const whole = make("div", "", { class: "stack" });
  whole.append(label, inner);
  const show = () => { inner.hidden = !check.checked; };
  days.write(definition.properties.days.default);
  check.onchange = show;
  show();
  return {
    name: "active",
    element: whole,
    read: () => (check.checked ? { days: days.read(), ...readAll(times) } : undefined),
    write: (active) => {
      check.checked = true;
      days.write(active.days);
      writeAll(times, active);
      show();
    },
  };
}

function fill(rule) {
  const { fields, when, schema } = shown;
  const all = [fields.symbol, fields.name, ...fields.others, fields.active, fields.deliver];
  writeAll(all, { deliver: schema.properties.deliver.default, ...rule });
  when.write(rule.when);
}

/** Return the rule that the form tells; throws a problem where its JSON is none. */
function readRule() {
  const { fields, when } = shown;
  const { symbol, name, others, active, deliver } = fields;
  return { ...readAll([symbol, name, ...others, active, deliver]), when: when.read() };
}

/* What becomes of it */

function readForDryRun() {
  showFault(null);
  if (!form.reportValidity()) return null;
  try {
    return readRule();
  } catch (problem) {
    showFault(problem);
    return null;
  }
}

/** Show what is wrong at the form, and at the fields that it names. */
export function showFault(problem) {
  const text = problem ? problemText(problem) : "";
  element("alert-form-problem").textContent = text;
  for (const control of form.querySelectorAll("[name]")) {
    const isNamed = text !== "" && new RegExp(`(^|[.\\s])${control.name}[=:]`).test(text);
    control.ariaInvalid = isNamed ? "true" : null;
    if (isNamed) control.setAttribute("aria-describedby", "alert-form-problem");
    else control.removeAttribute("aria-describedby");
  }
  form.querySelector("[aria-invalid=true]")?.focus();
}

function closeForm() {
  shown = null;
  endDryRun();
  form.replaceChildren();
  showPart("list");
  refresh();
  element("alert-new").focus();
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const { alert } = shown;
  showFault(null);
  try {
    const rule = readRule();
    const kept = alert ? await replaceAlert(alert, rule) : await createAlert(rule);
    closeForm();
    await refresh();
    sayResult(alert ? "The alert is changed." : "The alert is kept.");
    focusAlert(kept.alert);
  } catch (problem) {
    showFault(problem);
  }
};
