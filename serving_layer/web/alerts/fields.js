/*
 * Fields of a form, each made from a property of a JSON Schema: its choices, its bounds, its default.
 *
 * A field is {name, element, read, write}: `read` returns a value, undefined where there is none.
 */
import { make } from "../elements.js";

const LABELS = {
  hysteresis_percent: "Hysteresis (%)",
  cooldown_seconds: "Cooldown (seconds)",
  repeat: "Each time, not once",
  expires: "Expires (your time)",
  than: "Than",
  level: "Level",
  average: "Bars of the average",
  range: "Bars of the range",
  times: "Times the volume",
  interval: "Bars of",
  state: "Bars that are",
  percent: "Percent",
  start: "From (exchange time)",
  end: "Until (exchange time)",
  days: "Days",
};
const CHOICES = {
  crosses_up: "crosses up", crosses_down: "crosses down", forming: "final, or forming", level: "a level",
  average: "an average", range: "a range",
};
const LONG = 200; // a text that needs a line for itself
const LAST_OF_DAY = "23:59:59.999999";

export const choiceText = (choice) => CHOICES[choice] ?? choice;
export const labelOf = (name, property) => LABELS[name] ?? property.title ?? name;

/** Return what a property is: what it refers to, or may be besides null. */
export function resolved(schema, property) {
  const one = property.anyOf?.find(({ type }) => type !== "null") ?? property;
  if (!one.$ref) return { ...property, ...one };
  return schema.$defs[one.$ref.split("/").at(-1)];
}

/** Return what a definition's description says of each of its properties. */
export function saidOf({ description = "" }) {
  const attributes = description.split("Attributes:\n")[1] ?? "";
  const told = attributes.replace(/\n {6,}/g, " ").matchAll(/^ {4}(\w+): (.*)$/gm);
  return Object.fromEntries([...told].map(([, name, text]) => [name, text.replaceAll("`", "")]));
}

/** Return a field for a property of a definition. */
export function fieldOf(schema, definition, name) {
  const property = resolved(schema, definition.properties[name]);
  const isRequired = definition.required?.includes(name) ?? false;
  const hint = saidOf(definition)[name] ?? "";
  if (property.type === "object") return oneOfField(schema, property, name, hint);
  return plainField(name, property, isRequired, hint);
}

/** Return fields for the properties of a definition, but those that are named. */
export function fieldsOf(schema, definition, but = []) {
  const names = Object.keys(definition.properties).filter((name) => !but.includes(name));
  return names.map((name) => fieldOf(schema, definition, name));
}

/** Return what fields say, as an object of those that say something. */
export function readAll(fields) {
  const told = fields.map(({ name, read }) => [name, read()]);
  return Object.fromEntries(told.filter(([, value]) => value !== undefined));
}

export function writeAll(fields, values) {
  for (const { name, write } of fields) if (values[name] != null) write(values[name]);
}

function plainField(name, property, isRequired, hint) {
  const [control, read, write] = controlOf(name, property, isRequired);
  control.name = name;
  control.title = hint;
  const label = make("span", labelOf(name, property));
  const isCheck = control.type === "checkbox";
  const isWide = control.type === "datetime-local" || control.maxLength > LONG;
  const kinds = ["field", ...(isCheck ? ["check"] : []), ...(isWide ? ["wide"] : [])];
  const element = make("label", "", { class: kinds.join(" ") });
  element.append(...(isCheck ? [control, label] : [label, control]));
  if (property.default != null) write(property.default);
  return { name, element, read, write };
}

function controlOf(name, property, isRequired) {
  if (property.enum) return selectOf(property.enum);
  if (property.type === "boolean") return checkOf();
  if (property.type === "integer" || property.type === "number") return numberOf(property, isRequired);
  if (property.format === "date-time") return instantOf();
  if (property.format === "partial-time") return clockOf();
  return textOf(property, isRequired);
}

