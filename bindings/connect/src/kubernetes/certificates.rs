//! The certificates in a PEM file, and nothing else of it.

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// The certificates of a PEM file. `kubelet-server-current.pem` has the key behind them, which is never kept.
pub(super) fn of(pem: &[u8]) -> Vec<u8> {
    let (mut kept, mut is_within) = (Vec::new(), false);
    for line in pem.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        is_within |= line == BEGIN;
        if is_within {
            kept.extend_from_slice(line);
            kept.push(b'\n');
        }
        is_within &= line != END;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn the_key_beside_a_certificate_is_left_out() {
        let first = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let second = "-----BEGIN CERTIFICATE-----\r\nBBBB\r\n-----END CERTIFICATE-----\r\n";
        let key = "-----BEGIN EC PRIVATE KEY-----\nKEY=\n-----END EC PRIVATE KEY-----\n";
        let text = format!("subject=CN = node-a\n{first}{key}{second}");
        let expected = format!("{first}{}", second.replace('\r', ""));
        assert_eq!(String::from_utf8(of(text.as_bytes())).unwrap(), expected);
        assert!(of(key.as_bytes()).is_empty());
    }
}
