//! The kernel's counters of each processor, corrected to never decrease.
//!
//! The fields of a `cpuN` line are not the counters that they look like. Those that fall, and why:
//!
//! | field | falls | source |
//! |---|---|---|
//! | idle, iowait | when a processor goes off line or comes back: tickless idle time is used while it is on line, the tick-based count while it is not, and the former restarts at zero | `get_idle_time` in fs/proc/stat.c; kept over hotplug since Linux 6.8 |
//! | iowait | by a tick now and then: a wait is counted as iowait first, as idle later | Documentation/filesystems/proc.rst ("not reliable", "may decrease"); sysstat pull request 273 |
//! | idle | by some ticks | node_exporter issue 1903 |
//! | steal | at every reading, by any amount, after a live migration and on Linux 4.8 to 4.11 guests | node_exporter issue 742, telegraf issue 2871 |
//! | all | when a virtual processor is removed and added again | |
//!
//! Here a field that falls has not advanced. After a small fall it advances again once it has passed its highest
//! value, so that one that goes up and down by a tick adds up to nothing; after a large one it counts on from its new
//! value.

/// Fields of a line that are read: user, nice, system, idle, iowait, irq, softirq, steal. Guest time, which follows
/// them, is part of user and nice.
pub(super) const FIELDS: usize = 8;

/// The largest processor number there can be, so that a damaged file does not take memory for billions of them.
const HIGHEST_PROCESSOR: u32 = 65_535;

/// Falls of up to this long are noise, in seconds; of more, the counter has begun again. node_exporter draws the line
/// at the same length (`jumpBackSeconds`).
const LARGEST_NOISE_SECONDS: u64 = 3;

/// What the fields of a line add up to, in ticks.
pub(super) type Ticks = [u64; FIELDS];

/// The counters of one line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    /// The highest values since the last large fall.
    highest: Ticks,
    /// By how much they have risen since the first reading, and what they were then (zero for a processor that came
    /// later).
    total: Ticks,
    /// The reading in which it was last seen.
    seen: u64,
    /// How often a field fell, or the processor was missing.
    interruptions: u64,
}

impl Line {
    /// The totals: they never fall.
    pub(super) fn total(&self) -> &Ticks {
        &self.total
    }

    pub(super) fn interruptions(&self) -> u64 {
        self.interruptions
    }

    /// Takes over the fields of the next reading. Returns by how much they have risen, and how many have fallen.
    fn advance(&mut self, fields: Ticks, noise: u64) -> (Ticks, u64) {
        let (mut risen, mut fallen) = ([0; FIELDS], 0);
        let totals = self.highest.iter_mut().zip(&mut self.total);
        for (((highest, total), now), risen) in totals.zip(fields).zip(&mut risen) {
            if now >= *highest {
                *risen = now - *highest;
                *total = total.saturating_add(*risen);
                *highest = now;
                continue;
            }
            fallen += 1;
            if *highest - now > noise {
                *highest = now;
            }
        }
        self.interruptions += fallen;
        (risen, fallen)
    }
}

/// The counters of all processors that were ever seen, and of the node.
#[derive(Debug)]
pub(super) struct Lines {
    /// Falls of up to this many ticks are noise.
    noise: u64,
    /// By number.
    processors: Vec<Option<Line>>,
    node: Line,
    /// The node's totals: from the lines of its processors.
    total: Ticks,
    /// By how much the lines of the processors have risen in the current reading.
    risen: Ticks,
    reading: u64,
    decreases: u64,
}

impl Lines {
    pub(super) fn new(ticks_per_second: u64) -> Self {
        Lines {
            noise: ticks_per_second.saturating_mul(LARGEST_NOISE_SECONDS),
            processors: Vec::new(),
            node: Line::default(),
            total: [0; FIELDS],
            risen: [0; FIELDS],
            reading: 0,
            decreases: 0,
        }
    }

    /// Begins the next reading.
    pub(super) fn begin(&mut self) {
        self.reading += 1;
        self.risen = [0; FIELDS];
    }

    /// Takes over the line of one processor.
    pub(super) fn record(&mut self, number: u32, fields: Ticks) {
        if number > HIGHEST_PROCESSOR {
            return;
        }
        let index = number as usize;
        if self.processors.len() <= index {
            self.processors.resize(index + 1, None);
        }
        let reading = self.reading;
        match self.processors.get_mut(index) {
            Some(Some(processor)) => {
                if processor.seen + 1 < reading {
                    processor.interruptions += 1; // It is back.
                }
                processor.seen = reading;
                let (risen, fallen) = processor.advance(fields, self.noise);
                self.decreases += fallen;
                add(&mut self.risen, &risen);
            }
            // What one did that comes later is none of what happened since the first reading.
            Some(entry) => {
                let (total, interruptions) = if reading == 1 { (fields, 0) } else { ([0; FIELDS], 1) };
                *entry = Some(Line { highest: fields, total, seen: reading, interruptions });
            }
            None => {}
        }
    }

    /// Ends a reading with the node's own line. It counts only where the lines of the processors stand still or are not
    /// there: a fall on one processor hides in it behind the others' rise, and processors that are off line are in it.
    pub(super) fn end(&mut self, node: Ticks) {
        let (risen, fallen) = self.node.advance(node, self.noise);
        let stand_still = self.risen == [0; FIELDS];
        add(&mut self.total, if stand_still { &risen } else { &self.risen });
        if stand_still {
            self.decreases += fallen;
        } else {
            self.node.interruptions -= fallen;
        }
    }

    /// The node's totals, in ticks.
    pub(super) fn total(&self) -> &Ticks {
        &self.total
    }

    /// How often a field of any line that counts has fallen, or a processor has come back.
    pub(super) fn interruptions(&self) -> u64 {
        let processors = self.processors.iter().flatten().map(|processor| processor.interruptions);
        self.node.interruptions + processors.sum::<u64>()
    }

    /// The number of processors in the current reading.
    pub(super) fn online(&self) -> usize {
        self.iter().filter(|(_, _, is_online)| *is_online).count()
    }

    /// Every processor ever seen, by number, and whether the current reading has it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Line, bool)> {
        let entries = (0u32..).zip(&self.processors);
        entries.filter_map(|(number, entry)| {
            let processor = entry.as_ref()?;
            Some((number, processor, processor.seen == self.reading))
        })
    }

    /// How often a field has fallen.
    pub(super) fn decreases(&self) -> u64 {
        self.decreases
    }
}

fn add(sum: &mut Ticks, more: &Ticks) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: usize = 3;

    fn totals(readings: &[u64]) -> Vec<u64> {
        let mut lines = Lines::new(100);
        readings
            .iter()
            .map(|&idle| {
                let mut fields = [0; FIELDS];
                fields[IDLE] = idle;
                lines.begin();
                lines.record(0, fields);
                lines.iter().map(|(_, processor, _)| processor.total()[IDLE]).sum()
            })
            .collect()
    }

    #[test]
    fn a_field_that_goes_up_and_down_by_a_tick_adds_up_to_nothing() {
        assert_eq!(totals(&[82, 81, 82, 81, 82, 83]), [82, 82, 82, 82, 82, 83]);
    }

    #[test]
    fn after_a_large_fall_a_field_counts_on_from_its_new_value() {
        assert_eq!(totals(&[90_000, 12, 112, 212]), [90_000, 90_000, 90_100, 90_200]);
    }

    #[test]
    fn a_number_that_no_machine_has_takes_no_memory() {
        let mut lines = Lines::new(100);
        lines.begin();
        lines.record(u32::MAX, [0; FIELDS]);
        assert!(lines.processors.is_empty());
    }
}
