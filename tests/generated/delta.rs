//! The overlay over a real delta on a simulated disk: after any failing call, kill or power cut, what is found again is a
//! state that existed, with everything in it that was promised.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aether::delta::{Delta, Settings};
use aether::disk::{Disk, SimDisk};
use aether::model::Root;
use aether::overlay::{Overlay, Replay};

use super::freeze::freeze;
use super::generator::{Profile, base_tree, generate};
use super::memory::MemoryLower;
use super::model::{Model, State};
use super::operation::Op;
use super::rng::Rng;
use super::runner::{Failure, Runner};
use super::shrink;
use super::tree::{Check, Tree, read_tree};

type Subject = Overlay<MemoryLower, Delta>;

const DIR: &str = "/sessions/s-1";

/// What happens to a session beside its operations.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    /// Some of the disk's calls fail.
    Faults,
    /// The disk is small.
    Full,
}

/// A state of the session.
struct Moment {
    /// How many events the disk had recorded when the operation was begun, and when it was answered.
    begun: usize,
    answered: usize,
    tree: Tree,
    /// Whether the operation promised that all of it is durable.
    durable: bool,
}

struct Bench {
    disk: SimDisk,
    settings: Settings,
    root: Root,
    lower: Arc<MemoryLower>,
    model: Runner<Model>,
    subject: Option<Runner<Subject>>,
    check: Check,
    history: Vec<Moment>,
}

fn settings(seed: u64) -> Settings {
    Settings {
        same_boot: false,
        salt: seed,
        segment_bytes: 64 << 10,
        inline_bytes: [0, 200, 32 << 10][seed as usize % 3],
        inline_appends: [0, 3, 1024][seed as usize / 3 % 3],
        flush_delay: Duration::from_secs(3600),
        reserve_bytes: 16 << 10,
        rewrite_min_bytes: 64 << 10,
    }
}

fn open(disk: &SimDisk, settings: Settings, root: &Root, lower: &Arc<MemoryLower>) -> Result<Subject, String> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut replay = Replay::new(root);
    let delta = Delta::open(&disk, Path::new(DIR), settings, &mut |batch| {
        replay.apply(batch);
        Ok(())
    });
    let delta = delta.map_err(|error| format!("the delta does not open: {error}"))?;
    delta.keep_only(replay.live()).map_err(|error| format!("the delta does not open: {error}"))?;
    Ok(replay.finish(lower.clone(), Arc::new(delta)))
}

impl Bench {
    fn new(seed: u64, start: &State) -> Self {
        let (root, lower) = freeze(start, 0);
        let (disk, settings, lower) = (SimDisk::new(), settings(seed), Arc::new(lower));
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        shared.create_dir(Path::new("/sessions")).unwrap();
        shared.sync_dir(Path::new("/")).unwrap();
        drop(Delta::create(&shared, Path::new(DIR), settings).unwrap());
        let model = Runner::new(Model::from_state(start.clone()));
        let subject = Some(Runner::new(open(&disk, settings, &root, &lower).unwrap()));
        let events = disk.event_count();
        let tree = read_tree(&model.files).unwrap();
        let history = vec![Moment { begun: events, answered: events, tree, durable: true }];
        Self { disk, settings, root, lower, model, subject, check: Check::default(), history }
    }

    /// Ends the process, in order or not, and starts it anew.
    fn remount(&mut self, in_order: bool) -> Result<(), String> {
        self.disk.heal();
        self.disk.set_capacity(None);
        let subject = self.subject.take().expect("there is a process until here");
        if in_order {
            subject.files.upper().close().map_err(|error| format!("the delta does not close: {error}"))?;
        }
        drop(subject);
        self.subject = Some(Runner::new(open(&self.disk, self.settings, &self.root, &self.lower)?));
        let model = Model::from_state(self.model.files.state());
        model.remount();
        self.model.reset(model);
        Ok(())
    }

    fn step(&mut self, step: usize, op: &Op) -> Result<(), String> {
        let begun = self.disk.event_count();
        if matches!(op, Op::Remount) {
            self.remount(step.is_multiple_of(2))?;
        }
        let subject = self.subject.as_mut().expect("there is a process");
        let got = subject.run(step, op);
        if let Err(Failure::Upper(_)) = got {
            return Ok(());
        }
        let want = self.model.run(step, op);
        self.check.outcome(&self.model, op, &want, &got)?;
        let durable = matches!(op, Op::Fsync { .. }) && got.is_ok();
        let tree = read_tree(&self.model.files).unwrap();
        self.history.push(Moment { begun, answered: self.disk.event_count(), tree, durable });
        Ok(())
    }

    /// Writes the journal anew. Whether that succeeds or not, nothing changes.
    fn rewrite(&self) {
        let overlay = &self.subject.as_ref().expect("there is a process").files;
        let _ = overlay.compact(|dump| overlay.upper().rewrite(dump));
    }

