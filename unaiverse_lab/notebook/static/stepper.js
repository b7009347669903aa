// The stepper: what is built on the screen once, and what a person does there.

/** One picture of a stepper. */
class View extends Panels {
  constructor(store, el) {
    super();
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
      {
        type: "button",
        class: "ul-button",
        title: `${help}${key ? ` (${key.replace("Arrow", "")})` : ""}`,
        "aria-label": label ? `${words.replace("…", "")}: ${help}` : words,
        "aria-keyshortcuts": key === "?" || key === "." ? null : key,
        onclick: press,
      },
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
    const fold = h(
      "button",
      { type: "button", class: "ul-fold", "aria-expanded": String(!folded.has(name)), onclick: turn },
      icon("fold"),
      h("span", {}, title),
    );
    const extra = h("span", { class: "ul-extra" });
    const panel = h(
      "section",
      { class: `ul-panel ul-${name}`, "aria-label": title, tabindex: -1 },
      h("header", {}, fold, extra),
      inside,
    );
    return Object.assign(panel, { inside, extra, fold });
  }

  build() {
    const { store } = this;
    const options = store.model.get("options") ?? {};
    this.speed = h("select", {
      "aria-label": `${WORDS.speed}, ${WORDS.perSecond}`,
      title: `${WORDS.speed} (- +)`,
      onchange: () => store.command("set_speed", { speed: Number(this.speed.value) }),
    });
    for (const speed of SPEEDS) this.speed.append(h("option", { value: speed }, speed ? `${speed}/s` : WORDS.fastest));
    this.status = h("span", { class: "ul-status" });
    const gap = () => h("span", { class: "ul-gap", "aria-hidden": "true" });
    this.tools = h(
      "div",
      { class: "ul-bar", role: "toolbar", "aria-label": "Run the world" },
      this.button("step", () => store.command("step")),
      this.button("agent", () => this.stepAgent()),
      this.button("micro", () => store.micro()),
      gap(),
      this.button("run", () => this.toggle()),
      this.button("until", () => this.open("until")),
      this.button("stop", () => store.command("pause")),
      this.speed,
      gap(),
      this.button("inject", () => this.open("inject")),
      this.button("explain", () => this.explain()),
      this.button("table", () => this.toggleTable()),
    );
    this.slider = h("input", {
      type: "range",
      min: -1,
      max: 0,
      value: -1,
      step: 1,
      "aria-label": WORDS.cursor,
      oninput: () => store.moveTo(Number(this.slider.value)),
    });
    this.branches = h("select", {
      "aria-label": "Branch",
      title: "Futures that were given up",
      hidden: true,
      onchange: () => store.command("switch", { branch: this.branches.value }),
    });
    this.seek = h(
      "div",
      { class: "ul-bar ul-seek", role: "toolbar", "aria-label": "Look back and forth" },
      this.button("first", () => store.moveTo(-1), false),
      this.button("back", (event) => this.move(event.shiftKey ? -10 : -1), false),
      this.slider,
      this.button("forward", (event) => this.move(event.shiftKey ? 10 : 1), false),
      this.button("last", () => this.present(), false),
      this.button("restart", () => this.open("restart")),
      this.branches,
      this.status,
    );
    this.drawer = h("div", { class: "ul-drawer", hidden: true, role: "group" });
    this.note = h("p", { class: "ul-note", role: "status", hidden: true });
    this.roster = this.panel("roster", "Agents");
    this.people = new Map();
    this.list = h("ul", { class: "ul-people" });
    this.search = h("input", {
      type: "search",
      placeholder: "find",
      "aria-label": "Find an agent",
      hidden: true,
      oninput: () => this.soon(),
    });
    this.roster.inside.append(this.search, this.list);
    const zoom = (name, words, action) =>
      h(
        "button",
        { type: "button", class: "ul-small", title: words, "aria-label": words, onclick: action },
        icon(name),
      );
    this.tableBox = h("div", { class: "ul-table-box", hidden: true });
    this.line = h("p", { class: "ul-why" });
    this.machine = this.panel("machine", "Machine", this.graph.element, this.tableBox, this.line);
    this.zooms = h(
      "span",
      { class: "ul-zooms" },
      zoom("minus", "Zoom out", () => this.graph.zoom(0.8)),
      zoom("plus", "Zoom in", () => this.graph.zoom(1.25)),
      zoom("fit", "Show all", () => this.refit()),
    );
    this.where = h("span", { class: "ul-where" });
    this.machine.extra.append(this.where, this.zooms);
    this.pages = h("div", { class: "ul-page", role: "tabpanel", tabindex: 0 });
    this.tabs = h("div", { class: "ul-tabs", role: "tablist", "aria-label": "Inspector" });
    for (const [name, words] of [
      ["now", "Now"],
      ["why", "Why"],
      ["said", "Messages"],
      ["records", "Records"],
    ]) {
      this.tabs.append(
        h(
          "button",
          {
            type: "button",
            role: "tab",
            "data-tab": name,
            onclick: () => this.turn(name),
            onkeydown: (event) => this.nextTab(event),
          },
          words,
        ),
      );
    }
    this.inspector = this.panel("inspector", "Inspector", this.tabs, this.pages);
    this.samples = h("input", { type: "checkbox", onchange: () => this.set("data", this.samples.checked) });
    this.roles = h("select", {
      "aria-label": "Show only a role",
      hidden: true,
      onchange: () => this.set("role", this.roles.value),
    });
    this.times = this.panel("timeline", "Timeline", this.timeline.element);
    this.times.extra.append(this.roles, h("label", {}, this.samples, "data"));
    const shown = { roster: this.roster, graph: this.machine, inspect: this.inspector, timeline: this.times };
    const panels = options.panels ?? Object.keys(shown);
    this.panels = Object.entries(shown)
      .filter(([name]) => panels.includes(name))
      .map(([, panel]) => panel);
    this.body = h("div", { class: "ul-body" }, ...this.panels);
    this.body.dataset.panels = panels.join(" ");
    this.live = h("p", { class: "ul-live", "aria-live": "polite" });
    const root = h(
      "div",
      {
        class: "ul-root",
        role: "region",
        "aria-label": `Stepper of ${store.model.get("world") || "a world"}`,
        tabindex: -1,
        "data-lm-suppress-shortcuts": "true",
      },
      this.tools,
      this.seek,
      this.drawer,
      this.note,
      this.body,
      this.live,
    );
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
    this.store.changed();
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
    const name =
      event.shiftKey && (event.key.startsWith("F") || event.key.startsWith("Arrow")) ? `Shift+${event.key}` : event.key;
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
    const now = stops.findIndex(
      (one) => one === document.activeElement || (one !== stops[0] && one.contains(document.activeElement)),
    );
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
    return h(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          submit();
          this.close();
        },
      },
      h("span", {}, words),
      ...fields,
      h("button", { type: "submit", class: "ul-button ul-main" }, label),
      h("button", { type: "button", class: "ul-button", onclick: () => this.close() }, "Cancel"),
    );
  }

  untilForm() {
    const list = `ul-list-${this.id}`;
    const states = new Set();
    for (const role of Object.keys(this.fold().offered)) {
      for (const state of this.drawingOf(role)?.states ?? []) states.add(`${role}:${state.name}`);
    }
    const field = h("input", {
      type: "text",
      list,
      required: true,
      "aria-label": "Condition",
      placeholder: "a state, ROLE:STATE, action() failed, stat >= 0.9, quiet, …",
      class: "ul-wide",
    });
    const choices = h("datalist", { id: list }, ...[...states, ...UNTIL].map((value) => h("option", { value })));
    return this.form("Run until", [field, choices], "Run", () =>
      this.store.command("start", { until: field.value.trim(), speed: Number(this.speed.value) }),
    );
  }

  restartForm() {
    const tick = this.store.cursor.tick;
    return this.form(
      `Make the world what it was at the end of tick ${tick}? What came later stays as a branch of its own.`,
      [],
      "Restart here",
      () => {
        this.store.toEnd();
        this.store.command("restart", { tick });
      },
    );
  }

  injectForm() {
    const name = this.store.agent;
    const fold = this.fold();
    const drawing = this.drawing();
    const calls = new Map();
    for (const edge of drawing?.edges ?? [])
      for (const label of edge.labels) calls.set(label.text.replace(/^\d+\. /, "").split("(")[0], label.asked);
    const kind = h(
      "select",
      { "aria-label": "What" },
      h("option", { value: "say" }, "a line typed by its person"),
      ...[...calls.keys()].map((action) => h("option", { value: action }, `request: ${action}`)),
    );
    const value = h("input", {
      type: "text",
      class: "ul-wide",
      "aria-label": "Line, or arguments as JSON",
      placeholder: "a line",
    });
    kind.addEventListener(
      "change",
      () => (value.placeholder = kind.value === "say" ? "a line" : '{"argument": "value"} or nothing'),
    );
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
