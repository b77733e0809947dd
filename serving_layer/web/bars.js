/* Bars in order of start, and what is told of them later. Unchanged bars stay the same objects. */
import { isInstant, timeOf } from "./times.js";

/** Return what to ask for to get `bar` and those after it: dates are of sessions. */
export function startOfLast(bar) {
  if (!bar) return {};
  return { start: isInstant(bar.start) ? bar.through : bar.start };
}

/** Return `bars` with all from the first of `tail` on replaced by it. */
export function withTail(bars, tail) {
  if (tail.length === 0) return bars;
  const first = timeOf(tail[0].start);
  return [...bars.slice(0, place(bars, first)), ...tail];
}

/** Return `bars` with one as it is told now: another, anew, or no more. */
export function withBar(bars, told) {
  const time = timeOf(told.start);
  const at = place(bars, time);
  const before = at < bars.length && timeOf(bars[at].start) === time ? bars[at] : null;
  const now = told.vanished ? [] : [{ ...before, ...told, start: before?.start ?? told.start }];
  return [...bars.slice(0, at), ...now, ...bars.slice(at + (before ? 1 : 0))];
}

/** Return at which index a bar of this time is, or would be. */
function place(bars, time) {
  let at = bars.length;
  // What is told is of the end.
  while (at > 0 && timeOf(bars[at - 1].start) >= time) at -= 1;
  return at;
}

/** Whether some bars of both start at one time, and all that do have one open: one split basis. */
export function areOfOneBasis(bars, told) {
  const opens = new Map(bars.map(({ start, open }) => [timeOf(start), open]));
  const both = told.filter(({ start, vanished }) => !vanished && opens.has(timeOf(start)));
  const isSame = ({ start, open }) => Math.abs(opens.get(timeOf(start)) / open - 1) < 1e-9;
  return both.length > 0 && both.every(isSame);
}
