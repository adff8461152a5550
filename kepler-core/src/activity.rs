//! Activity of the node's processors, as rates: the features of power models.

/// What all processors of the node did together, per second of the last interval.
///
/// A rate that is not counted here is `None`, never 0. Each rate, its definition, and its names in models:
///
/// | field | meaning | source | feature name, group |
/// |---|---|---|---|
/// | `cpu_time` | busy time: tasks and interrupts, no idle, iowait or stolen time | `/proc/stat` | `bpf_cpu_time_ms`, BPFOnly |
/// | `page_cache_hits` | page cache hits | not counted yet | `bpf_page_cache_hit`, BPFOnly |
/// | `cycles` | unhalted cycles, kernel included | perf, all CPUs | `cpu_cycles`, CounterOnly |
/// | `instructions` | instructions retired, kernel included | perf, all CPUs | `cpu_instructions`, CounterOnly |
/// | `cache_misses` | misses of the last-level cache (`PERF_COUNT_HW_CACHE_MISSES`), *not* dTLB accesses | perf, all CPUs | `cache_miss`, CounterOnly |
/// | `block_interrupts` | runs of the `BLOCK` software interrupt | `/proc/stat` | `bpf_block_irq`, IRQ |
/// | `network_receive_interrupts` | runs of `NET_RX` | `/proc/stat` | `bpf_net_rx_irq`, IRQ |
/// | `network_transmit_interrupts` | runs of `NET_TX` | `/proc/stat` | `bpf_net_tx_irq`, IRQ |
///
/// The group Basic of published models is BPFOnly and CounterOnly together. With the feature `models`, `Quantity::rate`
/// takes a rate from here by its meaning, ready for `Model::bind`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Activity {
    /// CPU time, in milliseconds per second: 0 … 1000 × processors.
    pub cpu_time: Option<f64>,
    /// Page cache hits per second.
    pub page_cache_hits: Option<f64>,
    /// CPU cycles per second.
    pub cycles: Option<f64>,
    /// Instructions per second.
    pub instructions: Option<f64>,
    /// Last-level cache misses per second.
    pub cache_misses: Option<f64>,
    /// Block device interrupts per second.
    pub block_interrupts: Option<f64>,
    /// Network receive interrupts per second.
    pub network_receive_interrupts: Option<f64>,
    /// Network transmit interrupts per second.
    pub network_transmit_interrupts: Option<f64>,
}
