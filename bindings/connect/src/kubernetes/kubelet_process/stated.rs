//! What a kubelet's arguments and its configuration say of its certificate and its port.

use std::path::{Component, Path, PathBuf};

/// What is stated.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stated {
    /// Where the certificate may be, below the kubelet's root, the most certain first.
    pub(super) certificates: Vec<PathBuf>,
    pub(super) port: Option<u16>,
}

/// Reads a command line, and the configuration that it names by `read` and `list`.
///
/// Arguments go before the configuration, and the later files of a folder of it (`--config-dir`, as RKE2 has it) before the earlier.
pub(super) fn stated(
    command_line: &str,
    read: impl Fn(&Path) -> Option<Vec<u8>>,
    list: impl Fn(&Path) -> Vec<String>,
) -> Stated {
    let arguments: Vec<&str> = command_line.split('\0').collect();
    let value = |flag: &str| {
        arguments.iter().enumerate().find_map(|(position, argument)| {
            let argument = argument.strip_prefix("--")?.strip_prefix(flag)?;
            match argument.strip_prefix('=') {
                Some(value) => Some(value),
                None if argument.is_empty() => arguments.get(position + 1).copied(),
                None => None,
            }
        })
    };
    let folder = |flag: &str| value(flag).and_then(|value| absolute(Path::new("/"), value));
    let mut configurations: Vec<PathBuf> = folder("config").into_iter().collect();
    if let Some(folder) = folder("config-dir") {
        let mut names: Vec<String> = list(&folder).into_iter().filter(|name| name.ends_with(".conf")).collect();
        names.sort_unstable();
        configurations.extend(names.into_iter().map(|name| folder.join(name)));
    }
    let (mut configured, mut port) = (None, None);
    for path in configurations {
        let text = read(&path).and_then(|text| String::from_utf8(text).ok()).unwrap_or_default();
        let beside = path.parent().unwrap_or(Path::new("/"));
        let certificate = scalar(&text, "tlsCertFile").and_then(|value| absolute(beside, &value));
        configured = certificate.or(configured);
        port = scalar(&text, "port").and_then(|value| value.parse().ok()).or(port);
    }
    let mut certificates: Vec<PathBuf> = folder("tls-cert-file").or(configured).into_iter().collect();
    let kept = folder("cert-dir").into_iter().chain(folder("root-dir").map(|folder| folder.join("pki")));
    for folder in kept {
        certificates.extend(["kubelet.crt", "kubelet-server-current.pem"].map(|name| folder.join(name)));
    }
    let port = value("port").and_then(|value| value.parse().ok()).or(port).filter(|&port| port != 0);
    Stated { certificates, port }
}

/// A path as it is, or below `folder`. One that climbs would be another's file.
fn absolute(folder: &Path, value: &str) -> Option<PathBuf> {
    let path = folder.join(value);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    (!value.is_empty() && !climbs).then_some(path)
}

/// The value of a key at the top of a `KubeletConfiguration`, in JSON or YAML. In YAML it is one that stands behind its key on one
/// line, in quotes or without.
fn scalar(text: &str, key: &str) -> Option<String> {
    if text.trim_start().starts_with('{') {
        return match serde_json::from_str::<serde_json::Value>(text).ok()?.get(key)? {
            serde_json::Value::String(value) => Some(value.clone()),
            serde_json::Value::Number(value) => Some(value.to_string()),
            _ => None,
        };
    }
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(':'))?.trim();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value.get(1..)?.split(quote).next()?,
        _ => value.split_whitespace().next()?,
    };
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command_line: &[&str], files: &[(&str, &str)]) -> Stated {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(file.1.as_bytes().to_vec())
        };
        let list = |path: &Path| {
            let below = |(name, _): &(&str, &str)| Some(Path::new(name).strip_prefix(path).ok()?.to_str()?.to_owned());
            files.iter().filter_map(below).collect()
        };
        stated(&command_line.join("\0"), read, list)
    }

    fn certificates(command_line: &[&str], files: &[(&str, &str)]) -> Vec<String> {
        of(command_line, files).certificates.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_configuration_of_a_kubelet_says_where_its_certificate_is() {
        // AKS: /etc/default/kubeletconfig.json; rke2: kubelet.conf.d/00-rke2-defaults.conf.
        let json = r#"{"kind": "KubeletConfiguration", "x": {"port": 1}, "tlsCertFile": "/etc/kubernetes/certs/kubeletserver.crt","port":10255}"#;
        let found = of(
            &["kubelet", "--config", "/etc/default/kubeletconfig.json"],
            &[("/etc/default/kubeletconfig.json", json)],
        );
        let aks = Path::new("/etc/kubernetes/certs/kubeletserver.crt").to_owned();
        assert_eq!((found.certificates, found.port), (vec![aks], Some(10255)));
        let files = [
            (
                "/c/kubelet.conf.d/00-rke2-defaults.conf",
                "kind: KubeletConfiguration\ntlsCertFile: /a/serving-kubelet.crt\nport: 1\n",
            ),
            (
                "/c/kubelet.conf.d/99-own.conf",
                "nested:\n  tlsCertFile: /no\ntlsCertFile: 'own.crt' # ours\nport: 10260\n",
            ),
            ("/c/kubelet.conf.d/zz.bak", "tlsCertFile: /old.crt\n"),
        ];
        let found = of(&["kubelet", "--config-dir=/c/kubelet.conf.d"], &files);
        assert_eq!((found.certificates, found.port), (vec!["/c/kubelet.conf.d/own.crt".into()], Some(10260)));
        let stated = ["kubelet", "--config-dir=/c/kubelet.conf.d", "--tls-cert-file=/own.crt", "--port", "10270"];
        let found = of(&stated, &files);
        assert_eq!((found.certificates, found.port), (vec!["/own.crt".into()], Some(10270)));
    }

    #[test]
    fn folders_have_the_certificate_that_a_kubelet_signs_and_the_one_that_it_is_given() {
        assert_eq!(
            certificates(&["kubelet", "--root-dir=/data/kubelet"], &[]),
            ["/data/kubelet/pki/kubelet.crt", "/data/kubelet/pki/kubelet-server-current.pem"]
        );
        for odd in ["--cert-dir=/../../9/root/etc", "--cert-dir=", "--cert-dirs=/x", "--port=none"] {
            assert_eq!(of(&["kubelet", odd], &[]), Stated::default(), "{odd}");
        }
        let climbs = [("/c.yaml", "tlsCertFile: ../../9/root/x.crt\nport: 0\n")];
        assert_eq!(of(&["kubelet", "--config=/c.yaml"], &climbs), Stated::default());
    }
}
