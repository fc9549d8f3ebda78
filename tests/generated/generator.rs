//! Makes lists of operations. It runs the model along, so that most operations meet something that is there.

use aether::model::{Kind, Timestamp};
use aether::overlay::{Falloc, RenameMode, SetAttr, SetTime, Whence, XattrMode};

use super::model::{Body, Model, State};
use super::operation::{Base, Fill, Op, SLOTS, Where};
use super::rng::Rng;
use super::runner::Runner;

/// What kind of operations a list is to have.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// How many.
    pub count: usize,
    /// Writes and seeks far beyond what is there, up to terabytes.
    pub far: bool,
    /// `Forget` and `Remount`, which a mount has no call for.
    pub kernel: bool,
    /// Whiteouts and device nodes, which need root.
    pub devices: bool,
}

impl Profile {
    /// All kinds.
    pub const fn all(count: usize) -> Self {
        Self { count, far: true, kernel: true, devices: true }
    }
}

const NAMES: &[&[u8]] = &[b"a", b"b", b"c", b"d", b"lock", b"lock~", b"\xff\xfe", b"new\nline", b"Makefile"];
const XATTRS: &[&[u8]] = &[b"user.a", b"user.b", b"user.mime_type", b"trusted.t"];
const PERMS: &[u16] = &[0o644, 0o600, 0o755, 0o700, 0o444, 0o777, 0o1777, 0o2775, 0o4755, 0o2644, 0];

struct Generator {
    rng: Rng,
    model: Runner<Model>,
    profile: Profile,
    /// All paths, and the sizes of what they name.
    files: Vec<(Where, u64)>,
    dirs: Vec<Where>,
    others: Vec<Where>,
}

/// A list of operations for a tree that begins like this.
pub fn generate(seed: u64, start: State, profile: Profile) -> Vec<Op> {
    let mut made = Generator {
        rng: Rng::new(seed),
        model: Runner::new(Model::from_state(start)),
        profile,
        files: Vec::new(),
        dirs: Vec::new(),
        others: Vec::new(),
    };
    (0..profile.count).map(|step| made.step(step)).collect()
}

/// A tree to begin with, of so many operations.
pub fn base_tree(seed: u64, count: usize) -> State {
    let empty = Model::new(Timestamp::new(1_700_000_000, 1));
    let profile = Profile { count, far: false, kernel: false, devices: true };
    let ops = generate(seed, empty.state(), profile);
    let mut runner = Runner::new(empty);
    for (step, op) in ops.iter().enumerate() {
        let _ = runner.run(step, op);
    }
    runner.files.remount();
    runner.files.state()
}

impl Generator {
    fn step(&mut self, step: usize) -> Op {
        self.survey();
        let op = self.choose();
        if matches!(op, Op::Remount) {
            self.model.files.remount();
            let files = Model::from_state(self.model.files.state());
            self.model.reset(files);
        }
        let _ = self.model.run(step, &op);
        op
    }

    fn survey(&mut self) {
        let state = self.model.files.state();
        (self.files, self.dirs, self.others) = (Vec::new(), Vec::new(), Vec::new());
        let mut walk = vec![(Where::root(&[]), 1)];
        while let Some((at, ino)) = walk.pop() {
            match &state.inodes[&ino].body {
                Body::Dir(dir) => {
                    walk.extend(dir.entries.iter().map(|(name, &(ino, _))| (at.join(name), ino)));
                    self.dirs.push(at);
                }
                Body::File(content) => self.files.push((at, content.len)),
                Body::Symlink(_) | Body::Special => self.others.push(at),
            }
        }
    }

    fn choose(&mut self) -> Op {
        match self.rng.below(100) {
            0..22 => self.make(),
            22..32 => self.remove(),
            32..42 => self.rename(),
            42..66 => self.data(),
            66..74 => self.attributes(),
            74..80 => self.xattr(),
            80..90 => self.look(),
            _ => self.hold(),
        }
    }

    fn slot(&mut self) -> usize {
        self.rng.below(SLOTS as u64) as usize
    }

