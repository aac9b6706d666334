"use strict";
// Draws what stands in #data. Words are data: they reach the page as text and never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const number = new Intl.NumberFormat("en");
  const charts = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const font = () => getComputedStyle(document.documentElement).fontFamily;

  /** A hover text of plain lines, the first one bold. */
  function lines(first, ...rest) {
    const box = document.createElement("div");
    const head = box.appendChild(document.createElement("b"));
    head.textContent = first;
    for (const text of rest) box.appendChild(document.createElement("div")).textContent = text;
    return box;
  }

  function tooltip(formatter, trigger = "item") {
    const quiet = { backgroundColor: colour("card"), borderColor: colour("line"), textStyle: { color: colour("text") } };
    return { trigger, formatter, confine: true, ...quiet };
  }

  function axis(name, more) {
    const quiet = colour("quiet");
    return {
      type: "value", name, nameLocation: "middle", nameGap: 34, nameTextStyle: { color: quiet, fontSize: 13 },
      axisLabel: { color: quiet, fontSize: 12, hideOverlap: true }, axisLine: { lineStyle: { color: quiet } },
      splitLine: { lineStyle: { color: colour("line") } }, ...more,
    };
  }

  const base = () => ({ animation: false, textStyle: { fontFamily: font(), color: colour("text") }, backgroundColor: "transparent" });
  const palette = () => ["accent", "second", "third", "fourth"].map(colour);

  function losses() {
    const { series, unit, passes } = data.losses;
    const whole = (value) => (Number.isInteger(value) ? String(value) : "");
    return {
      ...base(), color: palette(), legend: { top: 8, textStyle: { color: colour("text"), fontSize: 13 } },
      grid: { left: 64, right: 24, top: 48, bottom: 56 },
      xAxis: axis(unit, { min: 1, max: Math.max(2, passes), interval: Math.ceil(passes / 12), axisLabel: { color: colour("quiet"), formatter: whole }, splitLine: { show: false } }),
      yAxis: axis("nats²", { nameGap: 44, scale: true }),
      tooltip: tooltip((points) => lines(`${unit} ${points[0].value[0]}`, ...points.map((p) => `${p.seriesName}: ${p.value[1].toFixed(4)} nats²`)), "axis"),
      series: series.map(({ name, values }, place) => ({
        name, type: "line", symbol: ["circle", "rect", "triangle", "diamond"][place % 4], symbolSize: 7,
        data: values.map((value, pass) => [pass + 1, value]).filter((point) => point[1] !== null),
      })),
    };
  }

  function norms() {
    const { words, points, counts, medians } = data.norms;
    const hover = ({ seriesType, dataIndex, value }) => seriesType === "line"
      ? lines("median of words like these", `−log P(w): ${value[0].toFixed(1)} nats`, `|v|: ${value[1].toFixed(2)} √nats`)
      : lines(words[dataIndex], `${number.format(counts[dataIndex])} times`, `−log P(w): ${value[0].toFixed(2)} nats`, `|v|: ${value[1].toFixed(2)} √nats`);
    return {
      ...base(), grid: { left: 64, right: 24, top: 24, bottom: 56 }, tooltip: tooltip(hover),
      xAxis: axis("−log P(w) in nats (frequent → rare)", { scale: true }),
      yAxis: axis("|v| in √nats", { nameGap: 40 }),
      series: [
        { type: "scatter", symbolSize: 4, itemStyle: { color: colour("accent"), opacity: 0.45 }, data: points },
        { type: "line", symbol: "circle", symbolSize: 5, lineStyle: { color: colour("second"), width: 2 }, itemStyle: { color: colour("second") }, data: medians, z: 3 },
      ],
    };
  }

  /** A word as it stands on the map; hovering tells the rest. */
  const short = (word) => (word.length > 24 ? `${word.slice(0, 23)}…` : word);

  const folded = data.map.words.map((word) => word.toLowerCase());
  let matches = new Set();
  let current = -1;

  function map() {
    const { words, counts, places } = data.map;
    const most = Math.max(1, ...counts);
    const watched = new Set(data.watched);
    const inside = { type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false, minSpan: 0.5 };
    const hidden = { type: "value", show: false, min: -1.04, max: 1.04 };
    const [plain, strong, text, quiet] = ["accent", "second", "text", "quiet"].map(colour);
    return {
      ...base(), grid: { left: 12, right: 64, top: 12, bottom: 12 }, xAxis: hidden, yAxis: hidden,
      dataZoom: [{ ...inside, xAxisIndex: 0, ...zoom.x }, { ...inside, yAxisIndex: 0, ...zoom.y }],
      tooltip: tooltip(({ name, dataIndex }) => lines(name, `${number.format(counts[dataIndex])} times, number ${number.format(dataIndex + 1)} by frequency`)),
      series: [{
        type: "scatter", labelLayout: { hideOverlap: true }, emphasis: { scale: 1.5 },
        data: places.map((value, place) => {
          const marked = matches.has(place);
          const size = 3 + 9 * Math.sqrt(counts[place] / most) + 2 * (1 - place / words.length);
          const label = { show: true, position: "right", distance: 3, formatter: () => short(words[place]), fontSize: marked ? 15 : 12, fontWeight: marked || watched.has(words[place]) ? "bold" : "normal", color: marked ? strong : text, textBorderColor: colour("card"), textBorderWidth: 2 };
          return {
            value, name: words[place], symbolSize: marked ? size + (place === current ? 9 : 5) : size, label, z: marked ? 5 : 2,
            itemStyle: { color: marked ? strong : watched.has(words[place]) ? text : matches.size ? quiet : plain, borderColor: text, borderWidth: place === current ? 2 : 0 },
          };
        }),
      }],
    };
  }

  // --- the map's window: two ranges in per cent, kept here and told to the chart ---
  const zoom = { x: { start: 0, end: 100 }, y: { start: 0, end: 100 } };
  const found = document.getElementById("found");
  const query = document.getElementById("query");
  const hint = found.textContent;

  function look(centre, span) {
    const kept = Math.min(100, Math.max(0.5, span));
    for (const [place, name] of [[0, "x"], [1, "y"]]) {
      const start = Math.min(100 - kept, Math.max(0, centre[place] - kept / 2));
      zoom[name] = { start, end: start + kept };
    }
    mapChart.dispatchAction({ type: "dataZoom", batch: ["x", "y"].map((name, dataZoomIndex) => ({ dataZoomIndex, ...zoom[name] })) });
  }

  const span = () => zoom.x.end - zoom.x.start;
  const centre = () => [(zoom.x.start + zoom.x.end) / 2, (zoom.y.start + zoom.y.end) / 2];
  const share = (value) => ((value + 1.04) / 2.08) * 100;

  function search(text) {
    const sought = text.trim().toLowerCase();
    const exact = sought ? folded.indexOf(sought) : -1;
    matches = new Set(sought ? folded.flatMap((word, place) => (word.includes(sought) ? [place] : [])) : []);
    current = exact;
    found.textContent = !sought ? hint : matches.size === 0
      ? `No word on the map holds “${text.trim()}”.`
      : `${number.format(matches.size)} ${matches.size === 1 ? "word holds" : "words hold"} “${text.trim()}”. Enter goes there.`;
    mapChart.setOption(map());
  }

  function next() {
    if (matches.size === 0) return;
    const order = [...matches];
    const exact = folded.indexOf(query.value.trim().toLowerCase());
    const last = order.indexOf(seen);
    seen = last < 0 && exact >= 0 ? exact : order[(last + 1) % order.length];
    current = seen;
    mapChart.setOption(map());
    look(data.map.places[current].map(share), Math.min(span(), 12));
    const { words, counts } = data.map;
    found.textContent = `${words[current]}: ${number.format(counts[current])} times, number ${number.format(current + 1)} by frequency (match ${order.indexOf(current) + 1} of ${order.length}).`;
  }
  let seen = -1;

  function draw(id, option) {
    const place = document.getElementById(id);
    if (place === null) return null;
    const chart = echarts.init(place);
    chart.setOption(option());
    charts.push([chart, option]);
    return chart;
  }

  const mapChart = draw("map", map);
  draw("losses", losses);
  draw("norms", norms);
  mapChart.on("datazoom", () => {
    for (const [place, name] of [[0, "x"], [1, "y"]]) {
      const { start, end } = mapChart.getOption().dataZoom[place];
      zoom[name] = { start, end };
    }
  });
  query.addEventListener("input", () => { seen = -1; search(query.value); });
  document.getElementById("find").addEventListener("submit", (event) => { event.preventDefault(); next(); });
  document.getElementById("zoom-in").addEventListener("click", () => look(centre(), span() / 1.6));
  document.getElementById("zoom-out").addEventListener("click", () => look(centre(), span() * 1.6));
  const whole = () => look([50, 50], 100);
  document.getElementById("zoom-all").addEventListener("click", whole);
  document.getElementById("map-section").addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    query.value = "";
    seen = -1;
    search("");
    whole();
  });
  dark.addEventListener("change", () => charts.forEach(([chart, option]) => chart.setOption(option(), true)));
  new ResizeObserver(() => charts.forEach(([chart]) => chart.resize())).observe(document.body);
})();
