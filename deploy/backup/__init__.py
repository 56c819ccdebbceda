"""Backup of all databases of Kei at one moment in one file. After a restore every log is sent again."""
