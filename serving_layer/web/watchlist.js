/* The watchlist: symbols with their prices, kept in this browser, and shared by its tabs. */
import { element, lasting, make, say } from "./elements.js";
import { changeOf, priceText } from "./format.js";
import { onQuote, quoteOf, wantPrices } from "./prices.js";
import { showProblem } from "./problems.js";
import { secondText } from "./times.js";
import { currentView, go, onView } from "./view.js";

const NAME = "fiblakeWatchlist";
const MOST = 100;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const rows = new Map(); // by symbol: its elements
const changed = new Set();
let symbols = kept();

function kept() {
  try {
    const found = JSON.parse(lasting[NAME] ?? "[]");
    return found.filter((symbol) => typeof symbol === "string" && symbol).slice(0, MOST);
  } catch {
    return [];
  }
}

function keep(next) {
  symbols = next;
  lasting[NAME] = JSON.stringify(symbols);
  showList();
}

/** Put the symbol that is shown on the list, or take it off. */
export function toggleWatched() {
  const { symbol } = currentView();
  if (!symbol) return;
  if (symbols.includes(symbol)) remove(symbol);
  else if (symbols.length < MOST) keep([...symbols, symbol]);
  else {
    const detail = `It holds ${MOST} symbols.`;
    showProblem({ title: "The watchlist is full.", detail, hint: "take one off." });
  }
}

/** Show the next symbol of the list, or the one before. */
export function goAlong(by) {
  if (symbols.length === 0) return;
  const at = symbols.indexOf(currentView().symbol);
  const next = at < 0 ? (by > 0 ? 0 : -1) : (at + by) % symbols.length;
  go({ symbol: symbols.at(next) });
}

function remove(symbol) {
  const at = symbols.indexOf(symbol);
  const hadFocus = rows.get(symbol)?.item.contains(document.activeElement);
  keep(symbols.filter((each) => each !== symbol));
  if (hadFocus) (rows.get(symbols[at] ?? symbols.at(-1))?.choose ?? element("watch")).focus();
}

function showList() {
  for (const [symbol, { item }] of rows) {
    if (symbols.includes(symbol)) continue;
    item.remove();
    rows.delete(symbol);
  }
  element("watched").replaceChildren(...symbols.map((symbol) => rowOf(symbol).item));
  element("watch-hint").hidden = symbols.length > 0;
  showView();
  symbols.forEach(showQuote);
}

function rowOf(symbol) {
  if (!rows.has(symbol)) rows.set(symbol, madeRow(symbol));
  return rows.get(symbol);
}

function madeRow(symbol) {
  const item = make("li", "", { "data-watched": symbol });
  const choose = make("button", "", { type: "button", class: "quote" });
  const drop = make("button", "×", { type: "button", class: "drop" });
  drop.ariaLabel = `Remove ${symbol} from the watchlist`;
  const [price, when, change] = ["price", "when", "change"].map((name) =>
    make("span", "", { class: name }));
  choose.append(make("b", symbol), price, when, change);
  choose.onclick = () => go({ symbol });
  choose.onkeydown = ({ key }) => { if (key === "Delete") remove(symbol); };
  drop.onclick = () => remove(symbol);
  item.append(choose, drop);
  return { item, choose, price, when, change, shown: null };
}

function showQuote(symbol) {
  const row = rows.get(symbol);
  const quote = quoteOf(symbol);
  if (!row || !quote) return;
  const { price, from, session, live, problem } = quote;
  if (price === undefined) {
    say(row.when, problem?.status === 404 ? "not in the lake" : "no price");
    return;
  }
  const change = from === null ? null : changeOf(price, from);
  say(row.price, priceText(price));
  say(row.change, change?.text ?? "");
  say(row.when, live ? secondText(live.time).slice(11) : `close ${session}`);
  row.item.dataset.change = change?.kind ?? "same";
  const words = [symbol, priceText(price), live ? "live" : `close of ${session}`, change?.words];
  row.choose.ariaLabel = words.filter(Boolean).join(", ");
  if (row.shown !== null && price !== row.shown) flash(row.price, price > row.shown);
  row.shown = price;
}

function flash(where, isUp) {
  if (calm.matches) return;
  const backgroundColor = `var(--${isUp ? "up" : "down"}-forming)`;
  where.animate([{ backgroundColor }, { backgroundColor: "transparent" }], 700);
}

/** Show which symbol is shown, and follow the prices of all. */
function showView() {
  const { symbol } = currentView();
  const isWatched = symbols.includes(symbol);
  const button = element("watch");
  button.ariaPressed = String(isWatched);
  say(button.firstElementChild, isWatched ? "★" : "☆");
  button.hidden = !symbol;
  for (const [name, { choose }] of rows) {
    if (name === symbol) choose.setAttribute("aria-current", "true");
    else choose.removeAttribute("aria-current");
  }
  wantPrices(new Set(symbol ? [...symbols, symbol] : symbols));
}

function showChanged() {
  changed.forEach(showQuote);
  changed.clear();
}

onQuote((symbol) => {
  if (changed.size === 0) requestAnimationFrame(showChanged);
  changed.add(symbol);
});
onView(showView);
element("watch").addEventListener("click", toggleWatched);
addEventListener("storage", ({ key }) => {
  if (key !== NAME) return;
  symbols = kept();
  showList();
});
showList();
