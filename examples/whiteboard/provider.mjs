// Keeps a Yjs document the same as the SharedDocument of that name in a meeting. It knows nothing of how messages
// travel: give it `send(topic, bytes, lifetimeMs)`, and hand what comes on `topics` to `receive(topic, sender, bytes)`.
// Bytes are those of chime_messaging.state: y-protocols, and standings; on the second topic, frames of a reliable topic.
import * as Y from "yjs";

const MAX_DATA = 2048, PIECE_HEAD = 25, MAX_BODY = MAX_DATA - PIECE_HEAD, LIFETIME = 300000;
const UPDATE = 2, STEP2 = 1, STANDING = 100, OFFER = 101, PART = 102, PART_BYTES = 512 * 1024;
const PIECE = 1, SENDER_STANDS = 2, ACKNOWLEDGED = 3, HELLO = 4;

const number = (value) => {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return [...bytes, value];
};
const bytes = (...parts) => {
  const lists = parts.map((part) => (typeof part === "number" ? [part] : part));
  const joined = new Uint8Array(lists.reduce((size, list) => size + list.length, 0));
  lists.reduce((at, list) => (joined.set(list, at), at + list.length), 0);
  return joined;
};
const sized = (data) => bytes(number(data.length), data);

class Reader {
  constructor(data) { this.data = data; this.at = 0; }
  number() {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      if (this.at >= this.data.length) throw new RangeError("half a number");
      const byte = this.data[this.at++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
  take(size) { return this.data.subarray(this.at, (this.at += size)); }
  sized() { return this.take(this.number()); }
}

const TABLE = Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});
const crc32 = (data, crc) => ~data.reduce((sum, byte) => TABLE[(sum ^ byte) & 255] ^ (sum >>> 8), ~crc) >>> 0;

function deletions({ ds }) {
  let sum = 0;
  for (const [client, items] of [...ds.clients].sort(([a], [b]) => a - b)) {
    const ranges = [];
    for (const { clock, len } of [...items].sort((a, b) => a.clock - b.clock)) {
      const last = ranges.at(-1);
      if (last && clock <= last[1]) last[1] = Math.max(last[1], clock + len);
      else ranges.push([clock, clock + len]);
    }
    for (const [first, end] of ranges) {
      if (end > first) sum = crc32(bytes(number(client), number(first), number(end - first)), sum);
    }
  }
  return sum;
}

const vectorOf = (data) => Y.decodeStateVector(data);
const lacks = (vector, other) => [...other].some(([client, clock]) => (vector.get(client) ?? 0) < clock);

