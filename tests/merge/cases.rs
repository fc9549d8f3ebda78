//! One case after the other, as people meet them.

use aether::model::merge::{ConflictKind, Merged};

use super::forest::{Forest, Paths, What, path};

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

fn base() -> Paths {
    Paths::of(&[("a", TEXT), ("dir/b", "bee\nbee bee\n"), ("dir/c", "sea\nsee\n"), ("other/d", "d\n")])
}

/// Merges what two sides make of one tree.
fn both(ours: impl FnOnce(&mut Paths), theirs: impl FnOnce(&mut Paths)) -> (Paths, Merged) {
    let (mut left, mut right) = (base(), base());
    ours(&mut left);
    theirs(&mut right);
    Forest::default().merge(&base(), &left, &right)
}

fn clean(ours: impl FnOnce(&mut Paths), theirs: impl FnOnce(&mut Paths)) -> Paths {
    let (tree, merged) = both(ours, theirs);
    assert!(merged.is_clean(), "{:#?}", merged.conflicts);
    tree
}

/// The tree, and each conflict's path and kinds.
fn conflicts(
    ours: impl FnOnce(&mut Paths),
    theirs: impl FnOnce(&mut Paths),
) -> (Paths, Vec<(String, Vec<ConflictKind>)>) {
    let (tree, merged) = both(ours, theirs);
    let name = |path: &[u8]| String::from_utf8_lossy(path).into_owned();
    (tree, merged.conflicts.iter().map(|it| (name(it.path.as_bytes()), it.kinds.clone())).collect())
}

#[test]
fn a_file_moved_here_and_edited_there_is_moved_and_edited() {
    for is_ours in [true, false] {
        let moves = |tree: &mut Paths| tree.rename("a", "deep/er/z");
        let edits = |tree: &mut Paths| tree.write("a", TEXT.replace("two", "zwei"));
        let tree = if is_ours { clean(moves, edits) } else { clean(edits, moves) };
        assert_eq!(tree.text("deep/er/z"), TEXT.replace("two", "zwei"));
        assert!(!tree.0.contains_key(&path("a")));
        assert_eq!(tree.0[&path("deep/er/z")].ino, base().0[&path("a")].ino, "it is the same file");
    }
}

#[test]
fn a_file_moved_and_edited_on_both_sides_is_merged_by_line() {
    let tree = clean(
        |tree| {
            tree.rename("a", "z");
            tree.write("z", TEXT.replace("one", "eins"));
        },
        |tree| tree.write("a", TEXT.replace("seven", "sieben")),
    );
    assert_eq!(tree.text("z"), TEXT.replace("one", "eins").replace("seven", "sieben"));
}

#[test]
fn a_file_that_was_written_anew_elsewhere_is_known_by_its_lines() {
    let tree = clean(
        |tree| {
            tree.remove("a");
            tree.write("new", TEXT.replace("eight", "acht"));
        },
        |tree| tree.write("a", TEXT.replace("one", "eins")),
    );
    assert_eq!(tree.text("new"), TEXT.replace("one", "eins").replace("eight", "acht"));
    assert!(!tree.0.contains_key(&path("a")));
}

#[test]
fn files_that_swap_their_names_stay_themselves() {
    let swaps = |tree: &mut Paths| {
        tree.rename("a", "x");
        tree.rename("dir/b", "a");
        tree.rename("x", "dir/b");
    };
    let tree = clean(swaps, |tree| tree.write("other/d", "dd\n"));
    assert_eq!((tree.text("a").as_str(), tree.text("dir/b").as_str()), ("bee\nbee bee\n", TEXT));
    let tree = clean(|tree| tree.write("other/d", "dd\n"), swaps);
    assert_eq!((tree.text("a").as_str(), tree.text("dir/b").as_str()), ("bee\nbee bee\n", TEXT));
}

#[test]
fn what_is_added_to_a_directory_that_moved_goes_along() {
    let adds = |tree: &mut Paths| {
        tree.write("dir/new", "new\n");
        tree.write("dir/sub/deep", "deep\n");
        tree.put("dir/empty", What::Dir);
        tree.rename("other/d", "dir/d");
    };
    let moves = |tree: &mut Paths| tree.rename("dir", "moved");
    for tree in [clean(adds, moves), clean(moves, adds)] {
        assert_eq!(tree.names(), ["a", "moved/b", "moved/c", "moved/d", "moved/new", "moved/sub/deep"]);
        assert!(tree.0.contains_key(&path("moved/empty")));
        assert!(!tree.0.contains_key(&path("dir")), "the old directory is gone");
    }
}

