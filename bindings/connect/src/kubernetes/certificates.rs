//! The certificates in a PEM file, and nothing else of it.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// The certificates of a PEM file that are whole. `kubelet-server-current.pem` has the key behind them, which is never kept; one that
/// is half written must not stand in the way of those of other files.
pub(super) fn of(pem: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut block: Option<Vec<u8>> = None;
    for line in pem.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii) {
        if line == BEGIN {
            block = Some(Vec::new());
        }
        if let Some(block) = &mut block {
            block.extend_from_slice(line);
            block.push(b'\n');
        }
        if line == END {
            kept.extend(block.take().filter(|block| CertificateDer::from_pem_slice(block).is_ok()).unwrap_or_default());
        }
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

    #[test]
    fn what_is_half_written_is_left_out() {
        let whole = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let (cut, _) = whole.split_at(32);
        for broken in
            [format!("{cut}\n{whole}"), format!("{whole}{cut}"), format!("{}{whole}", whole.replace("AA", "A!"))]
        {
            assert_eq!(String::from_utf8(of(broken.as_bytes())).unwrap(), whole, "{broken}");
        }
    }
}
