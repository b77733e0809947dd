/* Symbol search: a combobox and its listbox. */
import { ALL_SYMBOLS, get } from "./answers.js";
import { element, make } from "./elements.js";
import { showProblem } from "./problems.js";
import { currentView, go } from "./view.js";

const search = element("search");
const suggestions = element("suggestions");
let suggesting = new AbortController();
let options = [];
let active = -1;

async function suggest() {
  closeSuggestions();
  const { signal } = suggesting;
  const text = search.value === currentView().symbol ? "" : search.value;
  try {
    const { symbols } = await get(ALL_SYMBOLS + encodeURIComponent(text), signal);
    options = symbols.map(optionOf);
    suggestions.replaceChildren(...(options.length ? options : [make("li", "No such symbol.")]));
    search.ariaExpanded = "true";
    activate(text === "" ? -1 : 0);
  } catch (problem) {
    if (!signal.aborted) showProblem(problem);
  }
}

function optionOf({ symbol, first, last }, index) {
  const option = make("li", "", { role: "option", id: `option-${index}` });
  option.append(make("b", symbol), make("span", first ? `${first} – ${last}` : "live"));
  option.onclick = () => choose(symbol);
  return option;
}

function closeSuggestions() {
  suggesting.abort();
  suggesting = new AbortController();
  options = [];
  search.ariaExpanded = "false";
  activate(-1);
}

function activate(index) {
  active = index;
  options.forEach((option, at) => { option.ariaSelected = String(at === index); });
  search.setAttribute("aria-activedescendant", options[index]?.id ?? "");
  options[index]?.scrollIntoView({ block: "nearest" });
}

function choose(symbol) {
  closeSuggestions();
  if (symbol) go({ symbol });
}

function leaveSearch() {
  closeSuggestions();
  search.value = currentView().symbol;
}

function moveActive(by) {
  if (options.length === 0) suggest();
  else activate((Math.max(active + by, -1) + options.length) % options.length);
}

function onSearchKey(event) {
  const action = {
    ArrowDown: () => moveActive(1),
    ArrowUp: () => moveActive(-1),
    Enter: () => (options[active] ? options[active].click() : choose(search.value.trim())),
    Escape: leaveSearch,
  }[event.key];
  if (action) event.preventDefault();
  action?.();
}

search.addEventListener("input", suggest);
search.addEventListener("click", suggest);
search.addEventListener("focus", () => search.select());
search.addEventListener("blur", leaveSearch);
search.addEventListener("keydown", onSearchKey);
suggestions.addEventListener("mousedown", (event) => event.preventDefault());
