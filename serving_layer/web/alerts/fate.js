/* What became of a delivery. */
import { secondText } from "../times.js";

export const isSettled = ({ state }) => ["delivered", "dead"].includes(state);

/** Return a delivery in words. */
export function fateOf({ destination, state, attempts, error, due }) {
  const isTold = attempts > 1 || (attempts === 1 && state !== "delivered");
  const tries = isTold ? ` after ${attempts} attempt${attempts === 1 ? "" : "s"}` : "";
  const next = state === "waiting" && attempts && due ? `, next ${secondText(due).slice(11)}` : "";
  return `${destination} ${state}${tries}${next}${error && state !== "delivered" ? `: ${error}` : ""}`;
}
