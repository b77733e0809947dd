/*
 * Keys: where the server wants one, the page asks for it, and shows a token of it from then on.
 *
 * The key stays in memory, and renews the token; that outlasts a reload too, in this tab, for its
 * quarter of an hour.
 */
import { element, ofTab as tab } from "./elements.js";

const TOKEN_PATH = "v1/token";

let key = "";
let renewing = null;

/** Fetch, as who has the key does; where the server wants one that we lack, wait for it. */
export async function fetchWithKey(path, options) {
  for (;;) {
    const { fiblakeToken: token } = tab;
    const response = await fetch(path, { ...options, headers: bearer(token) });
    if (response.status !== 401) return response;
    // Of many requests that are refused at once, one renews the token.
    if (token === tab.fiblakeToken) await renewOnce();
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

async function renew() {
  let problem = key ? await showKey() : "";
  while (!key) {
    key = await askForKey(problem);
    problem = await showKey();
  }
}

/** Fetch a token for the key; return what is wrong with the key, and drop it then. */
async function showKey() {
  const response = await fetch(TOKEN_PATH, { method: "POST", headers: bearer(key) });
  const answer = await response.json().catch(() => ({}));
  if (response.ok) tab.fiblakeToken = answer.token;
  else key = "";
  return answer.detail ?? `The server answered ${response.status}.`;
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
