/* What went wrong, in one sentence, until it is dismissed or another view is shown. */
import { element, make } from "./elements.js";

export function showProblem(problem) {
  const place = element("problem");
  place.replaceChildren();
  if (!problem) return;
  const { title = "Error", detail = String(problem), hint } = problem;
  const text = make("p");
  text.append(make("strong", title), detail, hint ? make("em", ` Hint: ${hint}`) : "");
  const dismiss = make("button", "×", { type: "button", "aria-label": "Dismiss" });
  dismiss.onclick = () => showProblem(null);
  place.append(text, dismiss);
}
