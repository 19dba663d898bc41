from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServerSideNetworkAdaption(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEFAULT: _ClassVar[ServerSideNetworkAdaption]
    NONE: _ClassVar[ServerSideNetworkAdaption]
    BANDWIDTH_PROBING: _ClassVar[ServerSideNetworkAdaption]
    BANDWIDTH_PROBING_AND_VIDEO_QUALITY_ADAPTION: _ClassVar[ServerSideNetworkAdaption]

class AudioReceiveType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MIXED: _ClassVar[AudioReceiveType]
    UNMIXED: _ClassVar[AudioReceiveType]

class Duplex(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RX: _ClassVar[Duplex]
    TX: _ClassVar[Duplex]
    DUPLEX: _ClassVar[Duplex]

class MediaType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO: _ClassVar[MediaType]
    VIDEO: _ClassVar[MediaType]

class QualityAdaptationPreference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BALANCED: _ClassVar[QualityAdaptationPreference]
    MAINTAIN_FRAMERATE: _ClassVar[QualityAdaptationPreference]
    MAINTAIN_RESOLUTION: _ClassVar[QualityAdaptationPreference]

class VideoCodecCapability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VP8: _ClassVar[VideoCodecCapability]
    H264_BASELINE_PROFILE: _ClassVar[VideoCodecCapability]
    H264_CONSTRAINED_BASELINE_PROFILE: _ClassVar[VideoCodecCapability]
    H264_MAIN_PROFILE: _ClassVar[VideoCodecCapability]
    H264_HIGH_PROFILE: _ClassVar[VideoCodecCapability]
    H264_CONSTRAINED_HIGH_PROFILE: _ClassVar[VideoCodecCapability]
    H265: _ClassVar[VideoCodecCapability]
    VP9_PROFILE_0: _ClassVar[VideoCodecCapability]
    VP9_PROFILE_1: _ClassVar[VideoCodecCapability]
    VP9_PROFILE_2: _ClassVar[VideoCodecCapability]
    AV1_MAIN_PROFILE: _ClassVar[VideoCodecCapability]
DEFAULT: ServerSideNetworkAdaption
NONE: ServerSideNetworkAdaption
BANDWIDTH_PROBING: ServerSideNetworkAdaption
BANDWIDTH_PROBING_AND_VIDEO_QUALITY_ADAPTION: ServerSideNetworkAdaption
MIXED: AudioReceiveType
UNMIXED: AudioReceiveType
RX: Duplex
TX: Duplex
DUPLEX: Duplex
AUDIO: MediaType
VIDEO: MediaType
BALANCED: QualityAdaptationPreference
MAINTAIN_FRAMERATE: QualityAdaptationPreference
MAINTAIN_RESOLUTION: QualityAdaptationPreference
VP8: VideoCodecCapability
H264_BASELINE_PROFILE: VideoCodecCapability
H264_CONSTRAINED_BASELINE_PROFILE: VideoCodecCapability
H264_MAIN_PROFILE: VideoCodecCapability
H264_HIGH_PROFILE: VideoCodecCapability
H264_CONSTRAINED_HIGH_PROFILE: VideoCodecCapability
H265: VideoCodecCapability
VP9_PROFILE_0: VideoCodecCapability
VP9_PROFILE_1: VideoCodecCapability
VP9_PROFILE_2: VideoCodecCapability
AV1_MAIN_PROFILE: VideoCodecCapability

class SignalFrame(_message.Message):
    __slots__ = ("timestamp_ms", "type", "error", "join", "joinack", "sub", "suback", "index", "pause", "leave", "leave_ack", "bitrates", "audio_control", "audio_metadata", "audio_stream_id_info", "ping_pong", "audio_status", "client_metric", "data_message", "remote_video_update", "primary_meeting_join", "primary_meeting_join_ack", "primary_meeting_leave", "notification", "meeting_session_timing")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        JOIN: _ClassVar[SignalFrame.Type]
        JOIN_ACK: _ClassVar[SignalFrame.Type]
        SUBSCRIBE: _ClassVar[SignalFrame.Type]
        SUBSCRIBE_ACK: _ClassVar[SignalFrame.Type]
        INDEX: _ClassVar[SignalFrame.Type]
        PAUSE: _ClassVar[SignalFrame.Type]
        RESUME: _ClassVar[SignalFrame.Type]
        LEAVE: _ClassVar[SignalFrame.Type]
        LEAVE_ACK: _ClassVar[SignalFrame.Type]
        BITRATES: _ClassVar[SignalFrame.Type]
        AUDIO_CONTROL: _ClassVar[SignalFrame.Type]
        AUDIO_METADATA: _ClassVar[SignalFrame.Type]
        AUDIO_STREAM_ID_INFO: _ClassVar[SignalFrame.Type]
        PING_PONG: _ClassVar[SignalFrame.Type]
        AUDIO_STATUS: _ClassVar[SignalFrame.Type]
        CLIENT_METRIC: _ClassVar[SignalFrame.Type]
        DATA_MESSAGE: _ClassVar[SignalFrame.Type]
        AUDIO_TRANSCRIPT: _ClassVar[SignalFrame.Type]
        REMOTE_VIDEO_UPDATE: _ClassVar[SignalFrame.Type]
        PRIMARY_MEETING_JOIN: _ClassVar[SignalFrame.Type]
        PRIMARY_MEETING_JOIN_ACK: _ClassVar[SignalFrame.Type]
        PRIMARY_MEETING_LEAVE: _ClassVar[SignalFrame.Type]
        NOTIFICATION: _ClassVar[SignalFrame.Type]
        MEETING_SESSION_TIMING: _ClassVar[SignalFrame.Type]
    JOIN: SignalFrame.Type
    JOIN_ACK: SignalFrame.Type
    SUBSCRIBE: SignalFrame.Type
    SUBSCRIBE_ACK: SignalFrame.Type
    INDEX: SignalFrame.Type
    PAUSE: SignalFrame.Type
    RESUME: SignalFrame.Type
    LEAVE: SignalFrame.Type
    LEAVE_ACK: SignalFrame.Type
    BITRATES: SignalFrame.Type
    AUDIO_CONTROL: SignalFrame.Type
    AUDIO_METADATA: SignalFrame.Type
    AUDIO_STREAM_ID_INFO: SignalFrame.Type
    PING_PONG: SignalFrame.Type
    AUDIO_STATUS: SignalFrame.Type
    CLIENT_METRIC: SignalFrame.Type
    DATA_MESSAGE: SignalFrame.Type
    AUDIO_TRANSCRIPT: SignalFrame.Type
    REMOTE_VIDEO_UPDATE: SignalFrame.Type
    PRIMARY_MEETING_JOIN: SignalFrame.Type
    PRIMARY_MEETING_JOIN_ACK: SignalFrame.Type
    PRIMARY_MEETING_LEAVE: SignalFrame.Type
    NOTIFICATION: SignalFrame.Type
    MEETING_SESSION_TIMING: SignalFrame.Type
    TIMESTAMP_MS_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    JOINACK_FIELD_NUMBER: _ClassVar[int]
    SUB_FIELD_NUMBER: _ClassVar[int]
    SUBACK_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    LEAVE_ACK_FIELD_NUMBER: _ClassVar[int]
    BITRATES_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CONTROL_FIELD_NUMBER: _ClassVar[int]
    AUDIO_METADATA_FIELD_NUMBER: _ClassVar[int]
    AUDIO_STREAM_ID_INFO_FIELD_NUMBER: _ClassVar[int]
    PING_PONG_FIELD_NUMBER: _ClassVar[int]
    AUDIO_STATUS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_METRIC_FIELD_NUMBER: _ClassVar[int]
    DATA_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMOTE_VIDEO_UPDATE_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_MEETING_JOIN_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_MEETING_JOIN_ACK_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_MEETING_LEAVE_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATION_FIELD_NUMBER: _ClassVar[int]
    MEETING_SESSION_TIMING_FIELD_NUMBER: _ClassVar[int]
    timestamp_ms: int
    type: SignalFrame.Type
    error: ErrorFrame
    join: JoinFrame
    joinack: JoinAckFrame
    sub: SubscribeFrame
    suback: SubscribeAckFrame
    index: IndexFrame
    pause: PauseResumeFrame
    leave: LeaveFrame
    leave_ack: LeaveAckFrame
    bitrates: BitrateFrame
    audio_control: AudioControlFrame
    audio_metadata: AudioMetadataFrame
    audio_stream_id_info: AudioStreamIdInfoFrame
    ping_pong: PingPongFrame
    audio_status: AudioStatusFrame
    client_metric: ClientMetricFrame
    data_message: DataMessageFrame
    remote_video_update: RemoteVideoUpdateFrame
    primary_meeting_join: PrimaryMeetingJoinFrame
    primary_meeting_join_ack: PrimaryMeetingJoinAckFrame
    primary_meeting_leave: PrimaryMeetingLeaveFrame
    notification: NotificationFrame
    meeting_session_timing: MeetingSessionTimingFrame
    def __init__(self, timestamp_ms: _Optional[int] = ..., type: _Optional[_Union[SignalFrame.Type, str]] = ..., error: _Optional[_Union[ErrorFrame, _Mapping]] = ..., join: _Optional[_Union[JoinFrame, _Mapping]] = ..., joinack: _Optional[_Union[JoinAckFrame, _Mapping]] = ..., sub: _Optional[_Union[SubscribeFrame, _Mapping]] = ..., suback: _Optional[_Union[SubscribeAckFrame, _Mapping]] = ..., index: _Optional[_Union[IndexFrame, _Mapping]] = ..., pause: _Optional[_Union[PauseResumeFrame, _Mapping]] = ..., leave: _Optional[_Union[LeaveFrame, _Mapping]] = ..., leave_ack: _Optional[_Union[LeaveAckFrame, _Mapping]] = ..., bitrates: _Optional[_Union[BitrateFrame, _Mapping]] = ..., audio_control: _Optional[_Union[AudioControlFrame, _Mapping]] = ..., audio_metadata: _Optional[_Union[AudioMetadataFrame, _Mapping]] = ..., audio_stream_id_info: _Optional[_Union[AudioStreamIdInfoFrame, _Mapping]] = ..., ping_pong: _Optional[_Union[PingPongFrame, _Mapping]] = ..., audio_status: _Optional[_Union[AudioStatusFrame, _Mapping]] = ..., client_metric: _Optional[_Union[ClientMetricFrame, _Mapping]] = ..., data_message: _Optional[_Union[DataMessageFrame, _Mapping]] = ..., remote_video_update: _Optional[_Union[RemoteVideoUpdateFrame, _Mapping]] = ..., primary_meeting_join: _Optional[_Union[PrimaryMeetingJoinFrame, _Mapping]] = ..., primary_meeting_join_ack: _Optional[_Union[PrimaryMeetingJoinAckFrame, _Mapping]] = ..., primary_meeting_leave: _Optional[_Union[PrimaryMeetingLeaveFrame, _Mapping]] = ..., notification: _Optional[_Union[NotificationFrame, _Mapping]] = ..., meeting_session_timing: _Optional[_Union[MeetingSessionTimingFrame, _Mapping]] = ...) -> None: ...

class ErrorFrame(_message.Message):
    __slots__ = ("status", "description")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    status: int
    description: str
    def __init__(self, status: _Optional[int] = ..., description: _Optional[str] = ...) -> None: ...

class ClientDetails(_message.Message):
    __slots__ = ("app_name", "app_version", "device_model", "device_make", "platform_name", "platform_version", "client_source", "chime_sdk_version", "client_utc_offset", "os_name", "os_version")
    APP_NAME_FIELD_NUMBER: _ClassVar[int]
    APP_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_MODEL_FIELD_NUMBER: _ClassVar[int]
    DEVICE_MAKE_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_NAME_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_SOURCE_FIELD_NUMBER: _ClassVar[int]
    CHIME_SDK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_UTC_OFFSET_FIELD_NUMBER: _ClassVar[int]
    OS_NAME_FIELD_NUMBER: _ClassVar[int]
    OS_VERSION_FIELD_NUMBER: _ClassVar[int]
    app_name: str
    app_version: str
    device_model: str
    device_make: str
    platform_name: str
    platform_version: str
    client_source: str
    chime_sdk_version: str
    client_utc_offset: str
    os_name: str
    os_version: str
    def __init__(self, app_name: _Optional[str] = ..., app_version: _Optional[str] = ..., device_model: _Optional[str] = ..., device_make: _Optional[str] = ..., platform_name: _Optional[str] = ..., platform_version: _Optional[str] = ..., client_source: _Optional[str] = ..., chime_sdk_version: _Optional[str] = ..., client_utc_offset: _Optional[str] = ..., os_name: _Optional[str] = ..., os_version: _Optional[str] = ...) -> None: ...

class JoinFrame(_message.Message):
    __slots__ = ("protocol_version", "max_num_of_videos", "flags", "client_details", "audio_session_id", "wants_compressed_sdp", "server_side_network_adaption", "supported_server_side_network_adaptions", "wants_all_temporal_layers_in_index", "disable_periodic_keyframe_request_on_content_sender", "audio_receive_type", "use_abs_capture_time", "use_layers_allocation")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MAX_NUM_OF_VIDEOS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_DETAILS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    WANTS_COMPRESSED_SDP_FIELD_NUMBER: _ClassVar[int]
    SERVER_SIDE_NETWORK_ADAPTION_FIELD_NUMBER: _ClassVar[int]
    SUPPORTED_SERVER_SIDE_NETWORK_ADAPTIONS_FIELD_NUMBER: _ClassVar[int]
    WANTS_ALL_TEMPORAL_LAYERS_IN_INDEX_FIELD_NUMBER: _ClassVar[int]
    DISABLE_PERIODIC_KEYFRAME_REQUEST_ON_CONTENT_SENDER_FIELD_NUMBER: _ClassVar[int]
    AUDIO_RECEIVE_TYPE_FIELD_NUMBER: _ClassVar[int]
    USE_ABS_CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    USE_LAYERS_ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    max_num_of_videos: int
    flags: int
    client_details: ClientDetails
    audio_session_id: int
    wants_compressed_sdp: bool
    server_side_network_adaption: ServerSideNetworkAdaption
    supported_server_side_network_adaptions: _containers.RepeatedScalarFieldContainer[ServerSideNetworkAdaption]
    wants_all_temporal_layers_in_index: bool
    disable_periodic_keyframe_request_on_content_sender: bool
    audio_receive_type: AudioReceiveType
    use_abs_capture_time: bool
    use_layers_allocation: bool
    def __init__(self, protocol_version: _Optional[int] = ..., max_num_of_videos: _Optional[int] = ..., flags: _Optional[int] = ..., client_details: _Optional[_Union[ClientDetails, _Mapping]] = ..., audio_session_id: _Optional[int] = ..., wants_compressed_sdp: bool = ..., server_side_network_adaption: _Optional[_Union[ServerSideNetworkAdaption, str]] = ..., supported_server_side_network_adaptions: _Optional[_Iterable[_Union[ServerSideNetworkAdaption, str]]] = ..., wants_all_temporal_layers_in_index: bool = ..., disable_periodic_keyframe_request_on_content_sender: bool = ..., audio_receive_type: _Optional[_Union[AudioReceiveType, str]] = ..., use_abs_capture_time: bool = ..., use_layers_allocation: bool = ...) -> None: ...

class TurnCredentials(_message.Message):
    __slots__ = ("username", "password", "ttl", "uris")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    URIS_FIELD_NUMBER: _ClassVar[int]
    username: str
    password: str
    ttl: int
    uris: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, username: _Optional[str] = ..., password: _Optional[str] = ..., ttl: _Optional[int] = ..., uris: _Optional[_Iterable[str]] = ...) -> None: ...

class JoinAckFrame(_message.Message):
    __slots__ = ("turn_credentials", "video_subscription_limit", "wants_compressed_sdp", "default_server_side_network_adaption", "audio_subscription_limit")
    TURN_CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    VIDEO_SUBSCRIPTION_LIMIT_FIELD_NUMBER: _ClassVar[int]
    WANTS_COMPRESSED_SDP_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_SERVER_SIDE_NETWORK_ADAPTION_FIELD_NUMBER: _ClassVar[int]
    AUDIO_SUBSCRIPTION_LIMIT_FIELD_NUMBER: _ClassVar[int]
    turn_credentials: TurnCredentials
    video_subscription_limit: int
    wants_compressed_sdp: bool
    default_server_side_network_adaption: ServerSideNetworkAdaption
    audio_subscription_limit: int
    def __init__(self, turn_credentials: _Optional[_Union[TurnCredentials, _Mapping]] = ..., video_subscription_limit: _Optional[int] = ..., wants_compressed_sdp: bool = ..., default_server_side_network_adaption: _Optional[_Union[ServerSideNetworkAdaption, str]] = ..., audio_subscription_limit: _Optional[int] = ...) -> None: ...

class StreamDescriptor(_message.Message):
    __slots__ = ("stream_id", "framerate", "max_bitrate_kbps", "track_label", "group_id", "avg_bitrate_bps", "attendee_id", "media_type", "external_user_id", "width", "height", "display_label")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    FRAMERATE_FIELD_NUMBER: _ClassVar[int]
    MAX_BITRATE_KBPS_FIELD_NUMBER: _ClassVar[int]
    TRACK_LABEL_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    AVG_BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    ATTENDEE_ID_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_LABEL_FIELD_NUMBER: _ClassVar[int]
    stream_id: int
    framerate: int
    max_bitrate_kbps: int
    track_label: str
    group_id: int
    avg_bitrate_bps: int
    attendee_id: str
    media_type: MediaType
    external_user_id: str
    width: int
    height: int
    display_label: str
    def __init__(self, stream_id: _Optional[int] = ..., framerate: _Optional[int] = ..., max_bitrate_kbps: _Optional[int] = ..., track_label: _Optional[str] = ..., group_id: _Optional[int] = ..., avg_bitrate_bps: _Optional[int] = ..., attendee_id: _Optional[str] = ..., media_type: _Optional[_Union[MediaType, str]] = ..., external_user_id: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., display_label: _Optional[str] = ...) -> None: ...

class VideoSubscriptionConfiguration(_message.Message):
    __slots__ = ("mid", "attendee_id", "stream_id", "priority", "target_bitrate_kbps", "group_id", "quality_adaptation_preference")
    MID_FIELD_NUMBER: _ClassVar[int]
    ATTENDEE_ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    TARGET_BITRATE_KBPS_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    QUALITY_ADAPTATION_PREFERENCE_FIELD_NUMBER: _ClassVar[int]
    mid: str
    attendee_id: str
    stream_id: int
    priority: int
    target_bitrate_kbps: int
    group_id: int
    quality_adaptation_preference: QualityAdaptationPreference
    def __init__(self, mid: _Optional[str] = ..., attendee_id: _Optional[str] = ..., stream_id: _Optional[int] = ..., priority: _Optional[int] = ..., target_bitrate_kbps: _Optional[int] = ..., group_id: _Optional[int] = ..., quality_adaptation_preference: _Optional[_Union[QualityAdaptationPreference, str]] = ...) -> None: ...

class AudioSubscriptionConfiguration(_message.Message):
    __slots__ = ("mid", "audio_stream_id")
    MID_FIELD_NUMBER: _ClassVar[int]
    AUDIO_STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    mid: str
    audio_stream_id: int
    def __init__(self, mid: _Optional[str] = ..., audio_stream_id: _Optional[int] = ...) -> None: ...

class SubscribeFrame(_message.Message):
    __slots__ = ("duplex", "send_streams", "receive_stream_ids", "sdp_offer", "audio_host", "audio_checkin", "audio_muted", "compressed_sdp_offer", "video_subscription_configuration", "audio_subscription_configurations")
    DUPLEX_FIELD_NUMBER: _ClassVar[int]
    SEND_STREAMS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_STREAM_IDS_FIELD_NUMBER: _ClassVar[int]
    SDP_OFFER_FIELD_NUMBER: _ClassVar[int]
    AUDIO_HOST_FIELD_NUMBER: _ClassVar[int]
    AUDIO_CHECKIN_FIELD_NUMBER: _ClassVar[int]
    AUDIO_MUTED_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_SDP_OFFER_FIELD_NUMBER: _ClassVar[int]
    VIDEO_SUBSCRIPTION_CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    AUDIO_SUBSCRIPTION_CONFIGURATIONS_FIELD_NUMBER: _ClassVar[int]
    duplex: Duplex
    send_streams: _containers.RepeatedCompositeFieldContainer[StreamDescriptor]
    receive_stream_ids: _containers.RepeatedScalarFieldContainer[int]
    sdp_offer: str
    audio_host: str
    audio_checkin: bool
    audio_muted: bool
    compressed_sdp_offer: bytes
    video_subscription_configuration: _containers.RepeatedCompositeFieldContainer[VideoSubscriptionConfiguration]
    audio_subscription_configurations: _containers.RepeatedCompositeFieldContainer[AudioSubscriptionConfiguration]
    def __init__(self, duplex: _Optional[_Union[Duplex, str]] = ..., send_streams: _Optional[_Iterable[_Union[StreamDescriptor, _Mapping]]] = ..., receive_stream_ids: _Optional[_Iterable[int]] = ..., sdp_offer: _Optional[str] = ..., audio_host: _Optional[str] = ..., audio_checkin: bool = ..., audio_muted: bool = ..., compressed_sdp_offer: _Optional[bytes] = ..., video_subscription_configuration: _Optional[_Iterable[_Union[VideoSubscriptionConfiguration, _Mapping]]] = ..., audio_subscription_configurations: _Optional[_Iterable[_Union[AudioSubscriptionConfiguration, _Mapping]]] = ...) -> None: ...

class StreamAllocation(_message.Message):
    __slots__ = ("track_label", "stream_id", "group_id")
    TRACK_LABEL_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    track_label: str
    stream_id: int
    group_id: int
    def __init__(self, track_label: _Optional[str] = ..., stream_id: _Optional[int] = ..., group_id: _Optional[int] = ...) -> None: ...

class TrackMapping(_message.Message):
    __slots__ = ("stream_id", "ssrc", "track_label")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    SSRC_FIELD_NUMBER: _ClassVar[int]
    TRACK_LABEL_FIELD_NUMBER: _ClassVar[int]
    stream_id: int
    ssrc: int
    track_label: str
    def __init__(self, stream_id: _Optional[int] = ..., ssrc: _Optional[int] = ..., track_label: _Optional[str] = ...) -> None: ...

class SubscribeAckFrame(_message.Message):
    __slots__ = ("duplex", "allocations", "sdp_answer", "tracks", "compressed_sdp_answer")
    DUPLEX_FIELD_NUMBER: _ClassVar[int]
    ALLOCATIONS_FIELD_NUMBER: _ClassVar[int]
    SDP_ANSWER_FIELD_NUMBER: _ClassVar[int]
    TRACKS_FIELD_NUMBER: _ClassVar[int]
    COMPRESSED_SDP_ANSWER_FIELD_NUMBER: _ClassVar[int]
    duplex: Duplex
    allocations: _containers.RepeatedCompositeFieldContainer[StreamAllocation]
    sdp_answer: str
    tracks: _containers.RepeatedCompositeFieldContainer[TrackMapping]
    compressed_sdp_answer: bytes
    def __init__(self, duplex: _Optional[_Union[Duplex, str]] = ..., allocations: _Optional[_Iterable[_Union[StreamAllocation, _Mapping]]] = ..., sdp_answer: _Optional[str] = ..., tracks: _Optional[_Iterable[_Union[TrackMapping, _Mapping]]] = ..., compressed_sdp_answer: _Optional[bytes] = ...) -> None: ...

class IndexFrame(_message.Message):
    __slots__ = ("at_capacity", "sources", "paused_at_source_ids", "num_participants", "supported_receive_codec_intersection")
    AT_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PAUSED_AT_SOURCE_IDS_FIELD_NUMBER: _ClassVar[int]
    NUM_PARTICIPANTS_FIELD_NUMBER: _ClassVar[int]
    SUPPORTED_RECEIVE_CODEC_INTERSECTION_FIELD_NUMBER: _ClassVar[int]
    at_capacity: bool
    sources: _containers.RepeatedCompositeFieldContainer[StreamDescriptor]
    paused_at_source_ids: _containers.RepeatedScalarFieldContainer[int]
    num_participants: int
    supported_receive_codec_intersection: _containers.RepeatedScalarFieldContainer[VideoCodecCapability]
    def __init__(self, at_capacity: bool = ..., sources: _Optional[_Iterable[_Union[StreamDescriptor, _Mapping]]] = ..., paused_at_source_ids: _Optional[_Iterable[int]] = ..., num_participants: _Optional[int] = ..., supported_receive_codec_intersection: _Optional[_Iterable[_Union[VideoCodecCapability, str]]] = ...) -> None: ...

class PauseResumeFrame(_message.Message):
    __slots__ = ("stream_ids", "group_ids")
    STREAM_IDS_FIELD_NUMBER: _ClassVar[int]
    GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    stream_ids: _containers.RepeatedScalarFieldContainer[int]
    group_ids: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, stream_ids: _Optional[_Iterable[int]] = ..., group_ids: _Optional[_Iterable[int]] = ...) -> None: ...

