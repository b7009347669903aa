// The words on the screen, and what all views of one stepper share. Commands go out on the wire and come back as
// records; nothing is changed here but the cursor.

const WORDS = {
  step: "Step", stepHelp: "One tick of all nodes",
  agent: "Agent", agentHelp: "Run until the selected agent has acted once",
  micro: "Record", microHelp: "Show the next record; runs a tick when there is none",
  run: "Run", runHelp: "Run in the background", pause: "Pause", pauseHelp: "Pause after this tick",
  until: "Until…", untilHelp: "Run until something happens", stop: "Stop", stopHelp: "Stop the run, and a run until",
  inject: "Inject…", injectHelp: "Do something to the selected agent from outside",
  explain: "Why?", explainHelp: "Why does the selected agent not go on?",
  table: "Table", tableHelp: "The machine as a table",
  first: "To the first tick", back: "One tick back (Shift: 10)", forward: "One tick forward (Shift: 10)",
  last: "To the present", restart: "Restart here", restartHelp: "Make the world what it was at the cursor, and go on from there",
  speed: "Speed", fastest: "max", perSecond: "ticks/s", cursor: "Tick at the cursor",
  gone: "There is no kernel behind this picture: it can be looked through, not run.",
  busy: "The kernel is busy with a cell: the command waits for it.",
  old: (mine, yours) => `The page speaks version ${mine} of the stepper, the kernel ${yours}: reload the page, or update unaiverse-lab where the older one is.`,
  lost: "Something got lost on the way; asking for it again.",
}; // prettier-ignore

const KEYS = {
  step: "F10", agent: "F11", micro: ".", run: "F9", until: "u", stop: "Shift+F9", first: "Home", back: "ArrowLeft",
  forward: "ArrowRight", last: "End", restart: "r", inject: "i", explain: "?", table: "t",
}; // prettier-ignore

const PROTO = 1;
const SPEEDS = [0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 0];
const UNTIL = ["quiet", "error", "badge", "message"];
const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** What all views of one stepper share: the records, the cursor, and the way to the kernel. */
class Store {
  constructor(model) {
    this.model = model;
    this.name = Math.random().toString(36).slice(2);
    this.replay = new Replay();
    this.whys = new Map();
    this.pointed = null;
    this.cursor = { at: 0, tick: -1, follow: true };
    this.chosen = this.agent = null;
    this.state = null;
    this.tab = "now";
    this.views = new Set();
    this.ui = { folded: new Set(), whole: false, table: false, data: true, everybody: true, vain: true, role: "" };
    this.count = 0;
    this.pending = null;
    this.note = "";
    this.wire = null;
    this.online = false;
    this.heard = this.heard.bind(this);
    this.updated = this.updated.bind(this);
    model.on("msg:custom", this.heard);
    model.on("change:head", this.updated);
    model.on("change:machines", this.updated);
    model.on("change:breaks", this.updated);
    this.drawings = new Map();
    const tail = model.get("tail") ? JSON.parse(model.get("tail")) : null;
    if (tail?.batches) {
      this.replay.load(tail);
      for (const why of tail.whys ?? []) this.whys.set(`${why.node} ${why.tick}`, why);
      this.toEnd();
    }
    this.ready = this.connect();
  }

  /** The drawing of a machine. */
  drawing(digest) {
    if (digest == null) return null;
    if (!this.drawings.has(digest)) {
      const text = this.model.get("machines")?.[digest];
      if (!text) return null;
      this.drawings.set(digest, JSON.parse(text));
    }
    return this.drawings.get(digest);
  }

  get head() {
    return this.model.get("head") ?? {};
  }

  async connect() {
    try {
      this.wire = await this.model.widget_manager.get_model(this.model.get("wire").slice(10));
      this.wire.on("msg:custom", (message) => this.answered(message));
    } catch {
      this.wire = null;
    }
  }

  dispose() {
    this.model.off("msg:custom", this.heard);
    this.model.off("change:head", this.updated);
    this.model.off("change:machines", this.updated);
    this.model.off("change:breaks", this.updated);
    clearTimeout(this.timer);
  }

  async hello(view) {
    await this.ready;
    this.post({ kind: "hello", view, proto: PROTO });
    this.patience ??= setTimeout(
      () => this.online || this.say(this.head.run === "running" ? WORDS.busy : WORDS.gone),
      3000,
    );
  }

  post(message) {
    try {
      this.wire?.send(message);
    } catch {
      this.wire = null;
    }
  }

  // -------------------------------------------------------------- from the kernel

  answered(message) {
    if (message.kind !== "ack") return;
    this.online = true;
    if (message.proto !== undefined && message.proto !== PROTO) return this.say(WORDS.old(PROTO, message.proto));
    if ([WORDS.busy, WORDS.gone].includes(this.note)) this.note = "";
    if (this.pending && message.id === this.pending.id) this.pending.acked = true;
    this.changed();
  }

  heard(message) {
    if (message.k === "frames") this.frames(message);
    else if (message.k === "cursor") {
      this.pointed = message.tick;
      if (message.tick === null) this.toEnd();
      else this.moveTo(message.tick);
      this.changed();
    } else if (message.k === "why") {
      this.whys.set(`${message.d.node} ${message.tick}`, message.d);
      if (this.whys.size > 400) this.whys.delete(this.whys.keys().next().value);
      this.changed();
    }
  }

