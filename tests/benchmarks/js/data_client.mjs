// The official signalling client and data-message task, unmodified, under the load of data_client.py. Arguments: port,
// messages. Prints one JSON line: CPU and wall time, in seconds, from the first data message to the last.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../interop/js/package.json", import.meta.url));
const WebSocket = require("ws");
// Node 20 lacks the global, and ws would offer compression, which no browser needs here.
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols, { perMessageDeflate: false });
  }
};
const sdk = require("amazon-chime-sdk-js");

const [port, messages] = process.argv.slice(2).map(Number);
const logger = new sdk.NoOpLogger();
const meeting = { MeetingId: "m", MediaPlacement: { SignalingUrl: `ws://127.0.0.1:${port}/control/m` } };
const configuration = new sdk.MeetingSessionConfiguration(
  { Meeting: meeting }, { Attendee: { AttendeeId: "a", ExternalUserId: "u", JoinToken: "token" } });
const client = new sdk.DefaultSignalingClient(new sdk.DefaultWebSocketAdapter(logger), logger);
const realtime = new sdk.DefaultRealtimeController({ startAudioInput() {}, stopAudioInput() {} });
const context = {
  logger, signalingClient: client, meetingSessionConfiguration: configuration, realtimeController: realtime,
  audioVideoController: { handleMeetingSessionStatus() {} }, removableObservers: [], videoDownlinkBandwidthPolicy: {},
  browserBehavior: new sdk.DefaultBrowserBehavior(),
};

let seen = 0;
let bytes = 0;
let cpu;
let began;
function take(message) {
  if (seen++ === 0) {
    cpu = process.cpuUsage();
    began = performance.now();
  }
  bytes += message.data.length;
  if (seen === messages) {
    const { user, system } = process.cpuUsage(cpu);
    const wall = (performance.now() - began) / 1000;
    process.stdout.write(JSON.stringify({ cpu: (user + system) / 1e6, wall, messages: seen, bytes }) + "\n", () =>
      process.exit(0));
  }
}

realtime.realtimeSubscribeToReceiveDataMessage("chat", take);
await new sdk.SendAndReceiveDataMessagesTask(context).run();
await new sdk.OpenSignalingConnectionTask(context).run();
await new sdk.JoinAndReceiveIndexTask(context).run();
