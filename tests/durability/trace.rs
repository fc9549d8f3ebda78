//! What a process did to the data directory, from its system calls as `strace` saw them: nothing that bypasses the
//! project's own file layer is missed.
//!
//! A call takes effect when it ends; a sync covers what had ended when it began.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aether::disk::sim::Event;

const CALLS: &str = "trace=openat,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,write,pwrite64,\
                     writev,pwritev,pwritev2,truncate,ftruncate,fallocate,fsync,fdatasync,msync,mmap,link,linkat,\
                     symlink,symlinkat,copy_file_range,sendfile,splice,ioctl,exit_group";

/// Has a command run under `strace`, which writes to `log`; with the bytes of writes, or with their lengths only.
pub fn traced(command: &Command, log: &Path, with_bytes: bool) -> Command {
    let mut strace = Command::new("strace");
    let longest = if with_bytes { "100000000" } else { "4096" };
    strace.args(["-f", "-y", "-v", "-xx", "-qq", "-s", longest, "-e", "signal=none", "-e", CALLS, "-o"]).arg(log);
    strace.arg("--").arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        strace.env(name, value.unwrap_or_default());
    }
    strace.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    strace
}

/// What happened below a directory, over one trace after the other.
pub struct Trace {
    root: PathBuf,
    names: HashMap<PathBuf, u64>,
    lengths: HashMap<u64, u64>,
    next: u64,
    events: Vec<Event>,
    /// Bytes of the present trace that were read.
    done: usize,
    /// Calls that have begun: the text so far, and for a sync its event.
    begun: HashMap<String, (String, Option<usize>)>,
}

impl Trace {
    /// The directory must not be there yet; those above it must.
    pub fn new(root: &Path) -> Self {
        let above: Vec<&Path> = root.ancestors().skip(1).collect();
        let mut events = Vec::new();
        for dir in above.into_iter().rev().filter(|dir| dir.parent().is_some()) {
            events.push(Event::CreateDir { path: dir.to_owned() });
            events.push(Event::SyncDir { path: dir.parent().unwrap().to_owned() });
        }
        Self {
            root: root.to_owned(),
            names: HashMap::new(),
            lengths: HashMap::new(),
            next: 0,
            events,
            done: 0,
            begun: HashMap::new(),
        }
    }

    /// Everything so far.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Begins with another trace.
    pub fn another(&mut self) {
        // Threads end with their process, whatever they are at.
        self.begun.clear();
        self.done = 0;
    }

