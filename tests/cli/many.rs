//! Many commands at once.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use super::World;

#[test]
fn thirty_two_processes_at_once_neither_fail_nor_lose_anything() {
    let world = World::new();
    let start = |at: usize| {
        let name = format!("n{at}");
        let mut command = world.aether(["session", "create", &name, "--empty"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    // The first of them make the catalog.
    let children: Vec<Child> = (0..32).map(start).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let names: BTreeSet<String> = world.ok(["session", "list", "-q"]).lines().map(str::to_owned).collect();
    assert_eq!(names.len(), 32);
}

#[test]
fn of_two_that_want_one_name_exactly_one_gets_it() {
    let world = World::new();
    for round in 0..4 {
        let name = format!("wanted-{round}");
        let start = |_| {
            let mut command = world.aether(["session", "create", &name, "--empty"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<Child> = (0..2).map(start).collect();
        let mut codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 4]);
    }
}