async function inflated(data) {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class ChimeProvider {
  constructor(doc, { topic, attendeeId, send, interval = 1500 }) {
    Object.assign(this, { doc, topic, large: `${topic}-large`, attendeeId, send, undecodable: 0 });
    this.topics = [this.topic, this.large];
    this.pending = [];
    this.transfers = new Map();
    this.kept = new Map();
    this.offers = new Map();
    this.stream = crypto.getRandomValues(new Uint8Array(8));
    this.next = 0;
    doc.on("update", (update, origin) => origin === this || this.edited(update));
    this.timer = setInterval(() => this.tell(), interval);
  }

  // The connection stands, for the first time or again.
  connected() {
    this.isConnected = true;
    this.send(this.large, this.frame(HELLO, new Uint8Array(8)), 0);
    this.flush();
    this.say(true);
  }

  close() { clearInterval(this.timer); }

  receive(topic, sender, data) {
    if (sender === this.attendeeId) return;
    try {
      if (topic === this.large) this.receiveFrame(sender, data);
      else this.receiveMessage(sender, data);
    } catch (error) {
      this.undecodable += 1;
    }
  }

  // Edits

  edited(update) {
    this.pending.push(update);
    this.flushing ??= setTimeout(() => this.flush(), 50);
  }

  flush() {
    this.flushing = undefined;
    if (!this.isConnected || this.pending.length === 0) return;
    const update = Y.mergeUpdates(this.pending.splice(0));
    this.publish(bytes(0, UPDATE, sized(update)), LIFETIME);
    this.isQuiet = false;
  }

  publish(message, lifetime) {
    if (message.length <= MAX_DATA) this.send(this.topic, message, lifetime);
    else this.sendLarge(message, lifetime);
  }

  // Standings

  say(wantsWord = false) {
    const snapshot = Y.snapshot(this.doc), sum = deletions(snapshot);
    const checksum = [24, 16, 8, 0].map((shift) => (sum >>> shift) & 255);
    this.send(this.topic, bytes(STANDING, wantsWord ? 1 : 0, checksum, sized(Y.encodeStateVector(this.doc))), 0);
  }

  // Say it once after changes, and again while something is missing.
  tell() {
    if (!this.isConnected || this.isQuiet || this.pending.length) return;
    this.isQuiet = true;
    this.say();
  }

  receiveMessage(sender, data) {
    const reader = new Reader(data), kind = reader.number();
    if (kind === 0) {
      const step = reader.number(), content = reader.sized();
      if (step === 0) return this.answer(sender, content);
      const before = Y.encodeStateVector(this.doc).join();
      Y.applyUpdate(this.doc, content, this);
      if (step === STEP2 || before !== Y.encodeStateVector(this.doc).join()) this.isQuiet = false;
    } else if (kind === STANDING) {
      reader.number();
      const checksum = reader.take(4).reduce((sum, byte) => sum * 256 + byte, 0);
      this.compare(sender, reader.sized(), checksum);
    } else if (kind === OFFER) {
      const peer = new TextDecoder().decode(reader.sized());
      this.offers.set(peer, Date.now() + 1500 + reader.number() / 100);
    }
  }

  compare(sender, encoded, checksum) {
    const theirs = vectorOf(encoded), snapshot = Y.snapshot(this.doc);
    const same = !lacks(theirs, snapshot.sv) && !lacks(snapshot.sv, theirs);
    if (lacks(snapshot.sv, theirs)) {
      if (!(this.offers.get(this.attendeeId) > Date.now())) setTimeout(() => this.say(), 200 + 200 * Math.random());
    } else if (same && checksum !== deletions(snapshot)) {
      this.isQuiet = false;
    }
    if (lacks(theirs, snapshot.sv) || (same && checksum !== deletions(snapshot))) this.answer(sender, encoded);
  }

  answer(sender, vector) {
    if (this.offers.get(sender) > Date.now()) return;
    this.offers.set(sender, Date.now() + 1500);
    setTimeout(() => this.publish(bytes(0, STEP2, sized(Y.encodeStateAsUpdate(this.doc, vector))), 0), 500 * Math.random());
  }

  // What does not fit into one message: pieces, acknowledged, and sent again if they are missed.

  frame(kind, stream, ...rest) { return bytes(0xff, 0xc5, 1, kind, stream, ...rest); }

  sendLarge(message, lifetime) {
    const parts = Math.ceil(message.length / PART_BYTES);
    for (let n = 0; parts > 1 && n < parts; n++) {
      const part = message.subarray(n * PART_BYTES, (n + 1) * PART_BYTES);
      this.sendPieces(bytes(PART, number(n), number(parts), part), lifetime);
    }
    if (parts === 1) this.sendPieces(message, lifetime);
  }

  sendPieces(message, lifetime) {
    const count = Math.ceil(message.length / MAX_BODY), name = this.next++;
    const floor = Math.max(0, name - 7);
    const pieces = Array.from({ length: count }, (_, index) => this.frame(
      PIECE, this.stream, u32(floor), u32(name), u16(index), u16(count), 0,
      message.subarray(index * MAX_BODY, (index + 1) * MAX_BODY)));
    this.kept.delete(name - 8);
    this.kept.set(name, pieces);
    for (const piece of pieces) this.send(this.large, piece, lifetime);
    setTimeout(() => this.send(this.large, this.frame(SENDER_STANDS, this.stream, u32(floor), u32(this.next)), 0), 1000);
  }

  receiveFrame(sender, data) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const kind = data[3], stream = data.subarray(4, 12), key = `${sender} ${stream.join()}`;
    const known = this.transfers.get(key) ?? { next: 0, open: new Map() };
    if (kind === PIECE) {
      this.transfers.set(key, known);
      const floor = view.getUint32(12), name = view.getUint32(16), index = view.getUint16(20), count = view.getUint16(22);
      known.next = Math.max(known.next, floor);
      if (name < known.next) return this.acknowledge(stream, known);
      if (!known.open.has(name)) known.open.set(name, { count, have: new Map(), packed: data[24] & 1 });
      known.open.get(name).have.set(index, data.slice(PIECE_HEAD));
      this.finish(sender, stream, known);
    } else if (kind === SENDER_STANDS) {
      this.transfers.set(key, known);
      known.next = Math.max(known.next, view.getUint32(12));
      known.end = view.getUint32(16);
      this.acknowledge(stream, known);
    } else if (kind === ACKNOWLEDGED && stream.join() === this.stream.join()) {
      for (let at = 16; at + 8 <= data.length; at += 8) {
        const pieces = this.kept.get(view.getUint32(at)) ?? [];
        const missing = pieces.slice(view.getUint16(at + 4), view.getUint16(at + 6) + 1);
        for (const piece of missing) this.send(this.large, piece, 0);
      }
    }
  }

  finish(sender, stream, known) {
    for (let whole; (whole = known.open.get(known.next)) && whole.have.size === whole.count; known.next++) {
      known.open.delete(known.next);
      const data = bytes(...Array.from({ length: whole.count }, (_, index) => whole.have.get(index)));
      const message = whole.packed ? inflated(data) : Promise.resolve(data);
      known.turn = Promise.all([message, known.turn]).then(([content]) => this.takePart(sender, known, content));
      this.acknowledge(stream, known);
    }
  }

  takePart(sender, known, content) {
    if (content[0] !== PART) return this.receive(this.topic, sender, content);
    const reader = new Reader(content.subarray(1)), index = reader.number(), count = reader.number();
    if (index === 0) known.parts = [];
    (known.parts ??= []).push(reader.data.subarray(reader.at));
    if (index === count - 1 && known.parts.length === count) this.receive(this.topic, sender, bytes(...known.parts.splice(0)));
  }

  acknowledge(stream, known) {
    const missing = [];
    for (let name = known.next; name < (known.end ?? known.next) && missing.length < 200; name++) {
      const some = known.open.get(name);
      if (!some) missing.push([name, 0, 0xffff]);
      else for (let n = 0; n < some.count; n++) if (!some.have.has(n)) missing.push([name, n, n]);
    }
    const ranges = missing.slice(0, 200).flatMap(([name, first, last]) => [...u32(name), ...u16(first), ...u16(last)]);
    this.send(this.large, this.frame(ACKNOWLEDGED, stream, u32(known.next), ranges), 0);
  }
}

const u16 = (value) => [value >>> 8, value & 255];
const u32 = (value) => [...u16(value >>> 16), ...u16(value & 0xffff)];
