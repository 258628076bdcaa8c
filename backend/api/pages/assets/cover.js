// The picture of a track that has no artwork: its sound around a circle, in colours of its own.

import { peaks } from "./waveform.js";

const RAYS = 144;

const COOLEST = 165, HUES = 180; // from sea green over blue to rose: red and yellow are left to what warns

// The same hue for the same track, in degrees.
export function hueOf(id) {
  let hash = 2166136261;
  for (const character of id) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619) >>> 0;
  return COOLEST + hash % HUES;
}

export function drawCover(canvas, id, pairs) {
  const pen = canvas.getContext("2d"), { width, height } = canvas, hue = hueOf(id);
  const ground = pen.createLinearGradient(0, 0, width, height);
  ground.addColorStop(0, `oklch(0.42 0.15 ${hue})`);
  ground.addColorStop(1, `oklch(0.24 0.09 ${hue + 50})`);
  pen.fillStyle = ground;
  pen.fillRect(0, 0, width, height);
  for (const [x, y, turn, light] of [[0.15, 0.1, 70, 0.62], [0.95, 0.85, -40, 0.55]]) {
    const glow = pen.createRadialGradient(x * width, y * height, 0, x * width, y * height, width * 0.8);
    glow.addColorStop(0, `oklch(${light} 0.17 ${hue + turn} / 0.75)`);
    glow.addColorStop(1, `oklch(${light} 0.17 ${hue + turn} / 0)`);
    pen.fillStyle = glow;
    pen.fillRect(0, 0, width, height);
  }
  pen.save();
  pen.translate(width / 2, height / 2);
  pen.lineCap = "round";
  pen.lineWidth = width / 130;
  const inner = width * 0.17;
  peaks(pairs, RAYS).forEach((peak, ray) => {
    const angle = ray / RAYS * 2 * Math.PI - Math.PI / 2, outer = inner + width * (0.015 + 0.2 * peak);
    pen.strokeStyle = `oklch(0.97 0.03 ${hue} / ${0.45 + 0.5 * peak})`;
    pen.beginPath();
    pen.moveTo(inner * Math.cos(angle), inner * Math.sin(angle));
    pen.lineTo(outer * Math.cos(angle), outer * Math.sin(angle));
    pen.stroke();
  });
  pen.restore();
}