  frames(message) {
    const before = this.replay.to;
    const branch = this.replay.branch;
    if (!this.replay.take(message)) {
      if (this.asked !== this.replay.seq) {
        this.asked = this.replay.seq;
        this.say(WORDS.lost);
        this.post({ kind: "resync", seq: this.replay.seq });
      }
      return;
    }
    if (this.note === WORDS.lost) this.note = "";
    const since = message.d.ticks[0]?.[0] ?? 0;
    if (this.replay.branch !== branch) this.whys.clear();
    for (const key of this.whys.keys()) if (Number(key.slice(key.lastIndexOf(" ") + 1)) >= since) this.whys.delete(key);
    if (message.base) this.upto = message.upto;
    if (this.wanted !== undefined) {
      const tick = this.wanted;
      if (this.replay.to < this.upto) return;
      this.wanted = undefined;
      this.moveTo(tick, true);
    } else if (this.microStep && this.replay.to > before) {
      this.microStep = false;
      this.cursor = { at: before + 1, tick: this.replay.tickOf(before)?.[0] ?? -1, follow: false };
    } else if (this.cursor.follow) {
      this.toEnd();
    } else if (message.base) {
      this.cursor.at = clamp(this.cursor.at, this.replay.from, this.replay.to);
    }
    this.changed();
  }

  updated() {
    if (this.cursor.follow) this.cursor.tick = this.now;
    if (this.pending && (this.head.done ?? []).includes(this.pending.id)) {
      this.pending = null;
      this.say(this.head.refused ?? "");
    }
    const { hit } = this.head;
    if (hit && this.hit !== `${hit.name} ${hit.number}`) {
      this.hit = `${hit.name} ${hit.number}`;
      this.chosen = this.agent = hit.node;
      this.say(`Stopped by the breakpoint ${hit.name}, at tick ${hit.tick}, ${hit.node}.`);
    } else if (!hit) {
      this.hit = null;
    }
    if (this.head.error && this.head.error !== this.told) this.say((this.told = this.head.error));
    this.changed();
  }

  say(words) {
    this.note = words;
    this.changed();
  }

  changed() {
    for (const view of this.views) view.soon();
    this.point();
  }

  /** Let other views of the session look at the tick of the cursor. */
  point() {
    const tick = this.isPast && !this.runs ? this.cursor.tick : null;
    if (tick === this.pointed || !this.online) return;
    clearTimeout(this.pointing);
    this.pointing = setTimeout(() => {
      if (tick !== this.pointed) this.post({ kind: "cursor", tick: (this.pointed = tick) });
    }, 150);
  }

  /** A notebook that draws an output anew does not say that the view before is gone: of these, few are kept. */
  prune() {
    const gone = [...this.views].filter((view) => view.wasShown && !view.root.isConnected);
    for (const view of gone.slice(0, -4)) view.dispose();
  }

  // -------------------------------------------------------------- the cursor

  /** The tick of the present. */
  get now() {
    return this.head.tick ?? this.replay.ticks[this.replay.ticks.length - 1]?.[0] ?? -1;
  }

  get isPast() {
    return this.cursor.tick < this.now || this.cursor.at < this.replay.to;
  }

  toEnd() {
    this.cursor = { at: this.replay.to, tick: this.now, follow: true };
  }

  moveTo(tick, isHere = false) {
    tick = clamp(tick, -1, this.now);
    const first = this.replay.from > 0 ? (this.replay.ticks[0]?.[0] ?? 0) : -1;
    const end = this.replay.ticks[this.replay.ticks.length - 1]?.[0] ?? -1;
    const isShort = this.replay.to < (this.head.records ?? 0) && this.head.run !== "running";
    if ((tick < first || (tick > end && isShort)) && this.online && !isHere) {
      this.wanted = tick;
      this.post({ kind: "around", tick });
      return;
    }
    tick = Math.max(tick, first);
    this.cursor = { at: this.replay.endOf(tick), tick, follow: tick >= this.now };
    this.changed();
  }

  toRecord(number) {
    this.cursor = { at: number + 1, tick: this.replay.tickOf(number)[0], follow: false };
    this.changed();
  }

  micro() {
    if (this.cursor.at < this.replay.to) return this.toRecord(this.cursor.at);
    this.microStep = true;
    this.command("step");
  }

  // -------------------------------------------------------------- to the kernel

  get runs() {
    return this.head.run === "running";
  }

  command(op, args = {}) {
    if (this.pending && op !== "pause" && op !== "set_speed") return;
    const id = `${this.name}-${(this.count += 1)}`;
    if (op !== "pause" && op !== "set_speed") this.pending = { id, op, acked: false };
    this.note = "";
    if (!this.cursor.follow && !this.microStep && ["step", "step_agent", "start"].includes(op)) this.toEnd();
    this.post({ kind: "do", id, op, args });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.pending?.id === id && !this.pending.acked) this.say(this.online ? WORDS.busy : WORDS.gone);
    }, 2000);
    this.changed();
  }

  /** Ask why, when things have come to rest. */
  wonder() {
    const key = `${this.agent} ${this.cursor.tick}`;
    if (
      !this.online ||
      this.runs ||
      this.pending ||
      !this.agent ||
      this.whys.has(key) ||
      this.wondered === key + this.replay.to
    )
      return;
    clearTimeout(this.wondering);
    this.wondering = setTimeout(() => {
      this.wondered = key + this.replay.to;
      this.post({ kind: "why", node: this.agent, tick: this.cursor.tick });
    }, 120);
  }

  get why() {
    if (this.cursor.at !== this.replay.endOf(this.cursor.tick)) return null;
    return this.whys.get(`${this.agent} ${this.cursor.tick}`) ?? null;
  }
}
