//! The config file: TOML with one section a topic. Keys that nobody knows are errors, because they are mostly typos.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use toml::{Table, Value};

use super::{Error, Key};

/// The settings that the file makes, as text. A file that is not there makes none.
pub(super) fn read(path: &Path) -> Result<BTreeMap<&'static str, String>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(BTreeMap::new());
        }
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<BTreeMap<&'static str, String>, Error> {
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| Error::Syntax { path: path.to_owned(), what: error.to_string() })?;
    let mut found = BTreeMap::new();
    for (section, value) in &table {
        let unknown = |key: String| Error::UnknownKey { path: path.to_owned(), key };
        let Value::Table(entries) = value else { return Err(unknown(section.clone())) };
        for (name, value) in entries {
            let name = format!("{section}.{name}");
            let key = Key::find(&name).ok_or_else(|| unknown(name.clone()))?;
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Integer(number) => number.to_string(),
                Value::Boolean(yes) => yes.to_string(),
                _ => {
                    let why = "it must be a string, a number, `true` or `false`".into();
                    return Err(Error::BadValue { origin: format!("`{}`", path.display()), key: key.name, why });
                }
            };
            found.insert(key.name, text);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_an_error_that_names_file_and_key() {
        let path = Path::new("/etc/x.toml");
        for (text, key) in [("[cache]\nmemory_mb = 1", "cache.memory_mb"), ("color = 1", "color"), ("[a]\nb=1", "a.b")]
        {
            let error = parse(text, path).unwrap_err().to_string();
            assert!(error.contains("/etc/x.toml") && error.contains(key), "{error}");
        }
    }

    #[test]
    fn known_keys_are_taken_as_text() {
        let found = parse("[cache]\nmemory_mib = 7\n[user]\nname = \"Ann\"", Path::new("x")).unwrap();
        assert_eq!(found["cache.memory_mib"], "7");
        assert_eq!(found["user.name"], "Ann");
    }
}
