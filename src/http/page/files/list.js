// A virtual list of a log, newest first: only the visible rows are in the document, so 100,000 rows scroll like 100.
//
// Numbers of a log have no gaps. Without a filter, the number of a row follows from its position, and blocks are
// fetched when they become visible. With a filter, the list grows at its end as the server finds more.
import { h } from "./dom.js";

const BLOCK = 200;
/** Maximum number of blocks in memory: about 20,000 rows. */
const BLOCKS = 100;
/** Rows outside the visible area that are drawn too. */
const SPARE = 8;
/** Maximum number of pages read at once after a burst, with a filter. */
const BURST = 10;
/** Time between two updates. */
const TICK = 250;

export class LogList {
  /**
   * `path` and `key` name the list in the API, `query` filters it, `row(entry)` makes the cells and `href(entry)` the
   * address of a row, `columns` are titles, `counted(number, whole)` receives the number of entries.
   */
  constructor({ api, path, key, query, name, columns, row, href, counted, keep = (entry) => entry }) {
    Object.assign(this, { api, path, key, query, row, href, counted, keep });
    this.filtered = Object.keys(query).length > 0;
    this.entries = new Map();
    this.ids = [];
    this.newest = this.oldest = 0;
    this.more = false;
    this.pending = new Map();
    this.dirty = new Set();
    this.drawn = new Map();
    this.at = 0;
    this.body = h("div", { class: "list-body", role: "rowgroup" });
    this.table = h("div", { class: `list ${key}`, role: "table", "aria-label": name },
      h("div", { class: "list-head", role: "rowgroup" }, h("div", { class: "row", role: "row", "aria-rowindex": "1" },
        columns.map(({ title, kind }) => h("div", { role: "columnheader", class: kind }, title)))),
      this.body);
    this.element = h("div", { class: "scroller", tabindex: "-1" }, this.table);
    this.element.addEventListener("scroll", () => this.#later(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row && !event.target.closest("a, button") && !getSelection().toString()) row.querySelector("a.open")?.click();
    });
    this.observer = new ResizeObserver(() => this.#later());
    this.observer.observe(this.element);
  }

  /** Fetches the newest entries. */
  async load() {
    const newest = this.api.get(this.path, { ...this.query, newest: "true", limit: BLOCK });
    const oldest = this.filtered ? undefined : this.api.get(this.path, { limit: 1 });
    const page = await newest;
    this.#take(page[this.key]);
    this.more = page.more;
    this.next = page.next;
    if (oldest) {
      this.oldest = (await oldest)[this.key][0]?.id ?? 0;
    }
    this.#count();
    this.draw();
  }

  /** Registers a change of the entries with these numbers, or (`undefined`) of unknown entries. */
  happened(id) {
    if (id === undefined) this.lost = true;
    else this.dirty.add(id);
    if (!this.timer) {
      this.timer = setTimeout(async () => {
        try { await this.#refresh(); } catch { /* The next event tries again. */ }
        this.timer = undefined;
        if (this.lost || this.dirty.size > 0) this.happened([...this.dirty][0]);
      }, TICK);
    }
  }

  async #refresh() {
    const before = this.#length();
    const lost = this.lost;
    const first = this.dirty.size > 0 ? Math.min(...this.dirty) : undefined;
    this.lost = false;
    this.dirty.clear();
    if (lost) {
      this.entries.clear();
      this.ids = [];
      this.newest = this.oldest = 0;
      await this.load();
      return;
    }
    if (!this.filtered) {
      // Missing rows are fetched when they become visible.
      const page = await this.api.get(this.path, { newest: "true", limit: BLOCK });
      this.#take(page[this.key]);
      const old = first !== undefined && first < (page[this.key].at(-1)?.id ?? 0);
      if (old) this.#take((await this.api.get(this.path, { after: first - 1, limit: 1000 }))[this.key]);
      if (this.oldest === 0) this.oldest = page[this.key].at(-1)?.id ?? 0;
    } else {
      let after = (first ?? this.newest + 1) - 1;
      for (let pages = 0; pages < BURST; pages += 1) {
        const page = await this.api.get(this.path, { ...this.query, after, limit: 1000 });
        this.#take(page[this.key]);
        after = page.next;
        if (!page.more) break;
      }
    }
    const added = this.#length() - before;
    this.#count();
    if (added > 0 && this.element.scrollTop > 0) this.element.scrollTop += added * this.#height();
    this.draw();
  }