    fn dir(&mut self) -> Where {
        if self.rng.chance(6) {
            return Where { base: Base::Slot(self.slot()), names: Vec::new() };
        }
        if self.rng.chance(3) {
            return self.any();
        }
        self.rng.pick(&self.dirs).clone()
    }

    /// A place for a new file; sometimes one is there already.
    fn fresh(&mut self) -> Where {
        let dir = self.dir();
        match self.rng.below(20) {
            0 => dir.join(&vec![b'n'; 255]),
            1 => dir.join(&vec![b'n'; 256]),
            2..6 => {
                let number = self.rng.below(40);
                dir.join(format!("file-{number:02}").as_bytes())
            }
            _ => dir.join(self.rng.pick::<&[u8]>(NAMES)),
        }
    }

    /// Anything that is there, or (rarely) is not.
    fn any(&mut self) -> Where {
        match self.rng.below(20) {
            0 => self.fresh(),
            1 => Where::slot(self.slot()),
            2..8 => self.rng.pick(&self.dirs).clone(),
            8..11 if !self.others.is_empty() => self.rng.pick(&self.others).clone(),
            _ => self.file().0,
        }
    }

    /// A file and its size.
    fn file(&mut self) -> (Where, u64) {
        if self.rng.chance(12) {
            return (Where::slot(self.slot()), 5000);
        }
        if self.files.is_empty() || self.rng.chance(3) {
            return (self.fresh(), 0);
        }
        self.rng.pick(&self.files).clone()
    }

    fn perm(&mut self) -> u16 {
        *self.rng.pick(PERMS)
    }

    fn make(&mut self) -> Op {
        let at = self.fresh();
        match self.rng.below(20) {
            0..5 => Op::Mkdir { at, perm: *self.rng.pick(&[0o755, 0o700, 0o2755, 0o1777]) },
            5..7 => Op::Symlink { at, target: self.rng.pick(&[&b"a"[..], b"/no/where", b"../b", b"\xff"]).to_vec() },
            7..10 => Op::Link { from: self.any(), to: at },
            10..12 => {
                let kinds: &[Kind] = if self.profile.devices { &Kind::ALL[3..] } else { &Kind::ALL[3..5] };
                Op::Mknod { at, kind: *self.rng.pick(kinds), perm: 0o600, rdev: 0x0103 }
            }
            _ => Op::Mknod { at, kind: Kind::File, perm: *self.rng.pick(&[0o644, 0o600, 0o755]), rdev: 0 },
        }
    }

    fn remove(&mut self) -> Op {
        match self.rng.below(10) {
            0 => Op::Rmdir { at: self.any() },
            1 => Op::Unlink { at: self.any() },
            2..5 => Op::Rmdir { at: self.rng.pick(&self.dirs).clone() },
            _ => Op::Unlink { at: self.file().0 },
        }
    }

    fn rename(&mut self) -> Op {
        let from = self.any();
        let to = if self.rng.chance(50) { self.any() } else { self.fresh() };
        let mode = match self.rng.below(12) {
            0..6 => RenameMode::empty(),
            6 | 7 => RenameMode::NO_REPLACE,
            8..10 => RenameMode::EXCHANGE,
            10 if self.profile.devices => RenameMode::WHITEOUT,
            10 => RenameMode::empty(),
            _ => RenameMode::from_bits_truncate(self.rng.below(8) as u32) - RenameMode::WHITEOUT,
        };
        Op::Rename { from, to, mode }
    }

    fn offset(&mut self, size: u64) -> u64 {
        match self.rng.below(12) {
            0..3 => 0,
            3..6 => self.rng.below(size + 1),
            6 | 7 => size,
            8 => self.rng.below(size + 1) / 4096 * 4096,
            9 => size + self.rng.below(10_000),
            10 if self.profile.far => (1 << 30) + self.rng.below(1 << 43),
            _ => size.saturating_sub(self.rng.below(300)),
        }
    }

