//! Programs that work a known amount: this test program, run again under other names.
#![allow(unreachable_pub, reason = "part of a test program")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot set up its workers fails"
)]

use kepler_core::host::Host;
use kepler_core::sampler::{Sampler, SamplerOptions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// What to do is handed over in this variable.
const TASK: &str = "KEPLER_TEST_WORKER";

/// A worker and what it says.
pub struct Worker {
    pub child: Child,
    pub says: BufReader<ChildStdout>,
}

/// Starts a worker under a name of its own; `directory` holds the link that gives it.
pub fn start(directory: &Path, name: &str, task: &str) -> Worker {
    let link = directory.join(name);
    let _ = symlink(std::env::current_exe().unwrap(), &link);
    let mut command = Command::new(link);
    command.args(["--exact", "worker::this_is_the_worker", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(TASK, task).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let says = BufReader::new(child.stdout.take().unwrap());
    Worker { child, says }
}

impl Worker {
    /// Waits for a line that begins so, and returns the rest of it.
    pub fn wait_for(&mut self, start: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.says.read_line(&mut line).unwrap() > 0, "the worker ended without saying `{start}`");
            if let Some((_, rest)) = line.split_once(start) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Lets the worker go on.
    pub fn go(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for the end. User and system time, of all threads, of children that it waited for as well.
    pub fn end(mut self) -> Duration {
        drop(self.child.stdin.take());
        wait(self.child.id())
    }
}

/// Waits for a child's end; its user and system time.
pub fn wait(pid: u32) -> Duration {
    // SAFETY: a structure of integers, which zeros are valid for.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let mut status = 0;
    // SAFETY: both pointers are to values that live longer than the call.
    let waited = unsafe { libc::wait4(pid.cast_signed(), &raw mut status, 0, &raw mut usage) };
    assert_eq!(waited, pid.cast_signed());
    // It may still be on its last steps, on another processor.
    std::thread::sleep(Duration::from_millis(20));
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn clock(id: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that lives longer than the call.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU time of another process.
pub fn clock_of(pid: u32) -> Duration {
    clock((!pid.cast_signed() << 3) | 2)
}

/// Works until this thread has used so much CPU time.
pub fn burn(time: Duration) {
    let start = clock(libc::CLOCK_THREAD_CPUTIME_ID);
    while clock(libc::CLOCK_THREAD_CPUTIME_ID) - start < time {
        for number in 0..1000 {
            std::hint::black_box(number);
        }
    }
}

fn pin(processor: usize) {
    // SAFETY: a set of bits, which zeros are valid for; the call reads it only.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        assert_eq!(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set), 0);
    }
}

/// Samples with eBPF, then without any privilege.
fn demote() {
    let meter = Box::new(kepler_core::meter::fake::Fake::default());
    let mut sampler = Sampler::with_meter(&Host::default(), meter, &SamplerOptions::default()).unwrap();
    let tick = |sampler: &mut Sampler| {
        std::thread::sleep(Duration::from_millis(50));
        let snapshot = sampler.tick();
        let me = snapshot.processes.iter().find(|row| row.info.pid == std::process::id()).unwrap();
        let faults: u64 = snapshot.faults.iter().filter(|fault| fault.source == "ebpf").map(|fault| fault.count).sum();
        println!("tick {} {} {faults}", sampler.usage_source(), me.cpu_time.as_nanos());
    };
    tick(&mut sampler);
    tick(&mut sampler);
    // SAFETY: integers only. All capabilities go with the last of the root user's numbers.
    unsafe {
        assert_eq!(libc::setresgid(65534, 65534, 65534), 0);
        assert_eq!(libc::setresuid(65534, 65534, 65534), 0);
    }
    burn(Duration::from_millis(30));
    tick(&mut sampler);
    tick(&mut sampler);
}

/// Waits until standard input is closed.
fn wait_for_go() {
    let _ = std::io::stdin().lock().lines().next();
}

extern "C" fn end_at_once(_: *mut libc::c_void) -> libc::c_int {
    // SAFETY: ends the process.
    unsafe { libc::_exit(0) }
}

#[test]
#[ignore = "run by other tests, as a process of its own"]
fn this_is_the_worker() {
    let Ok(task) = std::env::var(TASK) else { return };
    let words: Vec<&str> = task.split(' ').collect();
    let number = |position: usize| words[position].parse::<u64>().unwrap();
    match words[0] {
        // burn THREADS MILLISECONDS
        "burn" => {
            let time = Duration::from_millis(number(2));
            let threads: Vec<_> = (1..number(1)).map(|_| std::thread::spawn(move || burn(time))).collect();
            burn(time);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
        // spin PROCESSOR: until standard input is closed
        "spin" => {
            pin(number(1) as usize);
            std::thread::spawn(|| {
                wait_for_go();
                std::process::exit(0);
            });
            println!("spinning");
            burn(Duration::from_secs(600));
        }
        // held MILLISECONDS: works once it is let go, and waits to be let go again
        "held" => {
            println!("ready");
            wait_for_go();
            burn(Duration::from_millis(number(1)));
        }
        // crowd THREADS MEGABYTES: all threads end at once, as the memory does that they share
        "crowd" => {
            let memory = vec![1u8; number(2) as usize * 1_000_000];
            std::hint::black_box(&memory);
            for _ in 1..number(1) {
                std::thread::spawn(|| burn(Duration::from_secs(600)));
            }
            println!("ending");
            burn(Duration::from_millis(1));
            std::process::exit(0);
        }
        // storm SECONDS: has children that end at once, one after the other
        "storm" => {
            // Children are called as the thread that begot them.
            // SAFETY: the name is a text that lives for ever.
            unsafe { libc::prctl(libc::PR_SET_NAME, c"kstorm".as_ptr()) };
            let start = clock(libc::CLOCK_MONOTONIC);
            let mut children = 0u64;
            let mut stack = vec![0u128; 4096];
            while clock(libc::CLOCK_MONOTONIC) - start < Duration::from_secs(number(1)) {
                // As `vfork` does: to copy the memory of this program would take longer than all the rest.
                // SAFETY: the child has a stack of its own, on which it calls nothing but `_exit`, and we wait for that.
                let pid = unsafe {
                    let top = stack.as_mut_ptr().add(stack.len()).cast();
                    libc::clone(
                        end_at_once,
                        top,
                        libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
                        std::ptr::null_mut(),
                    )
                };
                assert!(pid > 0);
                // SAFETY: no pointer is handed over but null ones.
                unsafe { libc::wait4(pid, std::ptr::null_mut(), 0, std::ptr::null_mut()) };
                children += 1;
            }
            println!("children {children}");
        }
        // demote: samples, gives all privileges away, and goes on sampling
        "demote" => demote(),
        other => panic!("no such task: {other}"),
    }
}
