//! Times and durations as users write them.

use std::time::SystemTime;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

use super::Error;
use super::error::Result;

/// The time now, in nanoseconds since the Unix epoch: for what goes on for longer than a command, which has one time.
#[must_use]
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// A duration: `90s`, `2h 30m`, `7d`, `2 weeks`. A day has 24 hours. In nanoseconds, above 0.
///
/// # Errors
/// [`Error::BadTime`].
pub fn duration(text: &str) -> Result<i64> {
    let span: Option<Span> = text.parse().ok();
    let length = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    let nanos = length.and_then(|length| i64::try_from(length.as_nanos()).ok()).filter(|&nanos| nanos > 0);
    nanos.ok_or_else(|| Error::BadTime { text: text.to_owned() })
}

/// A moment in nanoseconds since the Unix epoch: `2026-05-01T12:00:00Z`, `2026-05-01 12:00` or `2026-05-01` of this
/// machine's zone, or a duration, which is counted back from now.
///
/// # Errors
/// [`Error::BadTime`].
pub fn moment(text: &str, now_ns: i64) -> Result<i64> {
    if let Ok(ago) = duration(text) {
        return Ok(now_ns.saturating_sub(ago));
    }
    let local = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::system()).ok().map(|time| time.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(local);
    let nanos = time.and_then(|time| i64::try_from(time.as_nanosecond()).ok());
    nanos.ok_or_else(|| Error::BadTime { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn durations_and_moments_are_read() {
        for (text, seconds) in [("90s", 90), ("2h 30m", 9000), ("7d", 604_800), ("2 weeks", 1_209_600), ("PT1M", 60)] {
            assert_eq!(duration(text).unwrap(), seconds * SECOND, "{text}");
        }
        assert_eq!(moment("1970-01-01T00:01:00Z", 0).unwrap(), 60 * SECOND);
        assert_eq!(moment("1970-01-01T00:01:00+00:01", 0).unwrap(), 0);
        assert_eq!(moment("1m", 100 * SECOND).unwrap(), 40 * SECOND);
        assert!(moment("2026-05-01", 0).is_ok() && moment("2026-05-01 12:00", 0).is_ok());
        for bad in ["", "7", "-1d", "0s", "yesterday", "1 month", "9999999999 weeks"] {
            assert!(matches!(duration(bad), Err(Error::BadTime { .. })), "{bad}");
        }
    }
}
