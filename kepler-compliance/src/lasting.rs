//! Lengths of time as people read them.

use crate::numbers::figure;
use crate::text::Lang;
use std::time::Duration;

/// The two largest units: `365 d 16 h`, `5 min`.
pub(crate) fn lasting(duration: Duration, lang: Lang) -> String {
    let units = units(duration, lang);
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    // Beside minutes seconds do not matter.
    let next = if first == 2 { 1 } else { 2 };
    words(units.iter().skip(first).take(next))
}

/// All units (of less than a second, what there is), so that two lengths that differ by seconds read differently: `36 min 55 s`.
pub(crate) fn exactly(duration: Duration, lang: Lang) -> String {
    if duration.as_secs() == 0 && !duration.is_zero() {
        let [.., (_, seconds)] = units(duration, lang);
        return format!("{}{seconds}", figure(duration.as_secs_f64()));
    }
    words(units(duration, lang).iter())
}

fn units(duration: Duration, lang: Lang) -> [(u64, &'static str); 4] {
    let seconds = duration.as_secs();
    let [days, hours, minutes, rest] = match lang {
        Lang::Ko => ["일", "시간", "분", "초"],
        _ => [" d", " h", " min", " s"],
    };
    [(seconds / 86_400, days), (seconds / 3600 % 24, hours), (seconds / 60 % 60, minutes), (seconds % 60, rest)]
}

/// Units of which there are some; of none, the last.
fn words<'a>(units: impl Iterator<Item = &'a (u64, &'static str)> + Clone) -> String {
    let some: Vec<String> =
        units.clone().filter(|unit| unit.0 > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    match units.last() {
        Some((count, unit)) if some.is_empty() => format!("{count}{unit}"),
        _ => some.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_units_that_matter() {
        assert_eq!(exactly(Duration::from_millis(250), Lang::Ko), "0.25초");
        for (seconds, rough, exact, korean) in [
            (0, "0 s", "0 s", "0초"),
            (59, "59 s", "59 s", "59초"),
            (71, "1 min", "1 min 11 s", "1분"),
            (3600, "1 h", "1 h", "1시간"),
            (5430, "1 h 30 min", "1 h 30 min 30 s", "1시간 30분"),
            (86_405, "1 d", "1 d 5 s", "1일"),
            (365 * 86_400 + 16 * 3600 + 60, "365 d 16 h", "365 d 16 h 1 min", "365일 16시간"),
        ] {
            let length = Duration::from_secs(seconds);
            assert_eq!((&*lasting(length, Lang::En), &*exactly(length, Lang::En)), (rough, exact));
            assert_eq!(lasting(length, Lang::Ko), korean);
        }
    }
}
