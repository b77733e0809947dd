/*
 * The socket of /v1/stream: channels are subscribed to, and told to their listeners, over as many
 * connections as it takes. A connection that is lost is made anew, later each time, and takes up
 * each channel where it was.
 *
 * A listener is called with the server's event of its channel (snapshot, resumed, gap, complete,
 * error) or, of a `changes`, with each {type: "change", ...}.
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const WELCOME_MS = 10_000;
const RATE_WAIT_MS = 1000;
/** Close codes after which to ask again is of no use. */
const TOO_MANY = 4009;
const REFUSALS = new Set([4003, TOO_MANY, 4010]);
const TOO_MANY_WAIT_MS = 60_000;
const NOT_AUTHENTICATED = 4001;

export class Stream {
  #url;
  #credentials;
  #tell;
  #channels = new Map(); // by name: {listener, seq, stream, asked}
  #questions = new Map(); // by id: the names that were asked for
  #socket = null;
  #isReady = false;
  #id = null;
  #count = 0;
  #retry = 0;
  #silence = 0;
  #silenceMs = 0;
  #failures = 0;

  /**
   * @param url where the server is, http or https.
   * @param credentials {shown(): text, renew(refused): Promise}: keys.
   * @param tell called with what is new of the connection: {kind: "connecting" | "open" |
   *   "waiting" | "refused", why, retryAt, failures} or the server's {type: "status", ...}.
   */
  constructor(url, credentials, tell) {
    this.#url = url;
    this.#credentials = credentials;
    this.#tell = tell;
  }

  /** Call `listener` with what is told of a channel, which has one, until it is left. */
  join(channel, listener) {
    this.#channels.set(channel, { listener, seq: null, stream: null, asked: false });
    queueMicrotask(() => this.#ask());
  }

  leave(channel) {
    const known = this.#channels.get(channel);
    this.#channels.delete(channel);
    if (known?.asked && this.#isReady) this.#send({ action: "unsubscribe", channels: [channel] });
  }

  /** Connect, unless there is a connection. */
  connect() {
    clearTimeout(this.#retry);
    if (this.#socket) return;
    this.#tell({ kind: "connecting", failures: this.#failures });
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#silenceMs = WELCOME_MS;
    this.#heard();
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
  }

  #send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  #heard() {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#silence = setTimeout(() => {
      socket.close();
      // A peer that is gone does not answer that it closes.
      this.#lost(socket, 1006, "nothing was heard of it");
    }, this.#silenceMs);
  }

  #take(told) {
    this.#heard();
    const channel = this.#channels.get(told.channel);
    switch (told.type) {
      case "welcome": return this.#welcomed(told);
      case "authenticated": return this.#ready();
      case "status": return this.#tell(told);
      case "error": return this.#refused(told);
      case "subscribed": return this.#questions.delete(told.id);
      case "changes": return told.events.forEach((event) => this.#change(event));
      case "snapshot":
        if (channel) Object.assign(channel, { seq: told.seq, stream: this.#id });
    }
    channel?.listener(told);
  }

  #change(event) {
    const channel = this.#channels.get(event.channel);
    if (!channel) return;
    channel.seq = Math.max(channel.seq, event.seq);
    channel.listener({ type: "change", ...event });
  }

  #welcomed({ stream, authenticated, heartbeat_seconds: beatS }) {
    this.#id = stream;
    this.#silenceMs = (2 * beatS + 5) * 1000;
    this.#heard();
    const shown = this.#credentials.shown();
    if (authenticated) this.#ready();
    else if (shown) this.#send({ action: "auth", key: shown });
    else this.#renew();
  }

  #ready() {
    this.#isReady = true;
    this.#failures = 0;
    this.#tell({ kind: "open", failures: 0 });
    this.#ask();
  }

  /** Subscribe to what was not asked for yet on this connection. */
  #ask() {
    const names = [...this.#channels].filter(([, { asked }]) => !asked).map(([name]) => name);
    if (this.#isReady && names.length) this.#subscribe(names);
  }

  #subscribe(names) {
    const id = ++this.#count;
    this.#questions.set(id, names);
    for (const name of names) this.#channels.get(name).asked = true;
    this.#send({ action: "subscribe", channels: names, id, ...this.#resuming(names) });
  }

  /** Return where channels are to be taken up: those that one server process has told of. */
  #resuming(names) {
    const known = names.map((name) => [name, this.#channels.get(name)]).filter(([, { stream }]) => stream);
    if (known.length === 0) return {};
    const [[, { stream }]] = known;
    const alike = known.filter(([, channel]) => channel.stream === stream);
    return { resume_from: { stream, ...Object.fromEntries(alike.map(([name, { seq }]) => [name, seq])) } };
  }

  #refused(told) {
    const { code, id } = told;
    const names = (this.#questions.get(id) ?? []).filter((name) => this.#channels.has(name));
    this.#questions.delete(id);
    if (code === "not_authenticated") this.#renew();
    else if (code === "rate_limited") setTimeout(() => this.#askAgain(names), RATE_WAIT_MS);
    else if (code === "forbidden" || code === "no_feed") this.#end(sentence(told));
    // One bad channel refuses all: each is asked for alone.
    else if (names.length > 1) names.forEach((name) => this.#subscribe([name]));
    else names.forEach((name) => this.#channels.get(name).listener(told));
  }

  #askAgain(names) {
    for (const name of names) {
      const channel = this.#channels.get(name);
      if (channel) channel.asked = false;
    }
    this.#ask();
  }

  /** Get another key to show, then connect with it. */
  async #renew() {
    const refused = this.#credentials.shown();
    this.#drop();
    this.#tell({ kind: "waiting", why: "a key is asked for", failures: this.#failures });
    await this.#credentials.renew(refused).catch(() => {});
    this.connect();
  }

  #lost(socket, code, reason) {
    if (socket !== this.#socket) return;
    this.#drop();
    this.#failures += 1;
    if (REFUSALS.has(code)) this.#end(reason || `The server closed with ${code}.`);
    else if (code === NOT_AUTHENTICATED && this.#failures === 1) this.#renew();
    else this.#connectLater(reason);
    // Others may be closed meanwhile.
    if (code === TOO_MANY) this.#retry = setTimeout(() => this.connect(), TOO_MANY_WAIT_MS);
  }

  #connectLater(why) {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#failures - 1));
    const waitMs = longest * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => this.connect(), waitMs);
    this.#tell({ kind: "waiting", why, retryAt: Date.now() + waitMs, failures: this.#failures });
  }

  #end(why) {
    this.#drop();
    this.#tell({ kind: "refused", why, failures: this.#failures });
  }

  /** Forget the connection, and keep what its channels were at. */
  #drop() {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = null;
    this.#isReady = false;
    this.#questions.clear();
    for (const channel of this.#channels.values()) channel.asked = false;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }
}

const sentence = ({ message, hint }) => (hint ? `${message} Hint: ${hint}` : message);
