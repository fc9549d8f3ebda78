//! The hash over what a directory holds that people call its content.

use crate::model::{Body, Content, ContentHash, Entry, ObjectId, Writer};

const PREFIX: &[u8] = b"aether content 1\0";

/// The content hash of a directory with these entries, which are sorted by name and each there once.
///
/// It covers, for each entry in order: the name, the kind, the permission bits (but for symbolic links, which have none
/// that mean anything), and the content: of a file its length, bytes and holes; of a symbolic link its target; of a
/// directory its own content hash; of a device its number. It is blind to inode numbers, link counts, owners, times and
/// extended attributes, and to how the directory is split into nodes.
#[must_use]
pub fn content_hash(entries: &[Entry]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(PREFIX);
    let mut line = Writer::default();
    for entry in entries {
        line.0.clear();
        encode(entry, &mut line);
        hasher.update(&line.0);
    }
    ContentHash(ObjectId(*hasher.finalize().as_bytes()))
}

/// One entry, in a form that no other sequence of entries begins with.
fn encode(entry: &Entry, line: &mut Writer) {
    let attr = &entry.attr;
    line.bytes(&entry.name);
    line.byte(attr.kind.code());
    match &entry.body {
        Body::File(content) => {
            line.uint(attr.perm.into());
            line.uint(attr.size);
            match content {
                Content::Hole => line.byte(0),
                Content::Chunk(id) => {
                    line.byte(1);
                    line.id(&id.0);
                }
                Content::Manifest(id) | Content::Sparse { manifest: id, .. } => {
                    line.byte(2);
                    line.id(&id.0);
                }
            }
        }
        Body::Dir(dir) => {
            line.uint(attr.perm.into());
            line.id(&dir.content.0);
        }
        Body::Symlink(target) => line.bytes(target),
        Body::Special => {
            line.uint(attr.perm.into());
            line.uint(attr.rdev.into());
        }
    }
}
