// The stepper: what is on the screen, and what a person does there. Commands go out on the wire and come back as
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
    this.patience ??= setTimeout(() => this.online || this.say(this.head.run === "running" ? WORDS.busy : WORDS.gone), 3000);
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
    if (!this.online || this.runs || this.pending || !this.agent || this.whys.has(key) || this.wondered === key + this.replay.to) return;
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

/** One picture of a stepper. */
class View {
  constructor(store, el) {
    this.store = store;
    this.id = Math.random().toString(36).slice(2);
    this.graph = new Graph((state) => this.choose(state));
    this.timeline = new Timeline((tick) => store.moveTo(tick));
    this.buttons = {};
    this.spoken = 0;
    this.ui = store.ui;
    el.append((this.root = this.build()));
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(this.root);
    store.views.add(this);
    store.hello(this.id);
    store.prune();
    this.soon();
  }

  resized() {
    this.wasShown = true;
    this.graph.fit(this.ui.whole);
    this.soon();
  }

  dispose() {
    this.observer.disconnect();
    this.store.views.delete(this);
    this.store.post({ kind: "bye", view: this.id });
  }

  /** Show soon how things are; a view that is out of sight waits until it is laid out again. */
  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.root.isConnected) this.show();
    });
  }

  // -------------------------------------------------------------- building

  button(name, action, label = true) {
    const words = WORDS[name];
    const help = WORDS[`${name}Help`] ?? words;
    const key = KEYS[name];
    const press = (event) => this.buttons[name].getAttribute("aria-disabled") === "true" || action(event);
    return (this.buttons[name] = h(
      "button",
      { type: "button", class: "ul-button", title: `${help}${key ? ` (${key.replace("Arrow", "")})` : ""}`, "aria-label": label ? `${words.replace("…", "")}: ${help}` : words, "aria-keyshortcuts": key === "?" || key === "." ? null : key, onclick: press },
      icon(name),
      label && h("span", {}, words),
    ));
  }

  panel(name, title, ...children) {
    const { folded } = this.ui;
    const inside = h("div", { class: "ul-inside", hidden: folded.has(name) }, ...children);
    const turn = () => {
      if (!folded.delete(name)) folded.add(name);
      inside.hidden = folded.has(name);
      fold.setAttribute("aria-expanded", String(!inside.hidden));
      this.soon();
    };
    const fold = h("button", { type: "button", class: "ul-fold", "aria-expanded": String(!folded.has(name)), onclick: turn }, icon("fold"), h("span", {}, title));
    const extra = h("span", { class: "ul-extra" });
    const panel = h("section", { class: `ul-panel ul-${name}`, "aria-label": title, tabindex: -1 }, h("header", {}, fold, extra), inside);
    return Object.assign(panel, { inside, extra, fold });
  }

  build() {
    const { store } = this;
    const options = store.model.get("options") ?? {};
    this.speed = h("select", { "aria-label": `${WORDS.speed}, ${WORDS.perSecond}`, title: `${WORDS.speed} (- +)`, onchange: () => store.command("set_speed", { speed: Number(this.speed.value) }) });
    for (const speed of SPEEDS) this.speed.append(h("option", { value: speed }, speed ? `${speed}/s` : WORDS.fastest));
    this.status = h("span", { class: "ul-status" });
    const gap = () => h("span", { class: "ul-gap", "aria-hidden": "true" });
    this.tools = h("div", { class: "ul-bar", role: "toolbar", "aria-label": "Run the world" },
      this.button("step", () => store.command("step")), this.button("agent", () => this.stepAgent()), this.button("micro", () => store.micro()), gap(),
      this.button("run", () => this.toggle()), this.button("until", () => this.open("until")), this.button("stop", () => store.command("pause")), this.speed, gap(),
      this.button("inject", () => this.open("inject")), this.button("explain", () => this.explain()), this.button("table", () => this.toggleTable()));
    this.slider = h("input", { type: "range", min: -1, max: 0, value: -1, step: 1, "aria-label": WORDS.cursor, oninput: () => store.moveTo(Number(this.slider.value)) });
    this.branches = h("select", { "aria-label": "Branch", title: "Futures that were given up", hidden: true, onchange: () => store.command("switch", { branch: this.branches.value }) });
    this.seek = h("div", { class: "ul-bar ul-seek", role: "toolbar", "aria-label": "Look back and forth" },
      this.button("first", () => store.moveTo(-1), false), this.button("back", (event) => this.move(event.shiftKey ? -10 : -1), false), this.slider,
      this.button("forward", (event) => this.move(event.shiftKey ? 10 : 1), false), this.button("last", () => this.present(), false), this.button("restart", () => this.open("restart")), this.branches, this.status);
    this.drawer = h("div", { class: "ul-drawer", hidden: true, role: "group" });
    this.note = h("p", { class: "ul-note", role: "status", hidden: true });
    this.roster = this.panel("roster", "Agents");
    this.people = new Map();
    this.list = h("ul", { class: "ul-people" });
    this.search = h("input", { type: "search", placeholder: "find", "aria-label": "Find an agent", hidden: true, oninput: () => this.soon() });
    this.roster.inside.append(this.search, this.list);
    const zoom = (name, words, action) => h("button", { type: "button", class: "ul-small", title: words, "aria-label": words, onclick: action }, icon(name));
    this.tableBox = h("div", { class: "ul-table-box", hidden: true });
    this.line = h("p", { class: "ul-why" });
    this.machine = this.panel("machine", "Machine", this.graph.element, this.tableBox, this.line);
    this.zooms = h("span", { class: "ul-zooms" }, zoom("minus", "Zoom out", () => this.graph.zoom(0.8)), zoom("plus", "Zoom in", () => this.graph.zoom(1.25)), zoom("fit", "Show all", () => this.refit()));
    this.where = h("span", { class: "ul-where" });
    this.machine.extra.append(this.where, this.zooms);
    this.pages = h("div", { class: "ul-page", role: "tabpanel", tabindex: 0 });
    this.tabs = h("div", { class: "ul-tabs", role: "tablist", "aria-label": "Inspector" });
    for (const [name, words] of [["now", "Now"], ["why", "Why"], ["said", "Messages"], ["records", "Records"]]) {
      this.tabs.append(h("button", { type: "button", role: "tab", "data-tab": name, onclick: () => this.turn(name), onkeydown: (event) => this.nextTab(event) }, words));
    }
    this.inspector = this.panel("inspector", "Inspector", this.tabs, this.pages);
    this.samples = h("input", { type: "checkbox", onchange: () => this.set("data", this.samples.checked) });
    this.roles = h("select", { "aria-label": "Show only a role", hidden: true, onchange: () => this.set("role", this.roles.value) });
    this.times = this.panel("timeline", "Timeline", this.timeline.element);
    this.times.extra.append(this.roles, h("label", {}, this.samples, "data"));
    const shown = { roster: this.roster, graph: this.machine, inspect: this.inspector, timeline: this.times };
    const panels = options.panels ?? Object.keys(shown);
    this.panels = Object.entries(shown).filter(([name]) => panels.includes(name)).map(([, panel]) => panel);
    this.body = h("div", { class: "ul-body" }, ...this.panels);
    this.body.dataset.panels = panels.join(" ");
    this.live = h("p", { class: "ul-live", "aria-live": "polite" });
    const root = h("div", { class: "ul-root", role: "region", "aria-label": `Stepper of ${store.model.get("world") || "a world"}`, tabindex: -1, "data-lm-suppress-shortcuts": "true" }, this.tools, this.seek, this.drawer, this.note, this.body, this.live);
    if (options.height) root.style.setProperty("--ul-height", `${options.height}px`);
    root.addEventListener("keydown", (event) => this.key(event));
    return root;
  }

  // -------------------------------------------------------------- doing

  stepAgent() {
    if (this.store.agent) this.store.command("step_agent", { name: this.store.agent });
  }

  toggle() {
    if (this.store.runs) this.store.command("pause");
    else this.store.command("start", { speed: Number(this.speed.value) });
  }

  move(ticks) {
    this.store.moveTo(this.store.cursor.tick + ticks);
  }

  present() {
    if (this.store.replay.to < (this.store.head.records ?? 0)) this.store.moveTo(this.store.now);
    else this.store.toEnd();
    this.soon();
  }

  explain() {
    this.turn("why");
    this.pages.focus();
  }

  set(name, value) {
    this.ui[name] = value;
    this.store.changed();
  }

  refit() {
    this.ui.whole = !this.ui.whole;
    this.graph.fit(this.ui.whole);
    this.soon();
  }

  toggleTable() {
    this.ui.table = !this.ui.table;
    this.store.changed();
  }

  turn(tab) {
    this.store.tab = tab;
    this.soon();
  }

  nextTab(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.stopPropagation();
    const tabs = [...this.tabs.children];
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  }

  select(name) {
    this.store.chosen = this.store.agent = name;
    this.store.state = null;
    this.store.changed();
  }

  choose(state) {
    this.store.state = this.store.state === state ? null : state;
    this.turn("now");
    this.store.changed();
  }

  key(event) {
    const target = event.target;
    if (event.key === "Escape") {
      if (!this.drawer.hidden) {
        this.close();
        event.stopPropagation();
      } else {
        const cell = this.root.closest(".jp-Cell") ?? this.root.closest(".jp-Notebook");
        cell?.focus();
        if (this.root.contains(document.activeElement)) document.activeElement.blur();
      }
      return;
    }
    event.stopPropagation();
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const isField = target.matches("input, select, textarea");
    const isButton = target.matches("button, [role=button], [role=tab]");
    if (isField && !/^F\d/.test(event.key)) return;
    if (isButton && (event.key === "Enter" || event.key === " ")) return;
    const name = event.shiftKey && (event.key.startsWith("F") || event.key.startsWith("Arrow")) ? `Shift+${event.key}` : event.key;
    const action = this.actions[name];
    if (!action) return;
    event.preventDefault();
    action();
  }

  get actions() {
    const press = (name) => () => this.buttons[name].click();
    return {
      F10: press("step"), s: press("step"), F11: press("agent"), a: press("agent"), ".": press("micro"), F9: press("run"), " ": press("run"),
      u: press("until"), "Shift+F9": press("stop"), ArrowLeft: () => this.move(-1), ArrowRight: () => this.move(1),
      "Shift+ArrowLeft": () => this.move(-10), "Shift+ArrowRight": () => this.move(10), Home: press("first"), End: press("last"),
      r: press("restart"), i: press("inject"), "?": press("explain"), t: press("table"), n: () => this.nextAgent(), F6: () => this.nextPanel(),
      "+": () => this.faster(1), "=": () => this.faster(1), "-": () => this.faster(-1),
    }; // prettier-ignore
  }

  faster(by) {
    this.speed.selectedIndex = clamp(this.speed.selectedIndex + by, 0, SPEEDS.length - 1);
    this.store.command("set_speed", { speed: Number(this.speed.value) });
  }

  nextAgent() {
    const names = this.names();
    if (names.length) this.select(names[(names.indexOf(this.store.agent) + 1) % names.length]);
  }

  nextPanel() {
    const stops = [this.tools.querySelector("button"), ...this.panels];
    const now = stops.findIndex((one) => one === document.activeElement || (one !== stops[0] && one.contains(document.activeElement)));
    stops[(now + 1) % stops.length].focus();
  }

  // -------------------------------------------------------------- the drawer

  open(kind) {
    if (!this.drawer.hidden && this.drawer.dataset.kind === kind) return this.close();
    this.drawer.dataset.kind = kind;
    this.drawer.replaceChildren(this[`${kind}Form`]());
    this.drawer.hidden = false;
    this.drawer.setAttribute("aria-label", WORDS[kind].replace("…", ""));
    this.drawer.querySelector("input, select, button")?.focus();
  }

  close() {
    const kind = this.drawer.dataset.kind;
    this.drawer.hidden = true;
    this.buttons[kind]?.focus();
  }

  form(words, fields, label, submit) {
    return h("form", { onsubmit: (event) => { event.preventDefault(); submit(); this.close(); } }, h("span", {}, words), ...fields,
      h("button", { type: "submit", class: "ul-button ul-main" }, label), h("button", { type: "button", class: "ul-button", onclick: () => this.close() }, "Cancel"));
  }

  untilForm() {
    const list = `ul-list-${this.id}`;
    const states = new Set();
    for (const role of Object.keys(this.fold().offered)) {
      for (const state of this.drawingOf(role)?.states ?? []) states.add(`${role}:${state.name}`);
    }
    const field = h("input", { type: "text", list, required: true, "aria-label": "Condition", placeholder: "a state, ROLE:STATE, action() failed, stat >= 0.9, quiet, …", class: "ul-wide" });
    const choices = h("datalist", { id: list }, ...[...states, ...UNTIL].map((value) => h("option", { value })));
    return this.form("Run until", [field, choices], "Run", () => this.store.command("start", { until: field.value.trim(), speed: Number(this.speed.value) }));
  }

  restartForm() {
    const tick = this.store.cursor.tick;
    return this.form(`Make the world what it was at the end of tick ${tick}? What came later stays as a branch of its own.`, [], "Restart here", () => {
      this.store.toEnd();
      this.store.command("restart", { tick });
    });
  }

  injectForm() {
    const name = this.store.agent;
    const fold = this.fold();
    const drawing = this.drawing();
    const calls = new Map();
    for (const edge of drawing?.edges ?? []) for (const label of edge.labels) calls.set(label.text.replace(/^\d+\. /, "").split("(")[0], label.asked);
    const kind = h("select", { "aria-label": "What" }, h("option", { value: "say" }, "a line typed by its person"), ...[...calls.keys()].map((action) => h("option", { value: action }, `request: ${action}`)));
    const value = h("input", { type: "text", class: "ul-wide", "aria-label": "Line, or arguments as JSON", placeholder: "a line" });
    kind.addEventListener("change", () => (value.placeholder = kind.value === "say" ? "a line" : '{"argument": "value"} or nothing'));
    return this.form(`Give ${name ?? "nobody"}`, [kind, value], "Inject", () => {
      if (kind.value === "say") return this.store.command("say", { name, text: value.value });
      let args = {};
      try {
        args = value.value.trim() ? JSON.parse(value.value) : {};
      } catch {
        return this.store.say('Arguments are written as JSON: {"argument": "value"}.');
      }
      this.store.command("inject", { name, action: kind.value, args });
    });
  }

  // -------------------------------------------------------------- showing

  fold() {
    return this.store.replay.fold(this.store.cursor.at);
  }

  names() {
    const fold = this.fold();
    const names = [...fold.nodes.keys()].filter((name) => name !== fold.world || fold.nodes.get(name).state);
    return names.length > 12 ? names.sort((one, other) => (fold.nodes.get(one).role ?? "~").localeCompare(fold.nodes.get(other).role ?? "~")) : names;
  }

  drawingOf(role) {
    return this.store.drawing(this.fold().offered[role]);
  }

  drawing() {
    return this.store.drawing(this.fold().machineOf(this.store.agent));
  }

  show() {
    const { store } = this;
    const fold = this.fold();
    const names = this.names();
    const wanted = store.chosen ?? store.model.get("agent");
    if (fold.nodes.has(wanted)) store.agent = wanted;
    else if (!fold.nodes.has(store.agent)) store.agent = names.find((name) => fold.nodes.get(name).state) ?? names[0] ?? null;
    const node = fold.nodes.get(store.agent);
    const records = store.replay.recordsOf(store.cursor.tick, store.cursor.at);
    const why = store.why;
    const verdicts = verdictsOf(records, store.agent, why);
    store.wonder();
    this.showTools();
    this.showRoster(fold, names);
    this.showMachine(fold, node, verdicts, why, records);
    this.showInspector(fold, node, verdicts, why);
    if (!this.times.inside.hidden && this.panels.includes(this.times)) this.showTimeline(fold, names);
    this.note.hidden = !store.note;
    if (this.note.textContent !== store.note) this.note.textContent = store.note;
    this.speak(node, records);
  }

  showTools() {
    const { store, buttons } = this;
    const { head } = store;
    const off = !store.online || Boolean(store.pending);
    const able = (name, can) => buttons[name].setAttribute("aria-disabled", String(!can));
    for (const name of ["step", "agent"]) able(name, !off && !store.runs);
    able("micro", (!off && !store.runs) || store.cursor.at < store.replay.to);
    able("run", store.online && (store.runs || !store.pending));
    able("until", !off && !store.runs);
    able("stop", store.online && (store.runs || Boolean(store.pending)));
    able("inject", !off && Boolean(store.agent));
    able("restart", !off && !store.runs && store.isPast && head.can_restart !== false);
    able("first", store.cursor.tick > -1);
    able("back", store.cursor.tick > -1);
    able("forward", store.isPast);
    able("last", store.isPast);
    const runs = store.runs ? "pause" : "run";
    if (buttons.run.dataset.is !== runs) {
      buttons.run.dataset.is = runs;
      buttons.run.replaceChildren(icon(runs), h("span", {}, WORDS[runs]));
      buttons.run.setAttribute("aria-label", `${WORDS[runs]}: ${WORDS[`${runs}Help`]}`);
      buttons.run.title = `${WORDS[`${runs}Help`]} (F9)`;
    }
    const speed = SPEEDS.indexOf(head.speed ?? 0);
    if (speed >= 0 && document.activeElement !== this.speed && !store.pending) this.speed.selectedIndex = speed;
    this.slider.max = Math.max(store.now, 0);
    if (Number(this.slider.value) !== store.cursor.tick) this.slider.value = store.cursor.tick;
    this.showBranches(head);
    const seconds = store.cursor.tick < 0 ? null : store.replay.secondsOf(store.cursor.tick);
    const at = store.cursor.tick < 0 ? "before the first tick" : `tick ${store.cursor.tick}${seconds === null ? "" : ` · ${Number(seconds.toFixed(3))} s`}`;
    this.slider.setAttribute("aria-valuetext", at);
    const part = store.cursor.at < store.replay.endOf(store.cursor.tick) ? `, record ${store.cursor.at - (store.replay.tickOf(store.cursor.at - 1)?.[2] ?? 0)}` : "";
    const mode = store.runs ? "running" : store.isPast ? `looking back; the world is at tick ${store.now}` : store.pending ? "working…" : store.online ? (head.word ?? "paused") : "replay";
    this.status.textContent = `${at}${part} · ${mode}`;
    Object.assign(this.root.dataset, { from: store.replay.from, to: store.replay.to, seq: store.replay.seq });
    this.root.classList.toggle("ul-past", store.isPast && !store.runs);
    this.root.classList.toggle("ul-runs", store.runs);
  }

  showBranches(head) {
    const others = head.branches ?? [];
    const mark = JSON.stringify([head.branch, others]);
    this.branches.hidden = !others.length;
    this.branches.disabled = !this.store.online || Boolean(this.store.pending);
    if (this.branches.dataset.of === mark) return;
    this.branches.dataset.of = mark;
    const mine = h("option", { value: head.branch ?? "", selected: true }, `branch ${head.branch}`);
    const rest = others.map(([name, tick, last]) => h("option", { value: name }, `${name}: ticks ${tick + 1} to ${last}`));
    this.branches.replaceChildren(mine, ...rest);
  }

  showRoster(fold, names) {
    this.search.hidden = names.length <= 30;
    const wanted = this.search.value.trim().toLowerCase();
    const shown = names.filter((name) => !wanted || name.toLowerCase().includes(wanted)).slice(0, 200);
    for (const [name, item] of this.people) {
      if (!shown.includes(name)) {
        item.remove();
        this.people.delete(name);
      }
    }
    shown.forEach((name, index) => {
      let item = this.people.get(name);
      if (!item) {
        const parts = { name: h("b", {}, name), role: h("i", {}), state: h("span", { class: "ul-chip" }), marks: h("span", { class: "ul-marks" }) };
        const button = h("button", { type: "button", onclick: () => this.select(name) }, h("span", {}, parts.name, parts.marks), h("span", {}, parts.state, parts.role));
        item = Object.assign(h("li", {}, button), { button, parts });
        this.people.set(name, item);
      }
      if (this.list.children[index] !== item) this.list.insertBefore(item, this.list.children[index] ?? null);
      const node = fold.nodes.get(name);
      const waits = Object.keys(node.queue ?? {}).length;
      const { parts, button } = item;
      const state = node.state ?? (node.stage === "left" ? "has left" : (node.stage ?? "outside"));
      parts.state.textContent = state;
      parts.state.className = `ul-chip ${node.state ? `ul-tint-${this.timeline.tint(node.state)}` : "ul-none"}`;
      parts.role.textContent = node.role ?? "";
      const marks = [node.pending && "…", node.off && "off", waits && `${waits} waiting`, node.errors && `${node.errors} !`].filter(Boolean);
      parts.marks.textContent = marks.join(" · ");
      parts.marks.classList.toggle("ul-alert", Boolean(node.errors || node.off));
      button.setAttribute("aria-pressed", String(name === this.store.agent));
      const facts = [name, node.role, state, node.pending && `in the middle of ${node.pending[1]}`, node.off && "switched off", waits && `${waits} requests waiting`, node.errors && `${node.errors} errors`];
      button.setAttribute("aria-label", facts.filter(Boolean).join(", "));
    });
  }

  showMachine(fold, node, verdicts, why, records) {
    const { store } = this;
    const digest = fold.machineOf(store.agent);
    const drawing = store.drawing(digest);
    this.where.textContent = store.agent ? `${store.agent}${node?.role ? ` · ${node.role}` : ""}` : "";
    this.graph.draw(drawing ? digest : null, drawing);
    const breaks = this.breaksOf(store.agent, node);
    this.graph.show(store.agent, node, verdicts, breaks, store.state);
    this.machine.classList.toggle("ul-empty", !drawing);
    const { table } = this.ui;
    this.tableBox.hidden = !table;
    this.graph.element.hidden = this.zooms.hidden = table;
    this.buttons.table.setAttribute("aria-pressed", String(table));
    if (table) this.showTable(drawing, node, verdicts, breaks);
    const last = records.filter((row) => row.n === store.agent).pop();
    const line = store.runs ? (last?.x ?? "") : (why?.headline ?? last?.x ?? (drawing ? "" : "This node has no machine at this tick."));
    if (this.line.textContent !== line) this.line.textContent = line;
    this.line.title = why ? "Why? shows all of it" : "";
  }

  breaksOf(name, node) {
    const found = new Map();
    for (const one of this.store.model.get("breaks") ?? []) {
      if (!one.enabled) continue;
      const [whose, ...rest] = one.what.split(":");
      const state = rest.length ? rest.join(":").trim() : whose;
      if (!rest.length || whose === name || whose === node?.role) found.set(state, one);
    }
    return found;
  }

  showTable(drawing, node, verdicts, breaks) {
    const rows = [];
    for (const state of drawing?.states ?? []) {
      const facts = [node?.state === state.name && (node.pending ? "in the middle of an action" : "now here"), state.name === drawing.initial && "initial", !state.blocking && "not blocking", state.does && `does ${state.does}`, node?.visits?.[state.name] && `entered ${node.visits[state.name]} times`, breaks.has(state.name) && "breakpoint"];
      const name = h("button", { type: "button", class: "ul-link", onclick: () => this.choose(state.name) }, state.name);
      rows.push(h("tr", { class: `ul-of-state${node?.state === state.name ? " ul-here" : ""}` }, h("th", { scope: "row", colspan: 2 }, name), h("td", {}, facts.filter(Boolean).join(", "))));
      const leaving = (drawing?.edges ?? []).filter((edge) => edge.from === state.name).flatMap((edge) => edge.labels.map((label) => [label, edge.to]));
      for (const [label, to] of leaving.sort(([one], [other]) => one.edge - other.edge)) {
        const verdict = verdicts.get(`${state.name} ${label.edge}`);
        rows.push(h("tr", {}, h("td", {}, label.text), h("td", {}, `→ ${to}`), h("td", {}, verdict ? [signed(verdict.kind), ` ${SIGNS[verdict.kind][0]}: ${verdict.words}`] : label.asked ? "on request only" : "")));
      }
    }
    const head = h("tr", {}, ...["state, transition", "leads to", "what became of it"].map((words) => h("th", { scope: "col" }, words)));
    this.tableBox.replaceChildren(h("table", {}, h("caption", {}, `The machine of ${this.store.agent}, in evaluation order`), h("thead", {}, head), h("tbody", {}, ...rows)));
  }

  showTimeline(fold, names) {
    const { store } = this;
    const lanes = new Set([...store.replay.scenes.lanes.keys()]);
    const all = [...names.filter((name) => lanes.has(name)), ...[...lanes].filter((name) => !names.includes(name) && name !== fold.world)];
    if (lanes.has(fold.world)) all.push(fold.world);
    const roles = [...new Set([...fold.nodes.values()].map((node) => node.role).filter(Boolean))];
    this.roles.hidden = all.length <= 12 || roles.length < 2;
    const mark = roles.join("\n");
    if (this.roles.dataset.of !== mark) {
      this.roles.dataset.of = mark;
      this.roles.replaceChildren(h("option", { value: "" }, "all roles"), ...roles.map((role) => h("option", { value: role }, role)));
    }
    const role = this.roles.hidden || !roles.includes(this.ui.role) ? "" : this.ui.role;
    this.roles.value = role;
    this.samples.checked = this.timeline.data = this.ui.data;
    const shown = all.filter((name) => !role || fold.nodes.get(name)?.role === role).slice(0, 60);
    this.timeline.show(store.replay.scenes, store.cursor.tick, shown, store.agent, store.cursor.follow);
  }

  // -------------------------------------------------------------- the inspector

  showInspector(fold, node, verdicts, why) {
    const { store } = this;
    for (const tab of this.tabs.children) {
      const on = tab.dataset.tab === store.tab;
      tab.setAttribute("aria-selected", String(on));
      tab.setAttribute("tabindex", on ? 0 : -1);
      if (on) this.pages.setAttribute("aria-label", tab.textContent);
    }
    if (this.inspector.inside.hidden) return;
    const held = this.pages.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const top = this.pages.dataset.tab === store.tab ? this.pages.scrollTop : 0;
    this.pages.dataset.tab = store.tab;
    this.pages.replaceChildren(...this[`${store.tab}Page`](fold, node, verdicts, why).filter(Boolean));
    this.pages.scrollTop = top;
    if (held !== null) ([...this.pages.querySelectorAll("[data-key]")].find((one) => one.dataset.key === held) ?? this.pages).focus();
  }

  facts(pairs) {
    const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "");
    return h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  nowPage(fold, node, verdicts) {
    if (!node) return [h("p", {}, "Nobody is here so far.")];
    const { store } = this;
    const seconds = node.since === undefined ? null : store.replay.secondsOf(node.since);
    const since = node.since === undefined ? null : `tick ${node.since}${seconds === null ? "" : ` (${Number(seconds.toFixed(3))} s)`}`;
    const page = [this.facts([["role", node.role], ["state", node.state ?? node.stage ?? "none"], ["since", node.state ? since : null], ["in progress", node.pending?.[1]], ["machine", node.off ? "switched off" : null], ["errors", node.errors]])];
    page.push(this.statePart(node, verdicts));
    page.push(...this.asks("Requests to serve", node.queue, ([action, who, tick, state]) => `${action}, asked by ${who} at tick ${tick}${state ? `, in ${state}` : ""}`));
    page.push(...this.asks("Asked of others, open", node.sent, ([action, targets, tick]) => `${action}, of ${clip(targets.join(", "), 60)} at tick ${tick}`));
    const breaks = store.model.get("breaks") ?? [];
    if (breaks.length) {
      const items = breaks.map((one) => h("li", {}, `${one.name} `, h("button", { type: "button", class: "ul-link", "data-key": `off ${one.name}`, "aria-label": `Remove the breakpoint ${one.name}`, onclick: () => store.command("unbreak", { name: one.name }) }, "remove")));
      page.push(h("h4", {}, "Breakpoints"), h("ul", { class: "ul-plain" }, ...items));
    }
    const last = store.replay.rows.slice(0, store.cursor.at - store.replay.from);
    const mine = [];
    for (let i = last.length - 1; i >= 0 && i > last.length - 3000 && mine.length < 6; i--) if (last[i].n === store.agent && last[i].k !== "attempt" && last[i].k !== "in-state") mine.push(store.replay.from + i);
    if (mine.length) page.push(h("h4", {}, "Last"), this.records(mine.reverse(), true));
    return page;
  }

  asks(title, asks, words) {
    const all = Object.values(asks ?? {});
    if (!all.length) return [];
    const more = all.length > 20 ? [h("li", {}, `and ${all.length - 20} more`)] : [];
    return [h("h4", {}, `${title} (${all.length})`), h("ul", { class: "ul-plain" }, ...all.slice(0, 20).map((one) => h("li", {}, words(one))), ...more)];
  }

  statePart(node, verdicts) {
    const { store } = this;
    const drawing = this.drawing();
    const state = drawing?.states.find((one) => one.name === store.state);
    if (!state) return null;
    const stop = this.breaksOf(store.agent, node).get(state.name);
    const leaving = drawing.edges.filter((edge) => edge.from === state.name).flatMap((edge) => edge.labels.map((label) => [label, edge.to])).sort(([one], [other]) => one.edge - other.edge);
    const items = leaving.map(([label, to]) => {
      const verdict = verdicts.get(`${state.name} ${label.edge}`);
      return h("li", { title: verdict?.words }, verdict && signed(verdict.kind), ` ${label.text} → ${to}${label.asked ? " (on request)" : ""}`);
    });
    const set = () => (stop ? store.command("unbreak", { name: stop.name }) : store.command("break_on", { what: `${node.role ?? store.agent}:${state.name}` }));
    const facts = [state.name === drawing.initial && "initial", state.blocking ? "blocking" : "not blocking", state.does && `does ${state.does}`, `entered ${node.visits?.[state.name] ?? 0} times`];
    const button = h("button", { type: "button", class: "ul-button", "data-key": "stop", "aria-pressed": String(Boolean(stop)), "aria-disabled": String(!store.online), onclick: () => store.online && set() }, h("span", { class: "ul-dot", "aria-hidden": "true" }), stop ? "Do not stop here" : "Stop here");
    return h("div", { class: "ul-card" }, h("h4", {}, `State ${state.name}`, " ", button), h("p", {}, facts.filter(Boolean).join(", ")), h("ul", { class: "ul-plain" }, ...items));
  }

  whyPage(fold, node, verdicts, why) {
    const { store } = this;
    if (store.runs) return [h("p", {}, "While the world runs there is no answer: pause it.")];
    if (!why) return [h("p", {}, store.online ? "…" : "The answer for this tick was not saved.")];
    const page = [h("p", { class: "ul-headline" }, why.headline), ...(why.notes ?? []).map((note) => h("p", {}, note))];
    if (why.verdicts?.length) {
      const rows = why.verdicts.map((one) => h("tr", {}, h("td", {}, CODES[one.code] ? signed(CODES[one.code]) : null), h("td", {}, `${one.edge + 1}. ${one.action} → ${one.target}`), h("td", {}, h("code", {}, one.code), ` ${one.sentence}`)));
      page.push(h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), h("th", { scope: "col" }, "transition"), h("th", { scope: "col" }, "what it waits for"))), h("tbody", {}, ...rows)));
    }
    if (why.chain?.length) {
      page.push(h("h4", {}, "Who waits for whom"), h("ul", { class: "ul-plain" }, ...why.chain.map((link) => h("li", { style: `margin-left:${(link.depth ?? 0) + 0}em` }, link.sentence))));
    }
    for (const circle of why.circles ?? []) page.push(h("p", { class: "ul-alert" }, `Circular wait: ${[...circle, circle[0]].join(" → ")}`));
    if (why.hints?.length) page.push(h("h4", {}, "What would let it go on"), h("ul", {}, ...why.hints.map((hint) => h("li", {}, hint))));
    return page;
  }

  saidPage() {
    return this.latest((row) => row.n === this.store.agent && ["message", "inject", "push", "error"].includes(row.k), 80, "No messages so far.");
  }

  recordsPage() {
    const all = h("input", { type: "checkbox", "data-key": "all", onchange: () => this.set("everybody", all.checked) });
    const vain = h("input", { type: "checkbox", "data-key": "vain", onchange: () => this.set("vain", vain.checked) });
    all.checked = this.ui.everybody;
    vain.checked = this.ui.vain;
    const test = (row) => (all.checked || row.n === this.store.agent) && (vain.checked || (row.k !== "attempt" && row.k !== "in-state"));
    return [h("p", { class: "ul-filters" }, h("label", {}, all, "all agents"), h("label", {}, vain, "attempts")), ...this.latest(test, 120, "No records so far.")];
  }

  latest(test, most, nothing) {
    const { replay, cursor } = this.store;
    const found = [];
    for (let number = cursor.at - 1; number >= replay.from && found.length < most; number--) if (test(replay.row(number))) found.push(number);
    return [found.length ? this.records(found) : h("p", {}, nothing)];
  }

  records(numbers, plain = false) {
    const { replay, cursor } = this.store;
    const items = numbers.map((number) => {
      const tick = replay.tickOf(number)[0];
      const row = replay.row(number);
      const mark = row.k === "transition" ? "done" : row.k === "attempt" ? OUTCOMES[row.outcome] : row.k === "error" ? "raised" : null;
      const button = h("button", { type: "button", "data-key": `record ${number}`, class: number === cursor.at - 1 ? "ul-now-here" : tick === cursor.tick ? "ul-same" : null, onclick: () => this.store.toRecord(number) }, h("small", {}, String(tick)), mark ? signed(mark) : h("span", { class: "ul-blank" }), h("span", {}, row.x));
      return h("li", {}, button);
    });
    return h("ol", { class: `ul-records${plain ? " ul-few" : ""}` }, ...items);
  }

  /** One sentence for those who listen; at most one a second while the world runs. */
  speak(node, records) {
    const { store } = this;
    const now = Date.now();
    if (store.runs && now - this.spoken < 1000) {
      this.later ??= setTimeout(() => { this.later = null; this.soon(); }, 1000);
      return;
    }
    this.spoken = now;
    const last = records.filter((row) => row.n === store.agent).pop() ?? records[records.length - 1];
    const where = store.cursor.tick < 0 ? "before the first tick" : `tick ${store.cursor.tick}`;
    const words = `${where}, ${store.agent ?? "nobody"}: ${node?.state ?? "no state"}${last ? `. ${last.x}` : ""}`;
    if (this.live.textContent !== words) this.live.textContent = words;
  }
}

export default () => {
  let store = null;
  return {
    initialize({ model }) {
      store = new Store(model);
      return () => store.dispose();
    },
    render({ el }) {
      const view = new View(store, el);
      return () => view.dispose();
    },
  };
};
