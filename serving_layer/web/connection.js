/*
 * The page's one connection to /v1/stream, and how it is. Where it cannot be had, those who follow
 * something ask the API again and again instead, while it is tried on.
 *
 * The root element tells tests: data-connection is none, connecting, stream, waiting or polling.
 */
import { root } from "./elements.js";
import { renewShown, shownToSocket } from "./key.js";
import { Stream } from "./stream.js";

const POLL_AFTER = 2; // failures in a row
const url = new URL("v1/stream", location.href);
url.protocol = url.protocol.replace("http", "ws");

const credentials = { shown: shownToSocket, renew: renewShown };
const listeners = [];
const openListeners = [];
let state = { kind: "none", failures: 0 };

export const stream = new Stream(url.href.split("#")[0], credentials, told);
export const connection = () => state;

/** Call `listener` with what the server says of its layers: {live, boundary}. */
export function onStatus(listener) {
  listeners.push(listener);
}

/** Call `listener` whenever the stream is there, at first or again. */
export function onOpen(listener) {
  openListeners.push(listener);
}

/** Note that the server told of a gap, which was filled by asking the API. */
export function noteGap({ message }) {
  state = { ...state, gap: { message, at: Date.now() } };
}

export const isPolling = () =>
  state.kind === "refused" || (state.kind !== "open" && state.failures >= POLL_AFTER);

/** Note whether the API answered who asks it instead. */
export function polled(isAnswered) {
  state = { ...state, isAnswered };
  tellRoot();
}

export function startStream() {
  stream.connect();
  addEventListener("online", connectIfWaiting);
  document.addEventListener("visibilitychange", connectIfWaiting);
}

function connectIfWaiting() {
  if (state.retryAt && !document.hidden) stream.connect();
}

function told(news) {
  if (news.type === "status") listeners.forEach((listener) => listener(news));
  else state = { isAnswered: state.isAnswered, gap: state.gap, ...news };
  tellRoot();
  if (news.kind === "open") openListeners.forEach((listener) => listener());
}

function tellRoot() {
  const kind = { open: "stream", refused: "waiting" }[state.kind] ?? state.kind;
  root.dataset.connection = isPolling() && state.isAnswered ? "polling" : kind;
}
