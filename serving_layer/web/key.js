/*
 * Keys: where the server wants one, the page asks for it, and shows a token of it from then on.
 *
 * The key stays in memory, and renews the token; that outlasts a reload too, in this tab, for its
 * quarter of an hour.
 */
"use strict";

const TOKEN_PATH = "v1/token";

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

/** Fetch, as who has the key does; where the server wants one that we lack, wait for it. */
async function fetchWithKey(path, options) {
  for (;;) {
    const { fiblakeToken: token } = tab;
    const response = await fetch(path, { ...options, headers: bearer(token) });
    if (response.status !== 401) return response;
    // Of many requests that are refused at once, one renews the token.
    if (token === tab.fiblakeToken) await (renewing ??= renew().finally(() => { renewing = null; }));
  }
}

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