    /// Reads on to the end of the trace.
    pub fn read(&mut self, log: &Path) {
        let bytes = fs::read(log).unwrap();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1).max(self.done);
        let text = std::str::from_utf8(&bytes[self.done..whole]).unwrap();
        text.lines().for_each(|line| self.line(line));
        self.done = whole;
    }

    fn line(&mut self, line: &str) {
        let (pid, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("exit_group") {
            self.begun.remove(pid);
        } else if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            let sync = self.begin(begun);
            self.begun.insert(pid.to_owned(), (begun.trim_end().to_owned(), sync));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let (begun, sync) = self.begun.remove(pid).unwrap();
            let (_, end) = resumed.split_once(" resumed>").unwrap();
            self.call(&format!("{begun}{end}"), sync);
        } else {
            let sync = self.begin(rest);
            self.call(rest, sync);
        }
    }

    /// A sync counts from its beginning; whether it succeeds is seen at its end.
    fn begin(&mut self, text: &str) -> Option<usize> {
        let args = text.strip_prefix("fsync(").or_else(|| text.strip_prefix("fdatasync("))?;
        let path = self.inside(&annotated(args)?)?;
        let event = match self.names.get(&path) {
            Some(&file) => Event::SyncData { file, path, done: false },
            None if path.is_dir() || !path.exists() => Event::SyncDir { path },
            None => panic!("a sync of a file that nobody made: {text}"),
        };
        self.events.push(event);
        Some(self.events.len() - 1)
    }

    fn inside(&self, path: &Path) -> Option<PathBuf> {
        // The log of a mount process is for people; nothing depends on it.
        let inside = path.starts_with(&self.root) && !path.starts_with(self.root.join("log"));
        (inside || self.root.starts_with(path)).then(|| path.to_owned())
    }

    fn call(&mut self, text: &str, sync: Option<usize>) {
        let (name, rest) = text.split_once('(').unwrap();
        let (args, result) = rest.rsplit_once(") ").unwrap();
        let result: i64 = match result.trim_start().trim_start_matches("= ").split([' ', '<']).next().unwrap() {
            "?" => return,
            hex if hex.starts_with("0x") => 0,
            number => number.parse().unwrap(),
        };
        if result < 0 {
            return;
        }
        let args = split(args);
        let path = match name {
            "openat" | "mkdirat" | "unlinkat" => at(args[0], args[1]),
            "mkdir" | "unlink" | "rmdir" | "rename" | "truncate" | "creat" | "link" | "symlink" => quoted(args[0]),
            "renameat" | "renameat2" | "linkat" => at(args[0], args[1]),
            "mmap" => annotated(args[4]),
            "symlinkat" => at(args[1], args[2]),
            "copy_file_range" | "splice" => annotated(args[2]),
            "msync" => return,
            _ => annotated(args[0]),
        };
        let Some(path) = path.and_then(|path| self.inside(&path)) else { return };
        self.effect(name, &args, path, result as u64, sync, text);
    }

    fn effect(&mut self, name: &str, args: &[&str], path: PathBuf, result: u64, sync: Option<usize>, text: &str) {
        let number = |text: &str| text.parse::<u64>().unwrap();
        match name {
            "openat" if !args[2].contains("O_CREAT") || self.names.contains_key(&path) => {
                assert!(!args[2].contains("O_TRUNC"), "not expected: {text}");
            }
            "openat" => {
                self.next += 1;
                self.names.insert(path.clone(), self.next);
                self.events.push(Event::Create { path, file: self.next });
            }
            "mkdir" | "mkdirat" => self.events.push(Event::CreateDir { path }),
            "rmdir" => self.events.push(Event::RemoveDir { path }),
            "unlinkat" if args[2].contains("AT_REMOVEDIR") => self.events.push(Event::RemoveDir { path }),
            "unlink" | "unlinkat" => {
                self.names.remove(&path);
                self.events.push(Event::Remove { path });
            }
            "rename" | "renameat" | "renameat2" => {
                let to = if name == "rename" { quoted(args[1]) } else { at(args[2], args[3]) }.unwrap();
                let file = self.names.remove(&path).unwrap();
                self.names.insert(to.clone(), file);
                self.events.push(Event::Rename { from: path, to });
            }
            "pwrite64" => self.write(path, number(args[3]), args[1], result),
            "pwritev" | "pwritev2" => self.write(path, number(args[3]), args[1], result),
            "write" | "writev" => {
                let end = self.names.get(&path).and_then(|file| self.lengths.get(file)).copied().unwrap_or(0);
                self.write(path, end, args[1], result);
            }
            "ftruncate" => {
                let Some(&file) = self.names.get(&path) else { return };
                let len_bytes = number(args[1]);
                self.lengths.insert(file, len_bytes);
                self.events.push(Event::SetLen { file, path, len_bytes });
            }
            "fallocate" if args[1].contains("PUNCH_HOLE") => {
                let Some(&file) = self.names.get(&path) else { return };
                self.events.push(Event::Punch { file, path, offset: number(args[2]), len_bytes: number(args[3]) });
            }
            "fallocate" => assert!(args[1].contains("KEEP_SIZE"), "not expected: {text}"),
            "fsync" | "fdatasync" => {
                let event = sync.map(|at| &mut self.events[at]);
                if let Some(Event::SyncData { done, .. }) = event {
                    *done = true;
                }
            }
            "mmap" if !args[3].contains("MAP_SHARED") || !args[2].contains("WRITE") => {}
            // What SQLite shares between processes is made anew after a power cut.
            "mmap" if path.to_string_lossy().ends_with("-shm") => {}
            "ioctl" => {}
            _ => panic!("not expected: {text}"),
        }
    }

    fn write(&mut self, path: PathBuf, offset: u64, arg: &str, result: u64) {
        // A file without a name is nobody's after a power cut.
        let Some(&file) = self.names.get(&path) else { return };
        let mut bytes = strings(arg);
        bytes.resize(result as usize, 0);
        let len = self.lengths.entry(file).or_default();
        *len = (*len).max(offset + result);
        self.events.push(Event::Write { file, path, offset, bytes });
    }
}

/// The arguments of a call.
fn split(args: &str) -> Vec<&str> {
    let (mut out, mut depth, mut start, mut in_string) = (Vec::new(), 0, 0, false);
    for (at, byte) in args.bytes().enumerate() {
        match byte {
            b'"' => in_string = !in_string,
            b'[' | b'{' | b'<' if !in_string => depth += 1,
            b']' | b'}' | b'>' if !in_string => depth -= 1,
            b',' if depth == 0 && !in_string => {
                out.push(args[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(args[start..].trim());
    out
}

/// Bytes written as `\x2f\x74`.
fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    text.as_bytes().chunks_exact(4).map(|escape| digit(escape[2]) << 4 | digit(escape[3])).collect()
}

fn path_of(hex: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(unhex(hex)))
}

/// The path that stands behind a descriptor.
fn annotated(arg: &str) -> Option<PathBuf> {
    let (_, rest) = arg.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    path.starts_with("\\x").then(|| path_of(path))
}

fn quoted(arg: &str) -> Option<PathBuf> {
    Some(path_of(arg.strip_prefix('"')?.strip_suffix('"')?))
}

/// A path that may be relative to an open directory.
fn at(dir: &str, path: &str) -> Option<PathBuf> {
    Some(annotated(dir)?.join(quoted(path)?))
}

/// The bytes of all strings in an argument, one behind the other.
fn strings(arg: &str) -> Vec<u8> {
    arg.split('"').skip(1).step_by(2).flat_map(unhex).collect()
}