    fn len(&mut self) -> u64 {
        match self.rng.below(12) {
            0 => 0,
            1..5 => self.rng.below(100) + 1,
            5..8 => *self.rng.pick(&[511, 512, 4095, 4096, 4097, 8192, 16384]),
            8..11 => self.rng.below(20_000),
            _ => self.rng.below(200_000),
        }
    }

    fn data(&mut self) -> Op {
        let (at, size) = self.file();
        let (offset, len) = (self.offset(size), self.len());
        match self.rng.below(20) {
            0..8 => {
                let fill = if self.rng.chance(10) { 0 } else { self.rng.next() | 1 };
                Op::Write { at, offset, what: Fill { fill, len: len as usize }, kill_priv: self.rng.chance(20) }
            }
            8..11 => Op::SetAttr { at, set: SetAttr { size: Some(offset), ..SetAttr::default() } },
            11..14 => {
                let hows = [0, 1, 3, 3, 0x10, 0x11, 2, 0x13];
                let how = Falloc::from_bits_truncate(*self.rng.pick(&hows));
                Op::Fallocate { at, offset, len, how }
            }
            14..16 => {
                let (to, to_size) = self.file();
                Op::CopyRange { from: at, from_offset: offset, to, to_offset: self.offset(to_size), len }
            }
            16 => Op::Seek { at, offset, what: *self.rng.pick(&[Whence::Data, Whence::Hole]) },
            _ => Op::Read { at, offset, len: len as usize },
        }
    }

    fn time(&mut self) -> SetTime {
        if self.rng.chance(30) {
            return SetTime::Now;
        }
        let secs = *self.rng.pick(&[0i64, -1, 1_000_000_000, 4_294_967_296]);
        SetTime::At(Timestamp::new(secs, self.rng.below(1_000_000_000) as u32))
    }

    fn attributes(&mut self) -> Op {
        let mut set = SetAttr::default();
        match self.rng.below(4) {
            0 => set.perm = Some(self.perm()),
            1 => (set.uid, set.gid) = (Some(self.rng.below(3) as u32), Some(self.rng.below(3) as u32)),
            2 => (set.atime, set.mtime) = (Some(self.time()), Some(self.time())),
            _ => set.mtime = Some(self.time()),
        }
        Op::SetAttr { at: self.any(), set }
    }

    fn xattr(&mut self) -> Op {
        let at = if self.rng.chance(30) { self.rng.pick(&self.dirs).clone() } else { self.file().0 };
        let name = self.rng.pick(XATTRS).to_vec();
        match self.rng.below(8) {
            0..4 => {
                let len = *self.rng.pick(&[0, 1, 10, 300, 3000]);
                let mode = *self.rng.pick(&[XattrMode::Set, XattrMode::Set, XattrMode::Create, XattrMode::Replace]);
                Op::SetXattr { at, name, value: Fill { fill: self.rng.next() | 1, len }, mode }
            }
            4 => Op::GetXattr { at, name },
            5 => Op::ListXattr { at },
            _ => Op::RemoveXattr { at, name },
        }
    }

    fn look(&mut self) -> Op {
        match self.rng.below(10) {
            0 => Op::Stat { at: self.any() },
            1 => match self.others.is_empty() {
                true => Op::Stat { at: self.any() },
                false => Op::Readlink { at: self.rng.pick(&self.others).clone() },
            },
            2 => Op::StartList { at: self.rng.pick(&self.dirs).clone() },
            3..7 => Op::MoreList { count: 1 + self.rng.below(4) as usize },
            _ => Op::List { at: self.dir(), step: 1 + self.rng.below(9) as usize, with_attr: self.rng.chance(50) },
        }
    }

    fn hold(&mut self) -> Op {
        match self.rng.below(20) {
            0..8 => {
                let at = if self.rng.chance(30) { self.rng.pick(&self.dirs).clone() } else { self.file().0 };
                Op::Open { at, slot: self.slot() }
            }
            8..11 => Op::Close { slot: self.slot() },
            11..14 => Op::Fsync { at: self.any() },
            14..18 if self.profile.kernel => Op::Forget,
            18 if self.profile.kernel => Op::Remount,
            _ => Op::Stat { at: self.any() },
        }
    }
}
