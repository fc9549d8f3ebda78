//! Which paths a switch is about.

use crate::model::BytePath;

/// Where a directory stands to the paths that are to be switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// It is one of them, or below one.
    In,
    /// One of them is below it. With the directory's path.
    Above(BytePath),
    /// Neither.
    Out,
}

/// The paths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a>(&'a [BytePath]);

impl<'a> Scope<'a> {
    /// These paths and all below them; without any, the whole tree.
    pub fn new(paths: &'a [BytePath]) -> Self {
        let whole = paths.iter().any(|path| path.as_bytes().is_empty());
        Self(if whole { &[] } else { paths })
    }

    /// Whether it is the whole tree.
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the root directory stands.
    pub fn root(&self) -> Side {
        if self.is_whole() { Side::In } else { Side::Above(BytePath::root()) }
    }

    /// Where an entry of a directory stands.
    pub fn below(&self, dir: &Side, name: &[u8]) -> Side {
        match dir {
            Side::In => Side::In,
            Side::Out => Side::Out,
            Side::Above(dir) => {
                let path = dir.join(name);
                if self.0.iter().any(|wanted| path.starts_with(wanted)) {
                    Side::In
                } else if self.0.iter().any(|wanted| wanted.starts_with(&path)) {
                    Side::Above(path)
                } else {
                    Side::Out
                }
            }
        }
    }
}