    /// Which states may be found when the first `events` events have happened.
    fn allowed(&self, events: usize, killed: bool) -> std::ops::Range<usize> {
        let answered = |moment: &Moment| moment.answered <= events && (killed || moment.durable);
        let first = self.history.iter().rposition(answered).unwrap_or(0);
        let end = self.history.iter().position(|moment| moment.begun >= events).unwrap_or(self.history.len());
        first..end.max(first + 1)
    }

    /// The disk, as it was left, must hold one of these states.
    fn expect_one_of(&mut self, disk: &SimDisk, allowed: std::ops::Range<usize>, say: &str) -> Result<(), String> {
        let mut found = String::new();
        let overlay = open(disk, self.settings, &self.root, &self.lower).map_err(|fault| format!("{say}: {fault}"))?;
        let got = read_tree(&overlay).map_err(|error| format!("{say}: the tree cannot be read: {error}"))?;
        for at in allowed.clone().rev() {
            match self.check.clone().trees(&self.history[at].tree, &got) {
                Ok(()) => return Ok(()),
                Err(fault) => found = fault,
            }
        }
        let states = self.history.len();
        Err(format!("{say}: none of the states {allowed:?} of {states} is there; from the first it differs: {found}"))
    }
}

fn trouble(bench: &Bench, trouble: Trouble, op: &Op) {
    use aether::disk::sim::{Fault, Op as Call};
    if trouble == Trouble::None {
        return;
    }
    // Which calls fail follows from the operation, so that a shorter list fails at the same ones.
    let draw = *blake3::hash(format!("{op:?}").as_bytes()).as_bytes();
    bench.disk.heal();
    bench.disk.set_capacity(None);
    if draw[0] >= 80 {
        return;
    }
    if trouble == Trouble::Full {
        bench.disk.set_capacity(Some(bench.disk.used_bytes() + u64::from(draw[1] % 4) * 4096));
        return;
    }
    let call =
        [None, Some(Call::Write), Some(Call::SyncData), Some(Call::Open), Some(Call::Allocate)][draw[1] as usize % 5];
    let errno = [5, 28, 122][draw[2] as usize % 3];
    bench.disk.fail(Fault { op: call, after: u64::from(draw[3] % 3), count: 1 + u64::from(draw[4] % 2), errno });
}

fn run(seed: u64, start: &State, ops: &[Op], kind: Trouble, cuts: usize) -> Result<(), String> {
    let mut bench = Bench::new(seed, start);
    for (step, op) in ops.iter().enumerate() {
        trouble(&bench, kind, op);
        bench.step(step, op).map_err(|fault| format!("step {step}, {op:?}: {fault}"))?;
        if blake3::hash(format!("{op:?}").as_bytes()).as_bytes()[9] < 20 {
            bench.rewrite();
        }
    }
    bench.disk.heal();
    bench.disk.set_capacity(None);
    let all = bench.disk.event_count();
    let mut rng = Rng::new(seed);
    for _ in 0..cuts {
        let events = bench.history[0].answered + rng.below((all - bench.history[0].answered + 1) as u64) as usize;
        let left = bench.disk.after_kill(events);
        bench.expect_one_of(&left, bench.allowed(events, true), &format!("killed after event {events}"))?;
        let chance = rng.next();
        let left = bench.disk.after_power_cut(events, chance);
        bench.expect_one_of(
            &left,
            bench.allowed(events, false),
            &format!("power cut {chance} after event {events}"),
        )?;
        if rng.chance(30) {
            // And once more, in what the recovery left.
            let again = left.event_count();
            let left = left.after_power_cut(again, chance);
            bench.expect_one_of(&left, bench.allowed(events, false), &format!("second cut {chance} after {events}"))?;
        }
    }
    bench.remount(false)?;
    let got =
        read_tree(&bench.subject.as_ref().expect("it was just opened").files).map_err(|error| error.to_string())?;
    let want = read_tree(&bench.model.files).unwrap();
    bench.check.trees(&want, &got).map_err(|fault| format!("at the end: {fault}"))
}

fn check(first: u64, count: u64, kind: Trouble) {
    for seed in shrink::seeds(first, count) {
        let start = base_tree(seed, 60);
        let profile = Profile { far: seed.is_multiple_of(2), ..Profile::all(90) };
        let ops = generate(seed, start.clone(), profile);
        shrink::check(seed, ops, &|ops| run(seed, &start, ops, kind, 12));
    }
}

#[test]
fn a_killed_or_cut_off_session_reopens_as_a_state_that_existed() {
    check(10, 20, Trouble::None);
}

#[test]
fn a_session_on_a_failing_disk_reopens_with_all_that_was_answered() {
    check(11, 20, Trouble::Faults);
}

#[test]
fn a_session_on_a_full_disk_reopens_with_all_that_was_answered() {
    check(12, 20, Trouble::Full);
}
