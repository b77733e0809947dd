/* Where firings are told to: the owner's webhooks. A secret is typed here, and never shown again. */
import { element, make } from "../elements.js";
import { change, problemText, readTab, refresh, sayResult } from "./panel.js";
import { deleteDestination, listDestinations, putDestination } from "./requests.js";
import { actionButton, askInPlace, Rows } from "./rows.js";

const form = element("destination-form");
const rows = new Rows(element("destination-list"), contentOf);

readTab("destinations", async () => {
  rows.show(await listDestinations(), ({ name }) => name);
});

function contentOf(destination) {
  const { name, kind, url } = destination;
  const head = make("p", "", { class: "head" });
  head.append(make("b", name), make("span", kind, { class: "state" }));
  const actions = make("div", "", { class: "actions" });
  actions.append(actionButton("remove", "Remove", () => askInPlace(actions, `Remove ${name}?`, [
    ["Remove", () => change(() => deleteDestination(name), `${name} is removed.`)],
  ]), `Remove ${name}`));
  return [head, ...(url ? [make("p", url, { class: "hint" }), actions] : [])];
}

form.onsubmit = async (event) => {
  event.preventDefault();
  const { name, url, secret } = Object.fromEntries(new FormData(form));
  element("destination-problem").textContent = "";
  try {
    await putDestination(name.trim(), url.trim(), secret.trim());
    form.reset();
    sayResult(`${name.trim()} is kept.`);
    refresh();
  } catch (problem) {
    element("destination-problem").textContent = problemText(problem);
  }
};
