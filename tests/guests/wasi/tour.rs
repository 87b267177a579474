//! A tour of what Rust's standard library asks of WASI, as a command (`tour
//! FOLDER [STATUS]`) and as the export `tour` of world.wit's world `tour`.
//! What it says is the same at any time and place.

use std::collections::HashMap;
use std::fmt::{Display, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

fn said<T: Display>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

fn done(result: io::Result<()>) -> String {
    said(result.map(|()| "ok"))
}

fn in_the_middle(path: &Path) -> io::Result<String> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    file.seek(SeekFrom::Start(5))?;
    file.write_all(b"RUST")?;
    file.set_len(12)?;
    file.sync_all()?;
    file.seek(SeekFrom::Start(0))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn names(folder: &Path) -> io::Result<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        names.push(format!("{:?} {}", entry.file_name(), entry.file_type()?.is_file()));
    }
    names.sort();
    Ok(names.join(", "))
}

fn files(folder: &Path) -> Result<String, std::fmt::Error> {
    let mut report = String::new();
    let (path, inner) = (folder.join("tour.txt"), folder.join("tour"));
    writeln!(report, "write: {}", done(fs::write(&path, "from rust, with more")))?;
    writeln!(report, "middle: {}", said(in_the_middle(&path)))?;
    writeln!(report, "again: {}", done(OpenOptions::new().write(true).create_new(true).open(&path).map(drop)))?;
    writeln!(report, "length: {}", said(fs::metadata(&path).map(|status| status.len())))?;
    writeln!(report, "create_dir: {}", done(fs::create_dir(&inner)))?;
    writeln!(report, "copy: {}", said(fs::copy(&path, inner.join("copy.txt"))))?;
    writeln!(report, "hard_link: {}", done(fs::hard_link(&path, inner.join("link.txt"))))?;
    writeln!(report, "rename: {}", done(fs::rename(&path, inner.join("moved.txt"))))?;
    writeln!(report, "names: {}", said(names(&inner)))?;
    writeln!(report, "remove_dir: {}", fs::remove_dir(&inner).is_err())?;
    writeln!(report, "none: {}", done(File::open(folder.join("none")).map(drop)))?;
    writeln!(report, "outside: {}", File::open(folder.join("../../etc/passwd")).is_err())?;
    writeln!(report, "remove_dir_all: {}", done(fs::remove_dir_all(&inner)))?;
    Ok(report)
}

fn rest() -> String {
    let start = Instant::now();
    std::thread::sleep(Duration::from_millis(5));
    let slept = start.elapsed() >= Duration::from_millis(5);
    let wall = SystemTime::now() > SystemTime::UNIX_EPOCH;
    // Its keys come from wasi:random.
    let counts: HashMap<&str, usize> = ["a", "b", "a"].into_iter().fold(HashMap::new(), |mut counts, word| {
        *counts.entry(word).or_default() += 1;
        counts
    });
    let lines = io::stdin().lock().lines().count();
    format!("slept: {slept} {wall}\ncounts: {} {}\nlines: {lines}\n", counts["a"], counts["b"])
}

fn variables() -> String {
    format!("LANGUAGE: {:?}, {}\n", std::env::var("LANGUAGE"), std::env::vars().count())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    print!("arguments: {arguments:?}\n{}", variables());
    if let Some(folder) = arguments.first() {
        print!("{}", files(Path::new(folder)).unwrap());
    }
    print!("{}", rest());
    eprintln!("to stderr");
    match arguments.get(1).map(String::as_str) {
        Some("panic") => panic!("as it was told to"),
        Some(status) => std::process::exit(status.parse().unwrap()),
        None => {}
    }
}

#[repr(C)]
pub struct Text {
    data: *const u8,
    size: usize,
}

static mut ANSWER: Text = Text { data: std::ptr::null(), size: 0 };

/// The export: what the canonical ABI wants of it, by hand.
///
/// # Safety
/// The host hands over a string that it has put into our memory.
#[export_name = "tour"]
pub unsafe extern "C" fn tour(data: *mut u8, size: usize) -> *const Text {
    let folder = String::from_utf8_unchecked(Vec::from_raw_parts(data, size, size));
    let report = variables() + &files(Path::new(&folder)).unwrap() + &rest();
    println!("to stdout");
    let report = report.into_bytes().leak();
    ANSWER = Text { data: report.as_ptr(), size: report.len() };
    std::ptr::addr_of!(ANSWER)
}

#[export_name = "cabi_realloc"]
pub unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    use std::alloc::{alloc, realloc, Layout};
    if size == 0 {
        return align as *mut u8;
    }
    if old_size == 0 {
        return alloc(Layout::from_size_align_unchecked(size, align));
    }
    realloc(old, Layout::from_size_align_unchecked(old_size, align), size)
}
