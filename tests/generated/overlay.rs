//! The overlay in memory against the reference model.

use std::sync::Arc;

use aether::model::Root;
use aether::overlay::Overlay;

use super::freeze::freeze;
use super::generator::{Profile, base_tree, generate};
use super::memory::{MemoryLower, MemoryUpper};
use super::model::{Model, State};
use super::operation::Op;
use super::runner::{Failure, Runner};
use super::shrink;
use super::tree::{Check, Tree, read_tree};

type Subject = Overlay<MemoryLower, MemoryUpper>;

/// How often the whole trees are compared, in operations.
const TREE_EVERY: usize = 25;

/// A session on a frozen tree, and the model that it is held against.
struct Bench {
    root: Root,
    lower: Arc<MemoryLower>,
    model: Runner<Model>,
    subject: Runner<Subject>,
    check: Check,
    /// How many batches there were, and what the tree was then.
    history: Vec<(usize, Tree)>,
}

impl Bench {
    fn new(start: &State, miss_percent: u64) -> Self {
        let (root, lower) = freeze(start, miss_percent);
        let lower = Arc::new(lower);
        let model = Runner::new(Model::from_state(start.clone()));
        let subject = Runner::new(Overlay::open(lower.clone(), Arc::default(), &root, []));
        let history = vec![(0, read_tree(&model.files).unwrap())];
        Self { root, lower, model, subject, check: Check::default(), history }
    }

    fn open(&self, batches: usize) -> Subject {
        let upper = self.subject.files.upper().cut(batches);
        let journal = upper.batches();
        Overlay::open(self.lower.clone(), Arc::new(upper), &self.root, journal)
    }

    fn remount(&mut self) {
        let model = Model::from_state(self.model.files.state());
        model.remount();
        self.model.reset(model);
        self.subject.reset(self.open(self.subject.files.upper().len()));
    }

    fn step(&mut self, step: usize, op: &Op) -> Result<(), String> {
        if matches!(op, Op::Remount) {
            self.remount();
        }
        let got = self.subject.run(step, op);
        if let Err(Failure::Upper(_)) = got {
            // It has not happened, so the model does not do it either.
            return self.compare();
        }
        let want = self.model.run(step, op);
        self.check.outcome(&self.model, op, &want, &got)?;
        let batches = self.subject.files.upper().len();
        if batches > self.history.last().map_or(0, |(count, _)| *count) {
            self.history.push((batches, read_tree(&self.model.files).unwrap()));
        }
        if step.is_multiple_of(TREE_EVERY) { self.compare() } else { Ok(()) }
    }

    fn compare(&mut self) -> Result<(), String> {
        let want = read_tree(&self.model.files).unwrap();
        let got = read_tree(&self.subject.files).map_err(|error| format!("the tree cannot be read: {error}"))?;
        self.check.trees(&want, &got)
    }

    /// Every beginning of the journal must give a state that existed.
    fn check_prefixes(&mut self) -> Result<(), String> {
        for (batches, want) in std::mem::take(&mut self.history) {
            let say = |fault| format!("replayed up to batch {batches}: {fault}");
            let got = read_tree(&self.open(batches)).map_err(|error| say(error.to_string()))?;
            self.check.trees(&want, &got).map_err(say)?;
        }
        Ok(())
    }
}

fn run(start: &State, ops: &[Op], miss_percent: u64, fails: bool) -> Result<(), String> {
    let mut bench = Bench::new(start, miss_percent);
    for (step, op) in ops.iter().enumerate() {
        if fails {
            // Which operations fail follows from themselves, so that a shorter list fails at the same ones.
            let draw = blake3::hash(format!("{op:?}").as_bytes()).as_bytes()[0];
            bench.subject.files.upper().fail_in((draw < 60).then_some(u64::from(draw % 3)));
        }
        bench.step(step, op).map_err(|fault| format!("step {step}, {op:?}: {fault}"))?;
    }
    bench.compare().map_err(|fault| format!("at the end: {fault}"))?;
    bench.check_prefixes()
}

#[test]
fn an_overlay_on_an_empty_base_does_what_the_model_does() {
    for seed in shrink::seeds(0, 10) {
        let start = base_tree(seed, 0);
        let ops = generate(seed, start.clone(), Profile::all(250));
        shrink::check(seed, ops, &|ops| run(&start, ops, 0, false));
    }
}

#[test]
fn an_overlay_on_a_tree_does_what_the_model_does() {
    for seed in shrink::seeds(1, 20) {
        let start = base_tree(seed, 120);
        let ops = generate(seed, start.clone(), Profile::all(250));
        shrink::check(seed, ops, &|ops| run(&start, ops, 0, false));
    }
}

#[test]
fn an_overlay_whose_nodes_are_not_in_memory_does_what_the_model_does() {
    for seed in shrink::seeds(2, 10) {
        let start = base_tree(seed, 200);
        let ops = generate(seed, start.clone(), Profile::all(200));
        shrink::check(seed, ops, &|ops| run(&start, ops, [30, 100][seed as usize % 2], false));
    }
}

#[test]
fn an_operation_that_the_journal_refuses_has_not_happened() {
    for seed in shrink::seeds(3, 10) {
        let start = base_tree(seed, 120);
        let mut ops = generate(seed, start.clone(), Profile { far: false, ..Profile::all(200) });
        // Copying is many changes, of which the first may have happened.
        ops.retain(|op| !matches!(op, Op::CopyRange { .. }));
        shrink::check(seed, ops, &|ops| run(&start, ops, 0, true));
    }
}
