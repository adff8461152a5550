//! Which container has which device, from the kubelet's pod-resources socket.

use super::grpc::{GrpcError, call};
use super::messages::{
    ClaimResource, ContainerResources, GetRequest, GetResponse, ListRequest, ListResponse, PodResourcesOfPod,
};
use kepler_core::device::DeviceAllocation;
use std::path::{Path, PathBuf};

const LIST: &str = "/v1.PodResourcesLister/List";
const GET: &str = "/v1.PodResourcesLister/Get";

/// A kubelet's service of allocated resources, version 1 (Kubernetes 1.20 and later).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodResources {
    socket: PathBuf,
}

impl PodResources {
    /// That of the kubelet with this socket.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        PodResources { socket: socket.into() }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The devices of all pods. Kubelets before 1.34 list those of pods that have ended, too.
    ///
    /// # Errors
    /// There is no answer, or it cannot be read.
    pub fn list(&self) -> Result<Vec<DeviceAllocation>, GrpcError> {
        let answer: ListResponse = call(&self.socket, LIST, &ListRequest {})?;
        Ok(answer.pod_resources.iter().flat_map(allocations).collect())
    }

    /// The devices of one pod. Kubelets before 1.34 do not answer that by default.
    ///
    /// # Errors
    /// There is no answer, it cannot be read, or the kubelet has no such pod.
    pub fn get(&self, namespace: &str, pod: &str) -> Result<Vec<DeviceAllocation>, GrpcError> {
        let request = GetRequest { pod_name: pod.to_owned(), pod_namespace: namespace.to_owned() };
        let answer: GetResponse = call(&self.socket, GET, &request)?;
        Ok(answer.pod_resources.iter().flat_map(allocations).collect())
    }
}

fn allocations(pod: &PodResourcesOfPod) -> Vec<DeviceAllocation> {
    let of_container = |container: &ContainerResources| {
        let allocation =
            |id: &str| DeviceAllocation::new(id, pod.namespace.as_str(), pod.name.as_str(), container.name.as_str());
        let of_plugins = container.devices.iter().filter(|devices| is_accelerator(&devices.resource_name));
        let ids = of_plugins.flat_map(|devices| devices.device_ids.iter().map(String::as_str));
        let of_claims = container.dynamic_resources.iter().flat_map(|claims| &claims.claim_resources);
        ids.chain(of_claims.flat_map(claimed)).map(allocation).collect::<Vec<_>>()
    };
    pod.containers.iter().flat_map(of_container).collect()
}

/// Plugins give out network ports and the like by the same service, whose identifiers may be PCI addresses, too.
fn is_accelerator(resource: &str) -> bool {
    const MAKERS: [&str; 7] =
        ["nvidia.com/", "amd.com/", "gpu.intel.com/", "habana.ai/", "rebellions.ai/", "furiosa.ai/", "google.com/gpu"];
    MAKERS.iter().any(|maker| resource.starts_with(maker))
}

/// The devices of a claim. Drivers before the kubelet's 1.34 name them in the container device interface alone:
/// `k8s.gpu.nvidia.com/device=gpu-0`, `nvidia.com/gpu=GPU-4f1c…`.
fn claimed(claim: &ClaimResource) -> Vec<&str> {
    let of_gpus = |driver: &str| driver.starts_with("gpu.") || driver.contains("gpu.nvidia.com");
    if !claim.device_name.is_empty() {
        return if of_gpus(&claim.driver_name) { vec![&claim.device_name] } else { Vec::new() };
    }
    let names = claim.cdi_devices.iter().filter_map(|device| device.name.split_once('='));
    let of_accelerators = names.filter(|(kind, _)| of_gpus(kind) || is_accelerator(kind));
    of_accelerators.map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::messages::{CdiDevice, ContainerDevices, DynamicResource};
    use super::*;

    fn ids(container: ContainerResources) -> Vec<String> {
        let pod = PodResourcesOfPod { name: "p".into(), namespace: "n".into(), containers: vec![container] };
        allocations(&pod).iter().map(|allocation| allocation.id.to_string()).collect()
    }

    #[test]
    fn network_ports_and_claims_of_other_drivers_are_left_out() {
        let devices =
            |resource: &str, id: &str| ContainerDevices { resource_name: resource.into(), device_ids: vec![id.into()] };
        let plugins = vec![devices("nvidia.com/gpu", "GPU-a"), devices("intel.com/sriov", "0000:41:00.0")];
        assert_eq!(ids(ContainerResources { devices: plugins, ..Default::default() }), ["GPU-a"]);

        let claim = |driver: &str, device: &str, cdi: &str| ClaimResource {
            driver_name: driver.into(),
            device_name: device.into(),
            cdi_devices: vec![CdiDevice { name: cdi.into() }],
        };
        let claim_resources = vec![
            claim("gpu.nvidia.com", "gpu-0", "k8s.gpu.nvidia.com/claim=x-gpu-0"),
            claim("", "", "k8s.gpu.nvidia.com/device=gpu-1"),
            claim("", "", "nvidia.com/gpu=GPU-b"),
            claim("net.example.com", "eth0", "net.example.com/port=eth0"),
            claim("", "", "vendor.com/nic=nic0"),
        ];
        let dynamic_resources = vec![DynamicResource { claim_resources }];
        assert_eq!(ids(ContainerResources { dynamic_resources, ..Default::default() }), ["gpu-0", "gpu-1", "GPU-b"]);
    }
}
