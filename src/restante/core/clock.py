"""Units of time. Inside, every moment is an integer of microseconds since 1970 (UTC), every span too."""

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
