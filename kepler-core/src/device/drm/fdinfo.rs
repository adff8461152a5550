//! What the kernel says of a DRM client in `/proc/PID/fdinfo/N` (`Documentation/gpu/drm-usage-stats.rst`).

use crate::host::parse_decimal;

/// The most engines of a client that are followed; drivers name up to a dozen.
const MOST_ENGINES: usize = 64;

/// A DRM client: one opening of a device file, which several descriptors and processes may share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Client {
    /// The PCI address of the device, else the driver's name.
    pub(super) device: String,
    pub(super) id: u64,
    pub(super) engines: Vec<Engine>,
}

/// What a client used of one kind of engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Engine {
    pub(super) name: String,
    /// Nanoseconds in which it was busy for the client.
    pub(super) nanoseconds: Option<u64>,
    /// The same in cycles, and the cycles that passed at all.
    pub(super) cycles: Option<u64>,
    pub(super) total_cycles: Option<u64>,
    /// How many engines of the kind there are.
    pub(super) capacity: u64,
}

/// Takes a number into an engine's entry.
type Set = fn(&mut Engine, u64);

/// Reads a file. `None` if it is not that of a DRM client, or of one that cannot be distinguished from others.
pub(super) fn parse(text: &str) -> Option<Client> {
    let (mut driver, mut pci, mut id) = (None, None, None);
    let mut engines: Vec<Engine> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.strip_prefix("drm-").and_then(|line| line.split_once(':')) else { continue };
        let value = value.trim();
        let number = || value.split_ascii_whitespace().next().and_then(|digits| parse_decimal(digits.as_bytes()));
        match key {
            "driver" => driver = Some(value),
            "pdev" => pci = Some(value),
            "client-id" => id = number(),
            _ => {
                // The longer prefix first.
                let rules: [(&str, Set); 4] = [
                    ("engine-capacity-", |engine, number| engine.capacity = number.max(1)),
                    ("engine-", |engine, number| engine.nanoseconds = Some(number)),
                    ("total-cycles-", |engine, number| engine.total_cycles = Some(number)),
                    ("cycles-", |engine, number| engine.cycles = Some(number)),
                ];
                let rule = rules.iter().find_map(|(prefix, set)| Some((key.strip_prefix(prefix)?, set)));
                let (Some((name, set)), Some(number)) = (rule, number()) else { continue };
                if let Some(engine) = engine(&mut engines, name) {
                    set(engine, number);
                }
            }
        }
    }
    Some(Client { device: pci.or(driver)?.to_owned(), id: id?, engines })
}

fn engine<'a>(engines: &'a mut Vec<Engine>, name: &str) -> Option<&'a mut Engine> {
    match engines.iter().position(|engine| engine.name == name) {
        Some(index) => engines.get_mut(index),
        None if engines.len() < MOST_ENGINES => {
            engines.push(Engine { name: name.to_owned(), capacity: 1, ..Engine::default() });
            engines.last_mut()
        }
        None => None,
    }
}

/// What a client had used when it was read last.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    engines: Vec<Engine>,
}

impl Account {
    /// The seconds that the client's engines were busy since the reading before, each kind of engine by how many there are, at most
    /// `span` each. The first reading counts if the client `is_new`.
    pub(super) fn add(&mut self, client: &Client, span: f64, is_new: bool) -> f64 {
        let mut busy = 0.0;
        for engine in &client.engines {
            let index = self.engines.iter().position(|other| other.name == engine.name);
            let before = match index.and_then(|index| self.engines.get_mut(index)) {
                Some(before) => before,
                None => {
                    let empty = Engine { name: engine.name.clone(), total_cycles: None, ..Engine::default() };
                    self.engines.push(if is_new { empty } else { engine.clone() });
                    match self.engines.last_mut() {
                        Some(before) => before,
                        None => continue,
                    }
                }
            };
            // Values may fall for a while: the larger one stays until they have caught up.
            let nanoseconds = rise(&mut before.nanoseconds, engine.nanoseconds);
            let cycles = rise(&mut before.cycles, engine.cycles);
            let total = rise(&mut before.total_cycles, engine.total_cycles);
            let seconds = match (engine.nanoseconds, engine.total_cycles) {
                (Some(_), _) => nanoseconds as f64 / 1e9,
                (None, Some(_)) if total > 0 => cycles as f64 / total as f64 * span,
                _ => 0.0,
            };
            busy += (seconds / engine.capacity.max(1) as f64).min(span);
        }
        busy
    }
}

