//! The config file: TOML with one section a topic. Keys that nobody knows are errors, because they are mostly typos.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use toml::{Table, Value};

use super::{ActorKind, Error, Key};

/// What the file says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The settings that it makes, as text.
    pub settings: BTreeMap<&'static str, String>,
    /// What actors are, by name.
    pub actors: BTreeMap<String, ActorKind>,
}

/// Reads the file. One that is not there says nothing.
pub(super) fn read(path: &Path) -> Result<Said, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Said::default());
        }
        Err(source) => return Err(Error::Read { path: path.to_owned(), source }),
    };
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Said, Error> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::Syntax { path: path.to_owned(), what: format!("line {line}: {}", error.message()) }
    })?;
    let mut said = Said::default();
    for (section, value) in &table {
        let unknown = |key: String| Error::UnknownKey { path: path.to_owned(), key };
        let Value::Table(entries) = value else { return Err(unknown(section.clone())) };
        if section == "actor" {
            said.actors = actors(entries, path)?;
            continue;
        }
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
            said.settings.insert(key.name, text);
        }
    }
    Ok(said)
}

/// The sections `[actor.NAME]`.
fn actors(entries: &Table, path: &Path) -> Result<BTreeMap<String, ActorKind>, Error> {
    let mut found = BTreeMap::new();
    for (name, value) in entries {
        let unknown = |key: String| Error::UnknownKey { path: path.to_owned(), key };
        let Value::Table(entries) = value else { return Err(unknown(format!("actor.{name}"))) };
        for (key, value) in entries {
            if key != "kind" {
                return Err(unknown(format!("actor.{name}.{key}")));
            }
            let kind = value.as_str().and_then(ActorKind::from_word).ok_or_else(|| Error::BadValue {
                origin: format!("`{}`", path.display()),
                key: "actor.NAME.kind",
                why: format!("of `{name}` it is not `human` or `agent`"),
            })?;
            found.insert(name.clone(), kind);
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
        for (text, key) in [
            ("[cache]\nmemory_mb = 1", "cache.memory_mb"),
            ("color = 1", "color"),
            ("[a]\nb=1", "a.b"),
            ("[actor.x]\nsort=1", "actor.x.sort"),
            ("[actor]\nx=1", "actor.x"),
        ] {
            let error = parse(text, path).unwrap_err().to_string();
            assert!(error.contains("/etc/x.toml") && error.contains(key), "{error}");
        }
    }

    #[test]
    fn known_keys_are_taken_as_text() {
        let found = parse("[cache]\nmemory_mib = 7\n[user]\nname = \"Ann\"", Path::new("x")).unwrap().settings;
        assert_eq!(found["cache.memory_mib"], "7");
        assert_eq!(found["user.name"], "Ann");
    }
}
