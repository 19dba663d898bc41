// One sample of every frame type that the official signalling protocol knows, with every field set, as plain objects
// for the official encoder. `unset` tells what a sample has forgotten, so that a new field of a new SDK is noticed.

const description = {
  streamId: 21, framerate: 15, maxBitrateKbps: 1400, trackLabel: "AmazonChimeExpressVideo", groupId: 7,
  avgBitrateBps: 1420178, attendeeId: "a-1", mediaType: "VIDEO", externalUserId: "user#1", width: 1280, height: 720,
};
const subscription = {
  mid: "2", attendeeId: "a-2", streamId: 22, priority: 4294967295, targetBitrateKbps: 1500, groupId: 8,
  qualityAdaptationPreference: "MAINTAIN_RESOLUTION",
};
const timing = { addedMs: 1700000000001, timedOut: true, removed: true };
const metric = { type: "RTC_MIC_PPS", value: 49.5 };

const bodies = {
  JOIN: { join: {
    protocolVersion: 2, maxNumOfVideos: 25, flags: 50,
    clientDetails: {
      appName: "app", appVersion: "1.2.3", deviceModel: "model", deviceMake: "make", platformName: "chrome",
      platformVersion: "120", clientSource: "amazon-chime-sdk-js", chimeSdkVersion: "3.32.0",
      clientUtcOffset: "+05:30", osName: "Linux", osVersion: "6.1",
    },
    audioSessionId: 4294967296, wantsCompressedSdp: true, serverSideNetworkAdaption: "BANDWIDTH_PROBING",
    supportedServerSideNetworkAdaptions: ["NONE", "BANDWIDTH_PROBING_AND_VIDEO_QUALITY_ADAPTION"],
    wantsAllTemporalLayersInIndex: true, disablePeriodicKeyframeRequestOnContentSender: true,
  } },
  JOIN_ACK: { joinack: {
    turnCredentials: { username: "u", password: "p", ttl: 300, uris: ["turn:a:3478?transport=udp", "turns:a:443"] },
    videoSubscriptionLimit: 25, wantsCompressedSdp: true,
    defaultServerSideNetworkAdaption: "BANDWIDTH_PROBING_AND_VIDEO_QUALITY_ADAPTION",
  } },
  SUBSCRIBE: { sub: {
    duplex: "DUPLEX", sendStreams: [description, { streamId: 1 }], receiveStreamIds: [0, 21, 4294967295],
    sdpOffer: "v=0\r\n", audioHost: "h:3478", audioCheckin: true, audioMuted: true,
    compressedSdpOffer: Uint8Array.of(0, 255, 10), videoSubscriptionConfiguration: [subscription, { mid: "3" }],
  } },
  SUBSCRIBE_ACK: { suback: {
    duplex: "TX", allocations: [{ trackLabel: "v", streamId: 3, groupId: 2 }], sdpAnswer: "v=0\r\n",
    tracks: [{ streamId: 3, ssrc: 4042322160, trackLabel: "v_2" }], compressedSdpAnswer: Uint8Array.of(1, 2, 254),
  } },
  INDEX: { index: {
    atCapacity: true, sources: [description], pausedAtSourceIds: [1, 300], numParticipants: 250,
    supportedReceiveCodecIntersection: ["VP8", "H264_CONSTRAINED_BASELINE_PROFILE", "VP9_PROFILE_0",
      "AV1_MAIN_PROFILE"],
  } },
  PAUSE: { pause: { streamIds: [1, 2], groupIds: [3] } },
  RESUME: { pause: { streamIds: [1], groupIds: [3, 4] } },
  LEAVE: { leave: {} },
  LEAVE_ACK: { leaveAck: {} },
  BITRATES: { bitrates: {
    bitrates: [{ sourceStreamId: 21, avgBitrateBps: 1420178 }], serverAvailableOutgoingBitrate: 12000,
  } },
  AUDIO_CONTROL: { audioControl: { muted: true } },
  AUDIO_METADATA: { audioMetadata: {
    attendeeStates: [{ audioStreamId: 5, volume: 42, muted: true, signalStrength: 2 },
      { audioStreamId: 6, volume: 0, muted: false, signalStrength: 0 }],
  } },
  AUDIO_STREAM_ID_INFO: { audioStreamIdInfo: {
    streams: [
      { audioStreamId: 5, attendeeId: "a-1", muted: false, externalUserId: "user#1", dropped: true }, { audioStreamId: 6 },
    ],
  } },
  PING_PONG: { pingPong: { type: "PONG", pingId: 4294967295 } },
  AUDIO_STATUS: { audioStatus: { audioStatus: 410 } },
  CLIENT_METRIC: { clientMetric: {
    globalMetrics: [metric, { type: "STUN_RTT_MS", value: -0.25 }],
    streamMetricFrames: [{
      streamId: 3, groupId: 2, metrics: [metric], mediaType: "AUDIO",
      dimensions: [
        { type: "VIDEO_ENCODER_NAME", value: { stringValue: "libvpx", boolValue: true, uintValue: 4294967296 } },
      ],
    }],
  } },
  DATA_MESSAGE: { dataMessage: {
    messages: [
      {
        topic: "chat", data: Uint8Array.of(0, 128, 255), lifetimeMs: 300000, senderAttendeeId: "a-1",
        ingestTimeNs: 1700000000000000000, senderExternalUserId: "user#1",
      },
      { topic: "throttled", ingestTimeNs: 0, lifetimeMs: 0 },
    ],
  } },
  REMOTE_VIDEO_UPDATE: { remoteVideoUpdate: {
    addedOrUpdatedVideoSubscriptions: [subscription], removedVideoSubscriptionMids: ["4", "5"],
  } },
  PRIMARY_MEETING_JOIN: { primaryMeetingJoin: {
    credentials: { attendeeId: "a-1", externalUserId: "user#1", joinToken: "token" },
  } },
  PRIMARY_MEETING_JOIN_ACK: { primaryMeetingJoinAck: {} },
  PRIMARY_MEETING_LEAVE: { primaryMeetingLeave: {} },
  NOTIFICATION: { notification: { level: "WARNING", message: "careful ✋" } },
  MEETING_SESSION_TIMING: { meetingSessionTiming: {
    signaling: [{
      startMs: 1, joinSentMs: 2, joinAckReceivedMs: 3, transportConnectedMs: 4, createOfferMs: 5,
      setLocalDescriptionMs: 6, setRemoteDescriptionMs: 7, iceGatheringStartMs: 8, iceGatheringCompleteMs: 9,
      iceConnectedMs: 10, subscribeSentMs: 11, subscribeAckMs: 12, timedOut: true,
    }],
    remoteAudio: [{ ...timing, firstPacketReceivedMs: 2, firstFrameRenderedMs: 3 }],
    localAudio: [{ ...timing, firstFrameCapturedMs: 2, firstPacketSentMs: 3 }],
    localVideo: [{ ...timing, firstFrameCapturedMs: 2, firstFrameSentMs: 3 }],
    remoteVideos: [{ ...timing, groupId: 8, firstPacketReceivedMs: 2, firstFrameRenderedMs: 3 }],
  } },
};

