/* Numbers as texts. */

const digitsOf = (price) => (price !== 0 && Math.abs(price) < 1 ? 4 : 2);
export const priceText = (price) => price.toFixed(digitsOf(price));
export const countText = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 }).format;

const WAYS = { 1: ["up", "▲", "+"], "-1": ["down", "▼", "−"], 0: ["same", "", "±"] };

/** Return which way a price went: told by a mark and a sign, and by colour besides. */
export function changeOf(price, from) {
  const change = price - from;
  const [kind, mark, sign] = WAYS[Math.sign(change)];
  const percent = `${Math.abs((100 * change) / from).toFixed(2)} %`;
  const amount = Math.abs(change).toFixed(digitsOf(price));
  return {
    kind,
    text: `${mark} ${sign}${amount} ${sign}${percent}`.trim(),
    words: kind === "same" ? "unchanged" : `${kind} ${amount}, ${percent}`,
  };
}

export function agoText(ms) {
  if (ms < 10_000) return `${(Math.max(ms, 0) / 1000).toFixed(1)} s`;
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
