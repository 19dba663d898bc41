// DefaultMessagingSession of the official SDK, unmodified, under the load of client_events.py. Arguments: port, events.
// Prints one JSON line: CPU and wall time, in seconds, from the first channel event to the last.
import { createRequire } from "node:module";
import WebSocket from "ws";

class CloseEvent extends Event {
  constructor(type, init = {}) {
    super(type);
    this.code = init.code ?? 0;
    this.reason = init.reason ?? "";
    this.wasClean = init.wasClean ?? false;
  }
}

// Node 20 lacks both globals. The session always asks for wss; the load comes without TLS, for every client alike.
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url.replace(/^wss:/, "ws:"), protocols, { perMessageDeflate: false });
  }
};
globalThis.CloseEvent ??= CloseEvent;

const sdk = createRequire(import.meta.url)("amazon-chime-sdk-js");
const [port, events] = process.argv.slice(2).map(Number);
const client = { config: { region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } } };
const arn = "arn:aws:chime:us-east-1:123456789012:app-instance/i/user/u";
const configuration = new sdk.MessagingSessionConfiguration(arn, String(events), `127.0.0.1:${port}`, client);
const session = new sdk.DefaultMessagingSession(configuration, new sdk.NoOpLogger());

let seen = 0;
let bytes = 0;
let cpu;
let began;
session.addObserver({
  messagingSessionDidReceiveMessage(message) {
    if (message.type !== "CREATE_CHANNEL_MESSAGE") {
      return;
    }
    if (seen++ === 0) {
      cpu = process.cpuUsage();
      began = performance.now();
    }
    bytes += JSON.parse(message.payload).Content.length;
    if (seen === events) {
      const { user, system } = process.cpuUsage(cpu);
      const wall = (performance.now() - began) / 1000;
      process.stdout.write(JSON.stringify({ cpu: (user + system) / 1e6, wall, events: seen, bytes }) + "\n", () =>
        process.exit(0));
    }
  },
});
session.start();