  #take(entries) {
    for (const entry of entries) {
      if (this.filtered && !this.entries.has(entry.id)) this.#place(entry.id);
      this.entries.set(entry.id, this.keep(entry));
      this.newest = Math.max(this.newest, entry.id);
      this.drawn.get(entry.id)?.remove();
      this.drawn.delete(entry.id);
    }
  }

  /** Inserts a number; the list is in descending order. */
  #place(id) {
    let [low, high] = [0, this.ids.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ids[middle] > id) low = middle + 1;
      else high = middle;
    }
    this.ids.splice(low, 0, id);
  }

  #length() {
    if (this.filtered) return this.ids.length;
    return this.newest === 0 ? 0 : this.newest - this.oldest + 1;
  }

  #id(place) { return this.filtered ? this.ids[place] : this.newest - place; }

  #placeOf(id) { return this.filtered ? this.ids.indexOf(id) : this.newest - id; }

  #count() { this.counted?.(this.#length(), !this.filtered || !this.more); }

  #height() {
    const height = parseFloat(getComputedStyle(this.table).getPropertyValue("--row"));
    return Number.isFinite(height) && height > 0 ? height : 30;
  }

  #later() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  /** Draws the visible rows, and fetches the missing ones. */
  draw() {
    const [height, length] = [this.#height(), this.#length()];
    const head = this.body.offsetTop;
    const top = Math.max(0, Math.floor((this.element.scrollTop - head) / height) - SPARE);
    const bottom = Math.min(length, top + Math.ceil(this.element.clientHeight / height) + 2 * SPARE);
    this.body.style.height = `${length * height}px`;
    this.table.setAttribute("aria-rowcount", String(length + 1));
    this.at = Math.min(this.at, Math.max(0, length - 1));
    const wanted = new Set();
    for (let place = top; place < bottom; place += 1) wanted.add(this.#id(place));
    if (length > 0 && this.body.contains(document.activeElement)) wanted.add(this.#id(this.at));
    for (const [id, row] of this.drawn) {
      if (!wanted.has(id)) {
        row.remove();
        this.drawn.delete(id);
      }
    }
    let missing = false;
    const fresh = [];
    for (const id of wanted) {
      const entry = this.entries.get(id);
      missing ||= !entry && !this.filtered;
      let row = this.drawn.get(id);
      if (!row && entry) {
        row = this.#make(entry);
        this.drawn.set(id, row);
        fresh.push(row);
      }
      if (!row) continue;
      const place = this.#placeOf(id);
      row.style.transform = `translateY(${place * height}px)`;
      row.setAttribute("aria-rowindex", String(place + 2));
      row.querySelector("a.open").tabIndex = place === this.at ? 0 : -1;
    }
    this.body.append(...fresh);
    this.#order();
    if (missing) this.#fetch(this.#id(bottom - 1), this.#id(top));
    if (this.filtered && this.more && bottom + SPARE * 4 >= length) this.#grow();
  }

  /** Screen readers read in document order. */
  #order() {
    const rows = [...this.body.children];
    const sorted = [...rows].sort((one, other) => Number(other.dataset.id) - Number(one.dataset.id));
    if (rows.some((row, place) => row !== sorted[place])) {
      const focused = document.activeElement;
      this.body.append(...sorted);
      if (this.body.contains(focused)) focused.focus({ preventScroll: true });
    }
  }

  #make(entry) {
    const row = h("div", { class: "row", role: "row", "data-id": entry.id }, this.row(entry).map((cell) => {
      cell.setAttribute("role", "cell");
      return cell;
    }));
    const open = row.querySelector("a.open");
    open.addEventListener("focus", () => { this.at = this.#placeOf(entry.id); });
    return row;
  }

  async #fetch(from, to) {
    const wanted = [];
    for (let block = Math.floor(from / BLOCK); block <= Math.floor(to / BLOCK); block += 1) {
      if (!this.pending.has(block)) wanted.push(block);
    }
    await Promise.all(wanted.map(async (block) => {
      this.pending.set(block, true);
      try {
        const page = await this.api.get(this.path, { after: Math.max(0, block * BLOCK - 1), limit: BLOCK });
        this.#take(page[this.key]);
      } catch { /* It is asked for again when it is drawn. */ }
      this.pending.delete(block);
    }));
    this.#forget(from, to);
    if (wanted.length > 0) this.draw();
  }

  /** Drops entries far from the visible rows. */
  #forget(from, to) {
    if (this.entries.size <= BLOCK * BLOCKS) return;
    for (const id of this.entries.keys()) {
      if (id < from - BLOCK * 20 || id > to + BLOCK * 20) this.entries.delete(id);
    }
  }

  async #grow() {
    if (this.growing) return;
    this.growing = true;
    try {
      const page = await this.api.get(this.path, { ...this.query, before: this.next, limit: BLOCK });
      this.next = page.next;
      this.more = page.more;
      this.#take(page[this.key]);
    } catch {
      this.more = false;
    }
    this.growing = false;
    this.#count();
    this.draw();
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.#height()) - 2);
    const last = this.#length() - 1;
    const to = {
      ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + page, PageUp: this.at - page, Home: 0, End: last,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey || last < 0) return;
    event.preventDefault();
    this.goTo(Math.min(last, Math.max(0, to)));
  }

  /** Moves the focus to the row at a position, once it is loaded. */
  async goTo(place) {
    this.at = place;
    const [height, head] = [this.#height(), this.body.offsetTop];
    const [top, bottom] = [head + place * height, head + (place + 1) * height];
    if (top - head < this.element.scrollTop) this.element.scrollTop = top - head;
    else if (bottom > this.element.scrollTop + this.element.clientHeight) this.element.scrollTop = bottom - this.element.clientHeight;
    this.draw();
    for (let tries = 0; tries < 50 && this.at === place; tries += 1) {
      const row = this.drawn.get(this.#id(place));
      if (row) {
        row.querySelector("a.open").focus({ preventScroll: true });
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 40));
      this.draw();
    }
  }
}
