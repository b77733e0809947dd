/*
 * Keys: where the server wants one, the page asks for it, and shows a token of it from then on.
 *
 * The key stays in memory, and renews the token; that outlasts a reload too, in this tab, for its
 * quarter of an hour.
 */
import { element, ofTab as tab } from "./elements.js";

const TOKEN_PATH = "v1/token";
/** What a header can carry: a browser refuses to send anything else. */
const SENDABLE = /^[\x21-\x7e]+$/;

let key = "";
let renewing = null;

/**
 * Fetch, as who has the key does; where the server wants one that we lack, wait for it.
 *
 * Where it gives no token for a key that may well hold, as while its database is away, its answer
 * to that is returned: the next fetch asks again.
 */
export async function fetchWithKey(path, options = {}) {
  for (;;) {
    const { fiblakeToken: token } = tab;
    const response = await fetch(path, { ...options, headers: { ...options.headers, ...bearer(token) } });
    if (response.status !== 401) return response;
    // Of many requests that are refused at once, one renews the token.
    if (token !== tab.fiblakeToken) continue;
    const refusal = await renewOnce();
    if (refusal) return refusal.clone();
  }
}

/** Return what a socket shows in its first frame: a key outlasts tokens; empty: there is neither. */
export const shownToSocket = () => key || tab.fiblakeToken || "";

/** Get something to show in place of what was refused. */
export async function renewShown(refused) {
  if (refused === shownToSocket()) await renewOnce();
}

const renewOnce = () => (renewing ??= renew().finally(() => { renewing = null; }));

const bearer = (text) => (text ? { Authorization: `Bearer ${text}` } : {});

/** Fetch a token, and ask for a key until one holds; return why there is none, though it may. */
async function renew() {
  let problem = "";
  for (;;) {
    key ||= await askForKey(problem);
    if (!SENDABLE.test(key)) {
      problem = "A key has no spaces, and only characters as on an English keyboard.";
      key = "";
      continue;
    }
    const response = await fetch(TOKEN_PATH, { method: "POST", headers: bearer(key) });
    if (response.status !== 401 && response.status !== 403 && !response.ok) return response;
    const answer = await response.json().catch(() => ({}));
    if (response.ok) {
      tab.fiblakeToken = answer.token;
      return null;
    }
    problem = answer.detail ?? `The server answered ${response.status}.`;
    key = "";
  }
}

function askForKey(problem) {
  const form = element("key");
  const field = form.elements.namedItem("key-text");
  element("key-problem").textContent = problem;
  form.hidden = false;
  field.focus();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      form.hidden = true;
      resolve(field.value.trim());
      field.value = "";
    };
  });
}
