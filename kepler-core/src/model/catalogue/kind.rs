//! The kinds of models a catalogue distinguishes, by the names of its directories.

/// What measured the power a model was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the names of a published database")]
pub enum EnergySource {
    /// RAPL: package, core, uncore, dram.
    RaplSysfs,
    /// The whole machine.
    Acpi,
}

impl EnergySource {
    /// Both.
    pub const ALL: [EnergySource; 2] = [EnergySource::RaplSysfs, EnergySource::Acpi];

    /// The name in paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            EnergySource::RaplSysfs => "rapl-sysfs",
            EnergySource::Acpi => "acpi",
        }
    }
}

/// Which power a model gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the names of a published database")]
pub enum OutputType {
    /// That of the node, idle included.
    AbsPower,
    /// Without the idle power.
    DynPower,
}

impl OutputType {
    /// Both.
    pub const ALL: [OutputType; 2] = [OutputType::AbsPower, OutputType::DynPower];

    /// The name in paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            OutputType::AbsPower => "AbsPower",
            OutputType::DynPower => "DynPower",
        }
    }
}

/// The features of a model, by the name of their set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the names of a published database")]
pub enum FeatureGroup {
    /// CPU time and page cache hits.
    BpfOnly,
    /// Hardware counters.
    CounterOnly,
    /// Both of these.
    Basic,
    /// Interrupts.
    Irq,
    /// CPU time, page cache hits and interrupts.
    BpfIrq,
    /// Hardware counters and interrupts.
    CounterIrqCombined,
}

impl FeatureGroup {
    /// All.
    pub const ALL: [FeatureGroup; 6] = [
        FeatureGroup::BpfOnly,
        FeatureGroup::CounterOnly,
        FeatureGroup::Basic,
        FeatureGroup::Irq,
        FeatureGroup::BpfIrq,
        FeatureGroup::CounterIrqCombined,
    ];

    /// The name in paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FeatureGroup::BpfOnly => "BPFOnly",
            FeatureGroup::CounterOnly => "CounterOnly",
            FeatureGroup::Basic => "Basic",
            FeatureGroup::Irq => "IRQ",
            FeatureGroup::BpfIrq => "BPFIRQ",
            FeatureGroup::CounterIrqCombined => "CounterIRQCombined",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        FeatureGroup::ALL.into_iter().find(|group| group.name() == name)
    }

    /// The inputs of its models, by the names in their files, sorted as there.
    #[must_use]
    pub const fn features(self) -> &'static [&'static str] {
        match self {
            FeatureGroup::BpfOnly => &["bpf_cpu_time_ms", "bpf_page_cache_hit"],
            FeatureGroup::CounterOnly => &["cache_miss", "cpu_cycles", "cpu_instructions"],
            FeatureGroup::Basic => {
                &["bpf_cpu_time_ms", "bpf_page_cache_hit", "cache_miss", "cpu_cycles", "cpu_instructions"]
            }
            FeatureGroup::Irq => &["bpf_block_irq", "bpf_net_rx_irq", "bpf_net_tx_irq"],
            FeatureGroup::BpfIrq => {
                &["bpf_block_irq", "bpf_cpu_time_ms", "bpf_net_rx_irq", "bpf_net_tx_irq", "bpf_page_cache_hit"]
            }
            FeatureGroup::CounterIrqCombined => {
                &["bpf_block_irq", "bpf_net_rx_irq", "bpf_net_tx_irq", "cache_miss", "cpu_cycles", "cpu_instructions"]
            }
        }
    }
}
