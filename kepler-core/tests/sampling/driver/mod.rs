//! A driver whose attribute hangs: a file system in user space with one file, whose reads this test answers, or does not.
//!
//! To the reader it is what a sysfs attribute is: a regular file, whose `pread(2)` runs code of ours. Mounting it takes root and
//! `/dev/fuse`; elsewhere the test says that it is skipped. Protocol: `include/uapi/linux/fuse.h`.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const FILE: u64 = 2;

#[derive(Default)]
struct Answer {
    text: String,
    hangs: bool,
    /// The error number with which reads fail.
    error: i32,
    /// Reads that wait for an answer.
    waiting: Vec<u64>,
}

/// One attribute.
pub(crate) struct Driver {
    directory: PathBuf,
    device: File,
    answer: Arc<Mutex<Answer>>,
    server: Option<JoinHandle<()>>,
}

impl Driver {
    /// An attribute mounted in `directory` that answers `text`; `None` where that is not allowed.
    pub(crate) fn mount(directory: &Path, text: &str) -> Option<Self> {
        std::fs::create_dir_all(directory).unwrap();
        let device = File::options().read(true).write(true).open("/dev/fuse").ok();
        let mounted = device.as_ref().and_then(|device| {
            let options = "fd=0,rootmode=40000,user_id=0,group_id=0";
            let mut mount = Command::new("mount");
            mount.args(["-i", "-t", "fuse", "-o", options, "driver"]).arg(directory);
            mount.stdin(Stdio::from(device.try_clone().ok()?)).stderr(Stdio::null()).status().ok()
        });
        let Some(device) = device.filter(|_| mounted.is_some_and(|status| status.success())) else {
            println!("SKIPPED: no file system in user space can be mounted here");
            return None;
        };
        let answer = Arc::new(Mutex::new(Answer { text: text.to_owned(), ..Answer::default() }));
        let server = std::thread::spawn({
            let (mut device, answer) = (device.try_clone().unwrap(), Arc::clone(&answer));
            move || serve(&mut device, &answer)
        });
        Some(Driver { directory: directory.to_owned(), device, answer, server: Some(server) })
    }

    /// The attribute.
    pub(crate) fn attribute(&self) -> PathBuf {
        self.directory.join("value")
    }

    /// From now on reads do not return.
    pub(crate) fn hang(&self) {
        self.answer.lock().unwrap().hangs = true;
    }

    /// From now on reads fail with an error of this number.
    pub(crate) fn fail(&self, number: i32) {
        self.answer.lock().unwrap().error = -number;
    }

    /// From now on it answers `text`; reads that hang return as well.
    pub(crate) fn answer(&self, text: &str) {
        let mut answer = self.answer.lock().unwrap();
        (answer.hangs, answer.text) = (false, text.to_owned());
        for read in std::mem::take(&mut answer.waiting) {
            reply(&self.device, read, 0, answer.text.as_bytes());
        }
    }

    /// How many reads hang.
    pub(crate) fn waiting(&self) -> usize {
        self.answer.lock().unwrap().waiting.len()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.answer("0\n");
        let _unmounted = Command::new("umount").arg("-l").arg(&self.directory).status();
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

/// Answers requests until the file system is unmounted.
fn serve(device: &mut File, answer: &Mutex<Answer>) {
    let mut request = vec![0; 1 << 17];
    while let Ok(length) = device.read(&mut request) {
        let Some(head) = request.get(..length.min(40)).filter(|head| head.len() == 40) else { return };
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let (operation, unique, node) = (number(0) >> 32, number(8), number(16));
        let mut body: Vec<u8> = Vec::new();
        let mut error = 0;
        match operation {
            // FORGET, BATCH_FORGET and INTERRUPT have no answer.
            2 | 42 | 36 => continue,
            // INIT: protocol 7.31, and no options.
            26 => {
                body.extend([7u32, 31, 1 << 16, 0, 0, 1 << 16, 1].iter().flat_map(|word| word.to_le_bytes()));
                body.resize(64, 0);
            }
            // LOOKUP.
            1 => {
                body.extend([FILE, 0, 0, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
                body.extend(attributes(FILE));
            }
            // GETATTR.
            3 => {
                body.extend([0; 16]);
                body.extend(attributes(node));
            }
            // OPEN, past the page cache.
            14 => body.extend([0u64, 1].iter().flat_map(|word| word.to_le_bytes())),
            15 => {
                let mut answer = answer.lock().unwrap();
                if answer.hangs {
                    answer.waiting.push(unique);
                    continue;
                }
                error = answer.error;
                if error == 0 {
                    body.extend(answer.text.as_bytes());
                }
            }
            // RELEASE and FLUSH.
            18 | 25 => {}
            _ => error = -38,
        }
        reply(device, unique, error, &body);
    }
}

fn attributes(node: u64) -> Vec<u8> {
    let mut attributes = Vec::new();
    attributes.extend([node, 4096, 8, 0, 0, 0].iter().flat_map(|word: &u64| word.to_le_bytes()));
    let mode = if node == FILE { 0o100_444 } else { 0o040_755 };
    attributes.extend([0, 0, 0, mode, 1, 0, 0, 0, 4096, 0].iter().flat_map(|word: &u32| word.to_le_bytes()));
    attributes
}

fn reply(mut device: &File, unique: u64, error: i32, body: &[u8]) {
    let mut answer = u32::try_from(16 + body.len()).unwrap().to_le_bytes().to_vec();
    answer.extend(error.to_le_bytes());
    answer.extend(unique.to_le_bytes());
    answer.extend(body);
    // It fails where the reader has given up.
    let _sent = device.write(&answer);
}
