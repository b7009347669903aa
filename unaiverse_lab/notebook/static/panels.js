// What a view shows: it is brought up to date from the records up to the cursor, and asks nobody.

class Panels extends Inspector {
  fold() {
    return this.store.replay.fold(this.store.cursor.at);
  }

  names() {
    const fold = this.fold();
    const names = [...fold.nodes.keys()].filter((name) => name !== fold.world || fold.nodes.get(name).state);
    return names.length > 12
      ? names.sort((one, other) => (fold.nodes.get(one).role ?? "~").localeCompare(fold.nodes.get(other).role ?? "~"))
      : names;
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
    else if (!fold.nodes.has(store.agent))
      store.agent = names.find((name) => fold.nodes.get(name).state) ?? names[0] ?? null;
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
    const at =
      store.cursor.tick < 0
        ? "before the first tick"
        : `tick ${store.cursor.tick}${seconds === null ? "" : ` · ${Number(seconds.toFixed(3))} s`}`;
    this.slider.setAttribute("aria-valuetext", at);
    const part =
      store.cursor.at < store.replay.endOf(store.cursor.tick)
        ? `, record ${store.cursor.at - (store.replay.tickOf(store.cursor.at - 1)?.[2] ?? 0)}`
        : "";
    const mode = store.runs
      ? "running"
      : store.isPast
        ? `looking back; the world is at tick ${store.now}`
        : store.pending
          ? "working…"
          : store.online
            ? (head.word ?? "paused")
            : "replay";
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
    const rest = others.map(([name, tick, last]) =>
      h("option", { value: name }, `${name}: ticks ${tick + 1} to ${last}`),
    );
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
        const parts = {
          name: h("b", {}, name),
          role: h("i", {}),
          state: h("span", { class: "ul-chip" }),
          marks: h("span", { class: "ul-marks" }),
        };
        const button = h(
          "button",
          { type: "button", onclick: () => this.select(name) },
          h("span", {}, parts.name, parts.marks),
          h("span", {}, parts.state, parts.role),
        );
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
      const marks = [
        node.pending && "…",
        node.off && "off",
        waits && `${waits} waiting`,
        node.errors && `${node.errors} !`,
      ].filter(Boolean);
      parts.marks.textContent = marks.join(" · ");
      parts.marks.classList.toggle("ul-alert", Boolean(node.errors || node.off));
      button.setAttribute("aria-pressed", String(name === this.store.agent));
      const facts = [
        name,
        node.role,
        state,
        node.pending && `in the middle of ${node.pending[1]}`,
        node.off && "switched off",
        waits && `${waits} requests waiting`,
        node.errors && `${node.errors} errors`,
      ];
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
    const line = store.runs
      ? (last?.x ?? "")
      : (why?.headline ?? last?.x ?? (drawing ? "" : "This node has no machine at this tick."));
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
      const facts = [
        node?.state === state.name && (node.pending ? "in the middle of an action" : "now here"),
        state.name === drawing.initial && "initial",
        !state.blocking && "not blocking",
        state.does && `does ${state.does}`,
        node?.visits?.[state.name] && `entered ${node.visits[state.name]} times`,
        breaks.has(state.name) && "breakpoint",
      ];
      const name = h(
        "button",
        { type: "button", class: "ul-link", onclick: () => this.choose(state.name) },
        state.name,
      );
      rows.push(
        h(
          "tr",
          { class: `ul-of-state${node?.state === state.name ? " ul-here" : ""}` },
          h("th", { scope: "row", colspan: 2 }, name),
          h("td", {}, facts.filter(Boolean).join(", ")),
        ),
      );
      const leaving = (drawing?.edges ?? [])
        .filter((edge) => edge.from === state.name)
        .flatMap((edge) => edge.labels.map((label) => [label, edge.to]));
      for (const [label, to] of leaving.sort(([one], [other]) => one.edge - other.edge)) {
        const verdict = verdicts.get(`${state.name} ${label.edge}`);
        rows.push(
          h(
            "tr",
            {},
            h("td", {}, label.text),
            h("td", {}, `→ ${to}`),
            h(
              "td",
              {},
              verdict
                ? [signed(verdict.kind), ` ${SIGNS[verdict.kind][0]}: ${verdict.words}`]
                : label.asked
                  ? "on request only"
                  : "",
            ),
          ),
        );
      }
    }
    const head = h(
      "tr",
      {},
      ...["state, transition", "leads to", "what became of it"].map((words) => h("th", { scope: "col" }, words)),
    );
    this.tableBox.replaceChildren(
      h(
        "table",
        {},
        h("caption", {}, `The machine of ${this.store.agent}, in evaluation order`),
        h("thead", {}, head),
        h("tbody", {}, ...rows),
      ),
    );
  }

  showTimeline(fold, names) {
    const { store } = this;
    const lanes = new Set([...store.replay.scenes.lanes.keys()]);
    const all = [
      ...names.filter((name) => lanes.has(name)),
      ...[...lanes].filter((name) => !names.includes(name) && name !== fold.world),
    ];
    if (lanes.has(fold.world)) all.push(fold.world);
    const roles = [...new Set([...fold.nodes.values()].map((node) => node.role).filter(Boolean))];
    this.roles.hidden = all.length <= 12 || roles.length < 2;
    const mark = roles.join("\n");
    if (this.roles.dataset.of !== mark) {
      this.roles.dataset.of = mark;
      this.roles.replaceChildren(
        h("option", { value: "" }, "all roles"),
        ...roles.map((role) => h("option", { value: role }, role)),
      );
    }
    const role = this.roles.hidden || !roles.includes(this.ui.role) ? "" : this.ui.role;
    this.roles.value = role;
    this.samples.checked = this.timeline.data = this.ui.data;
    const shown = all.filter((name) => !role || fold.nodes.get(name)?.role === role).slice(0, 60);
    this.timeline.show(store.replay.scenes, store.cursor.tick, shown, store.agent, store.cursor.follow);
  }

  /** One sentence for those who listen; at most one a second while the world runs. */
  speak(node, records) {
    const { store } = this;
    const now = Date.now();
    if (store.runs && now - this.spoken < 1000) {
      this.later ??= setTimeout(() => {
        this.later = null;
        this.soon();
      }, 1000);
      return;
    }
    this.spoken = now;
    const last = records.filter((row) => row.n === store.agent).pop() ?? records[records.length - 1];
    const where = store.cursor.tick < 0 ? "before the first tick" : `tick ${store.cursor.tick}`;
    const words = `${where}, ${store.agent ?? "nobody"}: ${node?.state ?? "no state"}${last ? `. ${last.x}` : ""}`;
    if (this.live.textContent !== words) this.live.textContent = words;
  }
}
