//! Progress on a terminal: how much was done, how fast, and how long it will take.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A display of progress. It is cleared when it is dropped. All methods can be called from any thread.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A display that says what is going on; one that is not `visible` costs and shows nothing.
    pub(super) fn new(what: &str, visible: bool) -> Self {
        let bar = match visible {
            true => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10)),
            false => ProgressBar::hidden(),
        };
        bar.set_style(style("{prefix} {spinner} {msg}"));
        bar.set_prefix(super::escape(what).into_owned());
        if visible {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self { bar }
    }

    /// Shows counts while the total is not known: files and bytes so far.
    pub fn count(&self, files: u64, bytes: u64) {
        self.bar.set_message(format!("{files} files, {}", super::bytes(bytes)));
    }

    /// Shows how far it has come while the total is not known, in a few words.
    pub fn text(&self, text: &str) {
        self.bar.set_message(super::escape(text).into_owned());
    }

    /// Of the total this many bytes are done.
    pub fn bytes(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// The total is known: from now on there is a bar, with bytes a second and the time that remains.
    pub fn total(&self, bytes: u64) {
        let text = "{prefix} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left, {msg}";
        self.bar.set_style(style(text).progress_chars("=> "));
        self.bar.set_length(bytes);
    }

    /// Of the total this much is done.
    pub fn done(&self, files: u64, bytes: u64) {
        let secs = self.bar.elapsed().as_secs_f64();
        let rate = if secs > 0.5 { format!(", {:.0} files/s", files as f64 / secs) } else { String::new() };
        self.bar.set_message(format!("{files} files{rate}"));
        self.bar.set_position(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
