// What was measured of a track, and what was uploaded.

import { clock } from "./waveform.js";

const CHANNELS = { 1: "Mono", 2: "Stereo" };

export function facts(version, loudness, format) {
  const figures = version.loudness;
  fill(loudness, figures ? [
    ["Loudness", figure(figures.integrated_lufs), "LUFS"],
    ["True peak", figure(figures.true_peak_dbtp), "dBTP"],
    ["Range", figure(figures.range_lu), "LU"],
  ] : []);
  if (figures?.note) note(loudness, figures.note);
  fill(format, version.duration_s === null ? [] : [
    ["Original", version.codec?.replace(/^pcm_.*/, "PCM").toUpperCase() ?? "–"],
    ["Sample rate", version.sample_rate ? `${version.sample_rate / 1000}` : "–", "kHz"],
    ["Channels", CHANNELS[version.channels] ?? String(version.channels ?? "–")],
    ["Duration", clock(version.duration_s)],
    ["Quality", version.lossless === null ? "–" : version.lossless ? "Lossless" : "Lossy"],
  ]);
}

// A true minus sign, as wide as the digits.
function figure(value) {
  return value === null ? "–" : value.toFixed(1).replace("-", "−");
}

function fill(list, rows) {
  list.replaceChildren(...rows.map(([name, value, unit]) => {
    const row = document.createElement("div"), term = document.createElement("dt"), said = document.createElement("dd");
    term.textContent = name;
    said.textContent = value;
    if (unit && value !== "–") {
      const small = document.createElement("small");
      small.textContent = ` ${unit}`;
      said.append(small);
    }
    row.append(term, said);
    return row;
  }));
}

function note(list, text) {
  const row = document.createElement("div"), said = document.createElement("dd");
  row.className = "note";
  said.textContent = text;
  row.append(said);
  list.append(row);
}
