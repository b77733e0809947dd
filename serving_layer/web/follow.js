/*
 * The bars of a view, and what becomes of them while it is shown.
 *
 * The stream tells bars on the split basis of their session. Where those of the view are on the
 * same, they are drawn as they come; else (adjusted for a later split, or for dividends) each change
 * lets the API be asked for the bars from the last one on. So it is after each new start of the
 * stream, and while there is none, all the time.
 */
import { barsOf } from "./answers.js";
import { areOfOneBasis, startOfLast, withBar, withTail } from "./bars.js";
import { connection, isPolling, noteGap, onStatus, polled, stream } from "./connection.js";
import { timeOf } from "./times.js";

const ASK_AGAIN_MS = 500;
const POLL_MS = 1000;
const LONGEST_MS = 15_000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let following = null;
onStatus((status) => following?.takeStatus(status));

/**
 * Show the bars of `view`, and anew whenever they change, until `signal` aborts.
 *
 * @param show called with an answer of /v1/bars and how often it was called before.
 * @param isLive whether there is anything to follow.
 */
export async function follow(view, signal, show, isLive) {
  const begun = new Following(view, signal, show);
  await begun.begin();
  if (!isLive) return;
  following = begun;
  begun.listen();
}

class Following {
  #view;
  #signal;
  #show;
  #answer = null;
  #told = new Map(); // by time: bars as the stream told them last
  #isExact = false;
  #boundary; // as the last status told it
  #isAway = false;
  #isWhole = false; // whether all bars are to be asked for
  #isBehind = false;
  #isAsking = false;
  #isDrawing = false;
  #version = 0;

  constructor(view, signal, show) {
    this.#view = view;
    this.#signal = signal;
    this.#show = show;
  }

  async begin() {
    this.#answer = await barsOf(this.#view, this.#signal);
    this.#show(this.#answer, 0);
  }

  listen() {
    const channel = `bars:${this.#view.interval}:${this.#view.symbol}`;
    stream.join(channel, (event) => this.#take(event));
    this.#signal.addEventListener("abort", () => stream.leave(channel));
    this.#poll();
  }

  #take(event) {
    if (event.type === "snapshot") {
      this.#told = new Map(event.bars.map((bar) => [timeOf(bar.start), bar]));
      this.#catchUp();
    } else if (event.type === "gap") {
      noteGap(event); // a snapshot follows
    } else if (event.type === "resumed") {
      this.#catchUp();
    } else if (event.type === "change") {
      this.#told.set(timeOf(event.bar.start), event.bar);
      if (this.#isExact) this.#put([event.bar]);
      else this.#catchUp();
    }
  }

  /** Ask anew: for all bars where batch has committed, as it may have told otherwise. */
  takeStatus({ live, boundary }) {
    if (this.#signal.aborted) return;
    this.#answer = { ...this.#answer, live };
    this.#isAway = live === "away";
    this.#draw();
    if (boundary !== this.#boundary) {
      this.#boundary = boundary;
      this.#told.clear();
      this.#isExact = false;
      this.#isWhole = true;
    }
    this.#catchUp();
  }

  async #poll() {
    while (!this.#signal.aborted) {
      if (isPolling()) this.#catchUp();
      await sleep(POLL_MS);
    }
  }

  /** Ask for the bars from the last one on; not more often than twice a second. */
  async #catchUp() {
    this.#isBehind = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    let failures = 0;
    while (this.#isBehind && !this.#signal.aborted) {
      this.#isBehind = false;
      if (await this.#askForLatest()) failures = 0;
      // Without the stream, its next start or polling asks again.
      else if (connection().kind === "open" && !this.#isAway) this.#isBehind = ++failures > 0;
      await sleep(Math.min(ASK_AGAIN_MS * 2 ** failures, LONGEST_MS));
    }
    this.#isAsking = false;
  }

  /** Return whether the API answered with all that is live. */
  async #askForLatest() {
    // Batch may commit while the answer is awaited: then all is asked for once more.
    const isWhole = this.#isWhole;
    this.#isWhole = false;
    const start = isWhole ? {} : startOfLast(this.#answer.bars.at(-1));
    try {
      const latest = await barsOf(this.#view, this.#signal, start);
      const bars = isWhole ? latest.bars : withTail(this.#answer.bars, latest.bars);
      this.#answer = { ...this.#answer, ...latest, bars };
      this.#isExact = areOfOneBasis(latest.bars, [...this.#told.values()]);
      this.#put(this.#isExact ? this.#told.values() : []);
      polled(true);
      return latest.live !== "away";
    } catch {
      this.#isWhole ||= isWhole;
      if (!this.#signal.aborted) polled(false);
      return false;
    }
  }

  #put(bars) {
    for (const bar of bars) {
      this.#answer = { ...this.#answer, bars: withBar(this.#answer.bars, bar) };
    }
    this.#draw();
  }

  /** Draw what there is by the next frame. */
  #draw() {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    // A page that is not looked at has no frames, and is drawn when it is.
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      if (!this.#signal.aborted) this.#show(this.#answer, ++this.#version);
    });
  }
}
