"""The 16 operations of chime-sdk-meetings, one file per noun, and how meetings end by themselves."""
