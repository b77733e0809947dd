/* Keys for all of the page, and the help that lists them; chart.js has those of the chart. */
import { element } from "./elements.js";

const help = element("help");

/** @param actions what each key does, by key. */
export function startShortcuts(actions) {
  const all = { ...actions, "?": openHelp };
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
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
