"""A backup is one file with all databases of Kei as they were at one moment. Restored, every log is sent again."""
