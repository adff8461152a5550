//! Where pods' names come from.

use super::super::raw_setting::{Problem, RawSetting};
use super::super::{Annotated, Config, PodInformer};
use super::{Outcome, file};
use std::time::Duration;

pub(in super::super) fn enabled(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.kube.enabled = raw.switch()?;
    Ok(())
}

pub(in super::super) fn kubeconfig(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.kube.config = file(raw)?;
    Ok(())
}

pub(in super::super) fn mode(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.kube.mode = raw.text()?.choice(&[
        ("kubelet", PodInformer::Kubelet),
        ("apiserver", PodInformer::ApiServer),
        ("files", PodInformer::Files),
    ])?;
    Ok(())
}

pub(in super::super) fn poll_interval(config: &mut Config, raw: &RawSetting) -> Outcome {
    let interval = raw.duration()?;
    if interval < Duration::from_secs(1) {
        return Err(raw.text()?.problem("a list of pods at most once a second; give at least `1s`"));
    }
    config.kube.poll_interval = interval;
    Ok(())
}

pub(in super::super) fn kubelet_address(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.kube.kubelet_address = Some(raw.text()?.text.clone()).filter(|address| !address.is_empty());
    Ok(())
}

pub(in super::super) fn kubelet_certificate(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.kube.kubelet_certificate = file(raw)?;
    Ok(())
}

pub(in super::super) fn kubelet_insecure(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.kube.kubelet_insecure = raw.switch()?;
    Ok(())
}

/// The help of `--kube.annotations`.
pub(in super::super) const WHOSE: &str = "Whose annotations kepler.energy/… choose how energy is judged and shown: none, pods, \
    cluster (namespaces too, and the region of nodes by their labels: asks the API server) [default: pods]";

pub(in super::super) fn annotations(config: &mut Config, raw: &RawSetting) -> Outcome {
    config.kube.annotations = raw.text()?.choice(&[
        ("none", Annotated::Nothing),
        ("pods", Annotated::Pods),
        ("cluster", Annotated::Cluster),
    ])?;
    Ok(())
}

/// A label with any of these in its name would not be one.
pub(in super::super) fn pod_labels(config: &mut Config, raw: &RawSetting) -> Outcome {
    let mut labels = Vec::new();
    for value in raw.list()? {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        let name = value.text.strip_suffix('*').unwrap_or(&value.text);
        if value.text.is_empty() || !name.chars().all(is_name) {
            let what = format!("`{}` is no name of a label, nor a prefix with `*` at its end", value.text);
            return Err(Problem(format!("{}: {what}", value.origin)));
        }
        labels.push(value.text.clone());
    }
    config.kube.pod_labels = labels;
    Ok(())
}
