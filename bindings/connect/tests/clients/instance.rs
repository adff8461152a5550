//! The metadata services of clouds, as stand-ins: what they require is required.

use crate::support::{Reply, Request, Server};
use kepler_connect::instance::{InstanceError, instance_type};
use kepler_core::meter::estimate::Cloud;
use std::time::{Duration, Instant};

/// Version 2 of AWS's service, Google's and Azure's, as their documentation has them (2024).
fn service(asked: &Request) -> Reply {
    let has = |name: &str, value: &str| asked.header(name) == Some(value);
    match (asked.method.as_str(), asked.target.as_str()) {
        ("PUT", "/latest/api/token") if asked.header("x-aws-ec2-metadata-token-ttl-seconds").is_some() => {
            Reply::ok("AQAE==")
        }
        ("GET", "/latest/meta-data/instance-type") if has("x-aws-ec2-metadata-token", "AQAE==") => {
            Reply::ok("m5.xlarge")
        }
        ("GET", "/latest/meta-data/instance-type") => Reply::status(401),
        ("GET", "/computeMetadata/v1/instance/machine-type") if has("metadata-flavor", "Google") => {
            let headers =
                vec![("Metadata-Flavor", "Google".to_owned()), ("Server", "Metadata Server for VM".to_owned())];
            Reply::Full(200, headers, b"projects/123456789/machineTypes/e2-medium".to_vec())
        }
        ("GET", "/computeMetadata/v1/instance/machine-type") => Reply::status(403),
        ("GET", "/metadata/instance/compute/vmSize?api-version=2021-02-01&format=text") if has("metadata", "true") => {
            Reply::ok("Standard_D4s_v3")
        }
        _ => Reply::status(404),
    }
}

const LONG: Duration = Duration::from_secs(30);

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

#[test]
fn each_cloud_is_asked_as_it_requires_and_for_the_type_alone() {
    let server = Server::start(service);
    let name = |cloud| instance_type(cloud, &url(&server), LONG).unwrap().name;
    assert_eq!(name(Cloud::Aws), "m5.xlarge");
    assert_eq!(name(Cloud::Gcp), "e2-medium");
    assert_eq!(name(Cloud::Azure), "Standard_D4s_v3");
}

#[test]
fn another_service_at_that_address_is_not_believed() {
    for body in ["<html>login</html>", "", &"x".repeat(5000)] {
        let body = body.to_owned();
        let server = Server::start(move |_| Reply::ok(body.clone()));
        for cloud in [Cloud::Aws, Cloud::Gcp, Cloud::Azure] {
            let error = instance_type(cloud, &url(&server), LONG).unwrap_err();
            assert!(!error.to_string().contains("login"), "{error}");
        }
    }
    // A name without Google's mark.
    let server = Server::start(|_| Reply::ok("e2-medium"));
    assert!(matches!(instance_type(Cloud::Gcp, &url(&server), LONG), Err(InstanceError::Foreign { .. })));
    // A redirect is not followed.
    let away = Server::start(|_| Reply::Full(302, vec![("Location", "http://127.0.0.1:9/".to_owned())], Vec::new()));
    assert!(matches!(instance_type(Cloud::Azure, &url(&away), LONG), Err(InstanceError::Http(_))));
    let refused = Server::start(|_| Reply::status(403));
    assert!(instance_type(Cloud::Aws, &url(&refused), LONG).unwrap_err().to_string().contains("403"));
}

#[test]
fn a_service_that_hangs_is_waited_for_no_longer_than_allowed() {
    let patience = Duration::from_millis(300);
    let hang = Duration::from_secs(60);
    for reply in [Reply::Silent(hang), Reply::Slow("m5.xlarge".to_owned(), Duration::from_secs(5))] {
        let server = Server::start(move |_| reply.clone());
        let begun = Instant::now();
        assert!(instance_type(Cloud::Aws, &url(&server), patience).is_err());
        assert!(begun.elapsed() < hang / 2);
    }
    assert!(instance_type(Cloud::Aws, "http://127.0.0.1:9", patience).is_err());
    assert!(instance_type(Cloud::Aws, "no address", patience).is_err());
}
