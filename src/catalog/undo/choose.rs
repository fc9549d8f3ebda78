//! Which operation an undo or a redo is about.

use super::super::operation::{Operation, OperationKind};
use super::super::{Error, View};
use super::UndoError;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// The operation whose changes are put back.
    pub reversed: Operation,
    /// The command that is undone or redone by it.
    pub target: i64,
    /// Whether that command is in effect again afterwards.
    pub is_redo: bool,
}

impl View<'_> {
    /// What `undo` does: reverse this operation, or else the newest command that is in effect. Reversing an undo is a
    /// redo.
    ///
    /// # Errors
    /// [`UndoError`], or what SQLite says.
    pub fn to_undo(&self, seq: Option<i64>) -> Result<Reversal, Error> {
        let seq = match seq {
            Some(seq) => seq,
            None => self.newest_in_effect()?.ok_or(UndoError::NothingToUndo)?,
        };
        let asked = self.operation(seq)?.ok_or(UndoError::NoOperation { seq })?;
        let command = asked.command.clone();
        match asked.kind {
            OperationKind::Undo => {
                let target = asked.target.unwrap_or_default();
                match self.last_reversal(target)? {
                    Some(last) if last.seq != seq => Err(UndoError::Superseded { seq, command, by: last.seq }.into()),
                    _ => self.checked(asked, target, true),
                }
            }
            OperationKind::Redo => self.to_undo(Some(asked.target.unwrap_or_default())),
            OperationKind::Command => match self.last_reversal(seq)? {
                Some(last) if last.kind == OperationKind::Undo => {
                    Err(UndoError::Undone { seq, command, by: last.seq }.into())
                }
                _ => self.checked(asked, seq, false),
            },
        }
    }

    /// What `redo` does: reverse the newest undo, unless a command came after it.
    ///
    /// # Errors
    /// [`UndoError`], or what SQLite says.
    pub fn to_redo(&self) -> Result<Reversal, Error> {
        let sql = "SELECT max(seq) FROM operation AS u WHERE kind = 'undo'
                   AND seq = (SELECT max(seq) FROM operation AS r WHERE r.target = u.target)
                   AND NOT EXISTS (SELECT 1 FROM operation AS o JOIN undo_row ON undo_row.operation = o.seq
                                   WHERE o.seq > u.seq AND o.kind = 'command')";
        let newest: Option<i64> = self.row(sql, [], |row| row.get(0))?.flatten();
        let seq = newest.ok_or(UndoError::NothingToRedo)?;
        let undo = self.operation(seq)?.ok_or(UndoError::NothingToRedo)?;
        let target = undo.target.unwrap_or_default();
        self.checked(undo, target, true)
    }

    /// Refuses what has nothing that could be put back.
    fn checked(&self, reversed: Operation, target: i64, is_redo: bool) -> Result<Reversal, Error> {
        let (seq, command) = (reversed.seq, reversed.command.clone());
        if let Some(why) = reversed.gone.clone() {
            return Err(UndoError::Gone { seq, command, why }.into());
        }
        let has_rows = self.row("SELECT 1 FROM undo_row WHERE operation = ?1", [seq], |_| Ok(()))?.is_some();
        if !has_rows {
            return Err(UndoError::Empty { seq, command }.into());
        }
        Ok(Reversal { reversed, target, is_redo })
    }

    /// Commands that changed no row are passed over; those that cannot be undone any more are not.
    fn newest_in_effect(&self) -> Result<Option<i64>, Error> {
        let sql = "SELECT seq FROM operation AS o WHERE kind = 'command'
                   AND (gone IS NOT NULL OR EXISTS (SELECT 1 FROM undo_row WHERE operation = o.seq))
                   AND coalesce((SELECT kind FROM operation AS u WHERE u.target = o.seq ORDER BY seq DESC LIMIT 1),
                                'redo') = 'redo'
                   ORDER BY seq DESC LIMIT 1";
        self.row(sql, [], |row| row.get(0))
    }

    /// The newest undo or redo of a command.
    fn last_reversal(&self, target: i64) -> Result<Option<Operation>, Error> {
        let sql = "SELECT max(seq) FROM operation WHERE target = ?1";
        let seq: Option<i64> = self.row(sql, [target], |row| row.get(0))?.flatten();
        seq.map_or(Ok(None), |seq| self.operation(seq))
    }
}
