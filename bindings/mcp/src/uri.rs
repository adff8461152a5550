//! The resources' URIs and their escaping.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::fmt;

/// What a resource is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// `compliance-standards://{jurisdiction}/{code}`
    Standard { jurisdiction: String, code: String },
    /// `carbon-intensity://{region}`
    Intensity { region: String },
    /// `workload-metrics://{namespace}/{workload}`
    Workload { namespace: String, workload: String },
}

pub(crate) const STANDARD: &str = "compliance-standards://{jurisdiction}/{code}";
pub(crate) const INTENSITY: &str = "carbon-intensity://{region}";
pub(crate) const WORKLOAD: &str = "workload-metrics://{namespace}/{workload}";

/// What may stand unescaped in a part: RFC 3986's unreserved characters and, as nothing here has a
/// user or a port, `@` and `:` (systemd units have the one, processes the other).
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

impl Subject {
    /// Reads a URI; none where it is not one of ours.
    pub(crate) fn parse(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        match scheme {
            "compliance-standards" => {
                let (jurisdiction, code) = two(rest)?;
                Some(Subject::Standard { jurisdiction, code })
            }
            "carbon-intensity" => Some(Subject::Intensity { region: part(rest)? }),
            "workload-metrics" => {
                let (namespace, workload) = two(rest)?;
                Some(Subject::Workload { namespace, workload })
            }
            _ => None,
        }
    }
}

fn two(rest: &str) -> Option<(String, String)> {
    let (first, second) = rest.split_once('/')?;
    Some((part(first)?, part(second)?))
}

fn part(text: &str) -> Option<String> {
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    (!decoded.is_empty() && !text.contains('/')).then(|| decoded.into_owned())
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |text| utf8_percent_encode(text, ESCAPED);
        match self {
            Subject::Standard { jurisdiction, code } => {
                write!(f, "compliance-standards://{}/{}", escaped(jurisdiction), escaped(code))
            }
            Subject::Intensity { region } => write!(f, "carbon-intensity://{}", escaped(region)),
            Subject::Workload { namespace, workload } => {
                write!(f, "workload-metrics://{}/{}", escaped(namespace), escaped(workload))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_workload_is_called_its_uri_reads_back() {
        for workload in ["cart-7d4b", "getty@tty1.service", "a/b c?#%", "데이터", "kworker/0:1"] {
            let subject = Subject::Workload { namespace: "default".into(), workload: workload.into() };
            let uri = subject.to_string();
            assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
            assert_eq!(Subject::parse(&uri), Some(subject), "{uri}");
        }
    }

    #[test]
    fn a_uri_of_another_shape_is_none_of_ours() {
        for uri in [
            "",
            "carbon-intensity://",
            "compliance-standards://korea",
            "file:///etc/passwd",
            "workload-metrics://a/b/c",
        ] {
            assert_eq!(Subject::parse(uri), None, "{uri}");
        }
    }
}
