// One attendee: the unmodified official client in a page, with a tone as microphone, a moving colour card as camera, and
// instruments that measure what is heard and seen. Driven by Playwright through `window.attendee`.
import * as sdk from "amazon-chime-sdk-js";

const FRAMES_PER_SECOND = 15;
const log = [];
const report = (event, fields = {}) => log.push({ event, at: performance.now(), ...fields });
const audioContext = new AudioContext({ sampleRate: 48000 });
const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

window.addEventListener("error", (event) => report("error", { text: String(event.message) }));
window.addEventListener("unhandledrejection", (event) => report("error", { text: String(event.reason) }));

class Logger extends sdk.NoOpLogger {
  constructor() { super(sdk.LogLevel.WARN); }
  warn(text) { report("warning", { text: String(text).slice(-400) }); }
  error(text) { report("sdkError", { text: String(text).slice(-400) }); }
}

// Sines that swell and fade as a voice does: of a volume that never changes the client believes that nobody speaks.
function tone(...frequencies) {
  const destination = audioContext.createMediaStreamDestination();
  const gain = audioContext.createGain();
  gain.gain.value = 0.25 / frequencies.length;
  gain.connect(destination);
  const swell = audioContext.createOscillator();
  const depth = audioContext.createGain();
  swell.frequency.value = 2.3;
  depth.gain.value = gain.gain.value * 0.6;
  swell.connect(depth).connect(gain.gain);
  swell.start();
  for (const frequency of frequencies) {
    const oscillator = audioContext.createOscillator();
    oscillator.frequency.value = frequency;
    oscillator.connect(gain);
    oscillator.start();
  }
  return destination.stream;
}

// A field of one colour over which a white bar moves, so that frozen pictures are told from live ones. A busy one changes
// everywhere in every frame, so that it costs what its size allows.
function card(colour, width, height, busy = false) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  let frame = 0;
  const draw = () => {
    context.fillStyle = colour;
    context.fillRect(0, 0, width, height);
    for (let spot = 0; busy && spot < 1500; spot++) {
      context.fillStyle = spot % 2 ? "rgb(255 255 255 / 10%)" : "rgb(0 0 0 / 10%)";
      context.fillRect(Math.random() * width, Math.random() * height, 12, 12);
    }
    context.fillStyle = "white";
    context.fillRect((frame++ * 8) % width, 0, 16, height / 20);
  };
  draw();
  const timer = setInterval(draw, 1000 / FRAMES_PER_SECOND);
  const stream = canvas.captureStream(FRAMES_PER_SECOND);
  stream.getVideoTracks()[0].addEventListener("ended", () => clearInterval(timer));
  return stream;
}

class Attendee {
  log = log;
  tiles = {};
  roster = {};

  async join({ meeting, attendee, frequencies, simulcast, priority, health, topics }) {
    // Where there is no sound card, some browsers never run it; there the fake microphone must do.
    await Promise.race([audioContext.resume(), sleep(2)]);
    const logger = new Logger();
    const configuration = new sdk.MeetingSessionConfiguration({ Meeting: meeting }, { Attendee: attendee });
    configuration.enableSimulcastForUnifiedPlanChromiumBasedBrowsers = Boolean(simulcast);
    Object.assign(configuration.connectionHealthPolicyConfiguration, health ?? {});
    if (priority) {
      this.priority = new sdk.VideoPriorityBasedPolicy(logger);
      configuration.videoDownlinkBandwidthPolicy = this.priority;
    }
    const devices = new sdk.DefaultDeviceController(logger);
    this.session = new sdk.DefaultMeetingSession(configuration, logger, devices);
    this.me = attendee.AttendeeId;
    const audioVideo = (this.audioVideo = this.session.audioVideo);
    this.watch(audioVideo);
    this.sound = document.createElement("audio");
    document.body.append(this.sound);
    await audioVideo.bindAudioElement(this.sound);
    await this.speak(...frequencies);
    for (const topic of topics ?? []) this.subscribe(topic);
    audioVideo.start();
  }

