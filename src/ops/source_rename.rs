//! Giving a source another name. Sessions on it do not notice.

use super::Context;
use super::error::Result;
use super::source_list::{SourceInfo, show};

/// Renames a source.
///
/// # Errors
/// It is not there, or the name is wrong or taken.
pub fn run(cx: &mut Context, key: &str, name: &str) -> Result<SourceInfo> {
    let id = cx.write(|tx| {
        let source = tx.view().source(key)?;
        tx.rename_source(&source, name)?;
        Ok(source.id)
    })?;
    show(cx, &id)
}
