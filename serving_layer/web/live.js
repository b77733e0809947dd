/*
 * Live bars: while a view is shown that has them, the API is asked for them again and again, and
 * those that changed are drawn over the lake's.
 *
 * The root element tells tests: data-live is the close of the last live bar, data-live-version its version.
 */
"use strict";

const ASK_AGAIN_MS = 500;
const STALE_MS = 5000;

const isLive = (interval) => !/^([3-9]|\d\d+)d$/.test(interval);

/** Draw live bars over those of the lake's `answer` until `signal` aborts. */
async function follow(answer, signal) {
  const path = `v1/live/${encodeURIComponent(view.symbol)}?interval=${view.interval}`;
  let answeredAt = Date.now();
  while (!signal.aborted) {
    try {
      drawLive(answer, await get(path, signal));
      answeredAt = Date.now();
    } catch (problem) {
      if (signal.aborted) return;
      if (Date.now() - answeredAt > STALE_MS) showLiveText("live prices stopped: is fiblake up?");
    }
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
}

function drawLive(answer, { price, bars }) {
  const last = answer.bars.at(-1)?.start ?? "";
  // Before the last of the lake's bars batch has spoken.
  const live = bars.filter(({ start }) => start >= last);
  if (live.length === 0) return;
  const kept = answer.bars.filter(({ start }) => start < live[0].start);
  showAnswer({ ...answer, bars: [...kept, ...live] });
  if (price) showLiveText(liveText(price));
  Object.assign(root.dataset, { live: live.at(-1).close, liveVersion: live.at(-1).version });
}

function liveText({ price, time, source }) {
  const at = timeText(Math.floor(Date.parse(time) / 1000));
  return `live ${priceText(price)} at ${at} (${source})`;
}

function showLiveText(text) {
  element("live").textContent = text;
}