  watch(audioVideo) {
    const status = (value) => ({ code: sdk.MeetingSessionStatusCode[value.statusCode()] });
    audioVideo.addObserver({
      audioVideoDidStart: () => report("started"),
      audioVideoDidStartConnecting: (reconnecting) => report("connecting", { reconnecting }),
      audioVideoDidStop: (value) => report("stopped", status(value)),
      audioVideoWasDemotedFromPrimaryMeeting: (value) => report("demoted", status(value)),
      connectionDidBecomePoor: () => report("poor"),
      connectionDidSuggestStopVideo: () => report("suggestStopVideo"),
      connectionHealthDidChange: (data) => { this.health = data; },
      videoSendDidBecomeUnavailable: () => report("videoSendUnavailable"),
      videoTileDidUpdate: (state) => this.tileUpdated(state),
      videoTileWasRemoved: (tileId) => {
        this.tiles[tileId]?.element.remove();
        delete this.tiles[tileId];
        report("tileRemoved", { tileId });
      },
      remoteVideoSourcesDidChange: (sources) => {
        this.sources = sources.map((source) => source.attendee.attendeeId);
        report("sources", { attendees: this.sources });
      },
      metricsDidReceive: (metrics) => { this.metrics = metrics.getObservableMetrics(); },
      eventDidReceive: (name, attributes) => report("eventDidReceive", { name }),
      audioVideoDidRemoveRemoteVideoSources: () => {},
    });
    audioVideo.addContentShareObserver({
      contentShareDidStart: () => report("contentStarted"),
      contentShareDidStop: () => report("contentStopped"),
      contentShareDidPause: () => report("contentPaused"),
      contentShareDidUnpause: () => report("contentUnpaused"),
    });
    audioVideo.realtimeSubscribeToAttendeeIdPresence((attendeeId, present, externalUserId, dropped) => {
      report("presence", { attendeeId, present, externalUserId, dropped: Boolean(dropped) });
      if (present) {
        if (this.roster[attendeeId]) return;
        this.roster[attendeeId] = { externalUserId, volume: null, loudest: null, muted: null, signal: null };
        audioVideo.realtimeSubscribeToVolumeIndicator(attendeeId, this.volume);
      } else {
        audioVideo.realtimeUnsubscribeFromVolumeIndicator(attendeeId, this.volume);
        delete this.roster[attendeeId];
      }
    });
    audioVideo.realtimeSubscribeToMuteAndUnmuteLocalAudio((muted) => report("localMute", { muted }));
    audioVideo.realtimeSubscribeToFatalError((error) => report("fatal", { text: String(error) }));
    audioVideo.subscribeToActiveSpeakerDetector(
      new sdk.DefaultActiveSpeakerPolicy(),
      (attendeeIds) => report("activeSpeakers", { attendees: attendeeIds }),
    );
  }

  volume = (attendeeId, volume, muted, signal) => {
    const entry = this.roster[attendeeId];
    if (!entry) return;
    if (volume !== null) {
      entry.volume = volume;
      entry.loudest = Math.max(entry.loudest ?? 0, volume);
    }
    if (muted !== null) entry.muted = muted;
    if (signal !== null) entry.signal = signal;
  };

  // Audio.

  async speak(...frequencies) {
    const runs = audioContext.state === "running";
    const voice = runs ? tone(...frequencies) : await navigator.mediaDevices.getUserMedia({ audio: true });
    await this.audioVideo.startAudioInput(voice);
  }
  mute() { this.audioVideo.realtimeMuteLocalAudio(); }
  unmute() { return this.audioVideo.realtimeUnmuteLocalAudio(); }

  // Level in dBFS at each frequency, and where the loudest sound is, over a good third of a second of `stream`.
  async listen(frequencies, stream = this.sound.srcObject) {
    const silent = { peak: 0, level: -Infinity, levels: frequencies.map(() => -200) };
    if (!stream || stream.getAudioTracks().length === 0) return silent;
    const analyser = audioContext.createAnalyser();
    Object.assign(analyser, { fftSize: 16384, smoothingTimeConstant: 0 });
    const source = audioContext.createMediaStreamSource(stream);
    source.connect(analyser);
    await sleep(0.5);
    const bins = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(bins);
    source.disconnect();
    const width = audioContext.sampleRate / analyser.fftSize;
    const at = (frequency) => {
      const bin = Math.round(frequency / width);
      return Math.max(-200, ...bins.subarray(bin - 2, bin + 3));
    };
    const top = bins.reduce((best, value, bin) => (value > bins[best] ? bin : best), 0);
    return { peak: top * width, level: Math.max(-200, bins[top]), levels: frequencies.map(at) };
  }

