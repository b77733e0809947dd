/*
 * The page's elements, and what the browser keeps for it. Storage may be denied, as to a file: then
 * what is kept lasts as long as the page.
 */

export const root = document.documentElement;
export const element = (id) => document.getElementById(id);

export function make(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Change a text only where it differs: what is read aloud is read once. */
export function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

function opened(storageOf) {
  try {
    return storageOf() ?? {};
  } catch {
    return {};
  }
}

export const lasting = opened(() => localStorage);
export const ofTab = opened(() => sessionStorage);