#[test]
fn what_goes_along_meets_what_is_there_already() {
    let (tree, found) = conflicts(
        |tree| tree.write("dir/new", "ours\n"),
        |tree| {
            tree.rename("dir", "moved");
            tree.write("moved/new", "theirs\n");
        },
    );
    assert_eq!(found, [("moved/new".to_owned(), vec![ConflictKind::BothAdded])]);
    assert_eq!(tree.text("moved/new"), "<<<<<<< ours\nours\n=======\ntheirs\n>>>>>>> theirs\n");
    assert!(!tree.0.contains_key(&path("dir")));
}

#[test]
fn a_directory_goes_only_when_nothing_of_ours_is_left_in_it() {
    let tree = clean(|tree| tree.write("dir/build.scratch", "made\n"), |tree| tree.remove("dir"));
    assert_eq!(tree.names(), ["a", "dir/build.scratch", "other/d"]);
    let tree = clean(|_| (), |tree| tree.remove("dir"));
    assert!(!tree.0.contains_key(&path("dir")));
}

#[test]
fn scratch_of_theirs_does_not_come_and_scratch_of_ours_is_not_replaced() {
    let tree = clean(|_| (), |tree| tree.write("x.scratch", "made\n"));
    assert!(!tree.names().contains(&"x.scratch".to_owned()));
}

#[test]
fn both_adding_the_same_is_no_conflict_and_else_it_is() {
    let add = |text: &'static str| move |tree: &mut Paths| tree.write("new", text);
    assert_eq!(clean(add("same\n"), add("same\n")).text("new"), "same\n");
    let (tree, found) = conflicts(add("top\nours\n"), add("top\ntheirs\n"));
    assert_eq!(found, [("new".to_owned(), vec![ConflictKind::BothAdded])]);
    assert_eq!(tree.text("new"), "top\n<<<<<<< ours\nours\n=======\ntheirs\n>>>>>>> theirs\n");
}

#[test]
fn what_one_side_deleted_and_the_other_changed_is_kept() {
    let deletes = |tree: &mut Paths| tree.remove("a");
    let edits = |tree: &mut Paths| tree.write("a", "changed\n");
    for (tree, found) in [conflicts(deletes, edits), conflicts(edits, deletes)] {
        assert_eq!(found, [("a".to_owned(), vec![ConflictKind::DeleteChange])]);
        assert_eq!(tree.text("a"), "changed\n");
    }
}

#[test]
fn what_one_side_deleted_and_the_other_moved_is_kept_where_it_went() {
    let deletes = |tree: &mut Paths| tree.remove("a");
    let moves = |tree: &mut Paths| tree.rename("a", "z");
    for (tree, found) in [conflicts(deletes, moves), conflicts(moves, deletes)] {
        assert_eq!(found, [("z".to_owned(), vec![ConflictKind::RenameDelete])]);
        assert_eq!(tree.text("z"), TEXT);
    }
}

#[test]
fn a_file_that_both_moved_apart_stays_where_ours_has_it_with_the_edits_of_both() {
    let (tree, found) = conflicts(
        |tree| {
            tree.rename("a", "left");
            tree.write("left", TEXT.replace("one", "eins"));
        },
        |tree| {
            tree.rename("a", "right");
            tree.write("right", TEXT.replace("eight", "acht"));
        },
    );
    assert_eq!(found, [("left".to_owned(), vec![ConflictKind::Rename])]);
    assert_eq!(tree.text("left"), TEXT.replace("one", "eins").replace("eight", "acht"));
    assert!(!tree.0.contains_key(&path("right")));
}

#[test]
fn two_files_that_were_moved_to_one_path_conflict_there() {
    let (tree, found) = conflicts(|tree| tree.rename("dir/b", "z"), |tree| tree.rename("dir/c", "z"));
    assert_eq!(found, [("z".to_owned(), vec![ConflictKind::BothAdded])]);
    assert_eq!(tree.text("z"), "<<<<<<< ours\nbee\nbee bee\n=======\nsea\nsee\n>>>>>>> theirs\n");
    assert!(!tree.0.contains_key(&path("dir/b")) && !tree.0.contains_key(&path("dir/c")));
}

#[test]
fn binary_files_and_links_conflict_as_a_whole_and_ours_stays() {
    let put = |what: What| move |tree: &mut Paths| tree.put("a", what);
    for (ours, theirs) in [
        (What::File(b"\0ours".to_vec()), What::File(b"\0theirs".to_vec())),
        (What::File(b"\0ours".to_vec()), What::File(b"text\n".to_vec())),
    ] {
        let (tree, found) = conflicts(put(ours.clone()), put(theirs));
        assert_eq!(found, [("a".to_owned(), vec![ConflictKind::BothChanged])]);
        assert_eq!(tree.0[&path("a")].what, ours);
    }
    let link = |target: &'static [u8]| {
        move |tree: &mut Paths| {
            tree.remove("a");
            tree.put("a", What::Link(target.to_vec()));
        }
    };
    assert_eq!(clean(link(b"same"), link(b"same")).0[&path("a")].what, What::Link(b"same".to_vec()));
    assert_eq!(clean(|_| (), link(b"there")).0[&path("a")].what, What::Link(b"there".to_vec()));
    let (tree, found) = conflicts(link(b"ours"), link(b"theirs"));
    assert_eq!(found, [("a".to_owned(), vec![ConflictKind::BothChanged])]);
    assert_eq!(tree.0[&path("a")].what, What::Link(b"ours".to_vec()));
    let (tree, found) = conflicts(put(What::File(b"edited\n".to_vec())), link(b"theirs"));
    assert_eq!(found, [("a".to_owned(), vec![ConflictKind::Type])]);
    assert_eq!(tree.text("a"), "edited\n");
}

