//! A copy of the catalog in another data directory, as it is at one moment, while others go on writing.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::open::{file_in, io_error, make_dir, vacuum_into};
use super::{Catalog, Error, open};

impl Catalog {
    /// Writes the catalog as it is now into a directory that has none. The copy can be changed like any other, and is to
    /// be [finished](Self::finish_copy).
    ///
    /// # Errors
    /// What SQLite or the disk says.
    pub fn copy_to(&self, data_dir: &Path) -> Result<Self, Error> {
        make_dir(data_dir)?;
        let path = file_in(data_dir);
        // SQLite would make it with the umask's mode; an empty file it takes as it is.
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| io_error(&path, error))?;
        vacuum_into(&self.connection, &path)?;
        let copy = open::connect(&path)?;
        copy.map(|connection| Self::over(path.clone(), connection))
            .ok_or_else(|| io_error(&path, std::io::ErrorKind::NotFound.into()))
    }

    /// Makes a copy durable, for other processes to open.
    ///
    /// # Errors
    /// What SQLite or the disk says.
    pub fn finish_copy(self) -> Result<(), Error> {
        open::complete(self.connection, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Act, Base};

    #[test]
    fn a_copy_has_all_of_one_moment_and_goes_its_own_way() {
        let dir = tempfile::TempDir::new().unwrap();
        let mut catalog = Catalog::open(&dir.path().join("a")).unwrap();
        let act = Act { actor: "ann".into(), command: "test".into(), now_ns: 1, seed: [1; 32] };
        let id = catalog.write::<_, Error>(&act, |tx| tx.create_session("fix", &Base::default(), None)).unwrap();
        let root = crate::model::RootId(crate::model::ObjectId([7; 32]));
        let mut copy = catalog.copy_to(&dir.path().join("b")).unwrap();
        assert!(catalog.copy_to(&dir.path().join("b")).is_err(), "there is one");
        assert!(copy.fold_session(&id, 0, root).unwrap());
        copy.finish_copy().unwrap();
        let names: Vec<_> =
            fs::read_dir(dir.path().join("b")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "catalog.db" || name == "catalog.proof"), "{names:?}");
        let copy = Catalog::open(&dir.path().join("b")).unwrap();
        assert_eq!(copy.view().session("fix").unwrap().base.root, Some(root));
        assert_eq!((copy.format().unwrap(), copy.problems().unwrap()), (catalog.format().unwrap(), Vec::new()));
        assert_eq!(catalog.view().session("fix").unwrap().base.root, None);
    }
}
