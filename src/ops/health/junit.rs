//! JUnit reports, as test runners of most languages write them: `testsuites` or `testsuite`, with a `testcase` for each test.
//!
//! They are read as a stream. Only elements are counted, never the sums that a report claims; entities of a document's own are
//! not expanded.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::catalog::TestCounts;

/// How many names of failed tests are kept, and how long each may be in characters.
const MAX_FAILED: usize = 100;
const MAX_NAME: usize = 300;

/// The deepest nesting of elements.
const MAX_DEPTH: usize = 64;

/// What a report says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Suite {
    pub counts: TestCounts,
    /// Names of tests that failed or broke, the first of them.
    pub failed: Vec<String>,
}

/// The test that is being read.
#[derive(Default)]
struct Case {
    name: String,
    time_ns: u64,
    outcome: Outcome,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Outcome {
    #[default]
    Passed,
    Skipped,
    Failed,
    Broke,
}

/// Reads a report.
pub(super) fn read(from: impl BufRead) -> Result<Suite, String> {
    let mut reader = Reader::from_reader(from);
    reader.config_mut().expand_empty_elements = true;
    let (mut suite, mut case, mut depth, mut buffer) = (Suite::default(), None, 0_usize, Vec::new());
    let mut has_root = false;
    loop {
        let at = reader.buffer_position();
        let event = reader.read_event_into(&mut buffer).map_err(|error| format!("{error} at byte {at}"))?;
        match event {
            Event::Start(start) => {
                depth += 1;
                if depth == 1 {
                    has_root = matches!(start.local_name().as_ref(), b"testsuites" | b"testsuite");
                }
                if !has_root {
                    return Err("its outermost element is neither `testsuites` nor `testsuite`".into());
                }
                if depth > MAX_DEPTH {
                    return Err(format!("its elements are nested more than {MAX_DEPTH} deep"));
                }
                open(&start, &mut case)?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                if end.local_name().as_ref() == b"testcase"
                    && let Some(case) = case.take()
                {
                    suite.count(case);
                }
            }
            Event::Eof if depth > 0 => return Err("it ends in the middle".into()),
            Event::Eof if !has_root => return Err("it is empty".into()),
            Event::Eof => return Ok(suite),
            _ => {}
        }
        buffer.clear();
    }
}

fn open(start: &BytesStart<'_>, case: &mut Option<Case>) -> Result<(), String> {
    let outcome = match start.local_name().as_ref() {
        b"testcase" => {
            *case = Some(read_case(start)?);
            return Ok(());
        }
        b"failure" => Outcome::Failed,
        b"error" => Outcome::Broke,
        b"skipped" => Outcome::Skipped,
        _ => return Ok(()),
    };
    if let Some(case) = case
        && case.outcome != Outcome::Broke
    {
        case.outcome = outcome;
    }
    Ok(())
}

fn read_case(start: &BytesStart<'_>) -> Result<Case, String> {
    let (mut class, mut name, mut case) = (String::new(), String::new(), Case::default());
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.unescape_value().map_err(|error| error.to_string())?;
        match attribute.key.local_name().as_ref() {
            b"name" => name = value.into_owned(),
            b"classname" => class = value.into_owned(),
            // Some write thousands with a comma.
            b"time" => {
                let seconds: f64 = value.replace(',', "").parse().unwrap_or_default();
                case.time_ns = (seconds * 1e9) as u64;
            }
            _ => {}
        }
    }
    case.name = if class.is_empty() { name } else { format!("{class}.{name}") };
    Ok(case)
}

impl Suite {
    fn count(&mut self, case: Case) {
        let counts = &mut self.counts;
        counts.tests += 1;
        counts.duration_ns = counts.duration_ns.saturating_add(case.time_ns);
        match case.outcome {
            Outcome::Passed => return,
            Outcome::Skipped => {
                counts.skipped += 1;
                return;
            }
            Outcome::Failed => counts.failures += 1,
            Outcome::Broke => counts.errors += 1,
        }
        if self.failed.len() < MAX_FAILED {
            self.failed.push(case.name.chars().take(MAX_NAME).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_whatever_the_report_claims() {
        let text = r#"<?xml version="1.0"?><testsuites tests="99" failures="99"><testsuite name="a">
            <testcase classname="app" name="one" time="0.5"/>
            <testcase name="two" time="1,000.25"><failure message="no">at &lt;line&gt; 3</failure></testcase>
            <testcase classname="app" name="&lt;three&gt;"><error/><failure/></testcase>
            <testsuite><testcase name="four"><skipped/></testcase><system-out><![CDATA[<testcase/>]]></system-out></testsuite>
            </testsuite></testsuites>"#;
        let suite = read(text.as_bytes()).unwrap();
        let counts = TestCounts { tests: 4, failures: 1, errors: 1, skipped: 1, duration_ns: 1_000_750_000_000 };
        assert_eq!(suite, Suite { counts, failed: vec!["two".into(), "app.<three>".into()] });
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for bad in [
            "",
            "plain text",
            "<html><body/></html>",
            "<testsuite><testcase name='x'>",
            "<testsuite></testsuites>",
            "<testsuite><testcase name='&unknown;'/></testsuite>",
            &"<testsuite>".repeat(100),
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        let bomb =
            "<!DOCTYPE x [<!ENTITY a 'aaaaaaaa'><!ENTITY b '&a;&a;'>]><testsuite><testcase name='&b;'/></testsuite>";
        assert!(read(bomb.as_bytes()).is_err());
        assert_eq!(read(b"<testsuite/>".as_slice()).unwrap(), Suite::default());
    }
}
