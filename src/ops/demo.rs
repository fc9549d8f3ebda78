//! A demonstration: two sessions on one directory, in a data directory of its own that is gone afterwards.
//!
//! What it claims it checks: a demonstration that finds something else fails.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::catalog::ImportSettings;
use crate::config::Paths;

use super::changes::Binaries;
use super::error::Result;
use super::session_create::{self, From as Base};
use super::session_mount::{self, Mount, Request, Server};
use super::session_unmount::{self, Way};
use super::source_import::{self, From, Watch};
use super::{Context, Error, session_changes};

/// The file that the demonstration adds.
const NEW_FILE: &str = "aether-demo.txt";

/// The line that it adds to a file that is there.
const NEW_LINE: &str = "A line that only one session sees.\n";

/// One thing that was done.
#[derive(Debug)]
pub struct Step {
    /// What.
    pub title: String,
    /// What came of it, a line each.
    pub lines: Vec<String>,
    /// How long it took, in nanoseconds.
    pub took_ns: u64,
}

/// Runs the demonstration on `dir` in the new directory `home`, which is removed at the end, also after an error.
///
/// # Errors
/// Something cannot be done on this machine; or what is to be shown is not so, which is a bug.
pub fn run(
    cx: &mut Context,
    dir: &Path,
    home: &Path,
    server: &Server,
    watch: Watch<'_>,
    show: &mut dyn FnMut(Step) -> io::Result<()>,
) -> Result<()> {
    let failed = |source| Error::Io { path: home.to_owned(), source };
    fs::DirBuilder::new().mode(0o700).create(home).map_err(failed)?;
    let paths = Paths { data: home.join("data"), runtime: home.join("run"), config_file: cx.paths.config_file.clone() };
    let mut own = Context::new(paths, cx.actor.clone(), cx.command.clone(), cx.now_ns, cx.seed);
    own.cwd.clone_from(&cx.cwd);
    let mut demo = Demo { cx: own, server, show, started: Instant::now() };
    let result = demo.play(dir, watch);
    let mut cx = demo.cx;
    let cleaned = session_unmount::run_all(&mut cx, Way::Force);
    drop(cx);
    fs::remove_dir_all(home).map_err(failed)?;
    result?;
    cleaned.map(drop)
}

struct Demo<'a> {
    cx: Context,
    server: &'a Server,
    show: &'a mut dyn FnMut(Step) -> io::Result<()>,
    started: Instant,
}

