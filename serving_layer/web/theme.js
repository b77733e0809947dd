/* Light or dark: as the system has it, until one is chosen. */
import { element, lasting, root } from "./elements.js";

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => lasting.fiblakeTheme ?? (systemDark.matches ? "dark" : "light");
let applied = () => {};

function apply() {
  root.dataset.theme = theme();
  element("theme").ariaPressed = String(theme() === "dark");
  applied();
}

export function toggleTheme() {
  lasting.fiblakeTheme = theme() === "dark" ? "light" : "dark";
  apply();
}

/** Apply the theme, now and whenever it changes, and call `listener` each time. */
export function followTheme(listener) {
  applied = listener;
  systemDark.addEventListener("change", apply);
  element("theme").addEventListener("click", toggleTheme);
  apply();
}
