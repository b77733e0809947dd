/* Lists that are read again and again: rows that have not changed stay, with what has the focus. */
import { make } from "../elements.js";

export class Rows {
  #list;
  #build;
  #rows = new Map(); // by key: {item, told}

  /** @param build returns what is in the row of one thing. */
  constructor(list, build) {
    this.#list = list;
    this.#build = build;
  }

  /** Show `things`, each by what `keyOf` returns of it. */
  show(things, keyOf) {
    const keys = new Set(things.map(keyOf));
    for (const [key, { item }] of this.#rows) {
      if (keys.has(key)) continue;
      item.remove();
      this.#rows.delete(key);
    }
    things.forEach((thing, index) => {
      const item = this.#rowOf(thing, keyOf(thing));
      const there = this.#list.children[index] ?? null;
      if (there !== item) this.#list.insertBefore(item, there);
    });
  }

  item(key) {
    return this.#rows.get(key)?.item ?? null;
  }

  #rowOf(thing, key) {
    const told = JSON.stringify(thing);
    const row = this.#rows.get(key) ?? { item: make("li", "", { "data-key": key }) };
    if (row.told !== told) {
      const { activeElement } = document;
      const focused = row.item.contains(activeElement) && activeElement.dataset.action;
      row.item.replaceChildren(...this.#build(thing));
      if (focused) row.item.querySelector(`[data-action="${focused}"]`)?.focus();
      this.#rows.set(key, { item: row.item, told });
    }
    return row.item;
  }
}

/** Return a button that does something when it is pressed; `action` names it within its row. */
export function actionButton(action, text, onclick, label = "") {
  const button = make("button", text, { type: "button", "data-action": action });
  if (label) button.ariaLabel = label;
  button.onclick = onclick;
  return button;
}

/**
 * Ask in place of a row's buttons which of some things to do; Escape does none.
 *
 * @param choices [[text, what it does]].
 */
export function askInPlace(buttons, question, choices) {
  const asked = make("div", "", { class: "actions asked", role: "group" });
  asked.ariaLabel = question;
  const had = document.activeElement;
  const back = () => {
    asked.replaceWith(buttons);
    had?.focus();
  };
  const made = choices.map(([text, act], index) => actionButton(`choice-${index}`, text, () => {
    back();
    act();
  }));
  asked.append(make("span", question), ...made, actionButton("none", "Cancel", back));
  asked.onkeydown = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    back();
  };
  buttons.replaceWith(asked);
  made[0].focus();
}
