"""What happens over time, without IO and without a clock: negotiation, jitter, loss, tiles, speakers, health."""
