//! What overlayfs notes in extended attributes of its upper directory, and which of them are a program's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Entry, Ino, Kind, Xattrs};

/// Whose attributes overlayfs keeps its notes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notes {
    /// `trusted.overlay.`, which only root can read.
    Trusted,
    /// `user.overlay.`, in a user namespace (mount option `userxattr`).
    User,
}

/// Before the rest of a name, it stands for an attribute of a program's own that has the name of a note (Linux 6.7).
const ESCAPE: &[u8] = b"overlay.";

/// A device number 0:0, which no program can make on an overlay.
const NO_DEVICE: u32 = 0;

impl Notes {
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Trusted => b"trusted.overlay.",
            Self::User => b"user.overlay.",
        }
    }

    fn get(self, entry: &Entry, what: &[u8]) -> Option<Box<[u8]>> {
        let xattrs = entry.xattrs.as_ref()?;
        xattrs.get(&[self.prefix(), what].concat()[..]).cloned()
    }

    /// Whether the name is one that overlayfs shows to nobody.
    fn is_note(self, name: &[u8]) -> bool {
        name.strip_prefix(self.prefix()).is_some_and(|rest| !rest.starts_with(ESCAPE))
    }

    /// Whether an entry says that there is nothing of this name.
    pub(super) fn is_whiteout(self, entry: &Entry) -> bool {
        match entry.attr.kind {
            Kind::CharDevice => entry.attr.rdev == NO_DEVICE,
            Kind::File => entry.attr.size == 0 && self.get(entry, b"whiteout").is_some(),
            _ => false,
        }
    }

    /// Whether a directory hides all of the one below. (`x` says that it has whiteouts that are files.)
    pub(super) fn is_opaque(self, dir: &Entry) -> bool {
        self.get(dir, b"opaque").is_some_and(|value| &value[..] == b"y")
    }

    /// Whether an entry came to be by copying up.
    pub(super) fn is_copy(self, entry: &Entry) -> bool {
        self.get(entry, b"origin").is_some()
    }

    /// The number of the file below that an entry is a copy of, if that was noted.
    pub(super) fn origin(self, entry: &Entry) -> Option<Ino> {
        number_in_handle(&self.get(entry, b"origin")?)
    }

    /// The attributes that a program sees; and of the file below, those that overlayfs keeps from it.
    pub(super) fn shown(self, upper: Option<&Xattrs>, lower: Option<&Xattrs>) -> Option<Xattrs> {
        let has_notes = |map: &Xattrs| map.keys().any(|name| name.starts_with(self.prefix()));
        if !upper.is_some_and(has_notes) && !lower.is_some_and(has_notes) {
            return upper.cloned();
        }
        let own = upper.into_iter().flat_map(|map| map.iter()).filter(|(name, _)| !self.is_note(name));
        let own = own.map(|(name, value)| match name.strip_prefix(self.prefix()) {
            Some(escaped) => ([self.prefix(), &escaped[ESCAPE.len()..]].concat().into(), value.clone()),
            None => (name.clone(), value.clone()),
        });
        let kept = lower.into_iter().flat_map(|map| map.iter()).filter(|(name, _)| self.is_note(name));
        let all: BTreeMap<Box<[u8]>, Box<[u8]>> =
            own.chain(kept.map(|(name, value)| (name.clone(), value.clone()))).collect();
        (!all.is_empty()).then(|| Arc::new(all))
    }
}

/// The inode number in a file handle of FUSE, in the form in which overlayfs stores handles (`struct ovl_fb` in
/// `fs/overlayfs/overlayfs.h`; `fuse_encode_fh` in `fs/fuse/inode.c`).
fn number_in_handle(bytes: &[u8]) -> Option<Ino> {
    const HEAD_BYTES: usize = 21;
    const MAGIC: u8 = 0xfb;
    // FILEID_INO64_GEN, without and with the parent's.
    const TYPES: [u8; 2] = [0x81, 0x82];
    let [0, MAGIC, len, _, handle_type, ..] = *bytes else { return None };
    if usize::from(len) != bytes.len() || !TYPES.contains(&handle_type) {
        return None;
    }
    let half = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let (high, low) = (half(HEAD_BYTES)?, half(HEAD_BYTES + 4)?);
    Some(u64::from(high) << 32 | u64::from(low)).filter(|ino| *ino > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attr, Body, Name, Timestamp};

    fn entry(kind: Kind, xattrs: &[(&str, &[u8])]) -> Entry {
        let map: BTreeMap<Box<[u8]>, Box<[u8]>> =
            xattrs.iter().map(|(name, value)| (name.as_bytes().into(), (*value).into())).collect();
        Entry {
            name: Name::new(b"x").unwrap(),
            attr: Attr::new(9, kind, 0o644, 0, 0, Timestamp::new(1, 0)),
            body: Body::Special,
            xattrs: (!map.is_empty()).then(|| Arc::new(map)),
        }
    }

    #[test]
    fn whiteouts_are_devices_without_a_number_and_marked_empty_files() {
        for notes in [Notes::Trusted, Notes::User] {
            assert!(notes.is_whiteout(&entry(Kind::CharDevice, &[])));
            let mut null = entry(Kind::CharDevice, &[]);
            null.attr.rdev = 0x103;
            assert!(!notes.is_whiteout(&null));
            assert!(!notes.is_whiteout(&entry(Kind::File, &[])));
        }
        let marked = entry(Kind::File, &[("user.overlay.whiteout", b"")]);
        assert!(Notes::User.is_whiteout(&marked));
        assert!(!Notes::Trusted.is_whiteout(&marked), "there it is an attribute as any other");
    }

    #[test]
    fn only_y_hides_what_is_below() {
        let dir = |value: &[u8]| Notes::Trusted.is_opaque(&entry(Kind::Dir, &[("trusted.overlay.opaque", value)]));
        assert!(dir(b"y"));
        assert!(!dir(b"x"));
        assert!(!Notes::Trusted.is_opaque(&entry(Kind::Dir, &[("user.overlay.opaque", b"y")])));
    }

    #[test]
    fn notes_go_and_what_programs_set_stays() {
        let upper = entry(
            Kind::File,
            &[
                ("trusted.overlay.origin", b"o"),
                ("trusted.overlay.overlay.opaque", b"mine"),
                ("user.overlay.origin", b"mine, too"),
                ("user.x", b"1"),
            ],
        );
        let lower = entry(Kind::File, &[("trusted.overlay.opaque", b"below"), ("user.x", b"0")]);
        let shown = Notes::Trusted.shown(upper.xattrs.as_ref(), lower.xattrs.as_ref()).unwrap();
        let names: Vec<_> = shown.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        // The one from below loses against the one that was set, if there are both.
        assert_eq!(names.iter().filter(|(name, _)| *name == b"trusted.overlay.opaque").count(), 1);
        assert!(names.contains(&(b"user.overlay.origin", b"mine, too")));
        assert!(names.contains(&(b"user.x", b"1")));
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn the_handle_of_a_file_below_has_its_number() {
        let mut handle = vec![0, 0xfb, 33, 0, 0x81];
        handle.extend([0; 16]);
        handle.extend([7_u32, 0x0099_c94e, 0].map(u32::to_ne_bytes).concat());
        assert_eq!(number_in_handle(&handle), Some(7 << 32 | 0x0099_c94e));
        assert_eq!(number_in_handle(b""), None, "in a user namespace only that there is one is noted");
        handle.push(0);
        assert_eq!(number_in_handle(&handle), None);
    }
}
