//! Names of the metrics under which measurements are published.
//!
//! The contract between exporters, which write these names, and clients, which read them. Families and labels are those
//! of Kepler v0.11 where it has them; units and types follow from the suffix: `_joules_total` and `_seconds_total` are
//! counters, `_watts` and `_ratio` gauges, `_info` a constant 1 with labels.
//!
//! ```
//! use kepler_core::metric_names::NODE_CPU_JOULES_TOTAL;
//!
//! assert_eq!(format!("rate({NODE_CPU_JOULES_TOTAL}[5m])"), "rate(kepler_node_cpu_joules_total[5m])");
//! ```

use crate::workload::WorkloadKind;

/// The build of the exporter, a constant 1.
pub const BUILD_INFO: &str = "kepler_build_info";
/// Active energy of the node in the processors, in joules.
pub const NODE_CPU_ACTIVE_JOULES_TOTAL: &str = "kepler_node_cpu_active_joules_total";
/// Active power of the node in the processors, in watts.
pub const NODE_CPU_ACTIVE_WATTS: &str = "kepler_node_cpu_active_watts";
/// Idle energy of the node in the processors, in joules.
pub const NODE_CPU_IDLE_JOULES_TOTAL: &str = "kepler_node_cpu_idle_joules_total";
/// Idle power of the node in the processors, in watts.
pub const NODE_CPU_IDLE_WATTS: &str = "kepler_node_cpu_idle_watts";
/// Time since the list of pods was asked for that is gone by, in seconds.
pub const KUBERNETES_AGE_SECONDS: &str = "kepler_kubernetes_age_seconds";
/// Requests for pods that failed, by source and kind of fault.
pub const KUBERNETES_ERRORS_TOTAL: &str = "kepler_kubernetes_errors_total";
/// Pods that are listed.
pub const KUBERNETES_PODS: &str = "kepler_kubernetes_pods";
/// Lists of pods that were taken over.
pub const KUBERNETES_REFRESHES_TOTAL: &str = "kepler_kubernetes_refreshes_total";
/// Where the list of pods comes from now, a constant 1.
pub const KUBERNETES_SOURCE_INFO: &str = "kepler_kubernetes_source_info";
/// Pods that run on the node and are not listed.
pub const KUBERNETES_UNRESOLVED_PODS: &str = "kepler_kubernetes_unresolved_pods";
/// What Kubernetes says of each pod, a constant 1.
pub const POD_INFO: &str = "kepler_pod_info";
/// How a pod's energy is to be judged and shown, as its annotations say, a constant 1.
pub const POD_ANNOTATION_INFO: &str = "kepler_pod_annotation_info";
/// Name, kind and pod of a container as Kubernetes tells them, a constant 1.
pub const CONTAINER_INFO: &str = "kepler_container_info";
/// What a pod asked the scheduler for.
pub const POD_RESOURCE_REQUESTS: &str = "kepler_pod_resource_requests";
/// What a pod may use at most.
pub const POD_RESOURCE_LIMITS: &str = "kepler_pod_resource_limits";
/// What a container of a pod asked for.
pub const CONTAINER_RESOURCE_REQUESTS: &str = "kepler_container_resource_requests";
/// What a container of a pod may use at most.
pub const CONTAINER_RESOURCE_LIMITS: &str = "kepler_container_resource_limits";
/// Version of a hub, a constant 1.
pub const HUB_BUILD_INFO: &str = "kepler_hub_build_info";
/// Time since the list of a hub's nodes was last known to be right, in seconds.
pub const HUB_LIST_AGE_SECONDS: &str = "kepler_hub_list_age_seconds";
/// Failures to find out which nodes a hub has, by kind of fault.
pub const HUB_LIST_ERRORS_TOTAL: &str = "kepler_hub_list_errors_total";
/// Nodes of a hub by state.
pub const HUB_NODES: &str = "kepler_hub_nodes";
/// Time since a node of a hub answered, in seconds.
pub const HUB_NODE_AGE_SECONDS: &str = "kepler_hub_node_age_seconds";
/// Points of counters that a hub keeps in memory.
pub const HUB_POINTS: &str = "kepler_hub_points";
/// Polls of all nodes of a hub.
pub const HUB_POLLS_TOTAL: &str = "kepler_hub_polls_total";
/// Nodes that failed in polls, by kind of fault.
pub const HUB_POLL_ERRORS_TOTAL: &str = "kepler_hub_poll_errors_total";
/// How long the last poll of all nodes took, in seconds.
pub const HUB_POLL_SECONDS: &str = "kepler_hub_poll_seconds";
/// Workloads of a hub's nodes that are known.
pub const HUB_WORKLOADS: &str = "kepler_hub_workloads";
/// Each processor of the node, a constant 1.
pub const NODE_CPU_INFO: &str = "kepler_node_cpu_info";
/// Energy of the node in the processors, in joules.
pub const NODE_CPU_JOULES_TOTAL: &str = "kepler_node_cpu_joules_total";
/// Active energy of a zone that no workload explains, in joules.
pub const NODE_CPU_UNATTRIBUTED_JOULES_TOTAL: &str = "kepler_node_cpu_unattributed_joules_total";
/// Busy share of all processors, 0 to 1.
pub const NODE_CPU_USAGE_RATIO: &str = "kepler_node_cpu_usage_ratio";
/// Power of the node in the processors, in watts.
pub const NODE_CPU_WATTS: &str = "kepler_node_cpu_watts";
/// Expected error of the idle power that was learned of the node's processors, in watts.
pub const NODE_CPU_IDLE_ERROR_WATTS: &str = "kepler_node_cpu_idle_error_watts";
/// How the idle power of the node's processors is known, or why it is not.
pub const NODE_CPU_IDLE_INFO: &str = "kepler_node_cpu_idle_info";
/// Lower end of the 90 % interval of estimated power, in watts.
pub const NODE_CPU_WATTS_LOWER: &str = "kepler_node_cpu_watts_lower";
/// Upper end of the 90 % interval of estimated power, in watts.
pub const NODE_CPU_WATTS_UPPER: &str = "kepler_node_cpu_watts_upper";
/// Active energy of the node in GPUs, in joules.
pub const NODE_GPU_ACTIVE_JOULES_TOTAL: &str = "kepler_node_gpu_active_joules_total";
/// Active power of the node in GPUs, in watts.
pub const NODE_GPU_ACTIVE_WATTS: &str = "kepler_node_gpu_active_watts";
/// Idle energy of the node in GPUs, in joules.
pub const NODE_GPU_IDLE_JOULES_TOTAL: &str = "kepler_node_gpu_idle_joules_total";
/// Idle power of the node in GPUs, in watts.
pub const NODE_GPU_IDLE_WATTS: &str = "kepler_node_gpu_idle_watts";
/// Each GPU of the node, a constant 1.
pub const NODE_GPU_INFO: &str = "kepler_node_gpu_info";
/// Active energy of a GPU that no workload explains, in joules.
pub const NODE_GPU_UNATTRIBUTED_JOULES_TOTAL: &str = "kepler_node_gpu_unattributed_joules_total";
/// Energy of a GPU of which it is not known whether it was idle or active, in joules.
pub const NODE_GPU_UNSPLIT_JOULES_TOTAL: &str = "kepler_node_gpu_unsplit_joules_total";
/// Busy share of a GPU's time, 0 to 1.
pub const NODE_GPU_USAGE_RATIO: &str = "kepler_node_gpu_usage_ratio";
/// Energy of the node in GPUs, in joules.
pub const NODE_GPU_JOULES_TOTAL: &str = "kepler_node_gpu_joules_total";
/// Power of the node in GPUs, in watts.
pub const NODE_GPU_WATTS: &str = "kepler_node_gpu_watts";
/// Kepler 0.7: energy of the node, dram, in joules.
pub const NODE_DRAM_JOULES_TOTAL: &str = "kepler_node_dram_joules_total";
/// Kepler 0.7: energy of the node, package, in joules.
pub const NODE_PACKAGE_JOULES_TOTAL: &str = "kepler_node_package_joules_total";
/// Energy that a meter of the whole machine has shown, in joules.
pub const PLATFORM_JOULES_TOTAL: &str = "kepler_platform_joules_total";
/// The time that a meter of the whole machine has shown energy for, in seconds.
pub const PLATFORM_COVERED_SECONDS_TOTAL: &str = "kepler_platform_covered_seconds_total";
/// What a meter of the whole machine measures and how.
pub const PLATFORM_INFO: &str = "kepler_platform_info";
/// How old the newest reading of a meter of the whole machine is, in seconds.
pub const PLATFORM_READING_AGE_SECONDS: &str = "kepler_platform_reading_age_seconds";
/// Energy of the whole machine beside that of its metered parts, in joules.
pub const PLATFORM_RESIDUAL_JOULES_TOTAL: &str = "kepler_platform_residual_joules_total";
/// Power of the whole machine beside that of its metered parts, in watts.
pub const PLATFORM_RESIDUAL_WATTS: &str = "kepler_platform_residual_watts";
/// Expected relative error of a meter of the whole machine that is an estimate.
pub const PLATFORM_ERROR_RATIO: &str = "kepler_platform_error_ratio";
/// Why a meter of the whole machine cannot be read or is not believed.
pub const PLATFORM_FAULT: &str = "kepler_platform_fault";
/// Expected relative error of what is left of the whole machine, where a part of it is estimated.
pub const PLATFORM_RESIDUAL_ERROR_RATIO: &str = "kepler_platform_residual_error_ratio";
/// Power of the whole machine by each of its meters, in watts.
pub const PLATFORM_WATTS: &str = "kepler_platform_watts";
/// Kepler 0.7: energy of the node, platform, in joules.
pub const NODE_PLATFORM_JOULES_TOTAL: &str = "kepler_node_platform_joules_total";
/// Energy of a process in the processors, in joules.
pub const PROCESS_CPU_JOULES_TOTAL: &str = "kepler_process_cpu_joules_total";
/// CPU time of a process, in seconds.
pub const PROCESS_CPU_SECONDS_TOTAL: &str = "kepler_process_cpu_seconds_total";
/// Power of a process in the processors, in watts.
pub const PROCESS_CPU_WATTS: &str = "kepler_process_cpu_watts";
/// Energy of a process in GPUs, in joules.
pub const PROCESS_GPU_JOULES_TOTAL: &str = "kepler_process_gpu_joules_total";
/// Power of a process in GPUs, in watts.
pub const PROCESS_GPU_WATTS: &str = "kepler_process_gpu_watts";
/// Energy of a container in the processors, in joules.
pub const CONTAINER_CPU_JOULES_TOTAL: &str = "kepler_container_cpu_joules_total";
/// CPU time of a container, in seconds.
pub const CONTAINER_CPU_SECONDS_TOTAL: &str = "kepler_container_cpu_seconds_total";
/// Power of a container in the processors, in watts.
pub const CONTAINER_CPU_WATTS: &str = "kepler_container_cpu_watts";
/// Kepler 0.7: energy of a container, dram, in joules.
pub const CONTAINER_DRAM_JOULES_TOTAL: &str = "kepler_container_dram_joules_total";
/// What GPUs drew idle while Kubernetes had given them to a container, in joules.
pub const CONTAINER_GPU_IDLE_JOULES_TOTAL: &str = "kepler_container_gpu_idle_joules_total";
/// Energy of a container in GPUs, in joules.
pub const CONTAINER_GPU_JOULES_TOTAL: &str = "kepler_container_gpu_joules_total";
/// Power of a container in GPUs, in watts.
pub const CONTAINER_GPU_WATTS: &str = "kepler_container_gpu_watts";
/// Kepler 0.7: energy of a container, package and DRAM, in joules.
pub const CONTAINER_JOULES_TOTAL: &str = "kepler_container_joules_total";
/// Kepler 0.7: energy of a container, package, in joules.
pub const CONTAINER_PACKAGE_JOULES_TOTAL: &str = "kepler_container_package_joules_total";
/// Energy of a pod in the processors, in joules.
pub const POD_CPU_JOULES_TOTAL: &str = "kepler_pod_cpu_joules_total";
/// Power of a pod in the processors, in watts.
pub const POD_CPU_WATTS: &str = "kepler_pod_cpu_watts";
/// What GPUs drew idle while Kubernetes had given them to a pod, in joules.
pub const POD_GPU_IDLE_JOULES_TOTAL: &str = "kepler_pod_gpu_idle_joules_total";
/// Energy of a pod in GPUs, in joules.
pub const POD_GPU_JOULES_TOTAL: &str = "kepler_pod_gpu_joules_total";
/// Power of a pod in GPUs, in watts.
pub const POD_GPU_WATTS: &str = "kepler_pod_gpu_watts";
/// Energy of a virtual machine in the processors, in joules.
pub const VM_CPU_JOULES_TOTAL: &str = "kepler_vm_cpu_joules_total";
/// Power of a virtual machine in the processors, in watts.
pub const VM_CPU_WATTS: &str = "kepler_vm_cpu_watts";
/// Energy of a virtual machine in GPUs, in joules.
pub const VM_GPU_JOULES_TOTAL: &str = "kepler_vm_gpu_joules_total";
/// Power of a virtual machine in GPUs, in watts.
pub const VM_GPU_WATTS: &str = "kepler_vm_gpu_watts";
/// Energy of a systemd unit in the processors, in joules.
pub const UNIT_CPU_JOULES_TOTAL: &str = "kepler_unit_cpu_joules_total";
/// CPU time of a systemd unit, in seconds.
pub const UNIT_CPU_SECONDS_TOTAL: &str = "kepler_unit_cpu_seconds_total";
/// Power of a systemd unit in the processors, in watts.
pub const UNIT_CPU_WATTS: &str = "kepler_unit_cpu_watts";
/// Energy of a systemd unit in GPUs, in joules.
pub const UNIT_GPU_JOULES_TOTAL: &str = "kepler_unit_gpu_joules_total";
/// Power of a systemd unit in GPUs, in watts.
pub const UNIT_GPU_WATTS: &str = "kepler_unit_gpu_watts";
/// Energy of a batch job in the processors, in joules.
pub const JOB_CPU_JOULES_TOTAL: &str = "kepler_job_cpu_joules_total";
/// CPU time of a batch job, in seconds.
pub const JOB_CPU_SECONDS_TOTAL: &str = "kepler_job_cpu_seconds_total";
/// Power of a batch job in the processors, in watts.
pub const JOB_CPU_WATTS: &str = "kepler_job_cpu_watts";
/// Energy of a batch job in GPUs, in joules.
pub const JOB_GPU_JOULES_TOTAL: &str = "kepler_job_gpu_joules_total";
/// Power of a batch job in GPUs, in watts.
pub const JOB_GPU_WATTS: &str = "kepler_job_gpu_watts";
/// Energy of short-lived processes of a command in the processors, in joules.
pub const COMMAND_CPU_JOULES_TOTAL: &str = "kepler_command_cpu_joules_total";
/// CPU time of short-lived processes of a command, in seconds.
pub const COMMAND_CPU_SECONDS_TOTAL: &str = "kepler_command_cpu_seconds_total";
/// Power of short-lived processes of a command in the processors, in watts.
pub const COMMAND_CPU_WATTS: &str = "kepler_command_cpu_watts";
/// Energy of unlisted processes of a command in GPUs, in joules.
pub const COMMAND_GPU_JOULES_TOTAL: &str = "kepler_command_gpu_joules_total";
/// Power of unlisted processes of a command in GPUs, in watts.
pub const COMMAND_GPU_WATTS: &str = "kepler_command_gpu_watts";
/// By what a zone's active energy was last divided, a constant 1.
pub const ATTRIBUTION_WEIGHT_INFO: &str = "kepler_attribution_weight_info";
/// How far off a zone's power is when predicted by a weight, in watts.
pub const ATTRIBUTION_ERROR_WATTS: &str = "kepler_attribution_error_watts";
/// Expected relative error of an estimate, one standard deviation.
pub const POWER_SOURCE_ERROR_RATIO: &str = "kepler_power_source_error_ratio";
/// By what an estimate is multiplied, as a meter of the whole machine has shown.
pub const ESTIMATE_CORRECTION_RATIO: &str = "kepler_estimate_correction_ratio";
/// How old the newest reading is that a correction was learned from, in seconds.
pub const ESTIMATE_CORRECTION_AGE_SECONDS: &str = "kepler_estimate_correction_age_seconds";
/// Where the figures of a zone come from, a constant 1.
pub const POWER_SOURCE_INFO: &str = "kepler_power_source_info";
/// Wraps, resets and late readings of the energy counters of a zone.
pub const ZONE_EVENTS_TOTAL: &str = "kepler_zone_events_total";
/// Readings of a source that failed.
pub const READ_ERRORS_TOTAL: &str = "kepler_read_errors_total";
/// Readings of an estimate that deserve a warning.
pub const ESTIMATE_WARNINGS_TOTAL: &str = "kepler_estimate_warnings_total";
/// When a source last delivered, in seconds since 1970-01-01 UTC.
pub const LAST_SUCCESS_TIMESTAMP_SECONDS: &str = "kepler_last_success_timestamp_seconds";
/// CPU time of the last collection, in seconds.
pub const EXPORTER_COLLECT_SECONDS: &str = "kepler_exporter_collect_seconds";
/// CPU time of the exporter, in seconds.
pub const EXPORTER_CPU_SECONDS_TOTAL: &str = "kepler_exporter_cpu_seconds_total";
/// Physical memory of the exporter, in bytes.
pub const EXPORTER_RESIDENT_BYTES: &str = "kepler_exporter_resident_bytes";
/// Kepler 0.7: energy of a container, core, in joules.
pub const CONTAINER_CORE_JOULES_TOTAL: &str = "kepler_container_core_joules_total";
/// Kepler 0.7: energy of a container, uncore, in joules.
pub const CONTAINER_UNCORE_JOULES_TOTAL: &str = "kepler_container_uncore_joules_total";
/// Kepler 0.7: energy of a container, the platform's without package and DRAM, in joules.
pub const CONTAINER_OTHER_JOULES_TOTAL: &str = "kepler_container_other_joules_total";
/// Kepler 0.7: energy of the node, core, in joules.
pub const NODE_CORE_JOULES_TOTAL: &str = "kepler_node_core_joules_total";
/// Kepler 0.7: energy of the node, uncore, in joules.
pub const NODE_UNCORE_JOULES_TOTAL: &str = "kepler_node_uncore_joules_total";
/// Kepler 0.7: energy of the node, the platform's without package and DRAM, in joules.
pub const NODE_OTHER_JOULES_TOTAL: &str = "kepler_node_other_joules_total";
/// By RAPL's zones: energy of the node, package, in joules.
pub const NODE_PACKAGE_ENERGY_JOULE: &str = "kepler_node_package_energy_joule";
/// By RAPL's zones: energy of the node, DRAM, in joules.
pub const NODE_DRAM_ENERGY_JOULE: &str = "kepler_node_dram_energy_joule";
/// By RAPL's zones: power of a pod, DRAM, in watts.
pub const POD_MEMORY_WATTS: &str = "kepler_pod_memory_watts";

