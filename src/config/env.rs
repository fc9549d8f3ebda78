//! The environment of the process, read once.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;

/// The variables of the process, and who runs it.
#[derive(Clone, Debug)]
pub struct Env {
    vars: Vec<(OsString, OsString)>,
    uid: u32,
}

impl Env {
    /// The environment of this process.
    #[must_use]
    #[allow(clippy::disallowed_methods)]
    pub fn of_process() -> Self {
        Self { vars: std::env::vars_os().collect(), uid: rustix::process::getuid().as_raw() }
    }

    /// An environment for a test.
    #[must_use]
    pub fn of(vars: &[(&str, &str)], uid: u32) -> Self {
        Self { vars: vars.iter().map(|(key, value)| (key.into(), value.into())).collect(), uid }
    }

    /// A variable; an empty one counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let found = self.vars.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// A variable as text; one that is not UTF-8 is read with replacement characters.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A variable that holds an absolute path. The XDG specification wants others to be ignored.
    #[must_use]
    pub fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// Whether a variable is there, also when it is empty.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.vars.iter().any(|(key, _)| key == name)
    }

    /// The real user id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The login name: what the session says, else what the user data base says, else the number.
    #[must_use]
    pub fn login_name(&self) -> String {
        let said = self.text("LOGNAME").or_else(|| self.text("USER"));
        said.or_else(|| self.passwd_field(0)).unwrap_or_else(|| format!("uid-{}", self.uid))
    }

    /// The home directory.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.absolute("HOME").or_else(|| self.passwd_field(5).map(PathBuf::from))
    }

    /// A field of this user's line in `/etc/passwd` (passwd(5)).
    fn passwd_field(&self, field: usize) -> Option<String> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        let uid = self.uid.to_string();
        let line = text.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
        line.split(':').nth(field).filter(|value| !value.is_empty()).map(str::to_owned)
    }
}
