//! The harness against itself: the model must agree with the model, and a model with a fault must be found out.

use aether::overlay::Files;

use super::generator::{Profile, base_tree, generate};
use super::model::{Model, State};
use super::operation::Op;
use super::rng::Rng;
use super::runner::{Outcome, Runner, Value};
use super::shrink;
use super::sparse::Sparse;
use super::tree::{Check, read_tree};

fn model_against_model(start: &State, ops: &[Op], spoil: &dyn Fn(&Op, Outcome) -> Outcome) -> Result<(), String> {
    let mut model = Runner::new(Model::from_state(start.clone()));
    let mut subject = Runner::new(Model::from_state(start.clone()));
    let mut check = Check::default();
    for (step, op) in ops.iter().enumerate() {
        if matches!(op, Op::Remount) {
            for runner in [&mut model, &mut subject] {
                runner.files.remount();
                let files = Model::from_state(runner.files.state());
                runner.reset(files);
            }
        }
        let (want, got) = (model.run(step, op), spoil(op, subject.run(step, op)));
        check.outcome(&model, op, &want, &got).map_err(|fault| format!("step {step}: {fault}"))?;
    }
    let (want, got) = (read_tree(&model.files).unwrap(), read_tree(&subject.files).unwrap());
    check.trees(&want, &got)
}

#[test]
fn the_model_agrees_with_itself() {
    for seed in 0..10 {
        let start = base_tree(seed, 80);
        let ops = generate(seed, start.clone(), Profile::all(300));
        shrink::check(seed, ops, &|ops| model_against_model(&start, ops, &|_, outcome| outcome));
    }
}

#[test]
#[should_panic(expected = "seed 5 fails")]
fn a_fault_is_found_and_the_list_is_made_short() {
    let start = base_tree(5, 80);
    let ops = generate(5, start.clone(), Profile::all(300));
    shrink::check(5, ops, &|ops| {
        model_against_model(&start, ops, &|op, outcome| match (op, outcome) {
            (Op::Stat { .. }, Ok(Value::Attr(attr))) => {
                Ok(Value::Attr(aether::model::Attr { size: attr.size + 1, ..attr }))
            }
            (_, outcome) => outcome,
        })
    });
}

#[test]
fn most_operations_of_a_list_succeed_and_every_kind_of_error_occurs() {
    let (mut done, mut all, mut refused) = (0, 0, std::collections::BTreeSet::new());
    for seed in 0..20 {
        let start = base_tree(seed, 80);
        let ops = generate(seed, start.clone(), Profile::all(300));
        let mut model = Runner::new(Model::from_state(start));
        for (step, op) in ops.iter().enumerate() {
            all += 1;
            match model.run(step, op) {
                Ok(_) => done += 1,
                Err(super::runner::Failure::Refused(why)) => {
                    refused.insert(why);
                }
                Err(_) => {}
            }
        }
        assert!(model.files.getattr(1).is_ok());
    }
    assert!(done * 100 > all * 60, "{done} of {all}");
    for why in ["NotFound", "Exists", "NotDir", "IsDir", "NotEmpty", "Invalid", "NameTooLong", "NotPermitted", "NoAttr"]
    {
        assert!(refused.contains(why), "{why} never occurs: {refused:?}");
    }
}

#[test]
fn sparse_content_behaves_like_a_vector_of_bytes() {
    let mut rng = Rng::new(7);
    let (mut sparse, mut plain) = (Sparse::default(), Vec::<u8>::new());
    for _ in 0..2000 {
        let (offset, len) = (rng.below(5000) as usize, rng.below(1500) as usize);
        match rng.below(4) {
            0 => {
                let bytes = rng.bytes(len);
                plain.resize(plain.len().max(if len == 0 { 0 } else { offset + len }), 0);
                sparse.write(offset as u64, &bytes);
                if len > 0 {
                    plain[offset..offset + len].copy_from_slice(&bytes);
                }
            }
            1 => {
                sparse.zero(offset as u64, len as u64);
                let end = (offset + len).min(plain.len());
                if offset < end {
                    plain[offset..end].fill(0);
                }
            }
            2 => {
                sparse.set_len(offset as u64);
                plain.resize(offset, 0);
            }
            _ => {
                let mut buf = vec![1; len];
                let count = sparse.read(offset as u64, &mut buf);
                let want = plain.get(offset..).unwrap_or_default();
                assert_eq!(&buf[..count], &want[..want.len().min(len)]);
            }
        }
        assert_eq!(sparse.len, plain.len() as u64);
    }
}
