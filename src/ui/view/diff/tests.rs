//! How hunks look in each form.

use super::*;

fn shown(old: &[u8], new: &[u8], form: DiffForm) -> String {
    let mut page = Page::new(false, 0);
    DiffView { changes: Vec::new(), files: &[], form }.show(&mut page, &FileDiff::between(old, new), &[]);
    page.finish()
}

const OLD: &[u8] = b"one\r\nlet x = old(1);\r\n\tlast\r\n";
const NEW: &[u8] = b"one\r\nlet x = new(1);\r\nmore\r\n\tlast\r\n";

#[test]
fn lines_that_went_stand_before_those_that_came() {
    let expected = "@@ -1,3 +1,4 @@\n one\n-let x = old(1);\n+let x = new(1);\n+more\n         last\n";
    assert_eq!(shown(OLD, NEW, DiffForm::Unified), expected);
}

#[test]
fn words_are_marked_where_they_changed() {
    let expected = "@@ -1,3 +1,4 @@\none\nlet x = [-old-]{+new+}(1);\n{+more+}\n        last\n";
    assert_eq!(shown(OLD, NEW, DiffForm::Words), expected);
}

#[test]
fn both_texts_stand_side_by_side() {
    let text = shown(OLD, NEW, DiffForm::SideBySide(46));
    let expected = "\
@@ -1,3 +1,4 @@
1 one                   1 one
2 let x = old(1);     | 2 let x = new(1);
                      > 3 more
3         last          4         last
";
    assert_eq!(text, expected);
}

#[test]
fn a_line_that_is_too_long_goes_on_below() {
    let text = shown(b"aaaaaaaaaaaaaaaaaaaa\n", "日本日本日本日本日本\n".as_bytes(), DiffForm::SideBySide(10));
    let expected = "\
@@ -1 +1 @@
1 aaaaaaaaaaaaaaaa | 1 日本日本日本日本
  aaaa             |   日本
";
    assert_eq!(text, expected);
}

#[test]
fn a_change_of_line_ends_and_a_missing_last_one_can_be_seen() {
    assert_eq!(shown(b"a\r\n", b"a\n", DiffForm::Unified), "@@ -1 +1 @@\n-a\\r\n+a\n");
    let expected = "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n";
    assert_eq!(shown(b"a", b"a\n", DiffForm::Unified), expected);
    assert_eq!(shown(b"a", b"a\n", DiffForm::Words), "@@ -1 +1 @@\na{++}\n- \\ No newline at end of file\n");
    assert!(shown(b"a", b"a\n", DiffForm::SideBySide(60)).contains("a\\ (no newline)"));
}

#[test]
fn what_is_in_a_file_never_drives_the_terminal() {
    for form in [DiffForm::Unified, DiffForm::Words, DiffForm::SideBySide(80)] {
        let text = shown(b"plain \x1b[2J\xff\n", b"other \x07\r\xfe\n", form);
        assert!(text.contains("\\x1b[2J\\xff") && text.contains("\\x07\\r\\xfe"), "{text}");
        assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{text:?}");
    }
}
