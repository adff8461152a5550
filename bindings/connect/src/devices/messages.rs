//! The messages of the kubelet's service `v1.PodResourcesLister`, as far as they are read: its `api.proto` of Kubernetes 1.20 to 1.36.
//! Other fields are passed over.

use prost::Message;

/// Of `List`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ListRequest {}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ListResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) pod_resources: Vec<PodResourcesOfPod>,
}

/// Of `Get`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GetRequest {
    #[prost(string, tag = "1")]
    pub(super) pod_name: String,
    #[prost(string, tag = "2")]
    pub(super) pod_namespace: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GetResponse {
    #[prost(message, optional, tag = "1")]
    pub(super) pod_resources: Option<PodResourcesOfPod>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PodResourcesOfPod {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) namespace: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) containers: Vec<ContainerResources>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerResources {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) devices: Vec<ContainerDevices>,
    #[prost(message, repeated, tag = "5")]
    pub(super) dynamic_resources: Vec<DynamicResource>,
}

/// Devices of a plugin.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ContainerDevices {
    #[prost(string, tag = "1")]
    pub(super) resource_name: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) device_ids: Vec<String>,
}

/// Devices of a resource claim (DRA).
#[derive(Clone, PartialEq, Message)]
pub(super) struct DynamicResource {
    #[prost(message, repeated, tag = "4")]
    pub(super) claim_resources: Vec<ClaimResource>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ClaimResource {
    #[prost(message, repeated, tag = "1")]
    pub(super) cdi_devices: Vec<CdiDevice>,
    #[prost(string, tag = "2")]
    pub(super) driver_name: String,
    #[prost(string, tag = "4")]
    pub(super) device_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CdiDevice {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}
