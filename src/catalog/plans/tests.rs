//! No question that is asked often reads a whole table.

use crate::catalog::*;

/// What grows with use.
const LARGE: &[&str] = &[
    "event",
    "operation",
    "undo_row",
    "cache_entry",
    "cache_value",
    "bus_message",
    "health",
    "session",
    "tag",
    "approval",
    "annotation",
];

/// How each question is answered, step by step.
fn plan(catalog: &Catalog, sql: &str) -> Vec<String> {
    let mut explain = catalog.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let empty = vec![rusqlite::types::Null; explain.parameter_count()];
    let steps = explain.query_map(rusqlite::params_from_iter(empty), |row| row.get(3)).unwrap();
    steps.collect::<Result<_, _>>().unwrap()
}

fn is_slow(step: &str, sql: &str) -> bool {
    let words: Vec<&str> = step.split_whitespace().collect();
    // From the newest back, as far as the limit says, is no whole table; nor is the end of an index.
    let is_ordered = sql.contains("ORDER BY seq") || sql.contains("ORDER BY created_ns DESC") && !sql.contains("WHERE");
    let is_a_page = is_ordered && sql.contains("LIMIT") && !sql.contains("AND");
    let is_an_end = sql.contains("max(seq)") || sql.contains("min(type)") || sql.contains("max(id)");
    let scans = words.first() == Some(&"SCAN") && words.get(1).is_some_and(|table| LARGE.contains(table));
    // The locks of a source are few, and so are the notes and approvals of one session and those that are pending.
    let has = |text: &str| sql.contains(text);
    let few =
        has("FROM lock") || has("FROM annotation WHERE session = ?1") || has("FROM approval") && has("session = ?");
    let sorts = step.contains("TEMP B-TREE FOR ORDER BY") && !few;
    scans && !is_a_page && !is_an_end || sorts
}

#[test]
fn no_question_reads_a_whole_table_or_sorts_it() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut catalog = Catalog::open(dir.path()).unwrap();
    let act = Act { actor: "ann".into(), command: "test".into(), now_ns: 5, seed: [1; 32] };
    let id = catalog
        .write::<_, Error>(&act, |tx| {
            let id = tx.create_session("s", &Base::default(), None)?;
            let hash = *blake3::hash(b"v").as_bytes();
            let condition = CacheCondition::Any;
            tx.set_cache(&id, &NewCacheValue { key: "k", bytes: b"v", hash, expires_ns: Some(9), condition })?;
            assert_eq!(tx.delete_cache(&id, "k", CacheCondition::Any)?, Ok(1));
            tx.delete_cache_prefix(&id, "k")?;
            tx.copy_cache("s-0", &id)?;
            Ok(id)
        })
        .unwrap();
    catalog.publish(&act, &id, &[("t".into(), b"1".to_vec())], BusLimits { messages: 9, size_bytes: 9 }).unwrap();
    let view = catalog.view();
    let filters = [
        EventFilter { limit: Some(9), ..EventFilter::default() },
        EventFilter { after: 3, limit: Some(9), ..EventFilter::default() },
        EventFilter { what: Some("session.create".into()), limit: Some(9), ..EventFilter::default() },
        EventFilter { what: Some("*".into()), after: 1, limit: Some(9), ..EventFilter::default() },
        EventFilter { since_ns: Some(1), limit: Some(9), ..EventFilter::default() },
        EventFilter { until_ns: Some(9), limit: Some(9), ..EventFilter::default() },
        EventFilter { since_ns: Some(1), what: Some("x".into()), limit: Some(9), ..EventFilter::default() },
        EventFilter { object_id: Some(id.clone()), what: Some("*".into()), limit: Some(9), ..EventFilter::default() },
        EventFilter { object_id: Some(id.clone()), since_ns: Some(1), after: 1, ..EventFilter::default() },
        EventFilter { operation: Some(1), ..EventFilter::default() },
    ];
    for filter in &filters {
        view.events(filter).unwrap();
    }
    view.newest_event().unwrap();
    view.session("s").unwrap();
    view.cache_value(&id, "k", 1).unwrap();
    let filter = CacheFilter { prefix: "a".into(), glob: Some("*".into()), limit: Some(9) };
    view.cache_entries(&id, &filter, 1).unwrap();
    view.cache_stats(&id, 1).unwrap();
    view.locks(Some(&id), 1).unwrap();
    view.lock("k", 1).unwrap();
    view.health(&id, 1).unwrap();
    view.tags(&id).unwrap();
    for lineage in [false, true] {
        let filter = BusFilter { session: id.clone(), lineage, topics: vec!["*".into()] };
        view.messages(&filter, 0, 9).unwrap();
        view.bus_cursor_before(&filter, 3).unwrap();
        view.bus_stats(&filter).unwrap();
    }
    view.newest_message().unwrap();
    for state in ApprovalState::ALL.map(Some).into_iter().chain([None]) {
        for action in [None, Some("commit".to_owned())] {
            for session in [None, Some(id.clone())] {
                let filter = ApprovalFilter { session, state, action: action.clone(), limit: Some(9) };
                view.approvals(&filter).unwrap();
            }
        }
    }
    view.has_approvals(&id, "commit").unwrap();
    view.due_approvals(5).unwrap();
    view.freezing(&id).unwrap();
    for (is_open, actor, path) in
        [(None, None, &b""[..]), (Some(true), None, &b"lib"[..]), (Some(false), Some("ann".into()), &b""[..])]
    {
        let path = crate::model::BytePath::parse(path).unwrap();
        view.annotations(&id, &AnnotationFilter { is_open, actor, path, limit: Some(9) }).unwrap();
    }
    view.open_annotations(&id).unwrap();
    view.health_of(&id, crate::model::ObjectId([1; 32])).unwrap();
    assert!(matches!(view.to_redo(), Err(Error::Undo(UndoError::NothingToRedo))));
    let asked = super::asked();
    assert!(asked.len() > 30, "the questions are heard");
    let due = asked.iter().find(|sql| sql.contains("expires_ns <= ?1") && sql.contains("FROM approval")).unwrap();
    assert!(plan(&catalog, due)[0].contains("INDEX approval_due ("), "{:?}", plan(&catalog, due));
    let slow: Vec<_> = asked
        .iter()
        .flat_map(|sql| plan(&catalog, sql).into_iter().map(move |step| (step, sql)))
        .filter(|(step, sql)| is_slow(step, sql))
        .collect();
    assert!(slow.is_empty(), "{slow:#?}");
}