const error = { status: 409, description: "full" };

export const frames = Object.fromEntries(Object.entries(bodies).map(([type, body]) =>
  [type, { timestampMs: 1700000000123, type, error, ...body }]));

export const transcript = {
  events: [
    { status: {
      type: "INTERRUPTED", eventTime: 1700000000001, transcriptionRegion: "us-east-1",
      transcriptionConfiguration: "{}", message: "m",
    } },
    { transcript: { results: [{
      channelId: "ch_0", endTime: 1700000000003, isPartial: true, resultId: "r", startTime: 1700000000002,
      languageCode: "en-US", languageIdentification: [{ languageCode: "en-US", score: 0.75 }],
      alternatives: [{
        transcript: "hello.",
        items: [{
          content: "hello", endTime: 1700000000003, speakerAttendeeId: "a-1", speakerExternalUserId: "user#1",
          startTime: 1700000000002, type: "PUNCTUATION", vocabularyFilterMatch: true, confidence: 0.5, stable: true,
        }],
        entities: [{
          category: "PII", confidence: 0.25, content: "hello", endTime: 1700000000003, startTime: 1700000000002,
          type: "NAME",
        }],
      }],
    }] } },
  ],
};

// Fields that the official class declares and the decoded sample does not have, as paths. Fields of a sample may be
// spread over the elements of an array: it counts what the first has, which is the complete one.
export function unset(message, path, ignored = []) {
  const missing = [];
  for (const name of Object.keys(Object.getPrototypeOf(message))) {
    const where = `${path}.${name}`;
    if (typeof message[name] === "function" || ignored.includes(name)) continue;
    const value = Array.isArray(message[name]) ? message[name][0] : message[name];
    if (!Object.hasOwn(message, name) || value === undefined) missing.push(where);
    else if (value !== null && typeof value === "object" && !(value instanceof Uint8Array)) {
      missing.push(...unset(value, where));
    }
  }
  return missing;
}
