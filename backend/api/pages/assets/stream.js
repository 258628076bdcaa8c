// How the streams reach the audio element: by Media Source Extensions through hls.js, or by a browser that plays HLS itself.

const HLS_TYPE = "application/vnd.apple.mpegurl";
const CODECS = { hls_opus: "opus", hls_aac: "mp4a.40.2", hls_alac: "alac" };
export const NAMES = { hls_opus: "Opus", hls_aac: "AAC", hls_alac: "ALAC" };

export function plays(audio, format) {
  const type = `audio/mp4; codecs="${CODECS[format]}"`;
  const source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;
  if (globalThis.Hls?.isSupported() && source.isTypeSupported(type)) return "mse";
  return audio.canPlayType(HLS_TYPE) && audio.canPlayType(type) ? "native" : "";
}

// The formats of a track that this browser plays, the one to try first at the top.
export function playable(audio, links) {
  return Object.keys(CODECS).filter((format) => links[format] && plays(audio, format));
}

export class Stream {
  // `failed(reason)` is called when a stream cannot go on.
  constructor(audio, failed) {
    this.audio = audio;
    this.failed = failed;
    this.hls = null;
    audio.addEventListener("error", () => this.hls || audio.error && failed(audio.error.message || "the browser gave up"));
  }

  // Nothing is fetched until `start`: a page that is only looked at costs no sound.
  open(url, format, at = 0) {
    this.close();
    this.url = url;
    this.at = at;
    this.way = plays(this.audio, format);
  }

  start() {
    if (this.started) return;
    this.started = true;
    if (this.way === "native") {
      this.audio.src = this.url;
      if (this.at) this.audio.addEventListener("loadedmetadata", () => { this.audio.currentTime = this.at; }, { once: true });
      return;
    }
    this.hls = new Hls({ enableWorker: false, startPosition: this.at, backBufferLength: 60 });
    this.hls.on(Hls.Events.ERROR, (_, error) => { if (error.fatal) this.#mend(error); });
    this.hls.loadSource(this.url);
    this.hls.attachMedia(this.audio);
  }

  close() {
    this.hls?.destroy();
    this.hls = null;
    this.started = this.mended = false;
    this.audio.removeAttribute("src");
    this.audio.load();
  }

  #mend(error) {
    if (error.type === Hls.ErrorTypes.MEDIA_ERROR && !this.mended) {
      this.mended = true;
      this.hls.recoverMediaError();
      return;
    }
    const status = error.response?.code;
    this.failed(status ? `the server answered ${status}` : error.details);
  }
}
