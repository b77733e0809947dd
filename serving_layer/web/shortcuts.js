/* Keys for all of the page, and the help that lists them; chart.js has those of the chart. */
import { element } from "./elements.js";

const help = element("help");

/** @param actions what each key does, by key. */
export function startShortcuts(actions) {
  const all = { ...actions, "?": openHelp };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    // On some keyboards, brackets are typed with AltGr.
    const isWith = event.ctrlKey || event.metaKey || event.altKey;
    if (event.defaultPrevented || (isWith && !event.getModifierState("AltGraph"))) return;
    if (help.open || target.closest("input, textarea, select")) return;
    if (!Object.hasOwn(all, key)) return;
    event.preventDefault();
    all[key]();
  });
  element("help-button").addEventListener("click", openHelp);
}

function openHelp() {
  help.showModal();
}
