// The player page: brings the track, its streams and its waveform together.

import { drawCover, hueOf } from "./cover.js";
import { facts } from "./facts.js";
import { Making } from "./making.js";
import { NAMES, Stream, playable } from "./stream.js";
import { SeekBar, clock } from "./waveform.js";

const $ = (id) => document.getElementById(id);
const audio = $("audio"), id = document.body.dataset.track;
const VOLUME_KEY = "backline-volume", EDGE_S = 0.05, HEARD_S = 10;
const tried = new Set();
let track, format, drawn = "";

const stream = new Stream(audio, (reason) => fallBack(reason));
const bar = new SeekBar($("seek"), { seek, toggle });
const making = new Making($("runs"), async (active) => await show(await load(), active) === "making");

async function load() {
  const answer = await fetch(`/tracks/${id}`, { cache: "no-store" }).catch(() => null);
  if (answer?.status === 404) location.reload();
  return answer?.ok ? answer.json() : track;
}

// Show the track as it stands; `active` says whether somebody is at work on it. Gives its state.
async function show(now, active = false) {
  track = now ?? track;
  if (!track) {
    trouble("The server does not answer. Try again in a moment.");
    return "making";
  }
  const { version, links } = track, formats = playable(audio, links);
  const state = version.status === "failed" ? "failed" : version.status === "ready" ? "ready" : "making";
  document.body.dataset.state = state;
  const shut = track.gated && !links.waveform_json && !formats.length;
  $("failed").hidden = state !== "failed";
  $("error").textContent = version.error ?? "";
  $("making").hidden = state === "failed" || (state === "ready" && !active);
  if (state === "ready") $("making-title").textContent = "Almost done";
  facts(version, $("loudness"), $("format"));
  $("facts").hidden = version.duration_s === null;
  bar.setDuration(state === "ready" ? version.duration_s : 0);
  $("total").textContent = version.duration_s === null ? "–:––" : clock(version.duration_s);
  if (state === "ready" && !format) {
    if (formats.length) choose(formats[0]);
    else if (shut) trouble("Only its owner may hear this track. If it is yours, sign in.");
    else trouble("This browser plays none of the formats of this track.");
  }
  offer(formats);
  $("play").disabled = !format;
  await Promise.all([showWaveform(links), showArtwork(links)]);
  return state;
}

async function showWaveform(links) {
  if (!links.waveform_json || drawn === links.waveform_json) return;
  const answer = await fetch(links.waveform_json).catch(() => null);
  if (!answer?.ok) return;
  const { data } = await answer.json();
  drawn = links.waveform_json;
  bar.load(data);
  drawCover($("cover"), id, data);
}

// A cover of the artist's own. Where the platform drew one, the page's picture stays: it is drawn from the sound.
async function showArtwork(links) {
  const picture = $("artwork");
  if (!links.artwork || track.artwork?.source === "generated" || picture.src) return;
  picture.addEventListener("load", () => { picture.hidden = false; }, { once: true });
  picture.src = links.artwork;
}

function choose(next) {
  const at = audio.currentTime, playing = !audio.paused;
  format = next;
  stream.open(track.links[next], next, at);
  for (const button of $("formats").children) button.setAttribute("aria-pressed", String(button.value === next));
  if (playing) play();
}

function offer(formats) {
  $("formats").replaceChildren(...formats.map((each) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", value: each, textContent: NAMES[each] });
    button.setAttribute("aria-pressed", String(each === format));
    button.addEventListener("click", () => { tried.clear(); if (each !== format) choose(each); });
    return button;
  }));
}

// A stream that cannot go on gives way to the next one; where there is none, the listener is told.
function fallBack(reason) {
  tried.add(format);
  const next = playable(audio, track.links).find((each) => !tried.has(each));
  if (next) {
    const playing = !audio.paused;
    choose(next);
    if (playing) play();
  } else {
    stream.close();
    trouble(`The sound cannot be played: ${reason}.`);
  }
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

async function play() {
  trouble("");
  stream.start();
  try {
    await audio.play();
  } catch (error) {
    // Another stream was chosen meanwhile, or pause came first: nothing is wrong.
    if (error.name !== "AbortError") trouble(`The sound cannot be played: ${error.message}`);
  }
}

function toggle() {
  if (!format) return;
  tried.clear();
  if (audio.paused) play();
  else audio.pause();
}

// Where nothing plays yet, a click on the waveform starts it there; a key only moves the place where it will start.
function seek(seconds, start) {
  if (!format) return;
  const to = Math.min(seconds, bar.duration - EDGE_S);
  bar.setTime(to);
  $("elapsed").textContent = clock(to);
  if (stream.started) audio.currentTime = to;
  else stream.at = to;
  if (start && !stream.started) toggle();
}

function setVolume(volume, muted = false) {
  Object.assign(audio, { volume, muted });
  $("volume").value = muted ? 0 : volume;
  $("mute").setAttribute("aria-pressed", String(muted));
  try {
    localStorage.setItem(VOLUME_KEY, String(volume));
  } catch {
    // Storage is forbidden: the volume is then kept for this page only.
  }
}

function kept() {
  try {
    const volume = parseFloat(localStorage.getItem(VOLUME_KEY));
    return volume >= 0 && volume <= 1 ? volume : 1;
  } catch {
    return 1;
  }
}

// Who only looks in is no listener: a play is told of once some of it was heard.
let counted = false;
function countPlay() {
  const heard = Array.from(audio.played, (_, at) => audio.played.end(at) - audio.played.start(at)).reduce((a, b) => a + b, 0);
  if (counted || heard < Math.min(HEARD_S, bar.duration / 2)) return;
  counted = true;
  fetch(`/tracks/${id}/plays`, { method: "POST" }).catch(() => { counted = false; });
}

let frame;
function tick() {
  if (!audio.seeking && stream.started) bar.setTime(audio.currentTime);
  $("elapsed").textContent = clock(bar.at);
  frame = audio.paused ? 0 : requestAnimationFrame(tick);
}

function playing(is) {
  document.body.toggleAttribute("data-playing", is);
  $("play").setAttribute("aria-label", is ? "Pause" : "Play");
  cancelAnimationFrame(frame);
  tick();
}

audio.addEventListener("play", () => playing(true));
audio.addEventListener("pause", () => playing(false));
audio.addEventListener("ended", () => playing(false));
audio.addEventListener("seeked", tick);
audio.addEventListener("timeupdate", countPlay);
audio.addEventListener("waiting", () => document.body.toggleAttribute("data-waiting", true));
for (const each of ["playing", "pause", "ended"]) audio.addEventListener(each, () => document.body.toggleAttribute("data-waiting", false));
$("play").addEventListener("click", toggle);
$("mute").addEventListener("click", () => setVolume(audio.volume || 1, !audio.muted));
$("volume").addEventListener("input", () => setVolume(parseFloat($("volume").value)));
document.addEventListener("keydown", (event) => {
  if (event.target !== document.body || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") toggle();
  else if (event.key === "m") setVolume(audio.volume || 1, !audio.muted);
  else return;
  event.preventDefault();
});
addEventListener("pagehide", () => making.stop());

document.documentElement.style.setProperty("--hue", hueOf(id));
setVolume(kept());
drawCover($("cover"), id, []);
if (navigator.mediaSession && globalThis.MediaMetadata) {
  navigator.mediaSession.metadata = new MediaMetadata({ title: $("title").textContent, artist: $("artist").textContent });
}
const state = await show(await load());
const whole = track?.links.waveform_json && track.links.artwork && track.version.loudness;
if (state === "making" || (state === "ready" && !whole)) await making.follow(`/tracks/${id}/steps`);
