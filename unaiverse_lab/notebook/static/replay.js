// What happened in a world, as the kernel sent it: records in order, and where everybody stands after any of them.
// No drawing here, and nothing asked of anybody: a saved notebook goes through its records by this alone.

const PENDING = new Set(["again", "step", "waiting"]);
const MOST = 24000;
const EVERY = 1000;

const copied = (value) =>
  value && typeof value === "object" ? (Array.isArray(value) ? value.slice() : { ...value }) : value;

const peerOf = (name) => Array.from(name, (sign) => (/[\p{L}\p{N}_-]/u.test(sign) ? sign : "_")).join("");

/** Where everybody stands after `at` records. */
export class Fold {
  constructor(base) {
    this.at = base?.at ?? 0;
    this.world = base?.world ?? null;
    this.offered = { ...base?.offered };
    this.nodes = new Map();
    const nodes = base?.nodes ?? {};
    for (const [name, node] of nodes instanceof Map ? nodes : Object.entries(nodes)) {
      this.nodes.set(name, Object.fromEntries(Object.entries(node).map(([key, value]) => [key, copied(value)])));
    }
  }

  arrive(node, state, tick, isNew = true) {
    node.state = state ?? null;
    node.pending = null;
    if (isNew) node.since = tick;
    if (state != null) {
      node.visits ??= {};
      node.visits[state] = (node.visits[state] ?? 0) + 1;
    }
  }

  take(row, tick) {
    this.at += 1;
    let node = this.nodes.get(row.n);
    if (node === undefined) this.nodes.set(row.n, (node = {}));
    switch (row.k) {
      case "behavior":
        if (!row.own) this.world = row.n;
        this.offered[row.role] = row.machine;
        break;
      case "join":
        node.stage = row.stage;
        if (row.stage === "left" || row.stage === "purged") {
          Object.assign(node, { role: null, state: null, pending: null, queue: null, sent: null });
        }
        break;
      case "role":
        Object.assign(node, { role: row.role, off: false, visits: {} });
        this.arrive(node, row.state, tick);
        break;
      case "transition":
        this.arrive(node, row.target, tick, row.source !== row.target);
        break;
      case "control":
        if (["enable", "disable", "stop"].includes(row.what)) node.off = row.what !== "enable";
        else this.arrive(node, row.target, tick);
        break;
      case "attempt":
        if (node.state == null) this.arrive(node, row.source, tick);
        node.pending = PENDING.has(row.outcome) && node.state === row.source ? [row.edge, row.action] : null;
        break;
      case "in-state":
        if (node.state == null) this.arrive(node, row.state, tick);
        break;
      case "request":
        if (row.accepted && row.action != null) {
          (node.queue ??= {})[row.uuid] = [row.action, row.requester, tick, row.source ?? null];
        }
        break;
      case "send":
        if (row.action != null) (node.sent ??= {})[row.uuid] = [row.action, row.targets, tick];
        break;
      case "complete": {
        const open = row.side === "sent" ? node.sent : node.queue;
        if (open) delete open[row.uuid];
        break;
      }
      case "error":
        node.errors = (node.errors ?? 0) + 1;
        break;
    }
  }

  /** As plain data without what is empty, as the kernel's own key frames are. */
  keyFrame() {
    const empty = (value) => !value || (typeof value === "object" && Object.keys(value).length === 0);
    const nodes = {};
    for (const [name, node] of this.nodes) {
      nodes[name] = Object.fromEntries(
        Object.entries(node)
          .filter(([, value]) => !empty(value))
          .map(([key, value]) => [key, copied(value)]),
      );
    }
    return { at: this.at, world: this.world, offered: { ...this.offered }, nodes };
  }

  machineOf(name) {
    const role = this.nodes.get(name)?.role;
    return role == null ? null : (this.offered[role] ?? null);
  }
}

/** The records that are here, from number `from` to number `to`, and everything drawn of them. */
export class Replay {
  constructor() {
    this.seq = 0;
    this.branch = 0;
    this.start({});
  }

  start(base) {
    this.base = new Fold(base);
    this.from = this.to = this.base.at;
    this.rows = [];
    this.ticks = []; // [tick, seconds, number of its first record]
    this.saved = new Map();
    this.now = null;
    this.scenes = new Scenes(this.base);
  }

  /** Take in a message; false: something is missing before it. */
  take(message) {
    if (message.base) {
      this.start(message.base);
      this.branch = message.branch ?? 0;
    } else if (message.seq !== this.seq + 1 || message.from !== this.to) {
      return false;
    }
    this.seq = message.seq;
    this.add(message.d);
    return true;
  }

  /** A saved part of a trace. */
  load(tail) {
    this.start(tail.base);
    for (const batch of tail.batches) this.add(batch);
  }

