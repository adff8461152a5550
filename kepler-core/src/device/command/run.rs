//! Running a tool that may hang, or print without end.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// The longest answer.
const MOST: u64 = 4 << 20;

/// What a tool prints. It is ended after `timeout`.
pub(super) fn run(program: &Path, arguments: &[String], timeout: Duration) -> Result<Vec<u8>, &'static str> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such program",
        io::ErrorKind::PermissionDenied => "it may not be run",
        _ => "it cannot be run",
    })?;
    let answer = answer(&mut child, timeout);
    // Whatever it started and left behind would hold its output, and a thread here. It is awaited in either case.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _is_ended = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait();
    let answer = answer?;
    match status {
        Ok(status) if status.success() || status.code().is_none() => Ok(answer),
        _ => Err("it ended with an error"),
    }
}

fn answer(child: &mut Child, timeout: Duration) -> Result<Vec<u8>, &'static str> {
    let output = child.stdout.take().ok_or("it has no output")?;
    let (sender, receiver) = sync_channel(1);
    let reader = thread::Builder::new().name("kepler-command".into()).spawn(move || {
        let mut answer = Vec::new();
        let result = output.take(MOST + 1).read_to_end(&mut answer).map(|_| answer);
        // It fails if the receiver has given up.
        let _late = sender.send(result);
    });
    reader.map_err(|_| "no thread can be started to read its answer")?;
    let answer = receiver.recv_timeout(timeout).map_err(|_| "it does not answer in time")?;
    let answer = answer.map_err(|_| "its answer cannot be read")?;
    if answer.len() as u64 > MOST { Err("its answer is larger than 4 MiB") } else { Ok(answer) }
}
