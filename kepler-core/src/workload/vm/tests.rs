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

/// (name, manager, domain, project) of the machine that QEMU with these arguments is.
fn managed(arguments: &[&str]) -> [String; 4] {
    let line = cmdline(&[&["/usr/bin/kvm"], arguments].concat());
    let vm = detect(&process("/usr/bin/qemu-system-x86_64"), &line, false).unwrap();
    [vm.name, vm.manager.to_owned(), vm.domain, vm.project]
}

#[test]
fn managers_are_known_by_what_they_write_on_the_command_line() {
    // Proxmox VE 8 and 6; KubeVirt 0.50 and 1.5; OpenShift Virtualization 4.14; libvirt 9.
    let smbios = |system: &str| format!("type=1,{system},uuid={UUID},family=x");
    let (kubevirt, openshift) = (
        smbios("manufacturer=KubeVirt,product=None"),
        smbios("manufacturer=Red Hat,product=OpenShift Virtualization,version=4.14.0"),
    );
    let cases: &[(&[&str], [&str; 4])] = &[
        (
            &[
                "-id",
                "107",
                "-name",
                "107107,debug-threads=on",
                "-pidfile",
                "/var/run/qemu-server/107.pid",
                "-smbios",
                SMBIOS,
            ],
            ["107107", "proxmox", "107", ""],
        ),
        (&["-id", "400", "-name", "htpc", "-pidfile", "/var/run/qemu-server/400.pid"], ["htpc", "proxmox", "400", ""]),
        (
            &["-name", "guest=shop_web,debug-threads=on", "-smbios", &kubevirt],
            ["shop_web", "kubevirt", "shop_web", "shop"],
        ),
        (
            &["-name", "guest=shop_web", "-uuid", UUID, "-smbios", &openshift],
            ["shop_web", "kubevirt", "shop_web", "shop"],
        ),
        // A name with an underscore is not yet KubeVirt's, and not every machine with a number is Proxmox's.
        (&["-name", "guest=my_vm,debug-threads=on", "-uuid", UUID], ["my_vm", "", "my_vm", ""]),
        (&["-name", "guest=_x", "-smbios", &kubevirt], ["_x", "", "_x", ""]),
        (&["-name", "a", "-pidfile", "/run/qemu-server/x.pid"], ["a", "", "a", ""]),
        (&["-name", "a", "-pidfile", "/run/qemu-server/.pid"], ["a", "", "a", ""]),
    ];
    for (arguments, expected) in cases {
        assert_eq!(managed(arguments), *expected, "{arguments:?}");
    }
}

#[test]
fn a_monitor_without_an_identifier_is_called_by_its_socket() {
    let cases: &[(&str, &[&str], &str)] = &[
        ("/usr/bin/cloud-hypervisor", &["--api-socket", "/run/ch/web.sock"], "web"),
        ("/usr/bin/cloud-hypervisor", &["--api-socket=path=/run/vc/vm/5f3c/clh-api.sock,x=1"], "5f3c"),
        ("/usr/bin/firecracker", &["--api-sock", "/srv/vms/build-1/firecracker.socket"], "build-1"),
        ("/usr/bin/firecracker", &["--id", "anonymous-instance", "--api-sock", "/tmp/web.socket"], "web"),
    ];
    for (exe, arguments, name) in cases {
        let (_, id, found) = vm(exe, arguments).unwrap();
        assert_eq!(
            (found.as_str(), id.as_str()),
            (*name, "pid-42-8765"),
            "two may have sockets of one name: {arguments:?}"
        );
    }
    // One whose socket says nothing, is inherited, or is not on the command line.
    for argument in ["/tmp/firecracker.socket", "api.sock", "fd=7", "/"] {
        let (_, _, name) = vm("/usr/bin/cloud-hypervisor", &["--api-socket", argument]).unwrap();
        assert!(name.starts_with("cloud-hypervisor-"), "{name}");
    }
}

#[test]
fn identifiers_that_no_manager_gives_are_none() {
    let long = "x".repeat(LONGEST + 1);
    let (_, id, name) = vm("/usr/bin/qemu-kvm", &["-uuid", &long, "-name", &long]).unwrap();
    assert_eq!((id.as_str(), name.starts_with("kvm-"), name.len()), ("pid-42-8765", true, 12));
}

#[test]
fn a_machine_has_the_address_for_vsock_that_its_monitor_asked_the_kernel_for() {
    let qemu = "/usr/bin/qemu-system-x86_64";
    // As QEMU's own tests, libvirt (before and since it writes JSON), Cuttlefish and crosvm's documentation have them.
    let json =
        |driver: &str| format!(r#"{{"driver":"{driver}","id":"vsock0","guest-cid":7,"vhostfd":"28","bus":"pci.7"}}"#);
    let (kernel, user) = (json("vhost-vsock-pci"), json("vhost-user-vsock-pci"));
    let cases: &[(&str, &[&str], Option<u32>)] = &[
        (qemu, &["-device", "virtio-rng-pci", "-device", "vhost-vsock-pci,id=vsock0,guest-cid=3,vhostfd=25"], Some(3)),
        (qemu, &["--device", "vhost-vsock-pci-non-transitional,guest-cid=0x2a"], Some(42)),
        (qemu, &["-device", "driver=vhost-vsock-ccw,guest-cid=4294967294"], Some(4_294_967_294)),
        (qemu, &["-device", &kernel], Some(7)),
        // A device of another program's, whose numbers are its own.
        (qemu, &["-device", &user], None),
        (qemu, &["-device", "vhost-user-vsock-pci,chardev=c"], None),
        ("/usr/bin/cloud-hypervisor", &["--vsock", "cid=3,socket=/tmp/v.sock"], None),
        // The host itself, any, and nonsense.
        (qemu, &["-device", "vhost-vsock-pci,guest-cid=2"], None),
        (qemu, &["-device", "vhost-vsock-pci,guest-cid=4294967295"], None),
        (qemu, &["-device", "vhost-vsock-pci,guest-cid=-3"], None),
        (qemu, &["-device", "vhost-vsock-pci"], None),
        (qemu, &["-name", "guest-cid=3", "-device"], None),
        (qemu, &["-device", "{\"driver\":\"vhost-vsock-pci\""], None),
        ("/usr/bin/crosvm", &["run", "--vsock", "5", "vmlinux"], Some(5)),
        ("/usr/bin/crosvm", &["run", "--cid", "6", "vmlinux"], Some(6)),
        ("/usr/bin/crosvm", &["run", "--vsock=cid=7,device=/dev/vhost-vsock", "vmlinux"], Some(7)),
    ];
    for (exe, arguments, cid) in cases {
        let line = cmdline(&[&["vmm"], *arguments].concat());
        assert_eq!(detect(&process(exe), &line, false).unwrap().cid, *cid, "{arguments:?}");
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
        ("/usr/bin/cloud-hypervisor", &["--api-socket", "/run/ch.sock"], "pid-42-8765", "cloud-hypervisor-"),
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
