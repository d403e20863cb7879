// The line chart of the last minutes. Three kinds of stroke, so that colour is never the only sign; the legend
// in the page and the table beneath say the same.
/* global uPlot */
const INK = "#212b32";
const GRID = "#d8dde0";
const FONT = "16px Arial, sans-serif";
const HEIGHT = 240;

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const axis = (more) => ({ stroke: INK, font: FONT, grid: { stroke: GRID, width: 1 }, ticks: { show: false }, ...more });
const whole = (values) => values.map((value) => (Number.isInteger(value) ? String(value) : ""));

function options(width) {
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Europe/London"),
    scales: {
      calls: { range: (_, __, most) => [0, Math.max(5, most * 1.1)] },
      wait: { range: (_, __, most) => [0, Math.max(60, most * 1.1)] },
    },
    axes: [
      axis({ values: "{HH}:{mm}", space: 70, size: 40, gap: 10 }),
      axis({ scale: "calls", values: (_, values) => whole(values), size: 50 }),
      axis({ scale: "wait", side: 1, values: (_, values) => values.map(clock), grid: { show: false }, size: 60 }),
    ],
    series: [
      {},
      { scale: "calls", stroke: "#005eb8", width: 3, points: { show: false } },
      { scale: "calls", stroke: "#007f3b", width: 3, dash: [10, 6], points: { show: false } },
      { scale: "wait", stroke: "#b31f14", width: 3, dash: [3, 5], points: { show: false } },
    ],
  };
}

// `show` takes rows of [Unix time, offered, answered, longest wait in s]; null leaves a gap.
export function chart(box) {
  let drawn = null;
  new ResizeObserver(() => drawn?.setSize({ width: box.clientWidth, height: HEIGHT })).observe(box);
  return {
    show(rows) {
      if (!rows.length || typeof uPlot === "undefined") return;
      const columns = rows[0].map((_, column) => rows.map((row) => row[column]));
      if (drawn) drawn.setData(columns);
      else drawn = new uPlot(options(box.clientWidth), columns, box);
    },
  };
}