#[test]
fn permission_bits_are_merged_beside_the_content() {
    let tree = clean(|tree| tree.chmod("a", 0o755), |tree| tree.write("a", "changed\n"));
    assert_eq!((tree.0[&path("a")].perm, tree.text("a").as_str()), (0o755, "changed\n"));
    let tree = clean(|tree| tree.write("a", "changed\n"), |tree| tree.chmod("a", 0o755));
    assert_eq!((tree.0[&path("a")].perm, tree.text("a").as_str()), (0o755, "changed\n"));
    let (tree, found) = conflicts(|tree| tree.chmod("a", 0o755), |tree| tree.chmod("a", 0o600));
    assert_eq!(found, [("a".to_owned(), vec![ConflictKind::Mode])]);
    assert_eq!(tree.0[&path("a")].perm, 0o755);
    let tree = clean(|_| (), |tree| tree.chmod("dir", 0o700));
    assert_eq!(tree.0[&path("dir")].perm, 0o700);
    let (tree, found) = conflicts(|tree| tree.chmod("dir", 0o750), |tree| tree.chmod("dir", 0o700));
    assert_eq!(found, [("dir".to_owned(), vec![ConflictKind::Mode])]);
    assert_eq!(tree.0[&path("dir")].perm, 0o750);
}

#[test]
fn a_directory_can_become_a_file_and_a_file_a_directory() {
    let to_file = |tree: &mut Paths| {
        tree.remove("dir");
        tree.write("dir", "file now\n");
    };
    let to_dir = |tree: &mut Paths| {
        tree.remove("a");
        tree.write("a/inner", "dir now\n");
    };
    assert_eq!(clean(to_dir, to_file).names(), ["a/inner", "dir", "other/d"]);
    assert_eq!(clean(to_file, to_dir).names(), ["a/inner", "dir", "other/d"]);
}

#[test]
fn a_file_and_a_directory_at_one_path_conflict_and_ours_stays() {
    let file = |tree: &mut Paths| tree.write("new", "file\n");
    let dir = |tree: &mut Paths| {
        tree.write("new/x", "x\n");
        tree.write("new/y", "y\n");
    };
    let (tree, found) = conflicts(file, dir);
    assert_eq!(tree.text("new"), "file\n");
    assert!(found.iter().any(|(name, kinds)| name == "new" && kinds == &[ConflictKind::DirectoryFile]), "{found:?}");
    let (tree, found) = conflicts(dir, file);
    assert_eq!(tree.names(), ["a", "dir/b", "dir/c", "new/x", "new/y", "other/d"]);
    assert_eq!(found, [("new".to_owned(), vec![ConflictKind::DirectoryFile])]);
}

#[test]
fn a_directory_that_became_a_file_is_not_taken_while_ours_has_changes_in_it() {
    let (tree, found) = conflicts(
        |tree| tree.write("dir/b", "changed\n"),
        |tree| {
            tree.remove("dir");
            tree.write("dir", "file now\n");
        },
    );
    assert_eq!(tree.names(), ["a", "dir/b", "other/d"]);
    assert_eq!(
        found,
        [("dir".to_owned(), vec![ConflictKind::DirectoryFile]), ("dir/b".to_owned(), vec![ConflictKind::DeleteChange]),]
    );
}

#[test]
fn the_cost_is_that_of_what_differs() {
    let mut base = base();
    for dir in 0..50 {
        for file in 0..20 {
            base.write(format!("many{dir}/sub/f{file}"), format!("{dir} {file}\n"));
        }
    }
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    ours.write("many3/sub/f1", "ours\n");
    theirs.write("many3/sub/f2", "theirs\n");
    theirs.write("many4/new", "new\n");
    let forest = Forest::default();
    let (_, merged) = forest.merge(&base, &ours, &theirs);
    assert!(merged.is_clean());
    assert!(*forest.listed.borrow() < 30, "{} directories of 153 were listed", forest.listed.borrow());
    assert_eq!(*forest.read.borrow(), 2, "only what was applied was read");
}
