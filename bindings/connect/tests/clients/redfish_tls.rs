//! Service processors behind TLS: certificates of their own making, and answers that end without a word.

use crate::redfish::{account, answer, bmc, with_power};
use crate::support::{Reply, Request, Server, self_signed, self_signed_of};
use kepler_connect::redfish::{Bmc, RedfishError, probe};
use kepler_core::units::Power;
use rcgen::{BasicConstraints, CertificateParams, IsCa, date_time_ymd};
use serde_json::json;
use std::path::Path;

/// What `openssl req -x509` makes where nothing else is said: a certificate of a server that says that it is an authority.
fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// A BMC of 250 W with a certificate, asked by who trusts those in `trusted`.
fn guarded(params: CertificateParams, trusted: impl FnOnce(String) -> String, folder: &Path) -> (Server, Bmc) {
    let (config, certificate) = self_signed_of(params);
    let file = folder.join("bmc-ca.pem");
    std::fs::write(&file, trusted(certificate)).unwrap();
    let tree = with_power(json!(250));
    let server = Server::start_tls(config, move |request| answer(&tree, request));
    let bmc = at(&server).with(|bmc| bmc.ca_file = Some(file));
    (server, bmc)
}

fn at(server: &Server) -> Bmc {
    bmc(server).with(|bmc| bmc.endpoint = format!("https://localhost:{}", server.address.port()))
}

fn watts(bmc: &Bmc) -> Power {
    probe(bmc).unwrap().0[0].reading.power
}

/// What is said of a certificate that is not trusted.
fn distrust(bmc: &Bmc) -> String {
    let error = probe(bmc).unwrap_err();
    assert!(matches!(error, RedfishError::Certificate { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn a_self_signed_certificate_is_refused_unless_any_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let plain = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let (_server, secure) = guarded(plain, |_| self_signed().1, folder.path());
    let said = distrust(&secure);
    assert!(said.contains("as `caFile`, or") && said.contains("`insecure: true`"), "{said}");
    assert_eq!(watts(&secure.with(|bmc| bmc.insecure = true)), Power::from_watts(250.0));
}

#[test]
fn a_certificate_that_says_it_is_an_authority_is_taken_where_it_is_itself_the_trusted_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, trusting) = guarded(authority("localhost"), |own| own, folder.path());
    assert_eq!(watts(&trusting), Power::from_watts(250.0));
    // Among others, as in the bundle of a fleet.
    let (_server, bundle) = guarded(authority("localhost"), |own| self_signed().1 + &own, folder.path());
    assert_eq!(watts(&bundle), Power::from_watts(250.0));
    // One of the same names that is not the same.
    let other = |_| self_signed_of(authority("localhost")).1;
    let (_server, mistaken) = guarded(authority("localhost"), other, folder.path());
    let said = distrust(&mistaken);
    assert!(said.contains("only if `caFile` holds this very certificate"), "{said}");
}

#[test]
fn the_name_and_the_dates_of_a_trusted_certificate_count_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, named) = guarded(authority("bmc-7.example.org"), |own| own, folder.path());
    let said = distrust(&named);
    assert!(said.contains("bmc-7.example.org") && said.contains("`subjectAltName`"), "{said}");
    for (from, to) in [(2019, 2020), (2090, 2091)] {
        let mut params = authority("localhost");
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        let (_server, dated) = guarded(params, |own| own, folder.path());
        let said = distrust(&dated);
        assert!(said.contains("set this machine's clock, or renew the certificate"), "{said}");
        assert!(!said.contains("(UNIX)"), "it is the same the next time: {said}");
    }
}

/// A BMC that tells neither how long its answers are nor, in TLS, that they have ended; of each it sends this part.
fn abrupt(part: fn(&str) -> &str) -> Server {
    let (config, _) = self_signed();
    let tree = with_power(json!(250));
    Server::start_tls(config, move |request: &Request| match (request.method.as_str(), answer(&tree, request)) {
        ("POST", _) => Reply::status(503),
        (_, Reply::Full(200, _, body)) => Reply::Abrupt(part(&String::from_utf8(body).unwrap()).to_owned()),
        (_, other) => other,
    })
}

#[test]
fn an_answer_that_only_the_end_of_its_connection_ends_is_taken_where_it_is_whole() {
    let whole = abrupt(|body| body);
    let insecure = at(&whole).with(|bmc| {
        bmc.insecure = true;
        bmc.account = account();
    });
    assert_eq!(watts(&insecure), Power::from_watts(250.0));
    let cut = abrupt(|body| &body[..body.len() - 1]);
    let error = probe(&at(&cut).with(|bmc| bmc.insecure = true)).unwrap_err();
    assert_eq!(error.fault(), "broken", "{error}");
    let said = error.to_string();
    assert!(said.contains("/redfish/v1/ is broken: its JSON breaks off after"), "{said}");
    assert!(said.contains("closed without `close_notify`"), "{said}");
    let nothing = abrupt(|_| "");
    assert_eq!(probe(&at(&nothing).with(|bmc| bmc.insecure = true)).unwrap_err().fault(), "broken");
}
