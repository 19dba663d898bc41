"""What a user holds: MeetingSession, its audio, its video, its content share."""
