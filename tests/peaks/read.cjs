// Reads audiowaveform JSON or binary data from a file, and prints what it holds as JSON.
const fs = require("node:fs");
const WaveformData = require(`${process.argv[2]}/node_modules/waveform-data`);

const bytes = fs.readFileSync(process.argv[3]);
const isText = process.argv[3].endsWith(".json");
const content = isText ? JSON.parse(bytes.toString()) : new Uint8Array(bytes).buffer;
const waveform = WaveformData.create(content);
const channel = waveform.channel(0);
const resampled = waveform.resample({ width: Math.min(waveform.length, 10) });
console.log(
  JSON.stringify({
    channels: waveform.channels,
    rate: waveform.sample_rate,
    scale: waveform.scale,
    bits: waveform.bits,
    length: waveform.length,
    duration: waveform.duration,
    pixelsPerSecond: waveform.pixels_per_second,
    low: channel.min_array(),
    high: channel.max_array(),
    resampled: resampled.length,
  }),
);
