use super::*;

fn read(text: &str) -> Result<WebConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    fs::write(&path, text).unwrap();
    WebConfig::from_file(&path).map_err(|error| error.to_string())
}

/// A certificate and its key as values of YAML.
fn inline() -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let text = |pem: String| serde_json_string(&pem);
    format!(
        "tls_server_config:\n  cert: {}\n  key: {}\n",
        text(made.cert.pem()),
        text(made.signing_key.serialize_pem())
    )
}

/// A text between double quotes, as YAML reads it too.
fn serde_json_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\n', "\\n"))
}

#[test]
fn an_error_names_the_file_and_the_key() {
    for (text, parts) in [
        ("basic_auth_user:\n  a: b\n", ["web.yml", "basic_auth_user"]),
        ("tls_server_config:\n  cert_file: a.crt\n", ["a.crt", "cannot read"]),
        ("tls_server_config:\n  key_file: a.key\n", ["web.yml", "cert_file"]),
        ("tls_server_config: {}\n", ["web.yml", "cert_file"]),
        ("tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n", ["a.crt", "cannot read"]),
        ("basic_auth_users:\n  ann: secret\n", ["ann", "bcrypt"]),
        (
            "basic_auth_users:\n  ann: $2y$18$KxS0Qm1l4kfJ0b6rXQ0w5uY3cX5l1Yz0m8k8m8k8m8k8m8k8m8k8m\n",
            ["ann", "cost of 18"],
        ),
        ("http_server_config:\n  http3: true\n", ["web.yml", "http3"]),
        ("http_server_config:\n  headers:\n    X-Powered-By: us\n", ["web.yml", "X-Powered-By"]),
        ("http_server_config:\n  headers:\n    X-Frame-Options: allow\n", ["web.yml", "deny or sameorigin"]),
        ("rate_limit:\n  interval: soon\n  burst: 1\n", ["web.yml", "interval"]),
        ("rate_limit:\n  interval: 1s\n", ["web.yml", "burst"]),
    ] {
        let error = read(text).unwrap_err();
        assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn an_error_in_the_text_names_its_line() {
    let error = read("basic_auth_users: {}\nunknown_key: 1\n").unwrap_err();
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn an_empty_file_protects_nothing_and_is_refused_and_one_that_says_so_is_not() {
    for text in ["", "\n\n", "# nothing yet\n", "---\n", "\u{feff}", "---\n# x\n...\n"] {
        let error = read(text).unwrap_err();
        assert!(error.contains("empty"), "{text:?}: {error}");
    }
    let config = read("{}").unwrap();
    assert!(config.acceptor().is_none() && config.0.current.load().users.is_none());
}

#[test]
fn every_key_of_the_format_is_taken() {
    for more in [
        "  min_version: TLS10\n",
        "  min_version: TLS13\n  max_version: TLS13\n",
        "  max_version: TLS12\n",
        "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, TLS_AES_128_GCM_SHA256]\n",
        "  prefer_server_cipher_suites: false\n",
        "  curve_preferences: [X25519, CurveP521, CurveP256, CurveP384]\n",
        "  client_auth_type: NoClientCert\n",
        "  client_auth_type: \"\"\n",
        "  client_auth_type: RequestClientCert\n",
        "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [a.example]\n",
        "  client_auth_type: RequireClientCert\n",
        "http_server_config:\n  http2: false\n  headers:\n    X-Content-Type-Options: nosniff\n    Content-Security-Policy: \"\"\n",
        "rate_limit:\n  interval: 0\n  burst: 0\n",
        "rate_limit:\n  interval: 1s\n  burst: 3\n",
        "basic_auth_users:\n",
    ] {
        let text = inline() + more;
        let config = read(&text).unwrap_or_else(|error| panic!("{more}: {error}"));
        assert!(config.acceptor().is_some(), "{more}");
    }
}

#[test]
fn what_would_not_protect_as_it_says_is_refused() {
    for (more, part) in [
        ("  min_version: TLS13\n  max_version: TLS12\n", "newer"),
        ("  max_version: TLS11\n", "broken"),
        ("  min_version: TLS14\n", "TLS10, TLS11, TLS12, TLS13"),
        ("  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n  max_version: TLS12\n", "none of them"),
        ("  cipher_suites: [TLS_RSA_WITH_NOTHING]\n", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        ("  curve_preferences: [CurveP521]\n", "none of them"),
        ("  curve_preferences: [X448]\n", "X25519"),
        ("  client_auth_type: RequireAndVerifyClientCert\n", "client_ca_file"),
        ("  client_auth_type: VerifyClientCertIfGiven\n", "client_ca_file"),
        ("  client_auth_type: Maybe\n", "RequireAndVerifyClientCert"),
        ("  client_ca_file: x.crt\n", "no effect"),
        ("  client_allowed_sans: [a.example]\n", "no effect"),
        ("  cert_file: x.crt\n", "not both"),
    ] {
        let error = read(&(inline() + more)).err().unwrap_or_else(|| panic!("{more} is taken"));
        assert!(error.contains(part), "{more}: {error}");
        assert!(!error.contains("BEGIN"), "{error}");
    }
}

#[test]
fn changed_files_are_read_again_and_faulty_ones_leave_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yml");
    let hash = bcrypt::hash("secret", 4).unwrap();
    fs::write(&path, format!("basic_auth_users:\n  ann: {hash}\n")).unwrap();
    let config = WebConfig::from_file(&path).unwrap();
    let protects = || config.0.current.load().users.is_some();
    assert!(protects());
    fs::write(&path, "basic_auth_users: [").unwrap();
    config.reload_if_changed();
    assert!(protects(), "a faulty file does not open the door");
    fs::write(&path, "").unwrap();
    config.reload_if_changed();
    assert!(protects() && config.reload().is_err(), "nor does an empty one");
    fs::remove_file(&path).unwrap();
    config.reload_if_changed();
    assert!(protects(), "nor does none");
    fs::write(&path, "{} # on purpose\n").unwrap();
    config.reload_if_changed();
    assert!(!protects());
}

#[test]
fn a_changed_certificate_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        fs::write(folder.path().join("a.crt"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("a.key"), made.signing_key.serialize_pem()).unwrap();
    };
    write("a.example");
    let path = folder.path().join("web.yml");
    fs::write(&path, "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n").unwrap();
    let config = WebConfig::from_file(&path).unwrap();
    let before = config.0.current.load_full();
    config.reload_if_changed();
    assert!(Arc::ptr_eq(&before, &config.0.current.load_full()), "nothing has changed");
    write("another-name.example");
    config.reload_if_changed();
    assert!(!Arc::ptr_eq(&before, &config.0.current.load_full()));
}

#[test]
fn names_and_end_of_a_certificate_are_known() {
    let mut params = rcgen::CertificateParams::new(["a.example".to_owned(), "192.0.2.7".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2031, 5, 6);
    let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    assert_eq!(client_cert::names(made.der()).unwrap(), ["a.example", "192.0.2.7"]);
    assert_eq!(client_cert::not_after(made.der()), Some(1_935_792_000));
}

#[test]
fn a_file_of_something_else_is_refused_without_a_word_of_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yaml");
    let secret = "S3cretS3cret";
    for text in [
        format!("root:$6${secret}$x:19000:0:99999:7:::\n"),
        format!("root:`{secret}`$x:19000:0:99999:7:::\n"),
        format!("{{\"password\": \"{secret}\"}}"),
        format!("users:\n- {{token: {secret}}}\n"),
        format!("tls_server_config: {secret}\n"),
        format!("tls_server_config: '\"{secret}\"'\n"),
        format!("basic_auth_users: [{secret}]\n"),
        format!("tls_server_config: {{ client_auth_type: {secret} }}\n"),
        format!("rate_limit: {{ interval: {secret}, burst: {secret} }}\n"),
        format!("http_server_config: {{ headers: {{ {secret}: x }} }}\n"),
        format!("basic_auth_users: {{ me: {secret} }}\n"),
        format!("tls_server_config: {{ cert: {secret}, key: {secret} }}\n"),
        format!("a: *{secret}\n"),
        format!("a: !{secret} b\n"),
        format!("a: [{secret}\nb\n"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let error = WebConfig::from_file(&path).unwrap_err().to_string();
        let known_key = text.contains("headers");
        assert!(known_key || !error.contains(secret), "{text}: {error}");
    }
    std::fs::write(&path, "basic_auth_user: { me: x }\n").unwrap();
    assert!(WebConfig::from_file(&path).unwrap_err().to_string().contains("`basic_auth_user`"));
}

/// `openssl x509 -req` without extensions makes such a certificate.
#[test]
fn a_certificate_of_version_1_is_known_by_its_key() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBEjCBuAIBAzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcN
MjYwMTAxMDAwMDAwWhgPMjEyNjAxMDEwMDAwMDBaMBQxEjAQBgNVBAMMCWxvY2Fs
aG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLVY5SIyfTYmfM+77212WJGy
iPy4ZZFSCxDaqbdvDTOkWTaCBSWrg1KsDTq8Z9aL3npA7khhCjfc5f7ly1K9UHkw
CgYIKoZIzj0EAwIDSQAwRgIhAKPc1OVvegz10bUw7F2OgV5Pl5TOfKv2VfkEprf2
NyKLAiEAgbtiHb0pQv0kohimCC/ARIMMpPO+CYGqtCheihpsmTU=
-----END CERTIFICATE-----
";
    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEtVjlIjJ9NiZ8z7vvbXZYkbKI/Lhl
kVILENqpt28NM6RZNoIFJauDUqwNOrxn1oveekDuSGEKN9zl/uXLUr1QeQ==
-----END PUBLIC KEY-----
";
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = SubjectPublicKeyInfoDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    assert_eq!(client_cert::has_key(&certificate, &key), Some(true));
    assert_eq!(client_cert::has_key(other.cert.der(), &key), Some(false));
    assert_eq!(client_cert::has_key(b"none", &key), None);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let [one, other] = [(); 2].map(|()| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
    let (cert, key) = (serde_json_string(&one.cert.pem()), serde_json_string(&other.signing_key.serialize_pem()));
    let error = read(&format!("tls_server_config:\n  cert: {cert}\n  key: {key}\n")).unwrap_err();
    assert!(error.contains("key of another certificate"), "{error}");
}
