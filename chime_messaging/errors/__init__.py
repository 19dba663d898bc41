"""Room: what can go wrong?

Every error that this project raises on purpose is a `ChimeError`; facts are attributes, the message is built from them.

    ChimeError
    ├─ ConfigurationError (ValueError)      a setting, ARN or argument that cannot work; names the field
    │   ├─ InvalidArnError
    │   └─ LimitError                       a value over (or under) a documented limit
    ├─ UsageError (RuntimeError)            the caller broke the rules of an object
    │   ├─ SessionNotEstablishedError
    │   └─ SessionClosedError
    ├─ TransportError                       the network; worth another try
    │   ├─ ConnectError
    │   ├─ ConnectTimeoutError (TimeoutError)
    │   ├─ RequestTimeoutError (TimeoutError)
    │   └─ ConnectionClosed
    ├─ ProtocolError                        the peer broke the rules of the wire
    │   ├─ DecodeError
    │   └─ FrameTooLargeError
    ├─ CredentialsError                     no, unusable or expired AWS credentials
    ├─ SessionError                         the session is over
    │   ├─ SessionRejectedError             4401: signature, user or credentials refused
    │   ├─ SessionKickedError               4003: the service put the user out
    │   ├─ SessionTimeoutError (TimeoutError)   accepted, then silence: SESSION_ESTABLISHED never came
    │   ├─ SessionStoppedError              closed for good with any other code
    │   ├─ ReconnectDeadlineError           tried until the deadline
    │   └─ MeetingSessionError              a meeting's session is over, with a status code
    │       ├─ JoinedFromAnotherDeviceError     the same attendee joined elsewhere
    │       ├─ AttendeeRejectedError            the attendee or its token was refused
    │       ├─ AttendeeRemovedError             the attendee was deleted
    │       ├─ MeetingEndedError                the meeting is over
    │       └─ MeetingAtCapacityError           the meeting is full
    ├─ ServiceError                         an answer of the HTTP control plane that is not a success
    │   ├─ BadRequestError
    │   ├─ UnauthorizedError
    │   ├─ ForbiddenError
    │   ├─ NotFoundError
    │   ├─ ConflictError
    │   ├─ ResourceLimitExceededError
    │   ├─ ThrottledError
    │   ├─ ServiceFailureError
    │   └─ ServiceUnavailableError
    ├─ CallError                            a call to another attendee has no result
    │   ├─ CallTimeoutError (TimeoutError)      no answer in time
    │   ├─ CallFailedError                      the method raised
    │   ├─ MethodNotFoundError                  no such method there
    │   ├─ CalleeBusyError                      it works on as many calls as it takes
    │   └─ CalleeLeftError                      it left before it answered
    ├─ QueueFullError                       too much waits already; try again later
    ├─ SubscriptionOverflowError            a reader that did not keep up and asked to be told
    └─ WaitTimeoutError (TimeoutError)      `wait_for` ran out of time
"""

from chime_messaging.errors.base import (
    ChimeError,
    ConfigurationError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeoutError,
    CredentialsError,
    DecodeError,
    FrameTooLargeError,
    InvalidArnError,
    LimitError,
    ProtocolError,
    QueueFullError,
    RequestTimeoutError,
    SessionClosedError,
    SessionNotEstablishedError,
    SubscriptionOverflowError,
    TransportError,
    UsageError,
    WaitTimeoutError,
)
from chime_messaging.errors.calls import (
    CalleeBusyError,
    CalleeLeftError,
    CallError,
    CallFailedError,
    CallTimeoutError,
    MethodNotFoundError,
)
from chime_messaging.errors.service import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    ResourceLimitExceededError,
    ServiceError,
    ServiceFailureError,
    ServiceUnavailableError,
    ThrottledError,
    UnauthorizedError,
)
from chime_messaging.errors.sessions import (
    AttendeeRejectedError,
    AttendeeRemovedError,
    JoinedFromAnotherDeviceError,
    MeetingAtCapacityError,
    MeetingEndedError,
    MeetingSessionError,
    ReconnectDeadlineError,
    SessionError,
    SessionKickedError,
    SessionRejectedError,
    SessionStoppedError,
    SessionTimeoutError,
)

__all__ = [
    "AttendeeRejectedError",
    "AttendeeRemovedError",
    "BadRequestError",
    "CallError",
    "CallFailedError",
    "CallTimeoutError",
    "CalleeBusyError",
    "CalleeLeftError",
    "ChimeError",
    "ConfigurationError",
    "ConflictError",
    "ConnectError",
    "ConnectTimeoutError",
    "ConnectionClosed",
    "CredentialsError",
    "DecodeError",
    "ForbiddenError",
    "FrameTooLargeError",
    "InvalidArnError",
    "JoinedFromAnotherDeviceError",
    "LimitError",
    "MeetingAtCapacityError",
    "MeetingEndedError",
    "MeetingSessionError",
    "MethodNotFoundError",
    "NotFoundError",
    "ProtocolError",
    "QueueFullError",
    "ReconnectDeadlineError",
    "RequestTimeoutError",
    "ResourceLimitExceededError",
    "ServiceError",
    "ServiceFailureError",
    "ServiceUnavailableError",
    "SessionClosedError",
    "SessionError",
    "SessionKickedError",
    "SessionNotEstablishedError",
    "SessionRejectedError",
    "SessionStoppedError",
    "SessionTimeoutError",
    "SubscriptionOverflowError",
    "ThrottledError",
    "TransportError",
    "UnauthorizedError",
    "UsageError",
    "WaitTimeoutError",
]