/// By how much a value rose above the largest so far, which it becomes.
fn rise(largest: &mut Option<u64>, value: Option<u64>) -> u64 {
    let Some(value) = value else { return 0 };
    let before = largest.unwrap_or(0);
    *largest = Some(before.max(value));
    value.saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AMDGPU: &str = "pos:\t0\nflags:\t02104002\nmnt_id:\t24\nino:\t614\npasid:\t32784\ndrm-driver:\tamdgpu\n\
        drm-pdev:\t0000:08:00.0\ndrm-client-id:\t217\ndrm-memory-vram:\t2068 KiB\ndrm-engine-gfx:\t107322799 ns\n\
        drm-engine-enc:\t50 ns\ndrm-engine-capacity-enc:\t2\n";
    const XE: &str = "drm-driver:\txe\ndrm-client-id:\t3\ndrm-pdev:\t0000:03:00.0\ndrm-cycles-rcs:\t28257900\n\
        drm-total-cycles-rcs:\t7655183225\ndrm-cycles-ccs:\t400\ndrm-total-cycles-ccs:\t7655183225\n\
        drm-engine-capacity-ccs:\t4\n";

    fn busy(account: &mut Account, text: &str) -> f64 {
        account.add(&parse(text).unwrap(), 1.0, false)
    }

    #[test]
    fn the_files_of_amdgpu_and_xe_are_read() {
        let client = parse(AMDGPU).unwrap();
        assert_eq!((&*client.device, client.id, client.engines.len()), ("0000:08:00.0", 217, 2));
        assert_eq!((client.engines[1].capacity, client.engines[0].nanoseconds), (2, Some(107_322_799)));
        let client = parse(XE).unwrap();
        assert_eq!((client.engines[0].cycles, client.engines[0].total_cycles), (Some(28_257_900), Some(7_655_183_225)));
        assert_eq!(client.engines[1].capacity, 4);
        assert_eq!(parse("drm-driver: panthor\ndrm-client-id: 4\n").unwrap().device, "panthor");
    }

    #[test]
    fn a_file_of_something_else_is_none() {
        assert_eq!(parse("pos:\t0\nflags:\t02\n"), None);
        assert_eq!(
            parse("drm-driver:\tamdgpu\n"),
            None,
            "without its number a client cannot be distinguished from its copies"
        );
        assert_eq!(parse("drm-client-id:\t-1\ndrm-driver:\tamdgpu\n"), None);
    }

    #[test]
    fn values_that_step_back_count_once() {
        let mut account = Account::default();
        let at = |gfx: u64| format!("drm-driver: i915\ndrm-client-id: 7\ndrm-engine-render: {gfx} ns\n");
        assert_eq!(busy(&mut account, &at(1_000_000_000)), 0.0, "what was before is not of this interval");
        assert!((busy(&mut account, &at(1_300_000_000)) - 0.3).abs() < 1e-9);
        assert_eq!(busy(&mut account, &at(1_200_000_000)), 0.0);
        assert!((busy(&mut account, &at(1_400_000_000)) - 0.1).abs() < 1e-9);
        assert!(
            (busy(&mut account, &at(900_000_000_000)) - 1.0).abs() < 1e-9,
            "no engine works longer than time passes"
        );
    }

    #[test]
    fn cycles_are_a_share_of_those_that_passed_and_groups_count_by_their_size() {
        let mut account = Account::default();
        assert_eq!(busy(&mut account, XE), 0.0);
        let later = XE.replace("7655183225", "7655184225").replace("\t400", "\t800").replace("28257900", "28258150");
        // A quarter of the one engine, and of the four compute engines together a tenth.
        assert!((busy(&mut account, &later) - 0.35).abs() < 1e-9);
    }

    #[test]
    fn a_client_of_a_process_that_has_just_begun_counts_from_nothing() {
        let client = parse("drm-driver: i915\ndrm-client-id: 7\ndrm-engine-render: 250000000 ns\n").unwrap();
        assert!((Account::default().add(&client, 1.0, true) - 0.25).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "(drm-(engine|cycles|total-cycles|engine-capacity)-[a-z]?: ?[0-9]{0,25}( ns)?\n|drm-client-id: 1\n|drm-driver: x\n|\\PC){0,40}") {
            if let Some(client) = parse(&text) {
                let busy = Account::default().add(&client, 1.0, true);
                prop_assert!(busy.is_finite() && busy >= 0.0);
            }
        }
    }
}
