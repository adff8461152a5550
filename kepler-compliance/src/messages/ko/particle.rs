//! Korean particles: which form follows a word depends on its last sound, `서울은` but `부산시는`.

use std::fmt::Display;

/// What a word's last syllable ends with, as far as particles care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Vowel,
    /// The consonant ㄹ, after which it is `로` as after a vowel.
    Rieul,
    Consonant,
}

/// The word with `은` or `는`.
pub(super) fn topic(word: impl Display) -> String {
    with(word, "은(는)", |ending| if ending == Ending::Vowel { "는" } else { "은" })
}

/// The word with `이` or `가`.
pub(super) fn subject(word: impl Display) -> String {
    with(word, "이(가)", |ending| if ending == Ending::Vowel { "가" } else { "이" })
}

/// The word with `으로` or `로`.
pub(super) fn toward(word: impl Display) -> String {
    with(word, "(으)로", |ending| if ending == Ending::Consonant { "으로" } else { "로" })
}

/// The word with a particle; with both forms where its last sound is not known, as Korean texts write then.
fn with(word: impl Display, both: &'static str, form: impl Fn(Ending) -> &'static str) -> String {
    let word = word.to_string();
    let particle = ending(spoken(&word)).map_or(both, form);
    word + particle
}

/// The word without what stands in parentheses behind it, which particles pass over, and without quotes.
fn spoken(word: &str) -> &str {
    let mut rest = word;
    while rest.ends_with(')') {
        // The parenthesis that this one closes may have others in it.
        let mut open = 0_usize;
        let start = rest.char_indices().rev().find(|(_, letter)| {
            match letter {
                ')' => open += 1,
                '(' => open -= 1,
                _ => {}
            }
            open == 0
        });
        let Some((start, _)) = start else { break };
        rest = rest.get(..start).unwrap_or_default().trim_end();
    }
    rest.trim_end_matches(['`', '"', '\'', '’', '”'])
}

fn ending(word: &str) -> Option<Ending> {
    let mut letters = word.chars().rev();
    let last = letters.next()?;
    match last {
        // A Hangul syllable is 28 times its first two sounds and its last consonant, of which the eighth is ㄹ.
        '가'..='힣' => Some(match (u32::from(last) - u32::from('가')) % 28 {
            0 => Ending::Vowel,
            8 => Ending::Rieul,
            _ => Ending::Consonant,
        }),
        // 영, 일, 이, 삼, 사, 오, 육, 칠, 팔, 구. Ten and its powers end as 영 does: 십, 백, 천, 만.
        '1' | '7' | '8' => Some(Ending::Rieul),
        '0' | '3' | '6' => Some(Ending::Consonant),
        '2' | '4' | '5' | '9' => Some(Ending::Vowel),
        // 퍼센트.
        '%' => Some(Ending::Vowel),
        // An abbreviation is read letter by letter: 엘, 엠, 엔, 알. How other words are read is not known.
        'A'..='Z' if letters.next().is_none_or(|before| !before.is_lowercase()) => Some(match last {
            'L' | 'R' => Ending::Rieul,
            'M' | 'N' => Ending::Consonant,
            _ => Ending::Vowel,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_the_last_sound() {
        for (word, expected) in [
            ("서울", "서울은"),
            ("대한민국", "대한민국은"),
            ("스웨덴 (SE3 (Stockholm))", "스웨덴 (SE3 (Stockholm))은"),
            ("실효 탄소집약도", "실효 탄소집약도는"),
            ("KR_PUE_2030", "KR_PUE_2030은"),
            ("ISO_50001_2018", "ISO_50001_2018은"),
            ("CNDCP_PUE", "CNDCP_PUE는"),
            ("KEPCO_TN", "KEPCO_TN은"),
            ("PUE 1.2", "PUE 1.2는"),
            ("30 %", "30 %는"),
            ("`nginx`", "`nginx`은(는)"),
            ("ap-northeast-2", "ap-northeast-2는"),
            ("Sweden", "Sweden은(는)"),
            ("", "은(는)"),
            (")", ")은(는)"),
        ] {
            assert_eq!(topic(word), expected);
        }
        assert_eq!((subject("3시간"), subject("27분 5초")), ("3시간이".to_owned(), "27분 5초가".to_owned()));
        let toward = ["1.1", "1.3", "1.2", "서울 (KR)", "부산", "eu-west-x"].map(toward);
        assert_eq!(toward, ["1.1로", "1.3으로", "1.2로", "서울 (KR)로", "부산으로", "eu-west-x(으)로"]);
    }
}
