"""Decisions that an application may replace: what to receive, what to send, who speaks. Pure."""
