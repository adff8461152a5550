//! Matching of names: letters only, without case, accents, encoding or separators.

use super::Scheme;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Names longer than this are no region's; they are neither compared nor echoed whole.
pub(super) const LONGEST: usize = 100;

/// A name in the form that names are compared in: `US East 1` and `us_east_1` are `us-east-1`, `Québec` in
/// either encoding is `quebec`.
///
/// Compatibility decomposition takes accents off their letters, full-width letters back to plain ones, and
/// Korean syllables apart into letters, the same way for both sides.
pub(super) fn fold(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    let letters = name.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase);
    for letter in letters.filter(|letter| !is_combining_mark(*letter)) {
        match letter {
            // Letters of their own that have no decomposition.
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            letter if letter.is_alphanumeric() => folded.push(letter),
            _ if folded.is_empty() || folded.ends_with('-') => {}
            _ => folded.push('-'),
        }
    }
    folded.truncate(folded.trim_end_matches('-').len());
    folded
}

/// A folded name without separators: `East US` is `eastus`.
pub(super) fn squeeze(folded: &str) -> String {
    folded.replace('-', "")
}

/// The regions that a folded name may be an availability zone of, each with who would name it so.
pub(super) fn regions_of_availability_zone(folded: &str) -> Vec<(String, &'static [Scheme])> {
    let mut regions: Vec<(String, &'static [Scheme])> = Vec::new();
    let mut may_be = |region: &str, schemes: &'static [Scheme]| regions.push((region.to_owned(), schemes));
    // us-east-1a, cn-hangzhou-h, us-central1-a
    if let Some(rest) = folded.strip_suffix(|letter: char| letter.is_ascii_lowercase()) {
        if rest.ends_with(|digit: char| digit.is_ascii_digit()) {
            may_be(rest, &[Scheme::Aws, Scheme::Alibaba]);
        }
        if let Some(region) = rest.strip_suffix('-') {
            may_be(region, &[Scheme::Gcp, Scheme::Alibaba]);
        }
    }
    // eastus-1, eastus-az1, fr-par-1, ap-seoul-1-ad-1
    if let Some(rest) = folded.strip_suffix(['1', '2', '3']) {
        for (suffix, schemes) in [
            ("-", &[Scheme::Azure, Scheme::Scaleway][..]),
            ("-az", &[Scheme::Azure]),
            ("-zone", &[Scheme::Azure]),
            ("-zone-", &[Scheme::Azure]),
            ("-ad-", &[Scheme::Oci]),
        ] {
            if let Some(region) = rest.strip_suffix(suffix) {
                // An availability domain of OCI begins with the tenancy's own prefix: `Uocm:AP-SEOUL-1-AD-1`.
                let without_prefix = region.split_once('-').map(|(_, region)| region);
                may_be(region, schemes);
                if let Some(region) = without_prefix.filter(|_| suffix == "-ad-") {
                    may_be(region, schemes);
                }
            }
        }
    }
    if let Some(region) = region_of_aws_zone_id(folded) {
        may_be(&region, &[Scheme::Aws]);
    }
    regions
}

/// `apne2-az1` is a zone of `ap-northeast-2`: AWS shortens the region in the ids of its availability zones.
fn region_of_aws_zone_id(folded: &str) -> Option<String> {
    let (region, zone) = folded.split_once("-az")?;
    if zone.len() != 1 || !zone.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let number = region.chars().next_back().filter(char::is_ascii_digit)?;
    let letters = region.strip_suffix(number)?;
    let (area, place) = ["usg", "af", "ap", "ca", "cn", "eu", "il", "me", "mx", "sa", "us"]
        .into_iter()
        .find_map(|area| Some((area, letters.strip_prefix(area)?)))?;
    let area = if area == "usg" { "us-gov" } else { area };
    let place = match place {
        "n" => "north",
        "ne" => "northeast",
        "nw" => "northwest",
        "e" => "east",
        "s" => "south",
        "se" => "southeast",
        "w" => "west",
        "c" => "central",
        _ => return None,
    };
    Some(format!("{area}-{place}-{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_separators_and_encodings_make_no_other_name() {
        for name in ["Québec", "QUE\u{301}BEC", " quebec ", "ｑｕｅｂｅｃ"] {
            assert_eq!(fold(name), "quebec", "{name}");
        }
        assert_eq!(fold("서울"), fold("\u{1109}\u{1165}\u{110b}\u{116e}\u{11af}"));
        assert_eq!(fold("US_East 1"), "us-east-1");
        assert_eq!(fold("Côte d’Ivoire"), fold("Cote d'Ivoire"));
        assert_eq!(fold("Tromsø / Łódź (Straße)"), "tromso-lodz-strasse");
        assert_eq!(fold("--"), "");
    }

    #[test]
    fn ids_of_aws_availability_zones_name_their_region() {
        for (zone, region) in [
            ("use1-az1", "us-east-1"),
            ("apne2-az4", "ap-northeast-2"),
            ("euc1-az2", "eu-central-1"),
            ("cnnw1-az1", "cn-northwest-1"),
            ("usgw1-az1", "us-gov-west-1"),
        ] {
            assert_eq!(region_of_aws_zone_id(zone).as_deref(), Some(region), "{zone}");
        }
        for other in ["use1", "use1-az", "xxe1-az1", "use-az1", "use1-az10"] {
            assert_eq!(region_of_aws_zone_id(other), None, "{other}");
        }
    }

    #[test]
    fn no_name_however_strange_is_a_fault() {
        for name in ["", "\u{0}", "\u{202e}abc", "é", "-az1", "1", "a", "🇰🇷", &"가".repeat(5000)] {
            let folded = fold(name);
            regions_of_availability_zone(&folded);
        }
    }
}