class LeaveFrame(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LeaveAckFrame(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Bitrate(_message.Message):
    __slots__ = ("source_stream_id", "avg_bitrate_bps")
    SOURCE_STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    AVG_BITRATE_BPS_FIELD_NUMBER: _ClassVar[int]
    source_stream_id: int
    avg_bitrate_bps: int
    def __init__(self, source_stream_id: _Optional[int] = ..., avg_bitrate_bps: _Optional[int] = ...) -> None: ...

class BitrateFrame(_message.Message):
    __slots__ = ("bitrates", "server_available_outgoing_bitrate")
    BITRATES_FIELD_NUMBER: _ClassVar[int]
    SERVER_AVAILABLE_OUTGOING_BITRATE_FIELD_NUMBER: _ClassVar[int]
    bitrates: _containers.RepeatedCompositeFieldContainer[Bitrate]
    server_available_outgoing_bitrate: int
    def __init__(self, bitrates: _Optional[_Iterable[_Union[Bitrate, _Mapping]]] = ..., server_available_outgoing_bitrate: _Optional[int] = ...) -> None: ...

class AudioControlFrame(_message.Message):
    __slots__ = ("muted",)
    MUTED_FIELD_NUMBER: _ClassVar[int]
    muted: bool
    def __init__(self, muted: bool = ...) -> None: ...

class AudioAttendeeState(_message.Message):
    __slots__ = ("audio_stream_id", "volume", "muted", "signal_strength")
    AUDIO_STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_STRENGTH_FIELD_NUMBER: _ClassVar[int]
    audio_stream_id: int
    volume: int
    muted: bool
    signal_strength: int
    def __init__(self, audio_stream_id: _Optional[int] = ..., volume: _Optional[int] = ..., muted: bool = ..., signal_strength: _Optional[int] = ...) -> None: ...

class AudioMetadataFrame(_message.Message):
    __slots__ = ("attendee_states",)
    ATTENDEE_STATES_FIELD_NUMBER: _ClassVar[int]
    attendee_states: _containers.RepeatedCompositeFieldContainer[AudioAttendeeState]
    def __init__(self, attendee_states: _Optional[_Iterable[_Union[AudioAttendeeState, _Mapping]]] = ...) -> None: ...

class AudioStreamIdInfo(_message.Message):
    __slots__ = ("audio_stream_id", "attendee_id", "muted", "external_user_id", "dropped")
    AUDIO_STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    ATTENDEE_ID_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    audio_stream_id: int
    attendee_id: str
    muted: bool
    external_user_id: str
    dropped: bool
    def __init__(self, audio_stream_id: _Optional[int] = ..., attendee_id: _Optional[str] = ..., muted: bool = ..., external_user_id: _Optional[str] = ..., dropped: bool = ...) -> None: ...

class AudioStreamIdInfoFrame(_message.Message):
    __slots__ = ("streams",)
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    streams: _containers.RepeatedCompositeFieldContainer[AudioStreamIdInfo]
    def __init__(self, streams: _Optional[_Iterable[_Union[AudioStreamIdInfo, _Mapping]]] = ...) -> None: ...

class PingPongFrame(_message.Message):
    __slots__ = ("type", "ping_id")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PING: _ClassVar[PingPongFrame.Type]
        PONG: _ClassVar[PingPongFrame.Type]
    PING: PingPongFrame.Type
    PONG: PingPongFrame.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PING_ID_FIELD_NUMBER: _ClassVar[int]
    type: PingPongFrame.Type
    ping_id: int
    def __init__(self, type: _Optional[_Union[PingPongFrame.Type, str]] = ..., ping_id: _Optional[int] = ...) -> None: ...

class AudioStatusFrame(_message.Message):
    __slots__ = ("audio_status",)
    AUDIO_STATUS_FIELD_NUMBER: _ClassVar[int]
    audio_status: int
    def __init__(self, audio_status: _Optional[int] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("type", "value")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    type: int
    value: float
    def __init__(self, type: _Optional[int] = ..., value: _Optional[float] = ...) -> None: ...

class MetricDimensionValue(_message.Message):
    __slots__ = ("string_value", "bool_value", "uint_value")
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    UINT_VALUE_FIELD_NUMBER: _ClassVar[int]
    string_value: str
    bool_value: bool
    uint_value: int
    def __init__(self, string_value: _Optional[str] = ..., bool_value: bool = ..., uint_value: _Optional[int] = ...) -> None: ...

class MetricDimension(_message.Message):
    __slots__ = ("type", "value")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    type: int
    value: MetricDimensionValue
    def __init__(self, type: _Optional[int] = ..., value: _Optional[_Union[MetricDimensionValue, _Mapping]] = ...) -> None: ...

class StreamMetricFrame(_message.Message):
    __slots__ = ("stream_id", "group_id", "metrics", "dimensions", "media_type")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    stream_id: int
    group_id: int
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    dimensions: _containers.RepeatedCompositeFieldContainer[MetricDimension]
    media_type: MediaType
    def __init__(self, stream_id: _Optional[int] = ..., group_id: _Optional[int] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., dimensions: _Optional[_Iterable[_Union[MetricDimension, _Mapping]]] = ..., media_type: _Optional[_Union[MediaType, str]] = ...) -> None: ...

class ClientMetricFrame(_message.Message):
    __slots__ = ("global_metrics", "stream_metric_frames")
    GLOBAL_METRICS_FIELD_NUMBER: _ClassVar[int]
    STREAM_METRIC_FRAMES_FIELD_NUMBER: _ClassVar[int]
    global_metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    stream_metric_frames: _containers.RepeatedCompositeFieldContainer[StreamMetricFrame]
    def __init__(self, global_metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., stream_metric_frames: _Optional[_Iterable[_Union[StreamMetricFrame, _Mapping]]] = ...) -> None: ...

class DataMessage(_message.Message):
    __slots__ = ("topic", "data", "lifetime_ms", "sender_attendee_id", "ingest_time_ns", "sender_external_user_id")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_MS_FIELD_NUMBER: _ClassVar[int]
    SENDER_ATTENDEE_ID_FIELD_NUMBER: _ClassVar[int]
    INGEST_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    SENDER_EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    topic: str
    data: bytes
    lifetime_ms: int
    sender_attendee_id: str
    ingest_time_ns: int
    sender_external_user_id: str
    def __init__(self, topic: _Optional[str] = ..., data: _Optional[bytes] = ..., lifetime_ms: _Optional[int] = ..., sender_attendee_id: _Optional[str] = ..., ingest_time_ns: _Optional[int] = ..., sender_external_user_id: _Optional[str] = ...) -> None: ...

class DataMessageFrame(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[DataMessage]
    def __init__(self, messages: _Optional[_Iterable[_Union[DataMessage, _Mapping]]] = ...) -> None: ...

class RemoteVideoUpdateFrame(_message.Message):
    __slots__ = ("added_or_updated_video_subscriptions", "removed_video_subscription_mids")
    ADDED_OR_UPDATED_VIDEO_SUBSCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_VIDEO_SUBSCRIPTION_MIDS_FIELD_NUMBER: _ClassVar[int]
    added_or_updated_video_subscriptions: _containers.RepeatedCompositeFieldContainer[VideoSubscriptionConfiguration]
    removed_video_subscription_mids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, added_or_updated_video_subscriptions: _Optional[_Iterable[_Union[VideoSubscriptionConfiguration, _Mapping]]] = ..., removed_video_subscription_mids: _Optional[_Iterable[str]] = ...) -> None: ...

class MeetingSessionCredentials(_message.Message):
    __slots__ = ("attendee_id", "external_user_id", "join_token")
    ATTENDEE_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_USER_ID_FIELD_NUMBER: _ClassVar[int]
    JOIN_TOKEN_FIELD_NUMBER: _ClassVar[int]
    attendee_id: str
    external_user_id: str
    join_token: str
    def __init__(self, attendee_id: _Optional[str] = ..., external_user_id: _Optional[str] = ..., join_token: _Optional[str] = ...) -> None: ...

class PrimaryMeetingJoinFrame(_message.Message):
    __slots__ = ("credentials",)
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    credentials: MeetingSessionCredentials
    def __init__(self, credentials: _Optional[_Union[MeetingSessionCredentials, _Mapping]] = ...) -> None: ...

class PrimaryMeetingJoinAckFrame(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PrimaryMeetingLeaveFrame(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NotificationFrame(_message.Message):
    __slots__ = ("level", "message")
    class Level(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        INFO: _ClassVar[NotificationFrame.Level]
        WARNING: _ClassVar[NotificationFrame.Level]
        ERROR: _ClassVar[NotificationFrame.Level]
    INFO: NotificationFrame.Level
    WARNING: NotificationFrame.Level
    ERROR: NotificationFrame.Level
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    level: NotificationFrame.Level
    message: str
    def __init__(self, level: _Optional[_Union[NotificationFrame.Level, str]] = ..., message: _Optional[str] = ...) -> None: ...

class MeetingSessionTimingFrame(_message.Message):
    __slots__ = ("signaling", "remote_audio", "local_audio", "local_video", "remote_videos")
    SIGNALING_FIELD_NUMBER: _ClassVar[int]
    REMOTE_AUDIO_FIELD_NUMBER: _ClassVar[int]
    LOCAL_AUDIO_FIELD_NUMBER: _ClassVar[int]
    LOCAL_VIDEO_FIELD_NUMBER: _ClassVar[int]
    REMOTE_VIDEOS_FIELD_NUMBER: _ClassVar[int]
    signaling: _containers.RepeatedCompositeFieldContainer[SignalingTiming]
    remote_audio: _containers.RepeatedCompositeFieldContainer[RemoteAudioTiming]
    local_audio: _containers.RepeatedCompositeFieldContainer[LocalAudioTiming]
    local_video: _containers.RepeatedCompositeFieldContainer[LocalVideoTiming]
    remote_videos: _containers.RepeatedCompositeFieldContainer[RemoteVideoTiming]
    def __init__(self, signaling: _Optional[_Iterable[_Union[SignalingTiming, _Mapping]]] = ..., remote_audio: _Optional[_Iterable[_Union[RemoteAudioTiming, _Mapping]]] = ..., local_audio: _Optional[_Iterable[_Union[LocalAudioTiming, _Mapping]]] = ..., local_video: _Optional[_Iterable[_Union[LocalVideoTiming, _Mapping]]] = ..., remote_videos: _Optional[_Iterable[_Union[RemoteVideoTiming, _Mapping]]] = ...) -> None: ...

class SignalingTiming(_message.Message):
    __slots__ = ("start_ms", "join_sent_ms", "join_ack_received_ms", "transport_connected_ms", "create_offer_ms", "set_local_description_ms", "set_remote_description_ms", "ice_gathering_start_ms", "ice_gathering_complete_ms", "ice_connected_ms", "subscribe_sent_ms", "subscribe_ack_ms", "timed_out")
    START_MS_FIELD_NUMBER: _ClassVar[int]
    JOIN_SENT_MS_FIELD_NUMBER: _ClassVar[int]
    JOIN_ACK_RECEIVED_MS_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_CONNECTED_MS_FIELD_NUMBER: _ClassVar[int]
    CREATE_OFFER_MS_FIELD_NUMBER: _ClassVar[int]
    SET_LOCAL_DESCRIPTION_MS_FIELD_NUMBER: _ClassVar[int]
    SET_REMOTE_DESCRIPTION_MS_FIELD_NUMBER: _ClassVar[int]
    ICE_GATHERING_START_MS_FIELD_NUMBER: _ClassVar[int]
    ICE_GATHERING_COMPLETE_MS_FIELD_NUMBER: _ClassVar[int]
    ICE_CONNECTED_MS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_SENT_MS_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_ACK_MS_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    start_ms: int
    join_sent_ms: int
    join_ack_received_ms: int
    transport_connected_ms: int
    create_offer_ms: int
    set_local_description_ms: int
    set_remote_description_ms: int
    ice_gathering_start_ms: int
    ice_gathering_complete_ms: int
    ice_connected_ms: int
    subscribe_sent_ms: int
    subscribe_ack_ms: int
    timed_out: bool
    def __init__(self, start_ms: _Optional[int] = ..., join_sent_ms: _Optional[int] = ..., join_ack_received_ms: _Optional[int] = ..., transport_connected_ms: _Optional[int] = ..., create_offer_ms: _Optional[int] = ..., set_local_description_ms: _Optional[int] = ..., set_remote_description_ms: _Optional[int] = ..., ice_gathering_start_ms: _Optional[int] = ..., ice_gathering_complete_ms: _Optional[int] = ..., ice_connected_ms: _Optional[int] = ..., subscribe_sent_ms: _Optional[int] = ..., subscribe_ack_ms: _Optional[int] = ..., timed_out: bool = ...) -> None: ...

class RemoteAudioTiming(_message.Message):
    __slots__ = ("added_ms", "first_packet_received_ms", "first_frame_rendered_ms", "timed_out", "removed")
    ADDED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_PACKET_RECEIVED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_RENDERED_MS_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    added_ms: int
    first_packet_received_ms: int
    first_frame_rendered_ms: int
    timed_out: bool
    removed: bool
    def __init__(self, added_ms: _Optional[int] = ..., first_packet_received_ms: _Optional[int] = ..., first_frame_rendered_ms: _Optional[int] = ..., timed_out: bool = ..., removed: bool = ...) -> None: ...

class LocalAudioTiming(_message.Message):
    __slots__ = ("added_ms", "first_frame_captured_ms", "first_packet_sent_ms", "timed_out", "removed")
    ADDED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_CAPTURED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_PACKET_SENT_MS_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    added_ms: int
    first_frame_captured_ms: int
    first_packet_sent_ms: int
    timed_out: bool
    removed: bool
    def __init__(self, added_ms: _Optional[int] = ..., first_frame_captured_ms: _Optional[int] = ..., first_packet_sent_ms: _Optional[int] = ..., timed_out: bool = ..., removed: bool = ...) -> None: ...

class LocalVideoTiming(_message.Message):
    __slots__ = ("added_ms", "first_frame_captured_ms", "first_frame_sent_ms", "timed_out", "removed")
    ADDED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_CAPTURED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_SENT_MS_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    added_ms: int
    first_frame_captured_ms: int
    first_frame_sent_ms: int
    timed_out: bool
    removed: bool
    def __init__(self, added_ms: _Optional[int] = ..., first_frame_captured_ms: _Optional[int] = ..., first_frame_sent_ms: _Optional[int] = ..., timed_out: bool = ..., removed: bool = ...) -> None: ...

class RemoteVideoTiming(_message.Message):
    __slots__ = ("group_id", "added_ms", "first_packet_received_ms", "first_frame_rendered_ms", "timed_out", "removed")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    ADDED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_PACKET_RECEIVED_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_RENDERED_MS_FIELD_NUMBER: _ClassVar[int]
    TIMED_OUT_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    group_id: int
    added_ms: int
    first_packet_received_ms: int
    first_frame_rendered_ms: int
    timed_out: bool
    removed: bool
    def __init__(self, group_id: _Optional[int] = ..., added_ms: _Optional[int] = ..., first_packet_received_ms: _Optional[int] = ..., first_frame_rendered_ms: _Optional[int] = ..., timed_out: bool = ..., removed: bool = ...) -> None: ...