/// The metrics of the workloads of a kind.
///
/// ```
/// use kepler_core::metric_names::WorkloadMetrics;
/// use kepler_core::workload::WorkloadKind;
///
/// let names = WorkloadMetrics::of(WorkloadKind::Pod).map(|pod| pod.cpu_joules_total);
/// assert_eq!(names, Some("kepler_pod_cpu_joules_total"));
/// assert_eq!(WorkloadMetrics::of(WorkloadKind::Deployment), None, "it is the sum of its pods");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkloadMetrics {
    /// Energy in the processors, in joules.
    pub cpu_joules_total: &'static str,
    /// Power in the processors, in watts.
    pub cpu_watts: &'static str,
    /// CPU time, in seconds, where it is published.
    pub cpu_seconds_total: Option<&'static str>,
    /// Energy in GPUs, in joules.
    pub gpu_joules_total: &'static str,
    /// Power in GPUs, in watts.
    pub gpu_watts: &'static str,
}

impl WorkloadMetrics {
    /// Those of a kind; `None` of a kind that a snapshot has no rows of.
    #[must_use]
    pub const fn of(kind: WorkloadKind) -> Option<Self> {
        let (cpu_joules_total, cpu_watts, cpu_seconds_total, gpu_joules_total, gpu_watts) = match kind {
            WorkloadKind::Process => (
                PROCESS_CPU_JOULES_TOTAL,
                PROCESS_CPU_WATTS,
                Some(PROCESS_CPU_SECONDS_TOTAL),
                PROCESS_GPU_JOULES_TOTAL,
                PROCESS_GPU_WATTS,
            ),
            WorkloadKind::Container => (
                CONTAINER_CPU_JOULES_TOTAL,
                CONTAINER_CPU_WATTS,
                Some(CONTAINER_CPU_SECONDS_TOTAL),
                CONTAINER_GPU_JOULES_TOTAL,
                CONTAINER_GPU_WATTS,
            ),
            WorkloadKind::Pod => (POD_CPU_JOULES_TOTAL, POD_CPU_WATTS, None, POD_GPU_JOULES_TOTAL, POD_GPU_WATTS),
            WorkloadKind::Vm => (VM_CPU_JOULES_TOTAL, VM_CPU_WATTS, None, VM_GPU_JOULES_TOTAL, VM_GPU_WATTS),
            WorkloadKind::Unit => (
                UNIT_CPU_JOULES_TOTAL,
                UNIT_CPU_WATTS,
                Some(UNIT_CPU_SECONDS_TOTAL),
                UNIT_GPU_JOULES_TOTAL,
                UNIT_GPU_WATTS,
            ),
            WorkloadKind::Job => {
                (JOB_CPU_JOULES_TOTAL, JOB_CPU_WATTS, Some(JOB_CPU_SECONDS_TOTAL), JOB_GPU_JOULES_TOTAL, JOB_GPU_WATTS)
            }
            WorkloadKind::Command => (
                COMMAND_CPU_JOULES_TOTAL,
                COMMAND_CPU_WATTS,
                Some(COMMAND_CPU_SECONDS_TOTAL),
                COMMAND_GPU_JOULES_TOTAL,
                COMMAND_GPU_WATTS,
            ),
            WorkloadKind::Deployment
            | WorkloadKind::StatefulSet
            | WorkloadKind::DaemonSet
            | WorkloadKind::Controller => return None,
        };
        Some(WorkloadMetrics { cpu_joules_total, cpu_watts, cpu_seconds_total, gpu_joules_total, gpu_watts })
    }
}
