"""Where frames come from and go to: tones, files, test cards, screens, queues, recordings."""
