// A Yjs document in a page, over the unmodified signalling half of a meeting session: bundled by esbuild, driven by
// Playwright.
import * as Y from "yjs";
import * as sdk from "amazon-chime-sdk-js";
import { ChimeProvider } from "../../../examples/whiteboard/provider.mjs";

window.shared = {
  errors: [],
  async open(options) {
    const logger = new sdk.NoOpLogger();
    const configuration = new sdk.MeetingSessionConfiguration(options.meeting, options.attendee);
    const client = new sdk.DefaultSignalingClient(new sdk.DefaultWebSocketAdapter(logger), logger);
    const realtime = new sdk.DefaultRealtimeController({ startAudioInput() {}, stopAudioInput() {} });
    const context = {
      logger, signalingClient: client, meetingSessionConfiguration: configuration, realtimeController: realtime,
      audioVideoController: { handleMeetingSessionStatus: () => {} },
      volumeIndicatorAdapter: new sdk.DefaultVolumeIndicatorAdapter(
        logger, realtime, -42, -14, configuration.credentials.attendeeId),
      removableObservers: [], videoDownlinkBandwidthPolicy: {}, browserBehavior: new sdk.DefaultBrowserBehavior(),
    };
    realtime.realtimeSubscribeToFatalError((error) => this.errors.push(String(error)));
    this.document = new Y.Doc();
    this.provider = new ChimeProvider(this.document, {
      topic: options.topic, attendeeId: configuration.credentials.attendeeId,
      send: (topic, data, lifetimeMs) => realtime.realtimeSendDataMessage(topic, data, lifetimeMs),
    });
    for (const topic of this.provider.topics) {
      realtime.realtimeSubscribeToReceiveDataMessage(topic, (message) => {
        if (!message.throttled) this.provider.receive(topic, message.senderAttendeeId, message.data);
      });
    }
    await new sdk.ListenForVolumeIndicatorsTask(context).run();
    await new sdk.SendAndReceiveDataMessagesTask(context).run();
    await new sdk.OpenSignalingConnectionTask(context).run();
    await new sdk.JoinAndReceiveIndexTask(context).run();
    this.provider.connected();
  },
  insert(at, text) { this.document.getText("text").insert(at, text); },
  remove(at, size) { this.document.getText("text").delete(at, size); },
  set(key, value) { this.document.getMap("map").set(key, value); },
  content() {
    return { text: this.document.getText("text").toString(), map: this.document.getMap("map").toJSON() };
  },
};
