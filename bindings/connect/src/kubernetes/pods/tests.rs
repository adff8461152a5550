use super::*;

fn read(text: &str) -> Result<Vec<PodEntry>, serde_json::Error> {
    read_list(text.as_bytes(), &LabelFilter::new(["app".to_owned(), "team.example/*".to_owned()])).map(|list| list.pods)
}

fn one(pod: &str) -> PodEntry {
    let mut pods = read(&format!(r#"{{"kind":"PodList","items":[{pod}]}}"#)).unwrap();
    assert_eq!(pods.len(), 1);
    pods.remove(0)
}

#[test]
fn every_kind_of_container_and_every_identifier_it_has_had_is_found() {
    let pod = one(r#"{"metadata": {"name": "p", "namespace": "n", "uid": "u"},
            "spec": {"initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}],
                     "containers": [{"name": "web", "env": [{"name": "PASSWORD", "value": "hunter2"}]}],
                     "ephemeralContainers": [{"name": "debug"}]},
            "status": {
              "initContainerStatuses": [
                {"name": "setup", "containerID": "cri-o://aa", "state": {"terminated": {"containerID": "cri-o://aa"}}},
                {"name": "proxy", "containerID": "docker://bb"}],
              "containerStatuses": [
                {"name": "web", "containerID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                 "lastState": {"terminated": {"exitCode": 3, "containerID": "weird-scheme+1://cc"}}}],
              "ephemeralContainerStatuses": [{"name": "debug", "containerID": "dd"}, {"name": "unspecified", "containerID": "x://ee"}]}}"#);
    let found: Vec<_> = pod.containers.iter().map(|c| (c.name.as_str(), c.kind.name(), c.ids.join(","))).collect();
    let expected = [
        ("setup", "init", "aa"),
        ("proxy", "sidecar", "bb"),
        ("web", "regular", "cc"),
        ("debug", "ephemeral", "dd"),
        ("unspecified", "ephemeral", "ee"),
    ];
    assert_eq!(found, expected.map(|(name, kind, id)| (name, kind, id.to_owned())));
    assert!(pod.lists_containers);
    assert!(!format!("{pod:?}").contains("hunter2"), "environments are not kept");
}

#[test]
fn a_static_pod_is_found_by_its_hash_and_by_its_mirrors_uid() {
    let annotations =
        r#""annotations": {"kubernetes.io/config.hash": "hash", "kubernetes.io/config.mirror": "hash", "x": "y"}"#;
    let mirror = one(&format!(
        r#"{{"metadata": {{"name": "etcd-node-a", "uid": "mirror", {annotations},
            "ownerReferences": [{{"kind": "Node", "name": "node-a", "controller": true}}]}}, "status": {{"phase": "Pending"}}}}"#
    ));
    assert_eq!((mirror.uid.as_str(), mirror.other_uids.as_slice()), ("mirror", &["hash".to_owned()][..]));
    assert_eq!((mirror.owner, mirror.lists_containers), (None, false));
    let own = one(&format!(r#"{{"metadata": {{"uid": "hash", {annotations}}}}}"#));
    assert!(own.other_uids.is_empty());
}

#[test]
fn only_the_labels_that_were_asked_for_are_kept() {
    let pod =
        one(r#"{"metadata": {"labels": {"app": "web", "secret": "x", "team.example/name": "a", "application": "b"}}}"#);
    let labels: Vec<_> = pod.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["app=web", "team.example/name=a"]);
}

#[test]
fn what_is_null_or_missing_is_not_known() {
    assert_eq!(read(r#"{"kind": "PodList", "items": null}"#).unwrap().len(), 0);
    assert_eq!(one("{}"), one(r#"{"metadata": null, "spec": null, "status": null}"#));
    let pod = one(
        r#"{"metadata": {"labels": null, "annotations": null}, "spec": {"containers": null}, "status": {"containerStatuses": null}}"#,
    );
    assert_eq!((pod.containers.len(), pod.lists_containers), (0, false));
}

#[test]
fn what_is_no_list_or_not_whole_is_refused() {
    let status =
        r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","code":401}"#;
    for text in ["", "[]", "{}", "null", status, r#"{"kind": "PodList", "items": [{}"#, r#"{"items": []} x"#, "<html>"]
    {
        assert!(read(text).is_err(), "{text}");
    }
    let whole =
        r#"{"kind": "PodList", "metadata": {"resourceVersion": "485"}, "items": [{"metadata": {"name": "a"}}]}"#;
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_long_list_knows_where_it_stands_and_goes_on() {
    let text = r#"{"metadata": {"resourceVersion": "485", "continue": "abc", "remainingItemCount": 7}, "items": []}"#;
    let list = read_list(text.as_bytes(), &LabelFilter::default()).unwrap();
    assert_eq!((list.resource_version.as_str(), list.next.as_str()), ("485", "abc"));
}
