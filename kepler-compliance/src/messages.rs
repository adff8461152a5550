//! The sentences of answers, as types: a [`Message`] has the meaning, one module a language has the words.
//!
//! Logic builds messages and never words. A further language is a variant of [`Lang`] and a module beside `en` and `ko`,
//! with the same files; the compiler lists whatever it does not say yet, since each module matches every message.
//!
//! ```
//! use kepler_compliance::messages::{Message, SummaryMessage};
//! use kepler_compliance::text::Lang;
//!
//! let message = Message::from(SummaryMessage::MuchIdle { percent: 61.4 });
//! assert!(message.render(Lang::En).starts_with("61 % of the energy is idle"));
//! assert!(message.render(Lang::Ko).contains("유휴"));
//! ```

mod en;
mod ko;
mod topics;

pub use topics::{
    AssessmentMessage, ChoiceMessage, EnergyMessage, FacilityMessage, HotspotMessage, MigrationMessage, PueMessage,
    RegionMessage, ScheduleMessage, ShiftMessage, SizingMessage, SummaryMessage, TargetPue, TrendMessage,
};

use crate::intensity::IntensityError;
use crate::standards::{FigureSource, VerdictMessage};
use crate::text::{Lang, Text};
use crate::tools::{CallError, ToolError};
use crate::view::ViewError;
use std::fmt;

/// Something to be said, in no language yet.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// A text that data have in each language.
    Text(Text),
    /// A proper name, or the words of another program: the same in all languages.
    Verbatim(String),
    /// About energy figures.
    Energy(EnergyMessage),
    /// About a facility's grid and PUE.
    Facility(FacilityMessage),
    /// About a judgement.
    Verdict(VerdictMessage),
    /// Where a figure comes from.
    Source(FigureSource),
    /// About a better PUE.
    Pue(PueMessage),
    /// About requests that fit.
    Sizing(SizingMessage),
    /// About running elsewhere.
    Migration(MigrationMessage),
    /// About running later.
    Shift(ShiftMessage),
    /// About an assessment as a whole.
    Assessment(AssessmentMessage),
    /// About the largest consumers.
    Hotspot(HotspotMessage),
    /// About other regions.
    Region(RegionMessage),
    /// About times to run.
    Schedule(ScheduleMessage),
    /// About power over time.
    Trend(TrendMessage),
    /// About a cluster.
    Summary(SummaryMessage),
    /// About what pods, namespaces and nodes choose.
    Choice(ChoiceMessage),
}

impl Message {
    /// The sentence in a language.
    #[must_use]
    pub fn render(&self, lang: Lang) -> String {
        match lang {
            Lang::En => en::render(self),
            Lang::Ko => ko::render(self),
        }
    }
}

/// In English, for logs and errors.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&en::render(self))
    }
}

impl ToolError {
    /// The error in a language, for people; its `Display` is in English.
    #[must_use]
    pub fn render(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.to_string(),
            Lang::Ko => ko::errors::tool(self),
        }
    }
}

impl CallError {
    /// The error in a language, for people; its `Display` is in English.
    #[must_use]
    pub fn render(&self, lang: Lang) -> String {
        match lang {
            Lang::En => self.to_string(),
            Lang::Ko => ko::errors::call(self),
        }
    }
}

/// Sentences in one language, each once.
pub(crate) fn render_all<'a>(messages: impl IntoIterator<Item = &'a Message>, lang: Lang) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    for message in messages {
        let sentence = message.render(lang);
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    sentences
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Message::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Message::Verbatim(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Message::Verbatim(text.to_owned())
    }
}

impl From<&ViewError> for Message {
    fn from(error: &ViewError) -> Self {
        match error {
            ViewError::NoData { origin, range, reason } => {
                EnergyMessage::NoData { origin: origin.clone(), range: *range, reason: reason.clone() }.into()
            }
            other => Message::Verbatim(other.to_string()),
        }
    }
}

impl From<&IntensityError> for Message {
    fn from(error: &IntensityError) -> Self {
        match error {
            IntensityError::UnknownZone { origin, zone, known } => {
                FacilityMessage::NoIntensityZone { origin: origin.clone(), zone: zone.clone(), known: known.clone() }
                    .into()
            }
            IntensityError::NoData { origin, zone, from, to } => {
                FacilityMessage::NoIntensityThen { origin: origin.clone(), zone: zone.clone(), from: *from, to: *to }
                    .into()
            }
            IntensityError::Stale { origin, zone, ended, age, validity } => FacilityMessage::StaleIntensity {
                origin: origin.clone(),
                zone: zone.clone(),
                ended: *ended,
                age: *age,
                validity: *validity,
            }
            .into(),
            IntensityError::Ended { origin, zone, ended, age } => {
                let (origin, zone) = (origin.clone(), zone.clone());
                FacilityMessage::IntensityEnded { origin, zone, ended: *ended, age: *age }.into()
            }
            IntensityError::NotYet { origin, zone, start } => {
                FacilityMessage::IntensityBeginsLater { origin: origin.clone(), zone: zone.clone(), start: *start }
                    .into()
            }
            other => Message::Verbatim(other.to_string()),
        }
    }
}

macro_rules! topics {
    ($($topic:ident($message:ident)),* $(,)?) => {
        $(
            impl From<$message> for Message {
                fn from(message: $message) -> Self {
                    Message::$topic(message)
                }
            }
        )*
    };
}

topics!(
    Energy(EnergyMessage),
    Facility(FacilityMessage),
    Verdict(VerdictMessage),
    Source(FigureSource),
    Pue(PueMessage),
    Sizing(SizingMessage),
    Migration(MigrationMessage),
    Shift(ShiftMessage),
    Assessment(AssessmentMessage),
    Hotspot(HotspotMessage),
    Region(RegionMessage),
    Schedule(ScheduleMessage),
    Trend(TrendMessage),
    Summary(SummaryMessage),
    Choice(ChoiceMessage),
);

#[cfg(test)]
mod tests;
