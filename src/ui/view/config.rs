//! Settings and places.

use serde::Serialize;

use crate::config::{Paths, Setting};
use crate::ui::{Align, Column, Page, Paint, Row, View};

use super::{path_hex, path_text};

/// A setting; with its origin when asked for.
#[derive(Debug, Serialize)]
pub struct SettingView {
    key: &'static str,
    value: String,
    origin: String,
    about: &'static str,
    #[serde(skip)]
    show_origin: bool,
}

impl SettingView {
    /// The view of a setting.
    #[must_use]
    pub fn new(setting: &Setting, show_origin: bool) -> Self {
        let origin = setting.origin.to_string().replace('`', "");
        Self { key: setting.key.name, value: setting.value.clone(), origin, about: setting.key.about, show_origin }
    }
}

impl Row for SettingView {
    const COLUMNS: &'static [Column] =
        &[Column("KEY", Align::Left), Column("VALUE", Align::Left), Column("", Align::Left)];
    const NONE: &'static str = "no settings";

    fn cells(&self, _: &Page) -> Vec<(Paint, String)> {
        let last = if self.show_origin { self.origin.clone() } else { self.about.to_owned() };
        vec![(Paint::Strong, self.key.into()), (Paint::Plain, self.value.clone()), (Paint::Dim, last)]
    }

    fn brief(&self) -> String {
        format!("{}={}", self.key, self.value)
    }
}

/// Where things are.
#[derive(Debug, Serialize)]
pub struct PathsView {
    config_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_file_hex: Option<String>,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_hex: Option<String>,
    runtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_hex: Option<String>,
}

impl From<&Paths> for PathsView {
    fn from(paths: &Paths) -> Self {
        Self {
            config_file: path_text(&paths.config_file),
            config_file_hex: path_hex(&paths.config_file),
            data: path_text(&paths.data),
            data_hex: path_hex(&paths.data),
            runtime: path_text(&paths.runtime),
            runtime_hex: path_hex(&paths.runtime),
        }
    }
}

impl View for PathsView {
    fn text(&self, page: &mut Page) {
        page.field("config file", &self.config_file);
        page.field("data", &self.data);
        page.field("runtime", &self.runtime);
    }

    fn brief(&self) -> Option<String> {
        Some(self.config_file.clone())
    }
}
