/*
 * Live bars: while a view is shown, the API is asked again and again for its bars from the last one
 * on, and for the price; what changed is drawn.
 *
 * The root element tells tests: data-live is the close of the last bar, data-live-version grows
 * with each change that is drawn.
 */
"use strict";

const ASK_AGAIN_MS = 500;
const STALE_MS = 5000;

/** Draw what comes after the last bar of `answer`, and that one anew, until `signal` aborts. */
async function follow(answer, signal) {
  const price = `v1/prices/${encodeURIComponent(view.symbol)}`;
  let shown = answer;
  let version = 0;
  let answeredAt = Date.now();
  while (!signal.aborted) {
    try {
      const latest = await barsOf(view, signal, startOfLast(shown.bars.at(-1)));
      const next = withLatest(shown, latest);
      if (version === 0 || hasChanged(shown, next)) drawLive(next, ++version);
      shown = next;
      if (shown.bars.length) showLiveText(liveText(latest, await get(price, signal)));
      answeredAt = Date.now();
    } catch (problem) {
      if (signal.aborted) return;
      if (Date.now() - answeredAt > STALE_MS) showLiveText("live prices stopped: is fiblake up?");
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

/** Return what to ask for to get `bar` and those after it: dates are of sessions. */
function startOfLast(bar) {
  if (!bar) return {};
  return { start: isInstant(bar.start) ? bar.through : bar.start };
}

function withLatest(shown, latest) {
  const first = latest.bars[0]?.start;
  const kept = first ? shown.bars.filter(({ start }) => start < first) : shown.bars;
  return { ...shown, ...latest, bars: [...kept, ...latest.bars] };
}

function hasChanged(one, other) {
  const last = ({ bars }) => JSON.stringify([bars.length, bars.at(-1), bars.at(-2)]);
  return last(one) !== last(other);
}

function drawLive(answer, version) {
  if (answer.bars.length === 0) return;
  showAnswer(answer);
  Object.assign(root.dataset, { live: answer.bars.at(-1).close, liveVersion: version });
}

function liveText({ live }, { price, time, source, feed }) {
  const at = timeText(Math.floor(Date.parse(time) / 1000));
  if (live === "away") return `live prices are away: ${priceText(price)} at ${at}`;
  return source === "live" ? `live ${priceText(price)} at ${at} (${feed})` : "";
}

function showLiveText(text) {
  element("live").textContent = text;
}
