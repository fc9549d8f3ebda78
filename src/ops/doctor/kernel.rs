//! The kernel's version, and what of FUSE depends on it.

use super::Finding;

const NAME: &str = "kernel";

/// The oldest kernel that has all that a mount needs.
const OLDEST: (u32, u32) = (5, 4);

/// From here on a request in flight is sent again to a mount process that took over (`FUSE_NOTIFY_RESEND`).
const RESEND: (u32, u32) = (6, 9);

pub(super) fn check() -> Finding {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match parse(release) {
        None => Finding::warning(NAME, format!("the version of kernel `{release}` is unknown"), "use Linux"),
        Some(version) if version < OLDEST => Finding::failed(
            NAME,
            format!("Linux {release} is too old"),
            format!("use Linux {}.{} or newer", OLDEST.0, OLDEST.1),
        ),
        Some(version) if version < RESEND => Finding::warning(
            NAME,
            format!("Linux {release} works, but cannot repeat requests when a mount process is replaced"),
            format!("Linux {}.{} and newer can", RESEND.0, RESEND.1),
        ),
        Some(_) => Finding::good(NAME, format!("Linux {release} has all that is used")),
    }
}

/// The first two numbers of a release such as `6.18.0-rc1`.
fn parse(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|char: char| !char.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(parse("6.18.0-rc1+"), Some((6, 18)));
        assert_eq!(parse("5.4"), Some((5, 4)));
        assert!(parse("6.10.3").unwrap() > RESEND);
        assert_eq!(parse("unknown"), None);
    }
}
