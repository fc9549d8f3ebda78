//! Content-addressed names: BLAKE3 over a typed prefix and the plain bytes.
//!
//! The prefix keeps a chunk and a tree node of the same bytes apart, so that content a user wrote can never be taken
//! for a tree node.

use std::fmt;

/// What an object in the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ObjectKind {
    /// A run of file content.
    Chunk = 1,
    /// A directory node, a content manifest or a root: everything encoded by [`crate::model`].
    Node = 2,
}

impl ObjectKind {
    /// The stable number that stands for this kind on disk.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Chunk),
            2 => Some(Self::Node),
            _ => None,
        }
    }

    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Chunk => b"aether chunk 1\0",
            Self::Node => b"aether node 1\0\0",
        }
    }
}

/// The name of any object: 32 bytes of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub [u8; 32]);

impl ObjectId {
    /// The name of `bytes` as an object of this kind.
    #[must_use]
    pub fn of(kind: ObjectKind, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(kind.prefix()).update(bytes);
        Self(*hasher.finalize().as_bytes())
    }

    /// The name in lower-case hexadecimal, 64 digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// The name written as 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(|hash| Self(*hash.as_bytes()))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex()[..16])
    }
}

macro_rules! object_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub ObjectId);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }
    )*};
}

object_ids! {
    /// The name of a chunk of file content.
    ChunkId;
    /// The name of a tree node or a manifest.
    NodeId;
    /// The name of a [`Root`](super::Root): one whole frozen tree.
    RootId;
    /// A hash over names, kinds, modes and contents below a directory, blind to times, owners and inode numbers.
    ContentHash;
}