  add(batch) {
    let next = 0;
    for (const [tick, seconds, count] of batch.ticks) {
      const last = this.ticks[this.ticks.length - 1];
      if (!last || last[0] !== tick) this.ticks.push([tick, seconds, this.to]);
      for (let index = 0; index < count; index++) {
        const row = batch.rows[batch.of[next++]];
        this.rows.push(row);
        this.scenes.take(row, tick, seconds);
        this.to += 1;
      }
    }
    if (this.rows.length > MOST) this.forget(this.rows.length - MOST / 2);
  }

  forget(count) {
    const at = this.tickOf(this.from + count)?.[2] ?? this.from;
    const base = new Fold(this.fold(at));
    const rows = this.rows.slice(at - this.from);
    const ticks = this.ticks.filter((one) => one[2] >= at);
    this.base = base;
    this.from = at;
    this.rows = rows;
    this.ticks = ticks;
    this.saved.clear();
    this.now = null;
    this.scenes = new Scenes(base);
    ticks.forEach(([tick, seconds, first], index) => {
      const end = ticks[index + 1]?.[2] ?? this.to;
      for (let number = first; number < end; number++) this.scenes.take(this.row(number), tick, seconds);
    });
  }

  row(number) {
    return this.rows[number - this.from];
  }

  place(test) {
    let low = 0;
    let high = this.ticks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(this.ticks[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The tick of record `number`: [tick, seconds, its first record]. */
  tickOf(number) {
    return this.ticks[this.place((one) => one[2] <= number) - 1];
  }

  /** How many records there were at the end of a tick. */
  endOf(tick) {
    return this.ticks[this.place((one) => one[0] <= tick)]?.[2] ?? this.to;
  }

  /** The records of a tick, up to record `at`. */
  recordsOf(tick, at) {
    const found = this.ticks[this.place((one) => one[0] < tick)];
    if (!found || found[0] !== tick) return [];
    return this.rows.slice(found[2] - this.from, Math.min(at, this.endOf(tick)) - this.from);
  }

  secondsOf(tick) {
    const before = this.ticks[this.place((one) => one[0] <= tick) - 1];
    const first = this.ticks[0];
    const last = this.ticks[this.ticks.length - 1];
    if (!before) return null;
    const delta = last[0] > first[0] ? (last[1] - first[1]) / (last[0] - first[0]) : 0;
    return before[1] + (tick - before[0]) * delta;
  }

  /** Where everybody stands after record `at` - 1; not to be changed. */
  fold(at) {
    at = Math.max(this.from, Math.min(at, this.to));
    if (this.now && this.now.at === at) return this.now;
    let now = this.now && this.now.at < at ? this.now : null;
    const key = at - ((at - this.from) % EVERY);
    if (!now || now.at < key) {
      let best = now ? now.at : -1;
      for (const one of this.saved.keys()) if (one <= at && one > best) best = one;
      if (!now || best > now.at) now = new Fold(this.saved.get(best) ?? this.base);
    }
    let entry = this.place((one) => one[2] <= now.at) - 1;
    while (now.at < at) {
      while (this.ticks[entry + 1] && this.ticks[entry + 1][2] <= now.at) entry += 1;
      now.take(this.row(now.at), this.ticks[entry][0]);
      if ((now.at - this.from) % EVERY === 0 && !this.saved.has(now.at)) this.saved.set(now.at, new Fold(now));
    }
    return (this.now = now);
  }
}

/** What the timeline shows: rows of ticks at which something happened, stays in states, and arrows. */
class Scenes {
  constructor(base) {
    this.rows = []; // {tick, seconds} or {quiet}
    this.lanes = new Map(); // node -> [{row, state}]
    this.arrows = [];
    this.faults = [];
    this.peers = new Map();
    this.open = new Map(); // uuid and target -> arrow
    this.served = new Map(); // node and tick -> uuids of the requests it dealt with
    for (const [name, node] of base.nodes) {
      if (name !== base.world || node.state != null) this.lane(name).push({ row: -1, state: node.state ?? null });
      for (const [uuid, [action, targets, tick]] of Object.entries(node.sent ?? {})) {
        for (const target of targets) this.asked(uuid, name, target, action, -1, tick);
      }
    }
  }

  lane(name) {
    let lane = this.lanes.get(name);
    if (!lane) {
      this.lanes.set(name, (lane = []));
      this.peers.set(peerOf(name), name);
    }
    return lane;
  }

  nameOf(peer) {
    return this.lanes.has(peer) ? peer : (this.peers.get(peer) ?? peer);
  }

  /** The index of the row of a tick, made when needed. */
  rowOf(tick, seconds) {
    const last = this.rows[this.rows.length - 1];
    if (last && last.tick === tick) return this.rows.length - 1;
    if (last && tick > last.tick + 1) this.rows.push({ quiet: tick - last.tick - 1, tick: tick - 1 });
    this.rows.push({ tick, seconds });
    return this.rows.length - 1;
  }

  asked(uuid, from, target, words, row, left) {
    const arrow = { from, to: target, left: row, arrived: null, words, outcome: null, data: false, tick: left, uuid };
    this.open.set(`${uuid} ${target}`, arrow);
    this.open.set(`${uuid} ${peerOf(target)}`, arrow);
    return arrow;
  }

  arrival(uuid, node) {
    return this.open.get(`${uuid} ${node}`) ?? this.open.get(`${uuid} ${peerOf(node)}`);
  }

  /** The arrows that lead to one and follow from it: of the same request, or sent while another one was served. */
  chain(arrow) {
    const chosen = new Set([arrow]);
    const waiting = [arrow];
    while (waiting.length && chosen.size < 300) {
      const one = waiting.pop();
      for (const other of this.arrows) {
        if (chosen.has(other)) continue;
        const same = one.uuid && other.uuid === one.uuid;
        if (!same && !this.causes(one, other) && !this.causes(other, one)) continue;
        chosen.add(other);
        waiting.push(other);
      }
    }
    return chosen;
  }

  causes(earlier, later) {
    const node = this.nameOf(later.from);
    if (!earlier.uuid || this.nameOf(earlier.to) !== node) return false;
    return this.served.get(`${node} ${later.data ? later.tick - 1 : later.tick}`)?.has(earlier.uuid) ?? false;
  }

  serves(node, tick, uuid) {
    if (!uuid) return;
    const key = `${node} ${tick}`;
    if (!this.served.has(key)) this.served.set(key, new Set());
    this.served.get(key).add(uuid);
  }

  take(row, tick, seconds) {
    switch (row.k) {
      case "attempt":
        this.serves(row.n, tick, row.uuid);
        break;
      case "role":
        this.move(row.n, row.state, tick, seconds);
        break;
      case "transition":
        this.serves(row.n, tick, row.uuid);
        this.move(row.n, row.target, tick, seconds);
        break;
      case "control":
        if (row.target) this.move(row.n, row.target, tick, seconds);
        break;
      case "join":
        if (row.stage === "left" || row.stage === "purged") this.move(row.n, null, tick, seconds);
        break;
      case "send":
        if (row.action != null) {
          this.lane(row.n);
          const at = this.rowOf(tick, seconds);
          for (const target of row.targets) this.asked(row.uuid, row.n, target, row.action, at, tick);
        }
        break;
      case "request": {
        if (row.action == null) break;
        this.lane(row.n);
        const arrow = this.arrival(row.uuid, row.n) ?? this.asked(row.uuid, row.requester, row.n, row.action, -1, tick);
        arrow.arrived = this.rowOf(tick, seconds);
        if (!row.accepted) arrow.outcome = row.reason ?? "refused";
        if (!arrow.listed) this.arrows.push(arrow);
        arrow.listed = true;
        break;
      }
      case "complete": {
        const arrow = this.arrival(row.uuid, row.side === "sent" ? (row.peer ?? "") : row.n);
        if (arrow && arrow.outcome === null) arrow.outcome = row.reason;
        break;
      }
      case "push": {
        const at = this.rowOf(tick, seconds);
        this.lane(row.n);
        const before = this.arrows[this.arrows.length - 1];
        const words = row.stream;
        if (before?.data && before.arrived === at && before.owner === row.owner && before.to === row.n) {
          before.words = before.words.split(", ").includes(words) ? before.words : `${before.words}, ${words}`;
        } else {
          const arrow = { from: row.owner, to: row.n, left: at, arrived: at, words, outcome: "ok", data: true, tick, uuid: row.uuid };
          this.arrows.push(Object.assign(arrow, { owner: row.owner }));
        }
        break;
      }
      case "error":
        if (row.n) {
          this.lane(row.n);
          this.faults.push({ row: this.rowOf(tick, seconds), node: row.n, words: row.error });
        }
        break;
    }
  }

  move(name, state, tick, seconds) {
    const lane = this.lane(name);
    const row = this.rowOf(tick, seconds);
    const last = lane[lane.length - 1];
    if (last && last.row === row) {
      if (last.state !== null && last.state !== state) (last.through ??= []).push(last.state);
      last.state = state ?? null;
    } else if (!last || last.state !== (state ?? null)) {
      lane.push({ row, state: state ?? null });
    }
  }

  /** The last row that is not after a tick. */
  at(tick) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const one = this.rows[middle];
      if ((one.quiet ? one.tick - one.quiet + 1 : one.tick) <= tick) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
