//! Languages, and texts of data files in each of them.
//!
//! Sentences that this library composes are [`messages`](crate::messages), rendered by one module a language.
//!
//! ```
//! use kepler_compliance::text::{Lang, Text};
//!
//! let duty = Text::new("Report every year.", "매년 보고합니다.");
//! assert_eq!(duty.lang(Lang::Ko), "매년 보고합니다.");
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A language of the answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

/// A text that data have in English and Korean: what a rule asks, a note, a duty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "the languages of the data files; a third one is added to all of them")]
pub struct Text {
    /// In English.
    pub en: String,
    /// In Korean.
    pub ko: String,
}

impl Text {
    /// From both texts.
    pub fn new(en: impl Into<String>, ko: impl Into<String>) -> Self {
        Text { en: en.into(), ko: ko.into() }
    }

    /// The text in a language.
    #[must_use]
    pub fn lang(&self, lang: Lang) -> &str {
        match lang {
            Lang::En => &self.en,
            Lang::Ko => &self.ko,
        }
    }
}
