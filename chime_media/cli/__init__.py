"""The commands that need media; chime_messaging.cli finds them by their entry point."""
