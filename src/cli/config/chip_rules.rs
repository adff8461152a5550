//! `experimental.hwmon.chipRules`: how the voltages and currents of a chip pair, as Kepler v0.11 takes it.

use super::raw_setting::{Problem, RawSetting};
use super::yaml::{Content, Entry, Node};
use kepler_core::meter::hwmon::ChipRule;
use std::fmt::Display;

const KEYS: &str = "`name`, `pairings`, `skipVoltages`, `skipCurrents`, `useSameIndex`";

/// Reads a list of rules; nothing at all is a list of none.
pub(super) fn read(raw: &RawSetting) -> Result<Vec<ChipRule>, Problem> {
    match raw {
        RawSetting::Many(_, values) if values.is_empty() => Ok(Vec::new()),
        RawSetting::Structure(origin, Node { content: Content::List(items), .. }) => {
            items.iter().map(|item| rule(origin, item)).collect()
        }
        _ => Err(Problem(format!("{}: must be a list of sections with keys: {KEYS}", raw.origin()))),
    }
}

fn rule(origin: &str, node: &Node) -> Result<ChipRule, Problem> {
    let Content::Section(entries) = &node.content else {
        return Err(wrong(origin, node.line, format_args!("a rule must be a section with keys: {KEYS}")));
    };
    let mut rule = ChipRule::default();
    for Entry { key, line, value } in entries {
        match key.as_str() {
            "name" => rule.name = text(origin, value)?.to_owned(),
            "pairings" => {
                let Content::Section(pairs) = &value.content else {
                    return Err(wrong(
                        origin,
                        *line,
                        "`pairings` must pair voltage with current channels, such as `1: 1`",
                    ));
                };
                for pair in pairs {
                    let voltage = channel(origin, pair.line, &pair.key)?;
                    rule.pairings.insert(voltage, channel(origin, pair.value.line, text(origin, &pair.value)?)?);
                }
            }
            "skipVoltages" => rule.skip_voltages = channels(origin, value)?,
            "skipCurrents" => rule.skip_currents = channels(origin, value)?,
            "useSameIndex" => {
                let text = text(origin, value)?;
                rule.use_same_index = text
                    .parse()
                    .map_err(|_| wrong(origin, *line, format_args!("`{text}` is not `true` or `false`")))?;
            }
            _ => return Err(wrong(origin, *line, format_args!("`{key}` is unknown; here can stand: {KEYS}"))),
        }
    }
    if rule.name.is_empty() {
        return Err(wrong(origin, node.line, "a rule needs the chip's `name`"));
    }
    Ok(rule)
}

fn text<'a>(origin: &str, node: &'a Node) -> Result<&'a str, Problem> {
    match &node.content {
        Content::Text(text) => Ok(text),
        _ => Err(wrong(origin, node.line, "must be a single value")),
    }
}

fn channels(origin: &str, node: &Node) -> Result<Vec<u32>, Problem> {
    match &node.content {
        Content::List(items) => items.iter().map(|item| channel(origin, item.line, text(origin, item)?)).collect(),
        Content::Null => Ok(Vec::new()),
        _ => Err(wrong(origin, node.line, "must be a list of channel numbers")),
    }
}

fn channel(origin: &str, line: usize, text: &str) -> Result<u32, Problem> {
    text.parse().map_err(|_| wrong(origin, line, format_args!("`{text}` is not a channel number")))
}

fn wrong(origin: &str, line: usize, what: impl Display) -> Problem {
    Problem(format!("{origin}: line {line}: {what}"))
}
