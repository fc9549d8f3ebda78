//! Whether ordinary users may let others into their mounts.

use std::fs;

use super::{Finding, is_root};

const NAME: &str = "user-allow-other";

pub(super) fn check() -> Finding {
    let allowed = fs::read_to_string("/etc/fuse.conf").is_ok_and(|text| allows(&text));
    match (allowed, is_root()) {
        (true, _) => Finding::good(NAME, "`/etc/fuse.conf` has `user_allow_other`"),
        (false, true) => Finding::good(NAME, "`--allow-other` needs nothing for root"),
        (false, false) => Finding::warning(
            NAME,
            "`--allow-other` is only for root here",
            "if other users are to see your mounts, add the line `user_allow_other` to `/etc/fuse.conf` as root",
        ),
    }
}

fn allows(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "user_allow_other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_allows_nothing() {
        assert!(allows("mount_max = 10\n user_allow_other\n"));
        assert!(!allows("#user_allow_other\n"));
    }
}
