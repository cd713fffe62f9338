// A client of the tradingcore stream for browsers, without a build step. It reconnects, resumes by position and says when
// history is gone.
//
//   import { StreamClient } from "./stream-client.js";
//   const client = new StreamClient({
//     getTicket: async () => (await (await fetch("/api/v1/auth/stream-tickets", { method: "POST", headers })).json()).ticket,
//     topics: ["signals:*"],
//     onEvent: (event) => console.log(event.topic, event.offset, event.type, event.data),
//     onReset: (reset) => reloadByHttp(reset.topic),
//   });
//   client.start();

const FINAL_CODES = new Set([4400, 4403]);
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 15000;
const SILENCE_MS = 45000;

export class StreamClient {
  /**
   * @param {object} options
   * @param {() => Promise<string>} options.getTicket Buys a stream ticket. An error with `final: true` ends the client.
   * @param {string[]} options.topics
   * @param {(event: object) => void} options.onEvent Each event of a topic once, in order.
   * @param {(reset: object) => void} [options.onReset] History is gone: fetch the state by HTTP; what follows goes on from there.
   * @param {(notice: object) => void} [options.onNotice] `degraded` and `restored`.
   * @param {(error: object) => void} [options.onError] A problem object: a topic could not be had.
   * @param {(state: string, detail?: string) => void} [options.onState] `connecting`, `open`, `waiting` or `ended`.
   * @param {string} [options.url] The WebSocket address; by default that of the page's own server.
   * @param {Object<string, {epoch: string, offset: number}>} [options.positions] Where to go on, by topic.
   */
  constructor({ getTicket, topics, onEvent, onReset, onNotice, onError, onState, url, positions }) {
    const nothing = () => {};
    this.getTicket = getTicket;
    this.topics = topics;
    this.handlers = { event: onEvent, reset: onReset ?? nothing, notice: onNotice ?? nothing, error: onError ?? nothing };
    this.onState = onState ?? nothing;
    this.url = url ?? `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/stream`;
    // Topics are words of the server: on a plain object "__proto__" would be more than a word.
    this.positions = Object.assign(Object.create(null), positions);
    this.delay = FIRST_DELAY_MS;
    this.isStopped = true;
  }

  start() {
    if (this.isStopped) {
      this.isStopped = false;
      this.connect();
    }
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.socket?.close();
    this.onState("ended");
  }

  async connect() {
    this.onState("connecting");
    let ticket;
    try {
      ticket = await this.getTicket();
    } catch (error) {
      return error.final ? this.end(String(error)) : this.retry(String(error));
    }
    if (this.isStopped) return;
    const socket = (this.socket = new WebSocket(this.url, "tradingcore.v1"));
    socket.onopen = () => {
      const topics = this.topics.map((topic) =>
        this.positions[topic] ? { topic, since: this.positions[topic] } : { topic },
      );
      this.send({ op: "auth", ticket });
      this.send({ op: "subscribe", id: 1, topics });
      this.listen();
    };
    socket.onmessage = (message) => {
      this.listen();
      this.take(JSON.parse(message.data));
    };
    socket.onclose = (close) => {
      clearTimeout(this.silence);
      if (this.isStopped || socket !== this.socket) return;
      const asked = /reconnect_after_ms=(\d+)/.exec(close.reason);
      const detail = `${close.code} ${close.reason}`;
      if (FINAL_CODES.has(close.code)) this.end(detail);
      else this.retry(detail, asked ? Number(asked[1]) : undefined);
    };
  }

  take(frame) {
    const { op, topic, epoch, offset } = frame;
    if (op === "ping") return this.send({ op: "pong" });
    if (op === "ack") {
      if (topic) {
        this.positions[topic] = { epoch, offset };
        this.delay = FIRST_DELAY_MS;
        this.onState("open");
      }
      return undefined;
    }
    if (op === "reset") this.positions[topic] = { epoch, offset };
    if (op === "event") {
      const position = this.positions[topic];
      if (!position || offset <= position.offset) return undefined;
      this.positions[topic] = { epoch: position.epoch, offset };
    }
    return this.handlers[op]?.(frame);
  }

  send(frame) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  // A connection that died silently sends no close: the server's pings stop.
  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.socket.onclose({ code: 1006, reason: "nothing was heard" });
    }, SILENCE_MS);
  }

  retry(detail, asked) {
    if (this.isStopped) return;
    this.socket?.close();
    this.socket = undefined;
    this.onState("waiting", detail);
    this.timer = setTimeout(() => this.connect(), (asked ?? this.delay) * (0.5 + Math.random() / 2));
    this.delay = Math.min(2 * this.delay, LONGEST_DELAY_MS);
  }

  end(detail) {
    this.isStopped = true;
    this.onState("ended", detail);
  }
}
