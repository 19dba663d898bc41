"""The 30 operations of chime-sdk-identity, one file per noun."""
