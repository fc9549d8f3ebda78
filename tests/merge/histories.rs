//! Random histories: a tree, and what two sides made of it.

use aether::model::BytePath;

use crate::generated::rng::Rng;

use super::forest::{Paths, What};

pub struct History {
    pub base: Paths,
    pub ours: Paths,
    pub theirs: Paths,
}

/// What may happen in a history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// What git can tell of: no empty directories, no other permission bits than the one for execution.
    Git,
    /// Everything.
    Any,
}

pub fn history(seed: u64, style: Style) -> History {
    let mut rng = Rng::new(seed);
    let mut base = Paths::default();
    for number in 0..4 + rng.below(8) {
        let dir = ["", "a/", "b/", "a/c/"][rng.below(4) as usize];
        let text = text(&mut rng, number);
        base.write(format!("{dir}f{number}"), text);
    }
    let mut side = |name: &str| {
        let mut side = base.clone();
        for _ in 0..1 + rng.below(4) {
            step(&mut rng, &mut side, name, style);
        }
        side
    };
    let (ours, theirs) = (side("o"), side("t"));
    History { base, ours, theirs }
}

fn text(rng: &mut Rng, number: u64) -> String {
    (0..6 + rng.below(12)).map(|line| format!("{number}:{line}:{:x}\n", rng.next())).collect()
}

fn step(rng: &mut Rng, tree: &mut Paths, name: &str, style: Style) {
    let is_dir = |tree: &Paths, path: &BytePath| tree.0[path].what == What::Dir;
    let paths: Vec<BytePath> = tree.0.keys().cloned().collect();
    let files: Vec<BytePath> = paths.iter().filter(|path| !is_dir(tree, path)).cloned().collect();
    let dirs: Vec<BytePath> = paths.iter().filter(|path| is_dir(tree, path)).cloned().collect();
    if files.is_empty() {
        return;
    }
    let file = rng.pick(&files).clone();
    let fresh = new_path(rng, &dirs, name, style);
    match rng.below(if style == Style::Git { 20 } else { 24 }) {
        0..=6 => edit(rng, tree, &file),
        7..=8 => tree.remove(file.as_bytes()),
        9..=10 => {
            let text = text(rng, 99);
            tree.remove(&fresh);
            tree.write(&fresh, text);
        }
        11..=13 if !tree.0.contains_key(&super::forest::path(&fresh)) => {
            tree.rename(file.as_bytes(), &fresh);
            if rng.chance(40) {
                edit(rng, tree, &super::forest::path(&fresh));
            }
        }
        14..=15 if !dirs.is_empty() => {
            let dir = rng.pick(&dirs).clone();
            let to = format!("{name}moved{}", rng.below(2));
            if !tree.0.contains_key(&super::forest::path(&to)) {
                tree.rename(dir.as_bytes(), to);
            }
        }
        16..=17 => tree.chmod(std::str::from_utf8(file.as_bytes()).unwrap(), 0o755),
        18 => {
            tree.remove(file.as_bytes());
            tree.put(file.as_bytes(), What::Link(name.as_bytes().to_vec()));
        }
        19 => {
            tree.remove(file.as_bytes());
            let text = text(rng, 98);
            tree.write([file.as_bytes(), b"/inner"].concat(), text);
        }
        20 => tree.put(&fresh, What::Dir),
        21 if !dirs.is_empty() => tree.remove(rng.pick(&dirs).clone().as_bytes()),
        22 => {
            let path = std::str::from_utf8(rng.pick(&paths).as_bytes()).unwrap().to_owned();
            tree.chmod(&path, *rng.pick(&[0o700, 0o711, 0o750]));
        }
        23 => tree.write(file.as_bytes(), [0, rng.below(3) as u8]),
        _ => {}
    }
    if style == Style::Git {
        let kept: Vec<_> = tree.0.keys().filter(|path| !is_dir(tree, path)).cloned().collect();
        let is_above = |dir: &BytePath| kept.iter().any(|path| path.starts_with(dir));
        tree.0.retain(|path, _| is_above(path));
    }
}

/// A path that may be new, often in a directory that is there.
fn new_path(rng: &mut Rng, dirs: &[BytePath], name: &str, style: Style) -> String {
    let is_top = rng.chance(30);
    let dir = if dirs.is_empty() || is_top {
        String::new()
    } else {
        format!("{}/", String::from_utf8_lossy(rng.pick(dirs).as_bytes()))
    };
    match rng.below(4) {
        0 => format!("{dir}both"),
        // Git does not take new directories along.
        1 if style == Style::Any || is_top => format!("{dir}new/{name}{}", rng.below(3)),
        _ => format!("{dir}{name}{}", rng.below(3)),
    }
}

fn edit(rng: &mut Rng, tree: &mut Paths, path: &BytePath) {
    let What::File(bytes) = &tree.0[path].what else { return };
    let mut lines: Vec<String> = String::from_utf8_lossy(bytes).split_inclusive('\n').map(str::to_owned).collect();
    let at = rng.below(lines.len() as u64 + 1) as usize;
    match rng.below(3) {
        0 if at < lines.len() => lines[at] = format!("edited {:x}\n", rng.next()),
        1 if at < lines.len() => {
            lines.remove(at);
        }
        _ => lines.insert(at, format!("added {:x}\n", rng.next())),
    }
    tree.write(path.as_bytes(), lines.concat());
}
