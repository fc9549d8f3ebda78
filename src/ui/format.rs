//! Sizes, times and foreign text as people read them.

use std::borrow::Cow;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Whether a character drives a terminal, breaks the line, or changes the direction of others or how they are joined
/// without being seen (Unicode, UAX #9 and UTR #36).
pub(super) fn is_odd(char: char) -> bool {
    let marks = matches!(char, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}');
    let spans = matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}');
    char.is_control() || marks || spans
}

/// Text without such characters: they are written out.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_odd) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        let _ = match char {
            '\n' => escaped.write_str("\\n"),
            '\r' => escaped.write_str("\\r"),
            '\t' => escaped.write_str("\\t"),
            odd if is_odd(odd) && (odd as u32) < 0x100 => write!(escaped, "\\x{:02x}", odd as u32),
            odd if is_odd(odd) => write!(escaped, "\\u{{{:x}}}", odd as u32),
            plain => escaped.write_char(plain),
        };
    }
    Cow::Owned(escaped)
}

/// A size with three digits: `4.21 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// A duration with about three digits: `1.25 s`.
#[must_use]
pub fn duration(nanos: u64) -> String {
    match nanos {
        0..1_000_000 => format!("{} µs", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        1_000_000_000..120_000_000_000 => format!("{:.2} s", nanos as f64 / 1e9),
        _ => format!("{} min {} s", nanos / 60_000_000_000, nanos / 1_000_000_000 % 60),
    }
}

/// A time as JSON has it; one that no calendar has becomes the epoch.
#[must_use]
pub fn rfc3339(time_ns: i64) -> String {
    Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default().to_string()
}

/// A time in the zone of the machine.
pub(super) fn local(time_ns: i64) -> String {
    let time = Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default().to_zoned(TimeZone::system());
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago something was.
pub(super) fn ago(time_ns: i64, now_ns: i64) -> String {
    let secs = now_ns.saturating_sub(time_ns) / 1_000_000_000;
    let (count, unit) = match secs {
        ..0 => return "in the future".into(),
        0..2 => return "just now".into(),
        2..60 => (secs, "second"),
        60..3600 => (secs / 60, "minute"),
        3600..86_400 => (secs / 3600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// When something ends, rounded up.
pub(super) fn expires(time_ns: i64, now_ns: i64) -> String {
    let secs = time_ns.saturating_sub(now_ns).div_euclid(1_000_000_000);
    let (count, unit) = match secs {
        ..0 => return "expired".into(),
        0..60 => return "expires in less than a minute".into(),
        60..3600 => (secs / 60 + 1, "minute"),
        3600..86_400 => (secs / 3600 + 1, "hour"),
        _ => ((secs + 86_399) / 86_400, "day"),
    };
    format!("expires in {count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (10 << 10, "10.0 KiB"),
            (1_023_999, "0.98 MiB"),
            (1 << 30, "1.00 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn ages_are_rounded_down() {
        let second = 1_000_000_000;
        assert_eq!(ago(0, second), "just now");
        assert_eq!(ago(0, 119 * second), "1 minute ago");
        assert_eq!(ago(0, 200_000 * second), "2 days ago");
        assert_eq!(ago(second / 2, 0), "just now");
        assert_eq!(ago(9 * second, 0), "in the future");
    }

    #[test]
    fn direction_marks_are_written_out() {
        assert_eq!(escape("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(escape("a\u{200f}\u{2028}b"), "a\\u{200f}\\u{2028}b");
        assert_eq!(escape("größe 日本"), "größe 日本");
    }
}
