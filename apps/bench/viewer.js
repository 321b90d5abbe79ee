// Shows what was tried for a task, arms side by side: plain JavaScript, no dependencies, no network.
//
//   VeriloopViewer.open(element, base64)   unpacks gzip + base64 and shows it
//   VeriloopViewer.show(element, lines)    shows lines of JSON: the index, then one line for each of its tasks
//
// What the lines hold is said in packed.py. A task's line is parsed when it is looked at. Everything that users and
// models wrote enters the page as text nodes only.
"use strict";
var VeriloopViewer = (() => {
  const AT_ONCE = 150; // tasks listed before "more"
  const VERDICTS = { partial: "… partial", passed: "✓ passed", failed: "✗ failed", unscored: "· unscored", infra_error: "! infra error" };
  const BROKEN = 0; // the score of steps that cannot be; others on their way have not failed
  const FILTERS = {
    all: ["all tasks", () => true],
    differs: ["differs between the arms shown", (rights) => new Set(rights).size > 1],
    wrong: ["wrong in all arms shown", (rights) => rights.length > 0 && rights.every((r) => r === 0)],
    right: ["right in all arms shown", (rights) => rights.length > 0 && rights.every((r) => r === 1)],
    errors: ["errors", (_, task) => task.errors > 0],
  };

  function make(tag, given = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(given)) {
      if (value === undefined || value === false) continue;
      if (name === "text") made.textContent = value;
      else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return (await new Response(stream).text()).split("\n");
  }

  async function open(root, base64) {
    if (typeof DecompressionStream === "undefined") {
      root.replaceChildren(make("p", { text: "This browser cannot unpack the data: use one of 2023 or newer." }));
      return;
    }
    show(root, await unpack(base64));
  }

  function show(root, lines) {
    new Viewer(root, lines);
  }

  class Viewer {
    constructor(root, lines) {
      this.root = root;
      this.lines = lines;
      this.index = JSON.parse(lines[0]);
      this.same = alike(this.index.tasks.map((task) => task.question));
      this.seed = 0;
      this.limit = AT_ONCE;
      this.changes = true;
      this.shown = new Set(firstShown(this.index.arms));
      this.frame(root);
      this.list();
      this.fromHash();
      window.addEventListener("hashchange", () => this.fromHash());
    }

    // The frame: tools on top, the list, the task.

    frame(root) {
      const again = () => { this.limit = AT_ONCE; this.list(); };
      this.search = make("input", { type: "search", placeholder: "words of a question, id, group", oninput: again });
      this.filter = make("select", { onchange: again });
      for (const [key, [name]] of Object.entries(FILTERS)) this.filter.append(make("option", { value: key, text: name }));
      this.count = make("p", { class: "v-count", role: "status" });
      this.items = make("ul", { class: "v-list" });
      this.more = make("button", { type: "button", class: "v-more", onclick: () => { this.limit += AT_ONCE; this.list(); } });
      this.task = make("section", { class: "v-task", "aria-label": "task", tabindex: "-1" },
        make("p", { class: "v-hint", text: "Choose a task to see every candidate, its verdict and what it cost." }));
      root.classList.add("viewer");
      root.replaceChildren(
        make("div", { class: "v-tools" },
          make("label", {}, "Search ", this.search),
          make("label", {}, "Show ", this.filter),
          this.armChoice()),
        make("div", { class: "v-body" },
          make("div", { class: "v-side" }, this.count, this.items, this.more), this.task));
    }

    armChoice() {
      const box = make("fieldset", { class: "v-arms" }, make("legend", { text: "Arms shown" }));
      this.index.arms.forEach((arm, i) => {
        const toggle = (event) => {
          if (event.target.checked) this.shown.add(i); else this.shown.delete(i);
          this.list();
          if (this.at !== undefined) this.detail();
        };
        box.append(make("label", { class: "v-arm" },
          make("input", { type: "checkbox", checked: this.shown.has(i), onchange: toggle }),
          swatch(arm), arm.label));
      });
      return box;
    }

    arms() { return [...this.shown].sort((a, b) => a - b); }

    // The list of tasks.

    list() {
      const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = FILTERS[this.filter.value][1], arms = this.arms();
      this.found = [];
      this.index.tasks.forEach((task, i) => {
        const text = `${task.id} ${task.group} ${task.question}`.toLowerCase();
        if (!words.every((word) => text.includes(word))) return;
        const rights = arms.map((arm) => task.right[arm]).filter((r) => r !== null);
        if (wanted(rights, task)) this.found.push(i);
      });
      const total = this.index.tasks.length, n = this.found.length;
      this.count.textContent = n === total ? counted(total, "task") : n ? `${n} of ${total} tasks` : `No task matches, of ${total}.`;
      this.items.replaceChildren(...this.found.slice(0, this.limit).map((i) => this.item(i, arms)));
      this.more.hidden = n <= this.limit;
      this.more.textContent = `Show more (${n - this.limit} left)`;
    }

    item(i, arms) {
      const task = this.index.tasks[i];
      const marks = make("span", { class: "v-marks" });
      for (const arm of arms) {
        const right = task.right[arm], of = this.index.arms[arm];
        const said = right === null ? "not run" : `${Math.round(right * 100)} % right`;
        const mark = make("span", { class: "v-mark", role: "img", title: `${of.label}: ${said}`, "aria-label": `${of.label}: ${said}` },
          make("span", {}));
        mark.style.setProperty("--arm", `var(--arm-${of.colour})`);
        mark.firstChild.style.height = `${(right ?? 0) * 100}%`;
        marks.append(mark);
      }
      const chosen = this.at === i;
      return make("li", {}, make("button", {
        type: "button", class: "v-item", "aria-current": chosen ? "true" : false, "data-task": String(i), onclick: () => this.choose(i, true),
      }, make("span", { class: "v-question", text: task.question.split("\n").slice(this.same).join("\n").trim() || task.id }),
        make("span", { class: "v-where" }, make("span", { class: "v-id", text: [task.group, task.id].filter(Boolean).join(" · ") }), marks)));
    }

    choose(i, byHand) { // byHand: chosen in the viewer, so the address follows
      this.at = i;
      for (const item of this.items.querySelectorAll(".v-item")) {
        if (Number(item.dataset.task) === i) item.setAttribute("aria-current", "true");
        else item.removeAttribute("aria-current");
      }
      this.detail();
      if (!byHand) return;
      history.replaceState(null, "", `#task=${encodeURIComponent(this.index.tasks[i].id)}`);
      this.task.focus({ preventScroll: true });
      const narrow = getComputedStyle(this.task.parentElement).gridTemplateColumns.split(" ").length === 1;
      if (narrow) this.task.scrollIntoView({ block: "start" });
      else this.task.scrollTop = 0;
    }

    fromHash() {
      const asked = /^#task=(.+)$/.exec(location.hash);
      let id = null;
      try { id = asked && decodeURIComponent(asked[1]); } catch { id = null; }
      const i = id === null ? -1 : this.index.tasks.findIndex((task) => task.id === id);
      if (i >= 0) {
        while (this.found.indexOf(i) >= this.limit) this.limit += AT_ONCE;
        this.at = i;
        this.list();
        this.choose(i, false);
        this.items.querySelector("[aria-current]")?.scrollIntoView({ block: "center", behavior: "instant" });
        this.root.scrollIntoView({ block: "start", behavior: "instant" });
      } else if (this.at === undefined && this.found.length) this.choose(this.found[0], false);
    }

    step(by) {
      const next = this.found[this.found.indexOf(this.at) + by];
      if (next !== undefined) this.choose(next, true);
    }

    // One task: its arms side by side.

    detail() {
      const task = this.index.tasks[this.at], cells = JSON.parse(this.lines[this.at + 1]);
      const seed = this.index.seeds[this.seed];
      const head = make("header", { class: "v-head" },
        make("div", { class: "v-steps" },
          make("button", { type: "button", "aria-label": "previous task", text: "←", onclick: () => this.step(-1) }),
          make("button", { type: "button", "aria-label": "next task", text: "→", onclick: () => this.step(1) })),
        make("p", { class: "v-id", text: [task.group, task.id].filter(Boolean).join(" · ") }),
        make("h3", { text: task.question || task.id }),
        ...(task.gold || []).map((gold, i) => make("p", { class: "v-gold" },
          make("span", { text: i ? "or " : "right answer (gold: only scorers and the oracle see it) " }), make("code", { text: gold }))),
        this.seeds());
      const columns = make("div", { class: "v-columns" });
      for (const arm of this.arms()) columns.append(this.column(arm, cells.find((c) => c.arm === arm && c.seed === seed)));
      this.task.replaceChildren(head, columns);
      if (columns.scrollWidth > columns.clientWidth) head.append(make("p", { class: "v-cut", text: `${columns.children.length} arms: scroll sideways →` }));
    }

    seeds() {
      const box = make("div", { class: "v-seeds" });
      if (this.index.seeds.length > 1) {
        const group = make("div", { role: "group", "aria-label": "seed", class: "v-tabs" });
        this.index.seeds.forEach((seed, i) => group.append(make("button", {
          type: "button", text: `seed ${seed}`, "aria-pressed": String(i === this.seed),
          onclick: () => { this.seed = i; this.detail(); },
        })));
        box.append(group);
      }
      box.append(make("label", {},
        make("input", { type: "checkbox", checked: this.changes, onchange: (e) => { this.changes = e.target.checked; this.detail(); } }),
        " mark what changed from the parent"));
      return box;
    }

    column(arm, cell) {
      const of = this.index.arms[arm];
      const head = make("h4", {}, swatch(of), of.label);
      if (of.oracle) head.append(make("span", { class: "chip oracle", text: "oracle" }));
      const column = make("article", { class: "v-column" }, head);
      if (!cell) {
        column.append(make("p", { class: "v-note", text: "Not run (yet)." }));
        return column;
      }
      column.append(this.outcome(cell));
      if (cell.error) column.append(make("p", { class: "v-error", text: cell.error }));
      const tree = grown(cell.candidates);
      for (const [depth, candidate] of tree || []) {
        const box = this.candidate(candidate, cell);
        box.style.marginLeft = `${Math.min(depth, 12) * 0.8}rem`;
        column.append(box);
      }
      let round = null;
      for (const candidate of tree ? [] : cell.candidates) {
        if (candidate.round !== round) {
          round = candidate.round;
          column.append(make("p", { class: "v-round", text: `round ${round + 1}` }));
        }
        column.append(this.candidate(candidate, cell));
      }
      if (cell.opinions.length) column.append(opinions(cell.opinions));
      return column;
    }

    outcome(cell) {
      const spend = cell.spend, used = spend.tokens_in + spend.tokens_out;
      const words = [counted(used, "token"), counted(spend.calls, "call"), counted(spend.verdicts, "verdict"), `${cell.seconds.toFixed(2)} s`];
      if (spend.money) words.push(`$${spend.money.toFixed(4)}`);
      const said = cell.abstained ? "abstained" : cell.best === null ? "no answer" : `answered with ${cell.best}`;
      return make("div", { class: "v-outcome" },
        make("p", {}, ...this.rights(cell.right), ` ${said} · stopped: ${cell.stopped}`),
        make("p", { class: "v-cost", text: words.join(" · ") }));
    }

    rights(right) {
      const metrics = this.index.metrics, main = right[metrics[0]];
      const same = metrics.every((metric) => right[metric] === main);
      return (same ? [metrics[0]] : metrics).map((metric) => {
        const value = right[metric], name = same ? "" : `${metric}: `;
        const whole = value === true || value === false || value === undefined;
        return make("span", {
          class: `chip ${value === true || value >= 1 ? "right" : "wrong"}`, title: same ? metrics.join(", ") : metric,
          text: name + (whole ? (value ? "right" : "wrong") : Number(value).toFixed(2)),
        });
      });
    }

    candidate(candidate, cell) {
      const chosen = candidate.id === cell.best, score = candidate.score;
      const under = candidate.partial && candidate.outcome !== "infra_error" && score !== BROKEN;
      const outcome = under ? "partial" : candidate.outcome;
      const head = make("p", { class: "v-chips" },
        make("span", { class: "v-name", text: candidate.id }),
        make("span", { class: `chip verdict ${outcome}`, text: VERDICTS[outcome] || outcome }),
        score === null ? null : meter(score), ...(candidate.partial ? [] : this.rights(candidate.right)),
        chosen ? make("span", { class: "chip chosen", text: "★ chosen" }) : null);
      const box = make("div", { class: `v-candidate${chosen ? " chosen" : ""}` }, head);
      const parent = cell.candidates.find((c) => c.id === candidate.parents[0]);
      box.append(parent && this.changes ? difference(parent.answer, candidate.answer) : make("pre", { text: candidate.answer }));
      if (candidate.parents.length) {
        const same = parent && parent.answer === candidate.answer ? ": the same" : "";
        box.append(make("p", { class: "v-cost", text: `${parent && parent.partial ? "goes on from" : "refines"} ${candidate.parents.join(", ")}${same}` }));
      }
      const met = candidate.findings.filter((f) => !f.message && f.score === 1).map((f) => f.criterion);
      const findings = candidate.findings.filter((f) => f.message || (f.score !== null && f.score !== 1));
      if (met.length) box.append(make("p", { class: "v-cost", text: `met: ${met.join(", ")}` }));
      if (findings.length) {
        const anothers = this.index.arms[cell.arm].change === "shuffled";
        box.append(make("ul", { class: "v-findings" }, ...findings.map((f) => make("li", {},
          make("b", { text: f.criterion }), f.score === null ? "" : ` ${f.score.toFixed(2)}`,
          // a reply without an answer (format) no verifier saw: those words are its own
          anothers && f.message && f.criterion !== "format" ? make("span", { class: "v-anothers", text: "another task's words" }) : "",
          f.message ? ` ${f.message}` : ""))));
      }
      const checking = candidate.verifying ? ` · ${counted(candidate.verifying, "token")} to verify` : "";
      box.append(make("p", { class: "v-cost", text: `${candidate.tokens_in} tokens in · ${candidate.tokens_out} out${checking}` }));
      return box;
    }
  }

  // How many lines all questions begin with in common, as instructions are, where there are several.
  function alike(questions) {
    const [first, ...others] = questions.map((question) => question.split("\n"));
    let count = 0;
    while (others.length && count < first.length && others.every((lines) => lines[count] === first[count])) count++;
    return count;
  }

  // Candidates that go on with their parents' texts: each below its parent, with its depth; null where there are none.
  function grown(candidates) {
    const known = new Map(candidates.map((c) => [c.id, c])), below = new Map();
    let steps = 0;
    for (const c of candidates) {
      const parent = known.get(c.parents[0]);
      if (parent && c.answer !== parent.answer && c.answer.startsWith(parent.answer)) steps++;
      const above = parent ? parent.id : "";
      below.set(above, [...(below.get(above) || []), c]);
    }
    if (!steps || 2 * steps < candidates.filter((c) => known.has(c.parents[0])).length) return null;
    const found = [], walk = (above, depth) => {
      for (const c of below.get(above) || []) { found.push([depth, c]); walk(c.id, depth + 1); }
    };
    walk("", 0);
    return found;
  }

  // The arms to begin with: of each strategy the first unchanged one without an oracle, the usual strategies (whose
  // colours come first) before others; four fit beside each other.
  function firstShown(arms) {
    const plain = new Map();
    arms.forEach((arm, i) => { if (!arm.oracle && !arm.change && !plain.has(arm.colour)) plain.set(arm.colour, i); });
    const order = [...plain].sort(([one], [other]) => one - other).map(([, i]) => i);
    return order.length ? order.slice(0, 4) : [0];
  }

  function swatch(arm) {
    const made = make("span", { class: `swatch${arm.oracle ? " dashed" : ""}`, "aria-hidden": "true" });
    made.style.setProperty("--arm", `var(--arm-${arm.colour})`);
    return made;
  }

  function meter(score) {
    const bar = make("span", { class: "v-meter", "aria-hidden": "true" }, make("span", {}));
    bar.firstChild.style.width = `${Math.max(0, Math.min(1, score)) * 100}%`;
    return make("span", { class: "v-score" }, bar, score.toFixed(2));
  }

  function opinions(given) {
    const box = make("details", { class: "v-opinions" }, make("summary", { text: counted(given.length, "opinion") }));
    for (const opinion of given) {
      const words = Object.entries(opinion.value || {}).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
      box.append(make("p", {}, make("b", { text: `${opinion.id} ${opinion.role}` }), ` ${words.join(" · ")} (${counted(opinion.tokens, "token")})`));
    }
    return box;
  }

  function counted(number, noun) {
    return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  }

  // What changed, word by word: the longest common subsequence of words, marks and spaces.

  function difference(before, after) {
    const box = make("pre", { class: "v-changed" });
    for (const [kind, text] of changes(before, after)) box.append(kind === "same" ? text : make(kind, { text }));
    return box;
  }

  function changes(before, after) {
    const split = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) || [];
    const a = split(before), b = split(after);
    let start = 0, end = 0;
    while (start < a.length && start < b.length && a[start] === b[start]) start++;
    while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    const found = [];
    const add = (kind, text) => {
      if (!text) return;
      const last = found[found.length - 1];
      if (last && last[0] === kind) last[1] += text; else found.push([kind, text]);
    };
    add("same", a.slice(0, start).join(""));
    middle(a.slice(start, a.length - end), b.slice(start, b.length - end), add);
    add("same", a.slice(a.length - end).join(""));
    return found;
  }

  function middle(a, b, add) {
    if (a.length * b.length > 1e6) {
      add("del", a.join(""));
      add("ins", b.join(""));
      return;
    }
    const width = b.length + 1, common = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        common[i * width + j] = a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
      }
    }
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { add("same", a[i]); i++; j++; }
      else if (i < a.length && (j === b.length || common[(i + 1) * width + j] >= common[i * width + j + 1])) add("del", a[i++]);
      else add("ins", b[j++]);
    }
  }

  return { open, show, unpack, changes, grown, alike };
})();
