/*
 * Keys: where the server wants one, the page asks for it, and shows a token of it from then on.
 *
 * The key stays in memory, and renews the token; that outlasts a reload too, in this tab, for its
 * quarter of an hour.
 */
"use strict";

const TOKEN_PATH = "v1/token";
/** What a header can carry: a browser refuses to send anything else. */
const SENDABLE = /^[\x21-\x7e]+$/;

const keyForm = document.getElementById("key");
const tab = openTab();
let key = "";
let renewing = null;

/** Storage may be denied: then a token lasts as long as the page. */
function openTab() {
  try {
    return sessionStorage;
  } catch {
    return {};
  }
}

/**
 * Fetch, as who has the key does; where the server wants one that we lack, wait for it.
 *
 * Where it gives no token for a key that may well hold, as while its database is away, its answer
 * to that is returned: the next fetch asks again.
 */
async function fetchWithKey(path, options) {
  for (;;) {
    const { fiblakeToken: token } = tab;
    const response = await fetch(path, { ...options, headers: bearer(token) });
    if (response.status !== 401) return response;
    // Of many requests that are refused at once, one renews the token.
    if (token !== tab.fiblakeToken) continue;
    const refusal = await (renewing ??= renew().finally(() => { renewing = null; }));
    if (refusal) return refusal.clone();
  }
}

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
  const field = keyForm.elements.namedItem("key-text");
  document.getElementById("key-problem").textContent = problem;
  keyForm.hidden = false;
  field.focus();
  return new Promise((resolve) => {
    keyForm.onsubmit = (event) => {
      event.preventDefault();
      keyForm.hidden = true;
      resolve(field.value.trim());
      field.value = "";
    };
  });
}
