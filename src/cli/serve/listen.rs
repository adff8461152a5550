//! Listeners: every address is bound before anything else starts; an error names the process that holds it.

use super::super::config::ListenAddress;
use super::super::exit::Failure;
use kepler_core::host::Host;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// State `TCP_LISTEN` as `/proc/net/tcp` prints it (`include/net/tcp_states.h`).
const LISTEN: &str = "0A";

/// Binds all `addresses`.
///
/// # Errors
/// The first address that cannot be bound, with the reason and where known the process that is there.
pub(in super::super) fn bind_all(addresses: &[ListenAddress], host: &Host) -> Result<Vec<TcpListener>, Failure> {
    addresses.iter().map(|address| bind(address).map_err(|error| refused(address, &error, host))).collect()
}

/// Binds the first address of the name that this machine has. Only where it has no such address (no
/// IPv6, say) is the next one tried: one that is taken must not be passed over silently.
fn bind(address: &ListenAddress) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in address.resolve()? {
        match TcpListener::bind(candidate) {
            Ok(listener) => return Ok(listener),
            Err(error) if is_missing(&error) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn refused(address: &ListenAddress, error: &io::Error, host: &Host) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => match owner(host.procfs(), address.port()) {
            Some((pid, _)) if pid == std::process::id() => {
                "this program listens there already; is it given twice?".to_owned()
            }
            Some((pid, name)) => format!(
                "process {pid} ({name}) listens there; stop it, or choose another address with --web.listen-address"
            ),
            None => "another process listens there; choose another address with --web.listen-address".to_owned(),
        },
        io::ErrorKind::PermissionDenied => {
            format!("{error}; ports below 1024 need the capability CAP_NET_BIND_SERVICE")
        }
        _ => error.to_string(),
    };
    Failure::Address { address: address.to_string(), reason }
}

/// The process that listens at a port, by pid and name, as far as this process may see it.
fn owner(procfs: &Path, port: u16) -> Option<(u32, String)> {
    let inodes: Vec<String> = ["net/tcp", "net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(procfs.join(table)).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let processes = fs::read_dir(procfs).ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let descriptors = fs::read_dir(procfs.join(pid.to_string()).join("fd")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
    };
    let pid = pids.into_iter().find(holds)?;
    let name = fs::read(procfs.join(pid.to_string()).join("comm")).unwrap_or_default();
    Some((pid, String::from_utf8_lossy(&name).trim_end().to_owned()))
}

/// Inode numbers of the sockets that listen at `port`, from the text of `/proc/net/tcp` or `tcp6`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter_map(|row| {
        let (local, state, inode) = (row.get(1)?, row.get(3)?, row.get(9)?);
        (local.ends_with(&suffix) && *state == LISTEN).then(|| (*inode).to_owned())
    })
    .collect()
}

/// Where a browser or a scraper on this machine finds a listener's metrics.
pub(super) fn url(address: SocketAddr, path: &str) -> String {
    let (host, everywhere) = match address {
        address if address.ip().is_unspecified() => ("127.0.0.1".to_owned(), " (all interfaces)"),
        SocketAddr::V4(address) => (address.ip().to_string(), ""),
        SocketAddr::V6(address) => (format!("[{}]", address.ip()), ""),
    };
    format!("http://{host}:{}{path}{everywhere}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listening_socket_of_that_port_counts() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:6E7A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n\
            1: 0100007F:6E7A 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n\
            2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1\n";
        assert_eq!(listening_inodes(table, 28282), ["4711"]);
        assert_eq!(listening_inodes(table, 80), Vec::<String>::new());
        assert_eq!(listening_inodes("", 80), Vec::<String>::new());
    }

    #[test]
    fn the_owner_of_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (pid, name) = owner(Path::new("/proc"), listener.local_addr().unwrap().port()).unwrap();
        assert_eq!(pid, std::process::id());
        assert!(!name.is_empty());
    }

    #[test]
    fn a_url_is_one_that_works_on_this_machine() {
        let url = |text: &str| super::url(text.parse().unwrap(), "/metrics");
        assert_eq!(url("127.0.0.1:28282"), "http://127.0.0.1:28282/metrics");
        assert_eq!(url("[::]:28282"), "http://127.0.0.1:28282/metrics (all interfaces)");
        assert_eq!(url("[::1]:80"), "http://[::1]:80/metrics");
    }
}
