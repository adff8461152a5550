//! How busy the processors were in an interval: of the node, and of each CPU domain.

use crate::host::{BusyTime, BusyWindow, CpuDomains, CpuTimes, CpuTimesReader, Timestamp};
use std::time::Duration;

/// Follows the busy time of each CPU domain. On a host with one domain it does nothing: that is the node.
#[derive(Debug)]
pub(super) struct DomainTimes {
    domains: CpuDomains,
    times: Vec<CpuTimes>,
    busy: Vec<BusyTime>,
    /// Busy nanoseconds of this interval, by domain; empty if not known.
    busy_ns: Vec<u64>,
    is_exact: bool,
}

impl DomainTimes {
    pub(super) fn new(domains: CpuDomains) -> Self {
        let busy = vec![BusyTime::default(); domains.len()];
        DomainTimes { times: Vec::with_capacity(domains.len()), busy_ns: Vec::new(), busy, domains, is_exact: false }
    }

    pub(super) fn domains(&self) -> &CpuDomains {
        &self.domains
    }

    /// Takes over what the reader has just read, if it could.
    pub(super) fn advance(&mut self, reader: Option<&CpuTimesReader>, at: Timestamp, interval: Duration) {
        self.busy_ns.clear();
        self.is_exact = true;
        let Some(reader) = reader.filter(|_| self.domains.len() > 1) else { return };
        reader.by_domain(&self.domains, &mut self.times);
        for (times, busy) in self.times.iter().zip(&mut self.busy) {
            let Some(window) = busy.advance(*times, at) else { continue };
            self.is_exact &= window.elapsed == interval;
            self.busy_ns.push(within(interval, window));
        }
        if self.busy_ns.len() < self.domains.len() {
            self.busy_ns.clear();
        }
    }

    /// Busy nanoseconds of this interval, by domain; empty if they are not known, or there is one domain.
    pub(super) fn busy_ns(&self) -> &[u64] {
        &self.busy_ns
    }

    /// The busy share of a package's processors; `None` if it is not known.
    pub(super) fn utilisation(&self, package: u32, interval: Duration) -> Option<f64> {
        let (mut busy_ns, mut processors) = (0u64, 0u32);
        for ((domain, &busy), times) in self.domains.iter().zip(&self.busy_ns).zip(&self.times) {
            if domain.package == package {
                busy_ns += busy;
                processors += times.processors;
            }
        }
        let capacity = interval.as_secs_f64() * f64::from(processors);
        (capacity > 0.0).then(|| (busy_ns as f64 / 1e9 / capacity).min(1.0))
    }

    /// Whether the busy times were measured over this very interval.
    pub(super) fn is_exact(&self) -> bool {
        self.is_exact
    }
}

/// Busy nanoseconds of the interval, where the window may be longer because readings failed.
pub(super) fn within(interval: Duration, window: BusyWindow) -> u64 {
    let busy = window.busy.as_nanos();
    let part = if window.elapsed > interval {
        busy.saturating_mul(interval.as_nanos()).checked_div(window.elapsed.as_nanos()).unwrap_or(0)
    } else {
        busy
    };
    u64::try_from(part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use crate::host::{Host, Timestamp};
    use crate::meter::chain::Source;
    use crate::sampler::{Sampler, SamplerOptions};
    #[cfg(feature = "sim")]
    use crate::units::Energy;
    use std::time::Duration;

    /// One tick later than the last.
    fn tick(sampler: &mut Sampler, host: &Host, at: &mut Timestamp) -> u64 {
        let before = host.cpu_time_readings();
        at.monotonic += Duration::from_secs(1);
        sampler.tick_at(*at);
        host.cpu_time_readings() - before
    }

    #[test]
    fn the_cpu_times_are_read_once_a_tick_whatever_estimates_and_doubts() {
        let host = Host::default();
        let options = SamplerOptions::default().with(|options| options.chain.sources = vec![Source::Model]);
        let mut sampler = Sampler::new(&host, options).unwrap();
        let mut at = Timestamp::now();
        for _ in 0..4 {
            assert_eq!(tick(&mut sampler, &host, &mut at), 1, "estimate and sampler");
        }
    }

    #[cfg(feature = "sim")]
    #[test]
    fn the_cpu_times_are_read_once_a_tick_where_a_counter_stands_still_and_a_socket_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let mut tree = crate::sim::PowercapTree::create(root.path()).unwrap();
        for socket in 0..2 {
            let entry = format!("intel-rapl:{socket}");
            tree.add_zone(&entry, &format!("package-{socket}"), Energy::from_joules(9.0)).unwrap();
        }
        let counter = tree.zone("intel-rapl:1").unwrap().join("energy_uj");
        std::fs::remove_file(&counter).unwrap();
        std::fs::create_dir(&counter).unwrap();
        let host = tree.host();
        let options = SamplerOptions::default().with(|options| {
            options.chain.sources = vec![Source::Powercap, Source::Model];
        });
        let mut sampler = Sampler::new(&host, options).unwrap();
        let mut at = Timestamp::now();
        for second in 0..8 {
            // It counts for a while, and then no more.
            if second < 3 {
                tree.draw("intel-rapl:0", Energy::from_joules(50.0)).unwrap();
            }
            let readings = tick(&mut sampler, &host, &mut at);
            assert_eq!(readings, 1, "second {second}: filled, doubted and sampled from one reading");
        }
    }
}
