//! Gives back the pages of the program's own code that it does not use any more.
//!
//! The start runs through most of the program once: settings, certificates, models, pages. Its code stays mapped for good, 20 MB
//! and more of 30, though the kernel has it in the page cache all the same and could map again what is really used. So it is unmapped
//! now and then; what runs next is mapped again without a disk being read.
#![allow(unsafe_code, reason = "unmapping pages of the code is no operation that a compiler can check")]

use kepler_core::host::file::{self, FileLimits};
use rustix::mm::{Advice, madvise};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// The start is over by then.
const FIRST: Duration = Duration::from_secs(30);

/// What runs once in a while comes and goes.
const EVERY: Duration = Duration::from_secs(600);

/// A program has some hundred mappings, of 100 bytes each.
const LONGEST: u64 = 4 << 20;

/// Gives code back now and then, for as long as it is polled.
pub(super) async fn give_back() {
    tokio::time::sleep(FIRST).await;
    loop {
        unmap_own_code();
        tokio::time::sleep(EVERY).await;
    }
}

fn unmap_own_code() {
    let here = unmap_own_code as *const () as usize;
    let maps = file::read_text(Path::new("/proc/self/maps"), FileLimits::bytes(LONGEST)).unwrap_or_default();
    let Some(code) = maps.lines().find_map(|line| code(line).filter(|code| code.contains(&here))) else { return };
    // SAFETY: the range is one mapping of a file that is private, may be executed and not be written: its pages are those of the
    // file, so that the next use finds in them what was there before (madvise(2)). What the loader has relocated is in
    // mappings of other permissions.
    if let Err(error) = unsafe { madvise(code.start as *mut _, code.len(), Advice::LinuxDontNeed) } {
        tracing::debug!("code that is not used stays in memory: {error}");
    }
}

/// The addresses of a line of `/proc/PID/maps` that is code of a file: `55d0c0e00000-55d0c2a00000 r-xp 00600000 fe:00 1234 /usr/bin/kepler`.
fn code(line: &str) -> Option<Range<usize>> {
    let mut columns = line.split_whitespace();
    let (addresses, permissions, file) = (columns.next()?, columns.next()?, columns.nth(3)?);
    let (start, end) = addresses.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    (permissions == "r-xp" && file.starts_with('/')).then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_what_may_be_executed_and_not_written() {
        let line = "55d0c0e00000-55d0c2a00000 r-xp 00600000 fe:00 1234    /usr/bin/kepler";
        assert_eq!(code(line), Some(0x55d0_c0e0_0000..0x55d0_c2a0_0000));
        for other in [
            "55d0c2a00000-55d0c2c00000 r--p 02200000 fe:00 1234    /usr/bin/kepler",
            "55d0c2a00000-55d0c2c00000 rwxp 02200000 fe:00 1234    /usr/bin/kepler",
            "55d0c2a00000-55d0c2c00000 r-xs 02200000 fe:00 1234    /usr/bin/kepler",
            "7ffd1c5fe000-7ffd1c600000 r-xp 00000000 00:00 0       [vdso]",
            "7ffd1c5fe000-7ffd1c600000 r-xp 00000000 00:00 0",
            "x-y r-xp 00600000 fe:00 1234 /usr/bin/kepler",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on_without_its_code_in_memory() {
        let resident = || {
            let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
            let here = unmap_own_code as *const () as usize;
            let own =
                maps.split_inclusive('\n').skip_while(|line| !code(line).is_some_and(|code| code.contains(&here)));
            let size = own.skip(1).find_map(|line| line.strip_prefix("Rss:")).unwrap();
            size.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap()
        };
        // The code of tests that run beside comes back meanwhile, a part of it.
        let before = resident();
        unmap_own_code();
        let after = resident();
        assert!(after < before, "{before} kB, then {after} kB");
    }
}
