// What is being done with a track, live: each step by its own event stream.

const ENDED = new Set(["succeeded", "dead", "cancelled", "interrupted"]);
const STEPS = {
  ingest_upload: "Checking the file", transcode_version: "Making it playable", draw_waveform: "Drawing the waveform",
  analyse_loudness: "Measuring loudness", extract_artwork: "Finding the cover",
  fingerprint_version: "Taking its fingerprint",
};
const LOOK_MS = 2000;

export class Making {
  // `changed(active)` is awaited at the start and whenever a run has ended; `active` says whether another has not. It
  // gives whether the track waits for more, although nothing is at work.
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    this.following = new Map();
  }

  // Begin, or go on, with the listing of a track's steps.
  async follow(path) {
    clearTimeout(this.timer);
    const answer = await fetch(path).catch(() => null), { items } = answer?.ok ? await answer.json() : { items: [] };
    for (const run of items.reverse()) {
      if (this.following.has(run.id)) continue;
      this.following.set(run.id, this.#row(run));
      if (!ENDED.has(run.state)) this.#listen(run.id, path);
    }
    const active = items.some((run) => !ENDED.has(run.state)), waits = await this.changed(active);
    if (waits && !active && !this.stopped) this.timer = setTimeout(() => this.follow(path), LOOK_MS);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const row of this.following.values()) row.events?.close();
  }

  #listen(id, path) {
    const row = this.following.get(id), events = row.events = new EventSource(`${path}/${id}/stream`);
    for (const kind of ["state", "progress"]) events.addEventListener(kind, (event) => row.show(JSON.parse(event.data)));
    events.addEventListener("end", (event) => {
      events.close();
      row.show(JSON.parse(event.data));
      this.follow(path);
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
