//! Whether the catalog can be read, and is whole.

use std::path::Path;

use crate::catalog::{Catalog, FORMAT};

use super::Finding;

const NAME: &str = "catalog";

pub(super) fn check(data: &Path) -> Finding {
    let restore = "restore it from a backup";
    let catalog = match Catalog::open_existing(data) {
        Ok(None) => return Finding::good(NAME, "there is no catalog yet; the first command makes it"),
        Ok(Some(catalog)) => catalog,
        Err(error) => return Finding::failed(NAME, error.to_string(), restore),
    };
    match (catalog.format(), catalog.problems()) {
        (Err(error), _) | (_, Err(error)) => Finding::failed(NAME, error.to_string(), restore),
        (Ok(format), _) if format > FORMAT => Finding::failed(
            NAME,
            format!("the catalog has format {format}, this version knows {FORMAT}"),
            "install the newest aether",
        ),
        (Ok(_), Ok(problems)) if !problems.is_empty() => {
            Finding::failed(NAME, format!("the catalog is damaged: {}", problems.join("; ")), restore)
        }
        (Ok(format), Ok(_)) => Finding::good(NAME, format!("the catalog is whole, format {format}")),
    }
}
