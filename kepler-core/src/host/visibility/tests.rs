use super::*;
use proptest::prelude::*;
use std::os::unix::fs::symlink;

struct Tree(tempfile::TempDir);

impl Tree {
    /// A procfs mounted with these options, seen by a process with these groups and capabilities.
    fn of(options: &str, groups: &str, capabilities: u64) -> Self {
        let tree = Tree(tempfile::tempdir().unwrap());
        let mountinfo = format!(
            "22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
             23 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc {options}\nbroken\n"
        );
        tree.write("self/mountinfo", &mountinfo);
        let status = format!(
            "Name:\tkepler\nUmask:\t0022\nState:\tR (running)\nTgid:\t7\nNgid:\t0\nPid:\t7\nPPid:\t1\nTracerPid:\t0\n\
             Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\nFDSize:\t64\nGroups:\t{groups} \n\
             NStgid:\t7\nNSpid:\t7\nNSpgid:\t7\nNSsid:\t7\nThreads:\t1\nSigQ:\t0/100\nSigPnd:\t0000000000000000\n\
             ShdPnd:\t0000000000000000\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n\
             SigCgt:\t0000000000000000\nCapInh:\t0000000000000000\nCapPrm:\t{capabilities:016x}\n\
             CapEff:\t{capabilities:016x}\nCapBnd:\t{capabilities:016x}\n"
        );
        tree.write("self/status", &status);
        std::fs::create_dir_all(tree.0.path().join("self/ns")).unwrap();
        symlink(FIRST_PID_NAMESPACE, tree.0.path().join("self/ns/pid")).unwrap();
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    fn host(&self) -> Host {
        Host::default().with_procfs(self.0.path())
    }

    fn sees(&self) -> ProcessVisibility {
        ProcessVisibility::of(&self.host())
    }
}

fn hidden(mode: HidePid, group: Option<u32>) -> ProcessVisibility {
    ProcessVisibility::Hidden(Hiding { mode, group })
}

const TRACE: u64 = 1 << SYS_PTRACE;

#[test]
fn every_form_of_hidepid_is_known_with_what_exempts_from_it() {
    let cases = [
        ("rw", "", 0, ProcessVisibility::All),
        ("rw,hidepid=0", "", 0, ProcessVisibility::All),
        ("rw,hidepid=off", "", 0, ProcessVisibility::All),
        ("rw,hidepid=1", "", 0, hidden(HidePid::NoAccess, Some(0))),
        ("rw,gid=987,hidepid=noaccess", "4 24", 0, hidden(HidePid::NoAccess, Some(987))),
        ("rw,gid=987,hidepid=2", "4 24", 0, hidden(HidePid::Invisible, Some(987))),
        ("rw,gid=987,hidepid=invisible", "4 987", 0, ProcessVisibility::All),
        ("rw,gid=1000,hidepid=invisible", "", 0, ProcessVisibility::All),
        ("rw,hidepid=invisible", "", TRACE, ProcessVisibility::All),
        ("rw,hidepid=ptraceable", "", 0, hidden(HidePid::Ptraceable, None)),
        // No group sees what may not be traced.
        ("rw,gid=987,hidepid=4", "987", 0, hidden(HidePid::Ptraceable, None)),
        ("rw,gid=987,hidepid=ptraceable", "987", TRACE, ProcessVisibility::All),
        ("rw,hidepid=invisible,subset=pid", "", 0, hidden(HidePid::Invisible, Some(0))),
    ];
    for (options, groups, capabilities, expected) in cases {
        assert_eq!(Tree::of(options, groups, capabilities).sees(), expected, "{options} {groups} {capabilities}");
    }
}

#[test]
fn the_remedy_is_what_would_uncover_them_here() {
    let remedy = |options: &str| Tree::of(options, "", 0).sees().remedy().to_string();
    let of_group = remedy("rw,gid=987,hidepid=invisible");
    assert!(of_group.contains("987") && of_group.contains("CAP_SYS_PTRACE"), "{of_group}");
    for options in ["rw,hidepid=2", "rw,gid=987,hidepid=ptraceable"] {
        assert_eq!(Tree::of(options, "", 0).sees().remedy(), Remedy::grant([Capability::SysPtrace]), "{options}");
    }
    assert_eq!(Tree::of("rw", "", 0).sees().remedy(), Remedy::None);
}

#[test]
fn a_capability_in_another_user_namespace_uncovers_nothing() {
    let tree = Tree::of("rw,hidepid=invisible", "", TRACE);
    tree.write("self/uid_map", "         0       1000          1\n");
    assert_eq!(tree.sees(), hidden(HidePid::Invisible, Some(0)));
    tree.write("self/uid_map", "         0          0 4294967295\n");
    assert_eq!(tree.sees(), ProcessVisibility::All);
}

#[test]
fn another_pid_namespace_is_said_before_what_is_hidden_in_it() {
    let tree = Tree::of("rw,hidepid=invisible", "", 0);
    let link = tree.0.path().join("self/ns/pid");
    std::fs::remove_file(&link).unwrap();
    symlink("pid:[4026532281]", &link).unwrap();
    assert_eq!(tree.sees(), ProcessVisibility::Namespace);
    // A procfs of the namespace around ours shows the kernel's threads.
    tree.write("2/comm", "kthreadd\n");
    assert_eq!(tree.sees(), hidden(HidePid::Invisible, Some(0)));
}

#[test]
fn options_are_those_of_the_mount_on_top_at_the_path_in_use() {
    let tree = Tree::of("rw", "", 0);
    let path = tree.0.path().canonicalize().unwrap();
    let table = format!(
        "23 27 0:21 / /proc rw - proc proc rw\n\
         90 27 0:50 / {0} rw - proc proc rw\n91 27 0:51 / {0} rw - proc proc rw,hidepid=invisible,subset=pid\n",
        path.display()
    );
    tree.write("self/mountinfo", &table);
    let mount = ProcfsMount::read(&tree.host()).unwrap();
    assert_eq!((mount.hide_pid, mount.group, mount.has_processes_only), (HidePid::Invisible, 0, true));
}

#[test]
fn this_machine_says_what_it_hides() {
    assert!(ProcfsMount::read(&Host::default()).is_some());
    let visibility = ProcessVisibility::of(&Host::default());
    let sees_init = std::fs::read(Path::new("/proc/1/stat")).is_ok();
    assert!(sees_init || visibility != ProcessVisibility::All, "{visibility:?}");
}

#[test]
fn a_host_that_shows_nothing_is_unknown() {
    assert_eq!(ProcessVisibility::of(&Host::default().with_procfs("/nonexistent")), ProcessVisibility::Unknown);
}

proptest! {
    #[test]
    fn no_mount_table_and_no_status_make_it_panic(table: Vec<u8>, status: Vec<u8>, line in "[a-z0-9:/ ,=-]{0,60}") {
        let tree = Tree::of("rw", "", 0);
        std::fs::write(tree.0.path().join("self/status"), status).unwrap();
        for text in [table, format!("23 27 0:21 / /proc rw - proc proc {line}\n{line}\n").into_bytes()] {
            std::fs::write(tree.0.path().join("self/mountinfo"), text).unwrap();
            let _ = tree.sees();
        }
    }
}
