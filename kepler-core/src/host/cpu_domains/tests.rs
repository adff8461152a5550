use super::*;
use proptest::prelude::*;

/// A host with these processors' packages, and these files in its sysfs.
fn host(packages: &[u32], files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
    let root = tempfile::tempdir().unwrap();
    let (procfs, sysfs) = (root.path().join("proc"), root.path().join("sys"));
    fs::create_dir_all(&procfs).unwrap();
    let processors = packages.iter().enumerate();
    let cpuinfo: String =
        processors.map(|(number, package)| format!("processor\t: {number}\nphysical id\t: {package}\n\n")).collect();
    fs::write(procfs.join("cpuinfo"), cpuinfo).unwrap();
    for (path, text) in files {
        let path = sysfs.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let host = Host::default().with_procfs(procfs).with_sysfs(sysfs);
    (root, host)
}

type Shown<'a> = (u32, Option<&'a str>, u32, &'a [u32]);

fn show(domain: &CpuDomain) -> Shown<'_> {
    (domain.package, domain.core_type.as_deref(), domain.capacity, &domain.processors)
}

fn shown(domains: &CpuDomains) -> Vec<Shown<'_>> {
    domains.iter().map(show).collect()
}

#[test]
fn a_machine_of_one_socket_is_one_place_also_for_processors_that_come_later() {
    let (_root, host) = host(&[0, 0], &[]);
    let domains = CpuDomains::read(&host);
    assert_eq!(shown(&domains), [(0, None, 1024, &[0, 1][..])]);
    assert_eq!((domains.of(0), domains.of(7)), (Some(0), Some(0)));
    assert!(domains.are_alike());
}

#[test]
fn each_socket_is_a_place() {
    let (_root, host) = host(&[0, 1, 0, 1], &[]);
    let domains = CpuDomains::read(&host);
    assert_eq!(shown(&domains), [(0, None, 1024, &[0, 2][..]), (1, None, 1024, &[1, 3][..])]);
    assert_eq!([0, 1, 2, 3, 4].map(|cpu| domains.of(cpu)), [Some(0), Some(1), Some(0), Some(1), None]);
}

#[test]
fn an_intel_hybrid_has_a_place_for_each_kind_of_core() {
    let perf = |cpu: u32, value: &'static str| (format!("devices/system/cpu/cpu{cpu}/acpi_cppc/highest_perf"), value);
    let perfs: Vec<_> = (0..6).map(|cpu| perf(cpu, if cpu < 4 { "68\n" } else { "42\n" })).collect();
    let mut files = vec![("devices/cpu_core/cpus", "0-3\n"), ("devices/cpu_atom/cpus", "4-5\n")];
    files.extend(perfs.iter().map(|(path, text)| (path.as_str(), *text)));
    let (_root, host) = host(&[0; 6], &files);
    let domains = CpuDomains::read(&host);
    let expected = [(0, Some("core"), 1024, &[0, 1, 2, 3][..]), (0, Some("atom"), 632, &[4, 5][..])];
    assert_eq!(shown(&domains), expected);
    assert!(!domains.are_alike());
}

#[test]
fn a_hybrid_without_any_rating_counts_all_time_alike() {
    let (_root, host) = host(&[0; 2], &[("devices/cpu_core/cpus", "0\n"), ("devices/cpu_atom/cpus", "1\n")]);
    let domains = CpuDomains::read(&host);
    assert_eq!(domains.len(), 2);
    assert!(domains.are_alike());
}

#[test]
fn big_little_is_recognised_by_capacity() {
    let files = [("0", "446\n"), ("1", "446\n"), ("2", "1024\n")]
        .map(|(cpu, text)| (format!("devices/system/cpu/cpu{cpu}/cpu_capacity"), text));
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let (_root, host) = host(&[0; 3], &files);
    let expected = [(0, Some("capacity-1024"), 1024, &[2][..]), (0, Some("capacity-446"), 446, &[0, 1][..])];
    assert_eq!(shown(&CpuDomains::read(&host)), expected);
}

#[test]
fn types_that_the_kernel_names_are_taken_over() {
    let files = [("devices/system/cpu/types/big/cpulist", "0\n"), ("devices/system/cpu/types/small/cpulist", "1\n")];
    let (_root, host) = host(&[0; 2], &files);
    let domains = CpuDomains::read(&host);
    let mut names: Vec<_> = domains.iter().filter_map(|domain| domain.core_type.as_deref()).collect();
    names.sort_unstable();
    assert_eq!(names, ["big", "small"]);
}

#[test]
fn favoured_cores_of_an_ordinary_processor_are_no_core_type() {
    let files = [
        ("devices/system/cpu/cpu0/acpi_cppc/highest_perf", "231\n"),
        ("devices/system/cpu/cpu1/acpi_cppc/highest_perf", "166\n"),
        ("devices/system/cpu/cpu0/cpu_capacity", "1024\n"),
        ("devices/system/cpu/cpu1/cpu_capacity", "1024\n"),
    ];
    let (_root, host) = host(&[0; 2], &files);
    assert_eq!(shown(&CpuDomains::read(&host)), [(0, None, 1024, &[0, 1][..])]);
}

#[test]
fn a_host_that_shows_nothing_has_one_place() {
    let host = Host::default().with_procfs("/nonexistent").with_sysfs("/nonexistent");
    assert_eq!(CpuDomains::read(&host), CpuDomains::default());
    assert_eq!(CpuDomains::default().of(3), Some(0));
}

#[test]
fn this_machine_has_a_place_for_each_processor() {
    let domains = CpuDomains::read(&Host::default());
    for processor in Topology::read(&Host::default()).processors {
        let domain = domains.of(processor.number).and_then(|domain| domains.get(domain)).unwrap();
        assert_eq!(domain.package, processor.physical_id);
    }
}

proptest! {
    #[test]
    fn damaged_files_make_no_panic_and_every_processor_has_a_place(
        packages in prop::collection::vec(0u32..4, 1..8), text in "[0-9,a\\- \n]{0,12}", capacity in "[0-9a]{0,11}",
    ) {
        let files = [("devices/cpu_core/cpus", text.as_str()), ("devices/system/cpu/cpu0/cpu_capacity", capacity.as_str())];
        let (_root, host) = host(&packages, &files);
        let domains = CpuDomains::read(&host);
        for (processor, package) in (0u32..).zip(&packages) {
            let domain = domains.of(processor).and_then(|domain| domains.get(domain)).unwrap();
            prop_assert_eq!(domain.package, *package);
            prop_assert!((1..=1024).contains(&domain.capacity));
        }
    }
}
