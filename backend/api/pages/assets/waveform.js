// The waveform as the bar in which one seeks: drawn on a canvas, moved by pointer and keys.

const BAR = 3, GAP = 2, LOWER = 0.42;
const STEP_S = 5, LEAP_S = 30;

// Loudest excursion of each bar, from 0 to 1, of audiowaveform's pairs of minimum and maximum.
export function peaks(pairs, bars) {
  const points = pairs.length / 2;
  if (!points) return new Array(bars).fill(0);
  const found = Array.from({ length: bars }, (_, bar) => {
    const from = Math.floor(bar * points / bars), to = Math.max(from + 1, Math.floor((bar + 1) * points / bars));
    let peak = 0;
    for (let at = from; at < to; at++) peak = Math.max(peak, -pairs[2 * at], pairs[2 * at + 1]);
    return peak;
  });
  const loudest = Math.max(...found, 1);
  return found.map((peak) => peak / loudest);
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0)), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export class SeekBar {
  // `seek(seconds, start)` is called when the listener goes somewhere, by pointer with `start`; `toggle()` for the space bar.
  constructor(element, { seek, toggle }) {
    this.element = element;
    this.canvas = element.querySelector("canvas");
    this.hint = element.querySelector("output");
    this.pairs = [];
    this.duration = this.at = 0;
    this.pointed = null;
    this.dragging = false;
    this.seek = seek;
    new ResizeObserver(() => this.draw()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", () => this.#leave());
    element.addEventListener("pointerleave", () => this.dragging || this.#leave());
    element.addEventListener("keydown", (event) => this.#key(event, toggle));
  }

  get enabled() { return this.duration > 0; }

  load(pairs) { this.pairs = pairs; this.draw(); }

  setDuration(seconds) {
    this.duration = seconds || 0;
    this.element.setAttribute("aria-valuemax", this.duration.toFixed(1));
    this.element.setAttribute("aria-disabled", String(!this.enabled));
    this.setTime(this.at);
  }

  setTime(seconds) {
    this.at = seconds;
    this.element.setAttribute("aria-valuenow", seconds.toFixed(1));
    this.element.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(this.duration)}`);
    this.draw();
  }

  draw() {
    const { width, height } = this.element.getBoundingClientRect(), scale = devicePixelRatio || 1;
    if (!width) return;
    const style = getComputedStyle(this.element), colour = (name) => style.getPropertyValue(name).trim();
    Object.assign(this.canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const pen = this.canvas.getContext("2d");
    pen.scale(scale, scale);
    const bars = Math.max(1, Math.floor((width + GAP) / (BAR + GAP))), middle = height / (1 + LOWER);
    const played = this.duration ? this.at / this.duration * width : 0;
    const pointed = this.pointed === null ? played : this.pointed * width;
    peaks(this.pairs, bars).forEach((peak, bar) => {
      const x = bar * (BAR + GAP), tall = Math.max(2, peak * (middle - 3));
      const between = x + BAR / 2 >= Math.min(played, pointed) && x + BAR / 2 < Math.max(played, pointed);
      pen.fillStyle = colour(between ? "--wave-pointed" : x + BAR / 2 < played ? "--wave-played" : "--wave-rest");
      pen.globalAlpha = 1;
      pen.beginPath(); pen.roundRect(x, middle - tall, BAR, tall, 1.5); pen.fill();
      pen.globalAlpha = 0.35;
      pen.beginPath(); pen.roundRect(x, middle + 2, BAR, Math.max(1, tall * LOWER - 2), 1.5); pen.fill();
    });
  }

  #share(event) {
    const box = this.element.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  #down(event) {
    if (!this.enabled || event.button) return;
    this.dragging = true;
    this.element.setPointerCapture(event.pointerId);
    this.#point(event);
  }

  #move(event) { if (this.enabled && (this.dragging || event.pointerType === "mouse")) this.#point(event); }

  #up(event) {
    if (!this.dragging) return;
    this.dragging = false;
    this.seek(this.#share(event) * this.duration, true);
    if (event.pointerType !== "mouse") this.#leave();
  }

  #leave() { this.dragging = false; this.pointed = null; this.hint.hidden = true; this.draw(); }

  #point(event) {
    this.pointed = this.#share(event);
    this.hint.hidden = false;
    this.hint.textContent = clock(this.pointed * this.duration);
    this.hint.style.left = `${this.pointed * 100}%`;
    this.draw();
  }

  #key(event, toggle) {
    if (!this.enabled || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = {
      ArrowLeft: this.at - STEP_S, ArrowDown: this.at - STEP_S, ArrowRight: this.at + STEP_S, ArrowUp: this.at + STEP_S,
      PageDown: this.at - LEAP_S, PageUp: this.at + LEAP_S, Home: 0, End: this.duration,
    }[event.key];
    if (to !== undefined) this.seek(Math.min(this.duration, Math.max(0, to)), false);
    else if (event.key === " ") toggle();
    else return;
    event.preventDefault();
  }
}
