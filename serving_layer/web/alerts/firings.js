/* The latest firings, what became of each, and the dead delivered again. */
import { element, make } from "../elements.js";
import { secondText } from "../times.js";
import { fateOf } from "./fate.js";
import { change, readTab } from "./panel.js";
import { latestFirings, redeliver } from "./requests.js";
import { actionButton, Rows } from "./rows.js";

const rows = new Rows(element("firing-list"), contentOf);

readTab("firings", async (symbol) => {
  const firings = await latestFirings(symbol);
  rows.show(firings, ({ firing }) => firing);
  element("firings-empty").hidden = firings.length > 0;
});

function contentOf({ firing, kind, time, text, muted, deliveries }) {
  const head = make("p", "", { class: "head" });
  head.append(make("time", secondText(time), { datetime: time }));
  if (kind === "test") head.append(make("span", "test", { class: "state" }));
  if (muted) head.append(make("span", "muted", { class: "state" }));
  const fates = make("ul", "", { class: "fates" });
  fates.append(...deliveries.map((delivery) => deliveryOf(firing, delivery)));
  return [head, make("p", text), fates];
}

function deliveryOf(firing, delivery) {
  const { destination, state } = delivery;
  const item = make("li", fateOf(delivery), { "data-state": state });
  if (state === "dead") {
    item.append(actionButton(`again-${destination}`, "Deliver again", () =>
      change(() => redeliver(firing, destination), `It is on its way to ${destination} once more.`)));
  }
  return item;
}
