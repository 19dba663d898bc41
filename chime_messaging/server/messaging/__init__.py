"""The 51 operations of chime-sdk-messaging, one file per noun."""
