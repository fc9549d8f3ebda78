//! The harness against itself: the model must agree with the model, and a model with a fault must be found out.

use aether::overlay::Files;

use super::generator::{Profile, base_tree, generate};
use super::model::{Model, State};
use super::operation::Op;
use super::runner::{Outcome, Runner, Value};
use super::shrink;
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
    for seed in 0..40 {
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
    for seed in 0..60 {
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
