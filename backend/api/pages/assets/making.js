// What is being done with a track, live: each run by its own event stream.

const ENDED = new Set(["succeeded", "dead", "cancelled", "interrupted"]);
const STEPS = {
  ingest_upload: "Checking the file", transcode_version: "Making it playable", draw_waveform: "Drawing the waveform",
  analyse_loudness: "Measuring loudness", extract_artwork: "Finding the cover",
};
const LOOK_MS = 2000;

export class Making {
  // `changed()` is awaited whenever a run has ended; it gives whether there is more to wait for.
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    this.following = new Map();
  }

  // Begin with a listing of runs, such as `/runs?text=...`.
  async follow(path) {
    this.path = path;
    const answer = await fetch(path).catch(() => null);
    if (!answer?.ok) {
      this.#later();
      return;
    }
    const { items } = await answer.json();
    for (const run of items.reverse()) {
      if (this.following.has(run.id)) continue;
      this.following.set(run.id, this.#row(run));
      if (!ENDED.has(run.state)) this.#listen(run.id);
    }
    if (items.every((run) => ENDED.has(run.state))) this.#later();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const row of this.following.values()) row.events?.close();
  }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  async #look() {
    if (!this.stopped && await this.changed() && !this.stopped) await this.follow(this.path);
  }

  #listen(id) {
    const row = this.following.get(id), events = row.events = new EventSource(`/runs/${id}/stream`);
    for (const kind of ["state", "progress"]) events.addEventListener(kind, (event) => row.show(JSON.parse(event.data)));
    events.addEventListener("end", (event) => {
      events.close();
      row.show(JSON.parse(event.data));
      this.#look();
    });
  }

  #row(run) {
    const row = document.createElement("li"), name = document.createElement("span"), said = document.createElement("span");
    const bar = document.createElement("progress");
    bar.max = 100;
    name.textContent = STEPS[run.task] ?? run.task;
    said.className = "said";
    row.append(name, said, bar);
    this.list.append(row);
    const show = ({ state, progress, error }) => {
      const percent = state === "succeeded" ? 100 : progress?.percent ?? 0;
      row.dataset.state = state;
      bar.value = percent;
      bar.setAttribute("aria-label", name.textContent);
      const left = progress?.eta_s > 1 ? ` · ${Math.ceil(progress.eta_s)} s left` : "";
      said.textContent = state === "running" ? `${Math.round(percent)} %${left}` : error && !ENDED.has(state) ? `${state}: ${error}` : state;
    };
    show(run);
    return { show };
  }
}
