//! How busy the instances of NVIDIA's devices are, from the metrics of dcgm-exporter.
//!
//! The families of all its versions since 2.2 (2021) look alike; labels have come and gone around those that are read:
//!
//! ```text
//! DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-2c2f…",device="nvidia0",modelName="NVIDIA A100 80GB PCIe",GPU_I_PROFILE="1g.10gb",GPU_I_ID="8",Hostname="node-a"} 0.029399
//! ```
//!
//! Series of whole devices have no `GPU_I_ID`. Where pods are mapped to devices, an instance that several pods share has a series
//! for each of them, with one value. The profile that it names may be wrong (dcgm-exporter issue 544, 2025), so it is not read.

use crate::exposition::{ParseError, Sample, samples};
use crate::http::{Auth, ClientOptions, Http, HttpError, base_url, shown};
use kepler_core::device::InstanceActivity;
use reqwest::Url;
use std::time::Duration;

/// The share of time in which an instance's engine is busy, then that in which its multiprocessors are: not all versions have both.
const FAMILIES: [&str; 2] = ["DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_SM_ACTIVE"];

/// One answer has to have come by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// 16 devices of 7 instances and all families of DCGM come to some hundred kilobytes.
const MOST_BYTES: u64 = 16 << 20;

/// One dcgm-exporter.
#[derive(Debug)]
pub struct DcgmExporter {
    http: Http,
    url: Url,
}

/// The exporter has not said how busy instances are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DcgmError {
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer that is none of an exporter.
    #[error("{url}: {source}")]
    Format {
        /// The address.
        url: String,
        /// Where and why.
        source: ParseError,
    },
}

impl DcgmExporter {
    /// The exporter at an address; `/metrics` is added where it has no path.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn new(url: &str) -> Result<Self, HttpError> {
        let mut url = base_url(url)?;
        if url.path() == "/" {
            url.set_path("/metrics");
        }
        let mut options = ClientOptions::default();
        (options.connect_timeout, options.timeout, options.max_body_bytes) = (PATIENCE, PATIENCE, MOST_BYTES);
        let http = Http::new(options, url.scheme() == "https")?;
        Ok(DcgmExporter { http, url })
    }

    /// Its address as it may be shown.
    #[must_use]
    pub fn name(&self) -> String {
        shown(&self.url)
    }

    /// How busy each instance is now. Empty where no device is divided, or where the exporter does not collect that.
    ///
    /// # Errors
    /// There is no answer, or it cannot be read.
    pub fn activities(&self) -> Result<Vec<InstanceActivity>, DcgmError> {
        let body = self.http.get(self.url.clone(), &Auth::None, "text/plain")?;
        read(&body).map_err(|source| DcgmError::Format { url: self.name(), source })
    }
}

/// The activities in a text of metrics.
fn read(text: &[u8]) -> Result<Vec<InstanceActivity>, ParseError> {
    let mut found: [Vec<InstanceActivity>; 2] = Default::default();
    for sample in samples(text) {
        let sample = sample?;
        let families = FAMILIES.iter().zip(&mut found);
        let Some((_, list)) = families.into_iter().find(|(family, _)| **family == sample.name) else { continue };
        let Some(activity) = activity(&sample) else { continue };
        let is_same =
            |other: &&mut InstanceActivity| (&other.device, other.instance) == (&activity.device, activity.instance);
        match list.iter_mut().find(is_same) {
            Some(other) => other.busy = other.busy.max(activity.busy),
            None => list.push(activity),
        }
    }
    let [engines, multiprocessors] = found;
    Ok(if engines.is_empty() { multiprocessors } else { engines })
}

/// What a series says of an instance. `None` of a whole device.
fn activity(sample: &Sample<'_>) -> Option<InstanceActivity> {
    let device = sample.label("UUID").or_else(|| sample.label("uuid"))?;
    let instance = sample.label("GPU_I_ID")?.parse().ok()?;
    Some(InstanceActivity::new(device, instance, sample.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, u32, f64)> {
        let found = read(text.as_bytes()).unwrap();
        found.iter().map(|one| (one.device.to_string(), one.instance, one.busy)).collect()
    }

    #[test]
    fn answers_of_old_and_new_exporters_are_read_alike() {
        // As posted for 2.3.4, 3.3.9 and 4.2.0; shortened.
        for line in [
            r#"DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-a",device="nvidia0",GPU_I_PROFILE="1g.5gb",GPU_I_ID="8",Hostname="n"} 0.029399"#,
            r#"DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-a",pci_bus_id="00000001:00:00.0",device="nvidia0",modelName="NVIDIA A100 80GB PCIe",GPU_I_PROFILE="1g.10gb",GPU_I_ID="8",Hostname="n",DCGM_FI_DRIVER_VERSION="560.35.03"} 0.029399"#,
            r#"DCGM_FI_PROF_GR_ENGINE_ACTIVE{gpu="0",UUID="GPU-a",pci_bus_id="00000001:00:00.0",device="nvidia0",modelName="NVIDIA H100 NVL",GPU_I_PROFILE="1g.12gb",GPU_I_ID="8",Hostname="n",container="c",exported_namespace="ml",exported_pod="p",namespace="gpu-operator",pod="dcgm-x",dra_claim_name=""} 0.029399"#,
        ] {
            let text = format!(
                "# HELP DCGM_FI_PROF_GR_ENGINE_ACTIVE Ratio of time the graphics engine is active.\n# TYPE DCGM_FI_PROF_GR_ENGINE_ACTIVE gauge\n{line}\nDCGM_FI_PROF_GR_ENGINE_ACTIVE{{gpu=\"0\",UUID=\"GPU-a\"}} 0.5\nDCGM_FI_DEV_GPU_TEMP{{gpu=\"0\",UUID=\"GPU-a\",GPU_I_ID=\"8\"}} 40\n"
            );
            assert_eq!(found(&text), [("GPU-a".to_owned(), 8, 0.029399)], "{line}");
        }
    }

    #[test]
    fn an_instance_that_several_pods_share_is_one() {
        let series = |pod, busy| {
            format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{UUID=\"GPU-a\",GPU_I_ID=\"1\",pod=\"{pod}\"}} {busy}\n")
        };
        assert_eq!(found(&(series("a", 0.5) + &series("b", 0.5))), [("GPU-a".to_owned(), 1, 0.5)]);
    }

    #[test]
    fn multiprocessors_count_where_the_engine_is_not_collected() {
        let text = "DCGM_FI_PROF_SM_ACTIVE{UUID=\"GPU-a\",GPU_I_ID=\"1\"} 0.25\n";
        assert_eq!(found(text), [("GPU-a".to_owned(), 1, 0.25)]);
        let both = format!("{text}DCGM_FI_PROF_GR_ENGINE_ACTIVE{{UUID=\"GPU-a\",GPU_I_ID=\"1\"}} 0.5\n");
        assert_eq!(found(&both), [("GPU-a".to_owned(), 1, 0.5)]);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error_and_not_half_of_the_instances() {
        let cut = "DCGM_FI_PROF_GR_ENGINE_ACTIVE{UUID=\"GPU-a\",GPU_I_ID=\"1\"} 0.5\nDCGM_FI_PROF_GR_ENG";
        assert_eq!(read(cut.as_bytes()).unwrap_err().line, 2);
        assert!(read(b"<html>\n").is_err());
    }
}
