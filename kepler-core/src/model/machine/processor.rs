//! Processor names: one spelling, and the maker, line and generation they state.

/// Words of marketing names without information.
const NOISE: [&str; 5] = ["cpu", "processor", "r", "tm", "genuine"];

/// The spelling of the model database: lower case, words joined by `_`, no trade marks, no clock, the
/// version (`v4`) joined to the number before it.
pub(super) fn normalise(name: &str) -> String {
    let name = name.split('@').next().unwrap_or_default().to_lowercase();
    // "Dual-Core" and "32-Core" are known from the counts.
    let words = name.split_whitespace().filter(|word| !word.ends_with("-core"));
    let mut normal = String::new();
    for word in words.flat_map(|word| word.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+'))) {
        if word.is_empty() || NOISE.contains(&word) {
            continue;
        }
        let version = word.strip_prefix('v').is_some_and(|digits| digits.parse::<u8>().is_ok());
        if !normal.is_empty() && !version {
            normal.push('_');
        }
        normal.push_str(word);
    }
    normal
}

/// A name taken apart.
#[derive(Debug, PartialEq)]
pub(super) struct ProcessorName<'a> {
    name: &'a str,
    vendor: Option<&'static str>,
    /// Product line: words before the number.
    line: &'a str,
    /// What of the number says the generation.
    generation: Option<String>,
}

impl<'a> ProcessorName<'a> {
    /// Takes a normalised name apart.
    pub(super) fn parse(name: &'a str) -> Self {
        let has = |word: &str| name.split('_').any(|part| part == word);
        let vendor = if has("intel") || has("xeon") {
            Some("intel")
        } else if has("amd") {
            Some("amd")
        } else if has("ampere") {
            Some("ampere")
        } else if has("arm") {
            Some("arm")
        } else {
            None
        };
        let (line, number) = name.rsplit_once('_').unwrap_or((name, ""));
        ProcessorName { name, vendor, line, generation: generation(line, number) }
    }

    /// Distance and relation.
    pub(super) fn difference(&self, other: &ProcessorName<'_>) -> (f64, &'static str) {
        if self.name.is_empty() || other.name.is_empty() {
            (1.0, "unknown processor")
        } else if self.name == other.name {
            (0.0, "same processor")
        } else if self.vendor.is_none() || self.vendor != other.vendor {
            (2.0, "processor of another maker")
        } else if self.generation.is_some() && self.generation == other.generation {
            (0.25, "processor of the same generation")
        } else if self.line == other.line {
            (0.5, "processor of the same line")
        } else {
            (1.0, "processor of the same maker")
        }
    }
}

/// The generation that a model number states, by the makers' numbering schemes:
/// Intel Xeon Scalable by its second digit (82xx), Xeon E3/E5/E7 by its version (v4), AMD EPYC by its last digit (7763).
fn generation(line: &str, number: &str) -> Option<String> {
    let digits: Vec<char> = number.chars().take_while(char::is_ascii_digit).collect();
    let scalable = ["platinum", "gold", "silver", "bronze"].iter().any(|tier| line.ends_with(tier));
    match digits.as_slice() {
        [_, second, _, _] if scalable || line == "intel_xeon" && number.ends_with('+') => {
            Some(format!("xeon scalable {second}"))
        }
        [first, _, _, last] if line.ends_with("epyc") => {
            // 8004 is the small package of 9004.
            let series = if *first == '8' { '9' } else { *first };
            Some(format!("epyc {series}{last}"))
        }
        [_, _, _, _] if ["_e3", "_e5", "_e7"].iter().any(|family| line.ends_with(family)) => {
            let version = number.rsplit_once('v').map_or("", |(_, version)| version);
            Some(format!("xeon e v{version}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marketing_names_become_those_of_the_database() {
        let names = [
            ("Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", "intel_xeon_platinum_8259cl"),
            ("Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", "intel_xeon_e5_2686v4"),
            ("AMD EPYC 7763 64-Core Processor", "amd_epyc_7763"),
            ("Intel(R) Xeon(R) Platinum 8480+", "intel_xeon_platinum_8480+"),
            ("intel_xeon_platinum_8259cl", "intel_xeon_platinum_8259cl"),
            ("", ""),
        ];
        for (name, normal) in names {
            assert_eq!(normalise(name), normal);
        }
    }

    #[test]
    fn relatives_are_nearer_than_strangers() {
        let cascade = ProcessorName::parse("intel_xeon_platinum_8259cl");
        let distance = |other: &str| cascade.difference(&ProcessorName::parse(other)).0;
        assert_eq!(distance("intel_xeon_platinum_8259cl"), 0.0);
        assert_eq!(distance("intel_xeon_gold_6252"), 0.25);
        assert_eq!(distance("intel_xeon_platinum_8488c"), 0.5);
        assert_eq!(distance("intel_xeon_e5_2686v4"), 1.0);
        assert_eq!(distance("amd_epyc_7763"), 2.0);
        assert_eq!(distance(""), 1.0);
    }

    #[test]
    fn generations_follow_the_makers_numbering() {
        let generation = |name: &str| ProcessorName::parse(name).generation;
        assert_eq!(generation("amd_epyc_7763"), generation("amd_epyc_7713p"));
        assert_ne!(generation("amd_epyc_7742"), generation("amd_epyc_7763"));
        assert_ne!(generation("amd_epyc_7742"), generation("amd_epyc_9654"));
        assert_eq!(generation("intel_xeon_e5_2683v4"), generation("intel_xeon_e7_8890v4"));
        assert_ne!(generation("intel_xeon_e5_2670"), generation("intel_xeon_e5_2670v2"));
        assert_eq!(generation("amd_epyc"), None);
    }
}
