//! Which processes are DRM clients, and how much of each device they use.
//!
//! To look through the descriptors of every process takes a millisecond for every hundred of them, so it is done once for a
//! new process, and again every 30 rounds, some each time. Only the descriptors that were found are read every time.

use super::fdinfo::{self, Account};
use crate::device::{DeviceUser, holders};
use crate::host::Timestamp;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEVICE_FILES: [&str; 2] = ["/dev/dri/", "/dev/accel/"];

/// After how many rounds a process without such a descriptor is looked at again.
const ROUNDS: u64 = 30;

/// The same for one with: it may have opened another device.
const ROUNDS_OF_CLIENTS: u64 = 5;

/// What was read longer ago is not joined to what is read now.
const LONGEST_SPAN: Duration = Duration::from_secs(60);

/// A file that is longer than this is none of the kernel's.
const LONGEST_FILE: u64 = 64 << 10;

#[derive(Debug)]
pub(super) struct Clients {
    procfs: PathBuf,
    round: u64,
    processes: HashMap<u32, Process>,
    /// By device and number, each with the round in which it was last seen.
    accounts: HashMap<(String, u64), (Account, u64)>,
    scanned: Option<Timestamp>,
    /// By device, with shares of the time since the scan before.
    users: HashMap<String, Vec<DeviceUser>>,
    found: Vec<(u32, u64)>,
    text: String,
}

#[derive(Debug)]
struct Process {
    inode: u64,
    descriptors: Vec<u32>,
    /// The round in which it was last seen.
    seen: u64,
    /// Whether it was first seen in this round, and not the first.
    is_new: bool,
}

impl Clients {
    pub(super) fn new(procfs: &Path) -> Self {
        Clients {
            procfs: procfs.to_owned(),
            round: 0,
            processes: HashMap::new(),
            accounts: HashMap::new(),
            scanned: None,
            users: HashMap::new(),
            found: Vec::new(),
            text: String::new(),
        }
    }

    /// Reads what all clients have used since the call before.
    pub(super) fn scan(&mut self, at: Timestamp) {
        self.users.values_mut().for_each(Vec::clear);
        let span = self.scanned.replace(at).map(|before| at.since(&before));
        let span = span.filter(|span| *span <= LONGEST_SPAN).map_or(0.0, |span| span.as_secs_f64());
        self.list();
        let round = self.round;
        let mut clients: Vec<u32> = Vec::new();
        clients
            .extend(self.processes.iter().filter(|(_, process)| !process.descriptors.is_empty()).map(|(pid, _)| *pid));
        // What several processes share is the first one's.
        clients.sort_unstable();
        for pid in clients {
            let Some(process) = self.processes.get(&pid) else { continue };
            let directory = self.procfs.join(pid.to_string()).join("fdinfo");
            for descriptor in &process.descriptors {
                self.text.clear();
                let file = File::open(directory.join(descriptor.to_string()));
                let read = file.and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut self.text));
                let Some(client) = read.ok().and_then(|_| fdinfo::parse(&self.text)) else { continue };
                let key = (client.device.clone(), client.id);
                let (account, seen) = self.accounts.entry(key).or_insert_with(|| (Account::default(), u64::MAX));
                if std::mem::replace(seen, round) == round {
                    continue;
                }
                let busy = account.add(&client, span, process.is_new);
                let share = if span > 0.0 { busy / span } else { 0.0 };
                let users = self.users.entry(client.device).or_default();
                match users.iter_mut().find(|user| user.pid == pid) {
                    Some(user) => user.busy += share,
                    None => users.push(DeviceUser::new(pid, share)),
                }
            }
        }
        self.accounts.retain(|_, (_, seen)| *seen == round);
        self.round += 1;
    }

    /// Brings the list of processes, and of their descriptors, up to date.
    fn list(&mut self) {
        if holders::processes(&self.procfs, &mut self.found).is_err() {
            return;
        }
        let round = self.round;
        for &(pid, inode) in &self.found {
            let known = self.processes.get_mut(&pid).filter(|process| process.inode == inode);
            let is_due = match &known {
                None => true,
                Some(process) if process.descriptors.is_empty() => (u64::from(pid) + round).is_multiple_of(ROUNDS),
                Some(_) => (u64::from(pid) + round).is_multiple_of(ROUNDS_OF_CLIENTS),
            };
            let descriptors =
                is_due.then(|| holders::descriptors(&self.procfs, pid, &DEVICE_FILES).unwrap_or_default());
            match known {
                Some(process) => {
                    (process.seen, process.is_new) = (round, false);
                    process.descriptors = descriptors.unwrap_or_else(|| std::mem::take(&mut process.descriptors));
                }
                None => {
                    let descriptors = descriptors.unwrap_or_default();
                    self.processes.insert(pid, Process { inode, descriptors, seen: round, is_new: round > 0 });
                }
            }
        }
        self.processes.retain(|_, process| process.seen == round);
    }

    /// Who used a device, by its PCI address or its driver's name.
    pub(super) fn users(&self, device: &str) -> &[DeviceUser] {
        self.users.get(device).map_or(&[], Vec::as_slice)
    }
}
