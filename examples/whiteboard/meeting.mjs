// Joins a meeting without media, by the unmodified signalling half of amazon-chime-sdk-js, and keeps a Yjs document there.
import * as Y from "yjs";
import * as sdk from "amazon-chime-sdk-js";
import { ChimeProvider } from "./provider.mjs";

// `meeting` and `attendee` are answers of CreateMeeting and CreateAttendee; `topic` is the name of the SharedDocument.
export async function join({ meeting, attendee, topic }) {
  const logger = new sdk.NoOpLogger();
  const configuration = new sdk.MeetingSessionConfiguration(meeting, attendee);
  const attendeeId = configuration.credentials.attendeeId;
  const client = new sdk.DefaultSignalingClient(new sdk.DefaultWebSocketAdapter(logger), logger);
  const realtime = new sdk.DefaultRealtimeController({ startAudioInput() {}, stopAudioInput() {} });
  const context = {
    logger, signalingClient: client, meetingSessionConfiguration: configuration, realtimeController: realtime,
    audioVideoController: { handleMeetingSessionStatus: () => {} },
    volumeIndicatorAdapter: new sdk.DefaultVolumeIndicatorAdapter(logger, realtime, -42, -14, attendeeId),
    removableObservers: [], videoDownlinkBandwidthPolicy: {}, browserBehavior: new sdk.DefaultBrowserBehavior(),
  };
  const errors = [];
  realtime.realtimeSubscribeToFatalError((error) => errors.push(String(error)));
  const document = new Y.Doc();
  const send = (to, data, lifetimeMs) => realtime.realtimeSendDataMessage(to, data, lifetimeMs);
  const provider = new ChimeProvider(document, { topic, attendeeId, send });
  for (const name of provider.topics) {
    realtime.realtimeSubscribeToReceiveDataMessage(name, (message) => {
      if (!message.throttled) provider.receive(name, message.senderAttendeeId, message.data);
    });
  }
  await new sdk.ListenForVolumeIndicatorsTask(context).run();
  await new sdk.SendAndReceiveDataMessagesTask(context).run();
  await new sdk.OpenSignalingConnectionTask(context).run();
  await new sdk.JoinAndReceiveIndexTask(context).run();
  provider.connected();
  return { document, provider, errors };
}