impl Demo<'_> {
    fn play(&mut self, dir: &Path, watch: Watch<'_>) -> Result<()> {
        let origin = self.import(dir, watch)?;
        let one = self.session("one")?;
        let edited = self.change(&one.mount_point)?;
        self.look("one")?;
        let two = self.session("two")?;
        self.compare(&one.mount_point, &two.mount_point, &origin, edited.as_deref())?;
        self.start();
        session_unmount::run_all(&mut self.cx, Way::Plain)?;
        self.done("Unmounted both", Vec::new())
    }

    fn start(&mut self) {
        self.started = Instant::now();
    }

    fn done(&mut self, title: &str, lines: Vec<String>) -> Result<()> {
        let took_ns = self.started.elapsed().as_nanos() as u64;
        let step = Step { title: title.to_owned(), lines, took_ns };
        (self.show)(step).map_err(at(Path::new("/dev/stdout")))?;
        self.start();
        Ok(())
    }

    fn import(&mut self, dir: &Path, watch: Watch<'_>) -> Result<PathBuf> {
        self.start();
        let settings = ImportSettings { respect_gitignore: true, ..ImportSettings::default() };
        let from = From::Dir(dir.to_owned());
        let import = source_import::create(&mut self.cx, "demo", from, settings, Vec::new(), &[], watch)?;
        let files = import.info.newest.as_ref().map_or(0, |revision| revision.files);
        let origin = import.info.source.origin.unwrap_or_else(|| dir.to_owned());
        self.done("Imported the directory as source `demo`", vec![format!("{files} files of {}", origin.display())])?;
        Ok(origin)
    }

    fn session(&mut self, name: &str) -> Result<Mount> {
        self.start();
        session_create::run(&mut self.cx, Some(name), &Base::Source("demo".into()), &Default::default())?;
        self.done(&format!("Created session `{name}`: nothing is copied"), Vec::new())?;
        let request = Request { session: Some(name.to_owned()), ..Request::default() };
        let mount = session_mount::run(&mut self.cx, &request, self.server)?;
        self.done("Mounted it", vec![mount.mount_point.display().to_string()])?;
        Ok(mount)
    }

    /// Changes the session as any program would; returns the name of the file that was edited.
    fn change(&mut self, root: &Path) -> Result<Option<PathBuf>> {
        self.start();
        let file = root.join(NEW_FILE);
        fs::write(&file, NEW_LINE).map_err(at(&file))?;
        let dir = root.join("aether-demo");
        fs::create_dir(&dir).map_err(at(&dir))?;
        let link = dir.join("link");
        std::os::unix::fs::symlink("../aether-demo.txt", &link).map_err(at(&link))?;
        let mut lines = vec![format!("wrote `{NEW_FILE}`"), "made a directory with a symbolic link".into()];
        let edited = first_file(root)?;
        if let Some(name) = &edited {
            let path = root.join(name);
            let file = fs::OpenOptions::new().append(true).open(&path);
            file.and_then(|mut file| file.write_all(NEW_LINE.as_bytes())).map_err(at(&path))?;
            lines.push(format!("added a line to `{}`", name.display()));
        }
        self.done("Changed files through the mount", lines)?;
        Ok(edited)
    }

    fn look(&mut self, name: &str) -> Result<()> {
        self.start();
        let request = session_changes::Request { session: Some(name.to_owned()), ..Default::default() };
        let changed = session_changes::run(&mut self.cx, &request)?.compared;
        let visible = changed.visible();
        let status: Vec<String> = visible
            .iter()
            .map(|change| format!("{} {}", change.kind.letter(), change.path.as_bytes().escape_ascii()))
            .collect();
        expect(status.len() >= 2, "the status shows what was changed")?;
        self.done("Status of session `one`", status)?;
        let mut patch = Vec::new();
        for change in &visible {
            let written = changed.write_patch(&changed.look(change)?, Binaries::Held, &mut patch);
            written.map_err(|error| at(Path::new("diff"))(io::Error::other(error)))?;
        }
        let patch: Vec<String> = String::from_utf8_lossy(&patch).lines().map(str::to_owned).collect();
        self.done("Diff of session `one`", patch)
    }

    fn compare(&mut self, one: &Path, two: &Path, origin: &Path, edited: Option<&Path>) -> Result<()> {
        self.start();
        expect(one.join(NEW_FILE).exists(), "session `one` has the new file")?;
        expect(!two.join(NEW_FILE).exists(), "session `two` does not have it")?;
        expect(!origin.join(NEW_FILE).exists(), "the directory does not have it")?;
        let mut lines = vec!["`two` has none of the files that `one` added, and neither has the directory".to_owned()];
        if let Some(name) = edited {
            let read = |root: &Path| fs::read(root.join(name)).map_err(at(&root.join(name)));
            let (in_one, in_two, in_origin) = (read(one)?, read(two)?, read(origin)?);
            expect(in_two == in_origin, "session `two` has the file as the directory has it")?;
            expect(in_one == [in_origin, NEW_LINE.into()].concat(), "session `one` has the added line")?;
            lines.push(format!("`{}` is as it was everywhere but in `one`", name.display()));
        }
        self.done("Compared the two sessions and the directory", lines)
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    move |source| Error::Io { path: path.to_owned(), source }
}

/// Fails when what is shown is not so.
fn expect(holds: bool, claim: &'static str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::NotShown { claim }) }
}

/// The first text file in a directory, by name.
fn first_file(dir: &Path) -> Result<Option<PathBuf>> {
    let mut names: Vec<PathBuf> = fs::read_dir(dir)
        .map_err(at(dir))?
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name() != NEW_FILE)
        .map(|entry| PathBuf::from(entry.file_name()))
        .collect();
    // One that people know comes before one that begins with a dot.
    names.sort_by_key(|name| (name.as_os_str().as_encoded_bytes().starts_with(b"."), name.clone()));
    Ok(names.into_iter().find(|name| fs::read_to_string(dir.join(name)).is_ok_and(|text| text.ends_with('\n'))))
}