export function selectOf(choices, textOfChoice = choiceText) {
  const control = make("select");
  control.append(...choices.map((choice) => make("option", textOfChoice(choice), { value: choice })));
  return [control, () => control.value, (value) => { control.value = value; }];
}

function checkOf() {
  const control = make("input", "", { type: "checkbox" });
  return [control, () => control.checked, (value) => { control.checked = value; }];
}

function numberOf({ type, minimum, maximum, exclusiveMinimum }, isRequired) {
  const step = type === "integer" ? "1" : "any";
  const control = make("input", "", { type: "number", step, inputmode: "decimal" });
  const least = minimum ?? exclusiveMinimum;
  if (least !== undefined) control.min = least;
  if (maximum !== undefined) control.max = maximum;
  control.required = isRequired;
  // No attribute says that a bound itself is out.
  control.oninput = () => {
    const isBound = control.value !== "" && Number(control.value) === exclusiveMinimum;
    control.setCustomValidity(isBound ? `More than ${exclusiveMinimum}.` : "");
  };
  const read = () => (control.value === "" ? undefined : Number(control.value));
  return [control, read, (value) => { control.value = value; }];
}

function instantOf() {
  const control = make("input", "", { type: "datetime-local" });
  const shown = (value) => {
    const local = new Date(Date.parse(value) - new Date(value).getTimezoneOffset() * 60_000);
    return local.toISOString().slice(0, 16);
  };
  return [control, ...kept(control, shown, (text) => new Date(text).toISOString())];
}

function clockOf() {
  const control = make("input", "", { type: "time" });
  // No clock shows the last moment of a day; it is the end by default.
  const shown = (value) => (value === LAST_OF_DAY ? "" : value.slice(0, 5));
  return [control, ...kept(control, shown, (text) => text)];
}

/** Return how a control is read and written that shows minutes: what is not changed keeps its seconds. */
function kept(control, textOfValue, valueOfText) {
  let written;
  const read = () => {
    if (written !== undefined && control.value === textOfValue(written)) return written;
    return control.value ? valueOfText(control.value) : undefined;
  };
  const write = (value) => {
    written = value;
    control.value = textOfValue(value);
  };
  return [read, write];
}

function textOf({ maxLength, minLength }, isRequired) {
  const control = make("input", "", { type: "text", spellcheck: "false" });
  if (maxLength) control.maxLength = maxLength;
  control.required = isRequired || minLength > 0;
  return [control, () => control.value, (value) => { control.value = value; }];
}

/** Return a field of an object of which one property is said: which, and its value. */
function oneOfField(schema, definition, name, hint) {
  const element = make("div", "", { class: "fields", role: "group" });
  element.ariaLabel = labelOf(name, definition);
  const names = Object.keys(definition.properties);
  const [which, read, write] = selectOf(names);
  which.name = name;
  which.title = hint;
  const label = make("label", "", { class: "field" });
  label.append(make("span", labelOf(name, definition)), which);
  let value = null;
  const show = () => {
    const chosen = read();
    value = fieldOf(schema, { ...definition, required: [chosen] }, chosen);
    element.replaceChildren(label, value.element);
  };
  which.onchange = show;
  show();
  return {
    name,
    element,
    read: () => ({ [read()]: value.read() }),
    write: (said) => {
      write(names.find((each) => said[each] != null));
      show();
      value.write(said[read()]);
    },
  };
}

/** Return a field of a list of some of `choices`, each with a box to check. */
export function someOfField(name, label, choices, hint = "") {
  const element = make("fieldset", "", { class: "checks", title: hint });
  const boxes = choices.map((choice) => make("input", "", { type: "checkbox", name, value: choice }));
  element.append(make("legend", label), ...boxes.map((box) => {
    const each = make("label", "", { class: "field check" });
    each.append(box, make("span", choiceText(box.value)));
    return each;
  }));
  return {
    name,
    element,
    read: () => boxes.filter(({ checked }) => checked).map(({ value }) => value),
    write: (values) => boxes.forEach((box) => { box.checked = values.includes(box.value); }),
  };
}
