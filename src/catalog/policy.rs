//! Policies: one text for each source that has one. What it means is not known here.

use serde_json::json;

use super::{Error, ObjectType, Source, Tx, View};

impl View<'_> {
    /// The policy of a source, if it has one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn policy(&self, source_id: &str) -> Result<Option<String>, Error> {
        self.row("SELECT text FROM policy WHERE source = ?1", [source_id], |row| row.get(0))
    }
}

impl Tx<'_> {
    /// Gives a source a policy, or takes it away.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_policy(&mut self, source: &Source, text: Option<&str>) -> Result<(), Error> {
        let before = self.view().policy(&source.id)?;
        if before.as_deref() == text {
            return Ok(());
        }
        let act = self.act();
        match text {
            Some(text) => self.execute(
                "INSERT INTO policy (source, text, updated_ns, actor) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (source) DO UPDATE SET text = excluded.text, updated_ns = excluded.updated_ns,
                     actor = excluded.actor",
                (&source.id, text, act.now_ns, &act.actor),
            )?,
            None => self.execute("DELETE FROM policy WHERE source = ?1", [&source.id])?,
        };
        let what = if text.is_some() { "policy.set" } else { "policy.unset" };
        let details = json!({ "name": source.name, "before": before, "now": text });
        self.event(what, ObjectType::Source, &source.id, &details)
    }
}
