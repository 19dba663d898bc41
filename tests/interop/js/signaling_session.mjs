// The unmodified signalling half of a meeting session in Node: DefaultSignalingClient, DefaultPingPong, and the tasks that
// open, join, keep the roster, carry data messages and leave. Options: one JSON argument, of which `meeting` and
// `attendee` are answers of the control plane. Reports: JSON lines on stdout. Commands: JSON lines on stdin. The end of
// stdin ends it all.
import "./globals.mjs";
import readline from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const sdk = require("amazon-chime-sdk-js");
const { SdkSignalFrame } = require("amazon-chime-sdk-js/build/signalingprotocol/SignalingProtocol.js");

const options = JSON.parse(process.argv[2]);
const report = (event, fields) => process.stdout.write(JSON.stringify({ event, ...fields }) + "\n");
process.on("unhandledRejection", (error) => report("unhandled", { text: String(error) }));

// What is sent is told byte by byte, so that it can be compared with what other clients send.
class Socket extends sdk.DefaultWebSocketAdapter {
  send(message) {
    report("sent", { hex: Buffer.from(message).toString("hex") });
    return super.send(message);
  }
}

const logger = new sdk.NoOpLogger();
const configuration = new sdk.MeetingSessionConfiguration(options.meeting, options.attendee);
const client = new sdk.DefaultSignalingClient(new Socket(logger), logger);
const realtime = new sdk.DefaultRealtimeController({ startAudioInput() {}, stopAudioInput() {} });
const reportStatus = (status) => report("status", {
  code: sdk.MeetingSessionStatusCode[status.statusCode()], terminal: status.isTerminal(), failure: status.isFailure(),
});
const context = {
  logger, signalingClient: client, meetingSessionConfiguration: configuration, realtimeController: realtime,
  audioVideoController: { handleMeetingSessionStatus: reportStatus },
  volumeIndicatorAdapter: new sdk.DefaultVolumeIndicatorAdapter(
    logger, realtime, -42, -14, configuration.credentials.attendeeId),
  removableObservers: [], videoDownlinkBandwidthPolicy: {}, browserBehavior: new sdk.DefaultBrowserBehavior(),
};

client.registerObserver({
  handleSignalingClientEvent({ type, message, closeCode, closeReason, wasClean }) {
    if (type === sdk.SignalingClientEventType.WebSocketClosed) {
      report("closed", { code: closeCode, reason: closeReason, clean: wasClean });
    } else if (type === sdk.SignalingClientEventType.ReceivedSignalFrame) {
      report("frame", { type: SdkSignalFrame.Type[message.type], frame: message });
      const status = sdk.MeetingSessionStatus.fromSignalFrame(message);
      if (status.statusCode() !== sdk.MeetingSessionStatusCode.OK) reportStatus(status);
    } else if (type !== sdk.SignalingClientEventType.WebSocketMessage) {
      report("signaling", { type: sdk.SignalingClientEventType[type] });
    }
  },
});
realtime.realtimeSubscribeToAttendeeIdPresence((attendeeId, present, externalUserId, dropped, position) =>
  report("presence", { attendeeId, present, externalUserId, dropped, position }));
realtime.realtimeSubscribeToFatalError((error) => report("fatal", { text: String(error) }));

const ping = new sdk.DefaultPingPong(client, options.pingIntervalMs ?? 10000, logger);
ping.addObserver({
  didReceivePong: (id) => report("pong", { id }),
  didMissPongs: (count) => report("missed", { count }),
});

async function join() {
  await new sdk.OpenSignalingConnectionTask(context).run();
  await new sdk.JoinAndReceiveIndexTask(context).run();
  report("joined", { index: context.indexFrame, compression: context.serverSupportsCompression,
    turn: context.turnCredentials, videoLimit: context.videoSubscriptionLimit });
}

const encode = ({ text, json, base64 }) => json ?? text ?? new Uint8Array(Buffer.from(base64, "base64"));

const commands = {
  subscribe: ({ topic }) => realtime.realtimeSubscribeToReceiveDataMessage(topic, (message) => report("data", {
    topic: message.topic, base64: Buffer.from(message.data).toString("base64"), timestampMs: message.timestampMs,
    sender: message.senderAttendeeId, externalUserId: message.senderExternalUserId, throttled: message.throttled,
  })),
  send: ({ topic, lifetimeMs, ...data }) => realtime.realtimeSendDataMessage(topic, encode(data), lifetimeMs),
  // Past the client's own checks, straight to the server.
  sendUnchecked: ({ message }) => client.sendDataMessage({ messages: [message] }),
  mute: ({ muted }) => client.mute(muted),
  promote: ({ credentials }) => client.promoteToPrimaryMeeting(
    Object.assign(new sdk.MeetingSessionCredentials(), credentials)),
  demote: () => client.demoteFromPrimaryMeeting(),
  async reconnect() {
    context.volumeIndicatorAdapter.onReconnect();
    await join();
  },
  async leave() {
    await new sdk.LeaveAndReceiveLeaveAckTask(context).run();
    report("left");
    client.closeConnection();
  },
};

readline.createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { command, ...details } = JSON.parse(line);
    try {
      await commands[command](details);
    } catch (error) {
      report("failed", { command, text: String(error) });
    }
  })
  .on("close", () => {
    ping.stop();
    client.closeConnection();
    setTimeout(() => process.exit(0), 500).unref();
  });

ping.start();
await new sdk.ListenForVolumeIndicatorsTask(context).run();
await new sdk.SendAndReceiveDataMessagesTask(context).run();
for (const topic of options.topics ?? []) commands.subscribe({ topic });
await join().catch((error) => report("failed", { command: "join", text: String(error) }));
