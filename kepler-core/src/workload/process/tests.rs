use super::*;
use std::fs;

fn stat_line(comm: &[u8], flags: u64) -> Vec<u8> {
    let rest = format!(") S 1 42 42 0 -1 {flags} 100 0 0 0 17 5 3 4 20 0 1 0 8765 4096 10\n");
    [b"42 (", comm, rest.as_bytes()].concat()
}

fn plain_tree(comm: &[u8], flags: u64) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("42")).unwrap();
    fs::write(root.path().join("42/stat"), stat_line(comm, flags)).unwrap();
    root
}

#[test]
fn fields_are_counted_behind_the_last_parenthesis() {
    for comm in ["bash", "a b", "(sd-pam)", ") R 1 2 3", "a) (b", "", "x\ny"] {
        let line = stat_line(comm.as_bytes(), 0x400000);
        let stat = parse_stat(&line).unwrap();
        let expected =
            ProcStat { comm: comm.to_owned(), parent: 1, kernel_thread: false, cpu_ticks: 22, start_ticks: 8765 };
        assert_eq!(ProcStat::from(stat), expected);
    }
}

#[test]
fn a_name_that_is_not_utf8_is_replaced_not_refused() {
    assert_eq!(ProcStat::from(parse_stat(&stat_line(b"caf\xe9", 0)).unwrap()).comm, "caf\u{fffd}");
}

#[test]
fn a_kernel_thread_has_no_executable() {
    let root = plain_tree(b"kvm-nx-lpage-recovery-1", 0x0020_8040);
    // Would be read if it were asked for.
    std::os::unix::fs::symlink("/bin/true", root.path().join("42/exe")).unwrap();
    fs::write(root.path().join("42/cgroup"), "0::/\n").unwrap();
    let mut reader = ProcessReader::open(root.path()).unwrap();
    let identity = reader.identify(42).unwrap();
    assert!(identity.stat.kernel_thread && identity.exe.is_empty() && !identity.exe_hidden);
}

#[test]
fn an_executable_replaced_by_an_update_keeps_its_name() {
    let root = plain_tree(b"sshd", 0);
    std::os::unix::fs::symlink("/usr/sbin/sshd (deleted)", root.path().join("42/exe")).unwrap();
    assert_eq!(ProcessReader::open(root.path()).unwrap().identify(42).unwrap().exe, "/usr/sbin/sshd");
    let mut marked = ProcessReader::open(root.path()).unwrap().with_deleted_mark(true);
    assert_eq!(marked.identify(42).unwrap().exe, "/usr/sbin/sshd (deleted)");
}

#[test]
fn a_kernel_without_cgroups_is_not_taken_for_an_exited_process() {
    let root = plain_tree(b"init", 0);
    let mut reader = ProcessReader::open(root.path()).unwrap();
    assert_eq!(reader.identify(42).unwrap().cgroup, b"");
}

#[test]
fn files_longer_than_the_buffer_are_read_whole() {
    let root = plain_tree(b"x", 0);
    for length in [4095, 4096, 4097, 20_000] {
        let text: Vec<u8> = (0..length).map(|i| b'a' + (i % 26) as u8).collect();
        fs::write(root.path().join("42/cgroup"), &text).unwrap();
        let mut reader = ProcessReader::open(root.path()).unwrap();
        assert_eq!(reader.identify(42).unwrap().cgroup, text);
    }
}

#[test]
fn garbage_is_invalid_data_and_an_absent_process_has_exited() {
    let root = plain_tree(b"x", 0);
    fs::write(root.path().join("42/stat"), "42 (x) S 1\n").unwrap();
    assert_eq!(read_stat(root.path(), 42).unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(!has_exited(&read_stat(root.path(), 42).unwrap_err()));
    assert!(has_exited(&read_stat(root.path(), 43).unwrap_err()));
    assert!(!has_exited(&io::Error::from(Errno::ACCESS)));
    assert!(has_exited(&io::Error::from(Errno::SRCH)));
}

#[test]
fn this_process_knows_itself() {
    let pid = std::process::id();
    let mut reader = ProcessReader::open(Path::new("/proc")).unwrap();
    let own_exe = std::env::current_exe().unwrap();
    let identity = reader.identify(pid).unwrap();
    assert_eq!(Path::new(&identity.exe), own_exe);
    assert_eq!(identity.cgroup, fs::read("/proc/self/cgroup").unwrap());
    let stat = identity.stat;
    assert_eq!(stat.parent, std::os::unix::process::parent_id());
    assert_eq!(stat.start_ticks, read_stat(Path::new("/proc"), pid).unwrap().start_ticks);
    assert_eq!(reader.cmdline(pid).unwrap(), fs::read("/proc/self/cmdline").unwrap());
    assert_eq!(reader.environ(pid).unwrap(), fs::read("/proc/self/environ").unwrap());
}

#[test]
fn a_process_that_ends_between_two_looks_has_exited() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let mut reader = ProcessReader::open(Path::new("/proc")).unwrap();
    assert!(reader.identify(child.id()).is_ok());
    // Below a descriptor of the dead process's directory as well as by its number.
    let directory = open_directory(&reader.procfs, child.id().to_string().as_str()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has_exited(&read_file(&directory, "stat", &mut vec![0; 64]).unwrap_err()));
    assert!(has_exited(&reader.identify(child.id()).unwrap_err()));
}

#[test]
fn a_long_environment_is_read_whole() {
    let long = "x".repeat(30_000);
    let mut child = std::process::Command::new("sleep").arg("60").env_clear().env("LONG", &long).spawn().unwrap();
    let environ = ProcessReader::open(Path::new("/proc")).unwrap().environ(child.id()).unwrap().to_vec();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(environ, format!("LONG={long}\0").into_bytes());
}

#[test]
fn every_process_of_this_machine_is_identified_or_has_exited() {
    let mut reader = ProcessReader::open(Path::new("/proc")).unwrap();
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    for pid in numbers {
        match reader.identify(pid) {
            Ok(identity) => assert!(!identity.stat.kernel_thread || identity.exe.is_empty(), "{identity:?}"),
            Err(error) => assert!(has_exited(&error), "{pid}: {error}"),
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_stat_panic(text: Vec<u8>) {
        let _ = parse_stat(&text);
    }
}