  // How loud it is, from 0 to 1, as the connection itself measures it.
  async loudness() {
    const flows = (await this.statistics()).filter((entry) => entry.type === "inbound-rtp" && entry.kind === "audio");
    return Math.max(0, ...flows.map((flow) => flow.audioLevel ?? 0));
  }

  // Video.

  tileUpdated(state) {
    if (!state.boundAttendeeId && !state.localTile) return;
    report("tile", {
      tileId: state.tileId, attendeeId: state.boundAttendeeId, local: state.localTile, content: state.isContent,
      active: state.active, paused: state.paused, width: state.videoStreamContentWidth,
    });
    if (state.localTile && !state.isContent) return;
    const tile = (this.tiles[state.tileId] ??= { element: this.screen() });
    Object.assign(tile, { attendeeId: state.boundAttendeeId, paused: state.paused, content: state.isContent });
    if (state.boundVideoElement !== tile.element) this.audioVideo.bindVideoElement(state.tileId, tile.element);
  }

  screen() {
    const element = document.createElement("video");
    Object.assign(element, { muted: true, autoplay: true, playsInline: true, width: 160, height: 90 });
    document.body.append(element);
    return element;
  }

  tileOf(attendeeId) {
    const found = Object.entries(this.tiles).find(([, tile]) => tile.attendeeId === attendeeId);
    return found && { tileId: Number(found[0]), ...found[1] };
  }

  async show(colour, width = 640, height = 360, busy = false) {
    this.card = card(colour, width, height, busy);
    await this.audioVideo.startVideoInput(this.card);
    return this.audioVideo.startLocalVideoTile();
  }

  async hide() {
    this.audioVideo.stopLocalVideoTile();
    await this.audioVideo.stopVideoInput();
    this.card.getTracks().forEach((track) => track.stop());
  }

  // Mean colour (0 to 255), size, and frames that were shown up to now, of an attendee's tile.
  look(attendeeId) {
    const tile = this.tileOf(attendeeId);
    const element = tile?.element;
    if (!element || !element.videoWidth) return null;
    const canvas = Object.assign(document.createElement("canvas"), { width: 16, height: 16 });
    const context = canvas.getContext("2d");
    context.drawImage(element, 0, 0, 16, 16);
    const pixels = context.getImageData(0, 0, 16, 16).data;
    const colour = [0, 1, 2].map((channel) => {
      let sum = 0;
      for (let index = channel; index < pixels.length; index += 4) sum += pixels[index];
      return sum / 256;
    });
    const frames = element.getVideoPlaybackQuality().totalVideoFrames;
    return { colour, width: element.videoWidth, height: element.videoHeight, frames, at: performance.now() };
  }

  pause(attendeeId) { this.audioVideo.pauseVideoTile(this.tileOf(attendeeId).tileId); }
  resume(attendeeId) { this.audioVideo.unpauseVideoTile(this.tileOf(attendeeId).tileId); }

  prefer(attendeeId, size) {
    const preferences = sdk.VideoPreferences.prepare();
    preferences.add(new sdk.VideoPreference(attendeeId, 1, sdk.TargetDisplaySize[size]));
    this.priority.chooseRemoteVideoSources(preferences.build());
  }

  // Content.

  async share(colour, ...frequencies) {
    const stream = card(colour, 1280, 720);
    for (const track of tone(...frequencies).getAudioTracks()) stream.addTrack(track);
    await this.audioVideo.startContentShare(stream);
  }
  pauseShare() { this.audioVideo.pauseContentShare(); }
  unpauseShare() { this.audioVideo.unpauseContentShare(); }
  stopShare() { this.audioVideo.stopContentShare(); }

  // Data messages.

  subscribe(topic) {
    this.audioVideo.realtimeSubscribeToReceiveDataMessage(topic, (message) => report("data", {
      topic: message.topic, text: message.text(), sender: message.senderAttendeeId,
      externalUserId: message.senderExternalUserId, timestampMs: message.timestampMs, throttled: message.throttled,
    }));
  }
  send(topic, text, lifetimeMs) { this.audioVideo.realtimeSendDataMessage(topic, text, lifetimeMs); }

  leave() { this.audioVideo.stop(); }

  async heap() {
    return performance.memory?.usedJSHeapSize ?? 0;
  }

  async statistics() {
    const peer = this.session.audioVideo.audioVideoController?.rtcPeerConnection
      ?? this.session.audioVideoController?.rtcPeerConnection;
    return peer ? [...(await peer.getStats()).values()] : [];
  }
}

window.attendee = new Attendee();
