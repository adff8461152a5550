//! Systemd units on a cgroup path.

use super::UnitInfo;
use super::cgroup::path::Path;

/// A unit, and how well it tells where a process belongs.
pub(super) struct Found {
    pub(super) unit: UnitInfo,
    /// Services and scopes before slices, then the deeper before the shallower.
    pub(super) precision: (bool, usize),
}

/// The deepest service or scope on `path`; without one, the deepest slice.
///
/// Directories below it are the unit's own affair and do not appear in its name or path.
pub(super) fn deepest(path: &Path<'_>) -> Option<Found> {
    let units = path.directories().enumerate().filter_map(|(depth, (name, path))| {
        let (_, kind) = name.rsplit_once('.')?;
        let holds_processes = matches!(kind, "service" | "scope");
        (holds_processes || kind == "slice").then_some(((holds_processes, depth), name, path))
    });
    let (precision, name, path) = units.max_by_key(|(precision, ..)| *precision)?;
    Some(Found { unit: UnitInfo { name: unescape(name), cgroup: path.to_owned() }, precision })
}

/// Undoes systemd's `\xHH` (systemd-escape(1)); what is no such sequence, or does not become UTF-8
/// without control characters, stays as it is.
pub(super) fn unescape(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if let [b'\\', b'x', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
        {
            bytes.push(high << 4 | low);
            rest = tail;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains(char::is_control) => text,
        _ => name.to_owned(),
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escaped_dashes_become_dashes() {
        assert_eq!(unescape(r"machine-qemu\x2d1\x2dweb.scope"), "machine-qemu-1-web.scope");
    }

    #[test]
    fn what_is_no_escape_stays() {
        for name in [r"a\x2", r"a\xzz", r"a\", r"a\n.service", r"\xff\xfe.service", r"evil\x0a.service"] {
            assert_eq!(unescape(name), name);
        }
    }
}
