// The page: signals over the stream, the newest candles, and in what state the connection is.
import { StreamClient } from "/static/stream-client.js";

const API = "/api/v1";
const SHOWN_SIGNALS = 30;
const SHOWN_CANDLES = 40;
const MOST_SERIES = 20;
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const signals = new Map();
const candles = new Map();
let client;
let run = 0;

function element(name, { text, title, className } = {}, ...children) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (title) made.title = title;
  if (className) made.className = className;
  made.append(...children.filter(Boolean));
  return made;
}

function showState(state, detail) {
  const texts = { connecting: "connecting", open: "live", waiting: "reconnecting", ended: "not connected" };
  byId("state").dataset.state = state;
  byId("state").textContent = texts[state];
  byId("state").title = detail ?? "";
}

function showFault(text) {
  byId("fault").textContent = text;
  byId("fault").hidden = !text;
}

async function ask(key, path, options = {}) {
  const answer = await fetch(API + path, { ...options, headers: { authorization: `Bearer ${key}` } });
  const body = await answer.json();
  if (answer.ok) return body;
  const error = new Error(body.detail ?? answer.statusText);
  error.final = answer.status === 401 || answer.status === 403;
  throw error;
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;
const inR = (value) => (value === null ? "–" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)} R`);
const when = (text) => new Date(text).toLocaleString([], { dateStyle: "short", timeStyle: "short" });

function entry(term, text, className) {
  return element("div", { className }, element("dt", { text: term }), element("dd", { text, className: "number" }));
}

function signalCard(signal) {
  const { interval } = signal;
  const isLong = signal.side === "long";
  const card = element("li");
  card.append(
    element(
      "h3",
      {},
      element("span", { text: isLong ? "▲ long" : "▼ short", className: signal.side }),
      element("span", { text: `${signal.symbol} · ${signal.timeframe}` }),
      element("span", { text: signal.edge_status, className: `badge ${signal.edge_status}` }),
      signal.is_simulated && element("span", { text: "simulated market", className: "badge simulated" }),
      element("span", { text: signal.status.replace("_", " "), className: "badge" }),
    ),
    element(
      "dl",
      {},
      entry("Entry", signal.entry),
      entry("Take profit", signal.take_profit),
      entry("Stop loss", signal.stop_loss),
      entry("Probability", percent(signal.probability)),
      entry("EV after costs", inR(signal.expected_value_r)),
      entry(signal.outcome_r === null ? "Reward : risk" : "Outcome", signal.outcome_r === null ? signal.risk_reward : inR(signal.outcome_r)),
      entry("Expected high", `${interval.high[0]} – ${interval.high[1]}`, "wide"),
      entry("Expected low", `${interval.low[0]} – ${interval.low[1]}`, "wide"),
    ),
    element("p", {
      className: "hint",
      text: `${percent(interval.level)} interval, which held ${percent(interval.coverage)} of ${interval.sample_size.toLocaleString()} `
        + `candles that the model had not learnt from · ${signal.model_version} · ${when(signal.issued_at)}, until ${when(signal.expires_at)}`,
    }),
  );
  return card;
}

function takeSignal(signal, { isNew = false } = {}) {
  const card = signalCard(signal);
  const known = signals.get(signal.id);
  signals.set(signal.id, { signal, card });
  if (known) known.card.replaceWith(card);
  else {
    const older = [...byId("signals").children].find((item) => item.dataset.at < signal.issued_at);
    byId("signals").insertBefore(card, older ?? null);
  }
  card.dataset.at = signal.issued_at;
  while (byId("signals").children.length > SHOWN_SIGNALS) byId("signals").lastElementChild.remove();
  byId("empty").hidden = true;
  if (isNew) {
    card.classList.add("new");
    setTimeout(() => card.classList.remove("new"), 4000);
    const news = signal.status === "active" ? "new" : signal.status.replace("_", " ");
    byId("announcements").textContent = `${news}: ${signal.side} ${signal.symbol} ${signal.timeframe}, ${signal.edge_status}`;
  }
}

function chartOf(rows) {
  const chart = document.createElementNS(SVG, "svg");
  const high = Math.max(...rows.map((row) => row.high));
  const low = Math.min(...rows.map((row) => row.low));
  const span = high - low || 1;
  const y = (price) => 2 + (52 * (high - price)) / span;
  chart.setAttribute("viewBox", `0 0 ${6 * SHOWN_CANDLES} 56`);
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true");
  rows.forEach((row, index) => {
    const x = 6 * (SHOWN_CANDLES - rows.length + index);
    const top = y(Math.max(row.open, row.close));
    const shapes = { wick: [x + 1.7, y(row.high), 0.6, y(row.low) - y(row.high)], body: [x, top, 4, y(Math.min(row.open, row.close)) - top] };
    for (const [left, above, width, height] of Object.values(shapes)) {
      const shape = document.createElementNS(SVG, "rect");
      const values = { x: left, y: above, width, height: Math.max(height, 0.6) };
      for (const [name, value] of Object.entries(values)) shape.setAttribute(name, value.toFixed(2));
      shape.setAttribute("class", row.close < row.open ? "fall" : "rise");
      chart.append(shape);
    }
  });
  return chart;
}

function showSeries(key) {
  const { card, rows, isSimulated, isStale } = candles.get(key);
  const last = rows.at(-1);
  const change = rows.length > 1 ? last.close / rows.at(-2).close - 1 : 0;
  card.replaceChildren(
    element("strong", { text: key.replace(":", " · ") }),
    " ",
    isSimulated ? element("span", { text: "simulated", className: "badge simulated" }) : "",
    isStale ? element("span", { text: "stale: no signals", className: "badge stale" }) : "",
    ...(last
      ? [
          chartOf(rows),
          element("span", { text: `${last.close.toPrecision(7)} `, className: "number" }),
          element("span", { text: `${change < 0 ? "−" : "+"}${percent(Math.abs(change))}`, className: `number ${change < 0 ? "short" : "long"}` }),
          element("span", { text: ` · ${when(last.open_time)}`, className: "hint" }),
        ]
      : [element("p", { text: "no candles yet", className: "hint" })]),
  );
}

function takeCandle(candle) {
  const series = candles.get(`${candle.symbol}:${candle.timeframe}`);
  if (!series) return;
  series.rows = [...series.rows.filter((row) => row.open_time < candle.open_time), candle].slice(-SHOWN_CANDLES);
  series.isStale = false;
  showSeries(`${candle.symbol}:${candle.timeframe}`);
}

async function loadSignals(key) {
  for (const signal of (await ask(key, `/trading/signals?limit=${SHOWN_SIGNALS}`)).data) takeSignal(signal);
  if (!signals.size) byId("empty").textContent = "No signal yet. Most candles bring none: a decision says why, see /api/v1/trading/decisions.";
}

async function loadSeries(key) {
  byId("series").replaceChildren();
  candles.clear();
  const watched = (await ask(key, "/trading/series")).data.slice(0, MOST_SERIES);
  for (const series of watched) {
    const query = new URLSearchParams({ symbol: series.symbol, timeframe: series.timeframe, limit: SHOWN_CANDLES });
    const rows = (await ask(key, `/trading/candles?${query}`)).data;
    const card = element("li");
    const name = `${series.symbol}:${series.timeframe}`;
    candles.set(name, { card, rows, isSimulated: series.is_simulated, isStale: series.freshness === "stale" });
    byId("series").append(card);
    showSeries(name);
  }
  byId("market").hidden = !watched.length;
}

function takeEvent({ topic, type, data }) {
  if (type === "candle.closed") takeCandle(data);
  else if (type === "series.stale") {
    const series = candles.get(`${data.symbol}:${data.timeframe}`);
    if (series) {
      series.isStale = true;
      showSeries(`${data.symbol}:${data.timeframe}`);
    }
  } else if (topic === "signals:*") takeSignal(data, { isNew: true }); // the topics of single series bring the same signals again
}

async function connect(key) {
  const mine = ++run;
  client?.stop();
  showFault("");
  showState("connecting");
  try {
    await Promise.all([loadSeries(key), loadSignals(key)]);
  } catch (error) {
    showState("ended");
    showFault(error.message);
    return;
  }
  if (mine !== run) return;
  client = new StreamClient({
    getTicket: async () => (await ask(key, "/auth/stream-tickets", { method: "POST" })).ticket,
    topics: ["signals:*", ...[...candles.keys()].flatMap((name) => [`candles:${name}`, `signals:${name}`])].slice(0, 60),
    onEvent: takeEvent,
    onReset: ({ topic }) => (topic.startsWith("signals:*") ? loadSignals(key) : undefined),
    onNotice: ({ detail }) => showFault(detail),
    onError: ({ topic, detail }) => showFault(`${topic ?? "stream"}: ${detail}`),
    onState: (state, detail) => {
      showState(state, detail);
      if (state === "ended" && detail) showFault(detail);
      if (state === "open") showFault("");
    },
  });
  client.start();
}

byId("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  connect(byId("key").value.trim());
});
