/* Marks on the chart where a dry run fired. */
import { barTimeAt, colourOf, onDrawn, priceSeries } from "../chart.js";
import { currentView, onView } from "../view.js";

const marks = LightweightCharts.createSeriesMarkers(priceSeries, []);
let marked = { symbol: "", firings: [] };

/** Mark the bars in which a rule of a symbol fired; none of them: no marks. */
export function markFirings(symbol, firings) {
  marked = { symbol, firings };
  drawMarks();
}

export function drawMarks() {
  const { symbol, firings } = marked;
  const shown = symbol === currentView().symbol ? firings : [];
  if (shown.length === 0 && marks.markers().length === 0) return;
  const counts = new Map();
  for (const { time } of shown) {
    const bar = barTimeAt(time);
    if (bar !== null) counts.set(bar, (counts.get(bar) ?? 0) + 1);
  }
  const color = colourOf("accent");
  marks.setMarkers([...counts].map(([time, count]) => ({
    time, color, position: "aboveBar", shape: "arrowDown", text: count > 1 ? `${count}×` : "",
  })));
}

onDrawn(drawMarks);
onView(({ symbol }) => { if (symbol !== marked.symbol) markFirings("", []); });
