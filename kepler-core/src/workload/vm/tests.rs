use super::*;

fn process(exe: &str) -> ProcessInfo {
    let comm: String = exe.rsplit('/').next().unwrap().chars().take(15).collect();
    ProcessInfo { exe: exe.to_owned(), ..ProcessInfo::new(42, 8765, comm) }
}

fn cmdline(arguments: &[&str]) -> Vec<u8> {
    arguments.iter().flat_map(|argument| argument.bytes().chain([0])).collect()
}

/// (hypervisor, id, name) of the machine that this executable with these arguments is.
fn vm(exe: &str, arguments: &[&str]) -> Option<(&'static str, String, String)> {
    let program = exe.rsplit('/').next().unwrap();
    let arguments: Vec<&str> = [program].into_iter().chain(arguments.iter().copied()).collect();
    let vm = detect(&process(exe), &cmdline(&arguments), false)?;
    Some((vm.hypervisor, vm.id, vm.name))
}

const UUID: &str = "1b5c3b3e-7a3a-4f0e-9d51-8a0f6d9a1c11";

const SMBIOS: &str = "type=1,uuid=1b5c3b3e-7a3a-4f0e-9d51-8a0f6d9a1c11";

#[test]
fn machines_are_known_by_executable_with_id_and_name() {
    type Vm = (&'static str, &'static str, &'static str);
    let cases: &[(&str, &[&str], Vm)] = &[
        ("/usr/bin/qemu-system-x86_64", &["-name", "guest=web,debug-threads=on", "-uuid", UUID], ("kvm", UUID, "web")),
        ("/usr/bin/qemu-system-aarch64", &["-name", "web,process=x"], ("kvm", "web", "web")),
        ("/usr/libexec/qemu-kvm", &["-name", "debug-threads=on,guest=a,,b"], ("kvm", "a,b", "a,b")),
        // KubeVirt: in a virt-launcher container, named after namespace and machine.
        ("/usr/libexec/qemu-kvm", &["-name", "guest=shop_web,debug-threads=on"], ("kvm", "shop_web", "shop_web")),
        ("/usr/libexec/qemu-kvm", &["--name=web"], ("kvm", "web", "web")),
        ("/usr/bin/kvm", &["-id", "100", "-name", "web,debug-threads=on"], ("kvm", "web", "web")),
        // Proxmox VE 8: two machines may have one name.
        (
            "/usr/bin/qemu-system-x86_64",
            &["-id", "100", "-name", "web,debug-threads=on", "-smbios", "type=0,uuid=no", "-smbios", SMBIOS],
            ("kvm", UUID, "web"),
        ),
        ("/usr/bin/qemu-system-x86_64", &["-name", "n4,process=x"], ("kvm", "n4", "n4")),
        ("/usr/lib/xen/bin/qemu-system-i386", &["-xen-domid", "5", "-name", "web"], ("xen", "web", "web")),
        (
            "/usr/bin/cloud-hypervisor",
            &["--platform", "num_pci_segments=1,uuid=u1"],
            ("cloud-hypervisor", "u1", "cloud-hypervisor-u1"),
        ),
        ("/firecracker", &["--id", "551e7604", "--start-time-us", "1"], ("firecracker", "551e7604", "551e7604")),
        ("/usr/bin/crosvm", &["run", "--name", "web", "vmlinux"], ("crosvm", "web", "web")),
        ("/opt/VirtualBox/VBoxHeadless", &["--comment", "web", "--startvm", UUID], ("virtualbox", UUID, "web")),
        ("/opt/VirtualBox/VirtualBoxVM", &["-comment", "web", "-startvm", UUID], ("virtualbox", UUID, "web")),
        ("/usr/lib/vmware/bin/vmware-vmx", &["-x", "/vms/web/web 1.vmx"], ("vmware", "web 1", "web 1")),
    ];
    for (exe, arguments, (hypervisor, id, name)) in cases {
        assert_eq!(vm(exe, arguments), Some((*hypervisor, (*id).into(), (*name).into())), "{exe} {arguments:?}");
    }
}

#[test]
fn a_machine_without_a_name_gets_one_that_stays() {
    let cases: &[(&str, &[&str], &str, &str)] = &[
        ("/nix/store/x/bin/.qemu-system-x86_64-wrapped", &["-m", "1G"], "pid-42-8765", "kvm-"),
        ("/usr/bin/qemu-system-x86_64", &["-machine", "none.img"], "pid-42-8765", "kvm-"),
        // The name of the process, or of its threads' mode, is none of the guest.
        ("/usr/bin/qemu-system-x86_64", &["-name", "process=x"], "pid-42-8765", "kvm-"),
        ("/usr/bin/qemu-system-x86_64", &["-name", "debug-threads=on"], "pid-42-8765", "kvm-"),
        ("/usr/bin/qemu-system-x86_64", &["-uuid", UUID], UUID, "kvm-1b5c3b3e"),
        ("/usr/bin/cloud-hypervisor", &["--api-socket", "/run/a"], "pid-42-8765", "cloud-hypervisor-"),
    ];
    let mut names = Vec::new();
    for (exe, arguments, id, start) in cases {
        let (_, found, name) = vm(exe, arguments).unwrap();
        assert_eq!(found, *id);
        assert!(
            name.starts_with(start) && name.len() == start.trim_end_matches(UUID.get(..8).unwrap()).len() + 8,
            "{name}"
        );
        assert_eq!(vm(exe, arguments).unwrap().2, name, "the same when it is started again");
        names.push(name);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "others have other names");
    // Known values of the function (RFC 9923, test vectors).
    assert_eq!([fingerprint(b""), fingerprint(b"a")], [0x811c_9dc5, 0xe40c_292c]);
}

#[test]
fn a_command_line_that_mentions_a_monitor_is_no_machine() {
    let cases: &[(&str, &[&str])] = &[
        ("/usr/bin/grep", &["-r", "/usr/bin/qemu-system-x86_64"]),
        ("/usr/bin/vim", &["qemu-system-x86_64"]),
        ("/usr/bin/bash", &["-c", "qemu-system-x86_64 -name web"]),
        ("/usr/bin/python3", &["qemu-kvm", "-name", "web"]),
        ("/usr/bin/qemu-img", &["create", "disk.qcow2"]),
        ("/usr/bin/qemu-x86_64", &["/bin/ls"]),
        ("/usr/bin/virt-launcher", &["--qemu-timeout", "5m"]),
        ("/usr/libexec/virtiofsd", &["--fd=3"]),
        ("/opt/VirtualBox/VBoxSVC", &["--auto-shutdown"]),
    ];
    for (exe, arguments) in cases {
        assert_eq!(vm(exe, arguments), None, "{exe} {arguments:?}");
        assert!(!is_monitor(exe), "{exe}");
    }
}

#[test]
fn a_monitor_that_runs_no_guest_is_no_machine() {
    let cases: &[(&str, &[&str])] = &[
        ("/usr/bin/qemu-system-x86_64", &["--version"]),
        ("/usr/bin/qemu-system-x86_64", &["-S", "-nodefaults", "-machine", "none,accel=kvm:tcg", "-daemonize"]),
        ("/usr/bin/qemu-system-x86_64", &["-M", "none"]),
        ("/usr/bin/qemu-system-x86_64", &["-cpu", "help"]),
        ("/usr/bin/firecracker", &["--version"]),
        ("/usr/bin/crosvm", &["stop", "/run/socket"]),
        ("/opt/VirtualBox/VBoxHeadless", &["--help"]),
        ("/usr/lib/vmware/bin/vmware-vmx", &["--version"]),
    ];
    for (exe, arguments) in cases {
        assert_eq!(vm(exe, arguments), None, "{exe} {arguments:?}");
        assert!(is_monitor(exe), "{exe}");
    }
}

#[test]
fn kernel_threads_of_kvm_are_no_machines() {
    let thread = ProcessInfo { comm: "kvm-nx-lpage-recovery-42".into(), ..process("") };
    assert_eq!(detect(&thread, b"", true), None);
    let worker = ProcessInfo { comm: "kvm".into(), ..process("") };
    assert_eq!(detect(&worker, b"", false), None);
}

#[test]
fn an_unknown_monitor_is_a_machine_by_its_open_kvm() {
    let found = detect(&process("/opt/own-vmm"), b"own-vmm\0--name\0x\0", true).unwrap();
    assert_eq!((found.id.as_str(), found.hypervisor), ("pid-42-8765", "kvm"));
    assert_eq!(detect(&process("/opt/own-vmm"), b"own-vmm\0", false), None);
}

#[test]
fn a_hidden_executable_is_known_by_the_first_argument() {
    let line = cmdline(&["/usr/bin/qemu-system-x86_64", "-name", "web"]);
    assert_eq!(detect(&process(""), &line, false).unwrap().name, "web");
    assert_eq!(detect(&process(""), &cmdline(&["grep", "/usr/bin/qemu-system-x86_64"]), false), None);
}

#[test]
fn open_files_tell_of_kvm() {
    let root = tempfile::tempdir().unwrap();
    for (pid, target) in [(1, "/dev/kvm"), (2, "anon_inode:kvm-vcpu:0"), (3, "/dev/kvm2"), (4, "socket:[77]")] {
        let fd = root.path().join(format!("{pid}/fd"));
        std::fs::create_dir_all(&fd).unwrap();
        std::os::unix::fs::symlink("/dev/null", fd.join("0")).unwrap();
        std::os::unix::fs::symlink(target, fd.join("9")).unwrap();
    }
    let open: Vec<bool> = (1..=4).map(|pid| opens_kvm(root.path(), pid).unwrap()).collect();
    assert_eq!(open, [true, true, false, false]);
    assert!(has_exited(&opens_kvm(root.path(), 5).unwrap_err()));
    assert!(!opens_kvm(Path::new("/proc"), std::process::id()).unwrap());
}

proptest::proptest! {
    #[test]
    fn no_command_line_makes_detection_panic(line: Vec<u8>, name: String, open: bool) {
        let _ = detect(&process("/usr/bin/qemu-kvm"), &line, open);
        let _ = detect(&process(""), &cmdline(&["qemu-kvm", "-name", &name]), open);
    }
}
