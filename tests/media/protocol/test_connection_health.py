"""How well a session is connected."""

from dataclasses import dataclass, field

from chime_media.protocol.connection_health import ConnectionHealth, HealthSample, Verdict


@dataclass
class Session:
    """A session, a second at a time."""

    health: ConnectionHealth = field(default_factory=ConnectionHealth)
    now: float = 0.0
    received: int = 0
    audio: int = 0
    sent: int = 0
    stun: int = 0
    told: list[tuple[float, Verdict]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        self.health.connected(self.now)
        self.received = self.audio = self.sent = self.stun = 0
        self.pass_time(1)

    def pass_time(
        self, seconds: int, *, packets: int = 50, sends: int = 50, stun: int = 0, delay: float = 0.0, hears: bool = True
    ) -> list[Verdict]:
        told: list[Verdict] = []
        for _ in range(seconds):
            self.now += 1
            self.received += packets * 80
            self.audio += packets
            self.sent += sends
            self.stun += stun
            sample = HealthSample(self.received, self.stun, self.audio, self.sent, delay, hears)
            verdicts = self.health.sample(sample, self.now)
            told += verdicts
            self.told += [(self.now, verdict) for verdict in verdicts]
        return told


def test_a_good_connection_is_not_spoken_of() -> None:
    assert Session().pass_time(300) == []


def test_a_connection_that_brings_nothing_for_25_seconds_is_made_anew() -> None:
    session = Session()
    session.pass_time(20)
    assert Verdict.RECONNECT not in session.pass_time(24, packets=0)
    assert Verdict.RECONNECT in session.pass_time(1, packets=0)


def test_checks_of_the_connection_are_signs_of_life() -> None:
    session = Session()
    session.pass_time(20)
    assert Verdict.RECONNECT not in session.pass_time(60, packets=0, stun=1)


def test_a_connection_that_never_brought_anything_is_left_to_the_deadline_of_its_start() -> None:
    assert Verdict.RECONNECT not in Session().pass_time(60, packets=0)


def test_audio_that_is_a_minute_late_is_given_up_after_ten_samples() -> None:
    session = Session()
    session.pass_time(20)
    assert session.pass_time(10, delay=61) == []
    assert session.pass_time(1, delay=61) == [Verdict.RECONNECT]


def test_half_of_the_sound_missing_over_15_seconds_is_poor_and_told_again_only_after_a_minute() -> None:
    session = Session()
    session.pass_time(20)
    session.pass_time(60, packets=20)
    session.pass_time(120)
    session.pass_time(60, packets=20)
    session.pass_time(120)
    session.pass_time(60, packets=20)
    assert [verdict for _, verdict in session.told] == [Verdict.POOR, Verdict.GOOD, Verdict.POOR, Verdict.GOOD]
    poor, good = session.told[0][0], session.told[1][0]
    assert good - poor >= 60


def test_silence_is_no_loss_for_who_may_not_hear() -> None:
    session = Session()
    session.pass_time(20)
    assert session.pass_time(60, packets=0, stun=1, hears=False) == []


def test_sound_that_does_not_leave_is_told_after_two_seconds_and_its_return_at_once() -> None:
    session = Session()
    session.pass_time(10)
    assert session.pass_time(1, sends=0) == []
    assert session.pass_time(1, sends=0) == [Verdict.SENDING_FAILED]
    assert session.pass_time(1) == [Verdict.SENDING_RECOVERED]
    assert session.pass_time(20, sends=0) == []


def test_another_connection_is_judged_by_itself() -> None:
    session = Session()
    session.pass_time(20)
    session.pass_time(20, packets=0, stun=0)
    session.connect()
    assert Verdict.RECONNECT not in session.pass_time(20, packets=0)
