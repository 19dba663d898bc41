// The official encoder and decoder of signalling frames. One JSON request a line on stdin, one answer a line:
// {"sample": type} -> the sample as {hex, json, unset}; {"decode": hex} -> {json} or {error}; hex has the prefix byte.
// Enumerations are numbers, 64-bit integers strings, bytes base64.
// {"samples": true} -> {types}: those with a sample, and those that the official enumeration has.
// {"transcript": hex or null} -> the same for the payload of the transcription topic, which has no prefix.
import readline from "node:readline";
import { createRequire } from "node:module";
import { frames, transcript, unset } from "./signaling_samples.mjs";

const require = createRequire(import.meta.url);
const { SdkSignalFrame, SdkTranscriptFrame } = require("amazon-chime-sdk-js/build/signalingprotocol/SignalingProtocol.js");
const { DefaultSignalingClient } = require("amazon-chime-sdk-js");

const prefix = Buffer.of(DefaultSignalingClient.FRAME_TYPE_RTC);
const plain = (message) => message.constructor.toObject(message, { longs: String, bytes: String });
const bodies = Object.keys(SdkSignalFrame.prototype).filter((name) => SdkSignalFrame.prototype[name] === null);

function sample(type) {
  const encoded = SdkSignalFrame.encode(SdkSignalFrame.fromObject(frames[type])).finish();
  const decoded = SdkSignalFrame.decode(encoded);
  const others = bodies.filter((name) => !(name in frames[type]));
  return {
    hex: Buffer.concat([prefix, encoded]).toString("hex"), json: plain(decoded),
    unset: unset(decoded, type, others),
  };
}

function transcription(hex) {
  const encoded = hex === null
    ? SdkTranscriptFrame.encode(SdkTranscriptFrame.fromObject(transcript)).finish() : Buffer.from(hex, "hex");
  return { hex: Buffer.from(encoded).toString("hex"), json: plain(SdkTranscriptFrame.decode(encoded)) };
}

function answer(request) {
  if (request.samples) return { types: Object.keys(frames), known: Object.keys(SdkSignalFrame.Type) };
  if (request.sample) return sample(request.sample);
  if (request.transcript !== undefined) return transcription(request.transcript);
  return { json: plain(SdkSignalFrame.decode(Buffer.from(request.decode, "hex").subarray(1))) };
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  let result;
  try {
    result = answer(JSON.parse(line));
  } catch (error) {
    result = { error: String(error) };
  }
  process.stdout.write(JSON.stringify(result) + "\n");
}
