//! What is wrong with a file that is no library for this processor.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Processors by their numbers in the header (`e_machine`), and as Rust calls them.
const MACHINES: [(u16, &str); 8] = [
    (3, "x86"),
    (21, "powerpc64"),
    (22, "s390x"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
    (258, "loongarch64"),
];

/// Why a file is no library for this processor. `None` where that is not what is wrong, or it cannot be read.
pub(super) fn fault(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut header = [0u8; 20];
    if File::open(path).ok()?.read_exact(&mut header).is_err() || !header.starts_with(b"\x7fELF") {
        return Some("it is no library".to_owned());
    }
    let [.., first, second] = header;
    // The sixth byte says in which order numbers are written.
    let big_endian = header.get(5) == Some(&2);
    let number = if big_endian { u16::from_be_bytes([first, second]) } else { u16::from_le_bytes([first, second]) };
    let name = MACHINES.iter().find(|(machine, _)| *machine == number).map(|(_, name)| *name);
    let own = std::env::consts::ARCH;
    if name == Some(own) || !MACHINES.iter().any(|(_, known)| *known == own) {
        return None;
    }
    let other = name.map_or_else(|| format!("processor {number}"), str::to_owned);
    Some(format!("it is a library for {other}, and this machine is {own}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_library_for_this_processor_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, content: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            fault(&path)
        };
        assert_eq!(said("text", b"not a library at all"), Some("it is no library".into()));
        assert_eq!(said("short", b"\x7fELF\x02\x01"), Some("it is no library".into()));
        let mut own = std::fs::read("/proc/self/exe").unwrap();
        own.truncate(64);
        assert_eq!(said("own", &own), None);
        own[18..20].copy_from_slice(&22u16.to_be_bytes());
        own[5] = 2;
        assert!(said("other", &own).unwrap().starts_with("it is a library for s390x"));
        assert_eq!(fault(folder.path()), None);
        assert_eq!(fault(Path::new("/none")), None);
    }
}
