//! Answers that fit into a conversation.
//!
//! A model reads an answer whole, and a host can have thousands of workloads. Without a wish of the caller an answer
//! has at most [`DEFAULT`] bytes, both of its forms together: an answer of a tool with a `limit` lists fewer items, and what
//! is still too long loses the end of its longest lists. `more` says which, and how many there are.
//! [`ARGUMENT`], which every tool takes and the instructions name once for all, asks for more; so does a `limit` of the caller's own.

use crate::brief::brief;
#[cfg(feature = "charts")]
use crate::chart;
use kepler_compliance::text::Lang;
use kepler_compliance::tools::registry::{Tool, ToolAnswer, language};
use kepler_compliance::tools::{CallError, Context};
use kepler_core::printable;
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Map, Value, json};

/// Bytes of an answer as it is sent, without a wish of the caller.
pub(crate) const DEFAULT: usize = 7_200;
/// The argument that asks for more, or less.
pub(crate) const ARGUMENT: &str = "max_answer_bytes";
/// Where an answer says what it leaves out.
pub(crate) const MORE: &str = "more";

/// The fewest bytes that may be asked for, and the most.
const FEWEST: usize = 2_000;
const MOST: usize = 1_000_000;
/// How many items a tool gives at most.
const LIMIT: &str = "limit";
/// Items of other lists that are left room for when a limit is chosen.
const OTHERS_KEPT: usize = 3;
/// Room for `more` itself: its words, and a line for each list.
const ROOM: usize = 400;
/// How much longer a list of sentences may be than other lists.
const SENTENCES: usize = 4;
/// Bytes of a text that is cut because no list is left.
const LONG_TEXT: usize = 200;

/// What a caller asks for.
#[derive(Debug)]
pub(crate) struct Wish {
    arguments: Map<String, Value>,
    most: Option<usize>,
    /// As a picture, too.
    #[cfg(feature = "charts")]
    is_drawn: bool,
}

impl Wish {
    /// Takes the argument out of those for the tool.
    ///
    /// # Errors
    /// It is no number of bytes that an answer can have; the text says which are.
    pub(crate) fn new(mut arguments: Map<String, Value>) -> Result<Self, String> {
        let most = match arguments.remove(ARGUMENT) {
            None | Some(Value::Null) => None,
            Some(given) => match given.as_u64().and_then(|bytes| usize::try_from(bytes).ok()) {
                Some(bytes) if (FEWEST..=MOST).contains(&bytes) => Some(bytes),
                _ => return Err(format!("{ARGUMENT}: give a whole number of bytes, {FEWEST} to {MOST}")),
            },
        };
        #[cfg(feature = "charts")]
        let is_drawn = match arguments.remove(chart::ARGUMENT) {
            None | Some(Value::Null) => false,
            Some(given) if given == chart::CHART => true,
            Some(_) => return Err(format!("{}: give {}, or leave it out", chart::ARGUMENT, chart::CHART)),
        };
        Ok(Wish {
            arguments,
            most,
            #[cfg(feature = "charts")]
            is_drawn,
        })
    }

    /// The language that is asked for.
    pub(crate) fn language(&self) -> Lang {
        self.arguments.get("lang").map_or_else(Lang::default, language)
    }

    /// The tool's answer, of the size wished for.
    ///
    /// # Errors
    /// Those of the tool.
    #[cfg(not(feature = "charts"))]
    pub(crate) fn answer(self, tool: &Tool, context: &Context<'_>) -> Result<CallToolResult, CallError> {
        let own_limit = self.arguments.contains_key(LIMIT);
        sized(tool.answer(context, Value::Object(self.arguments))?, tool, own_limit, self.most)
    }

    /// The tool's answer, of the size wished for, and its picture where that is wished for.
    ///
    /// # Errors
    /// Those of the tool; it has no pictures.
    #[cfg(feature = "charts")]
    pub(crate) fn answer(mut self, tool: &Tool, context: &Context<'_>) -> Result<CallToolResult, CallError> {
        let (own_limit, lang) = (self.arguments.contains_key(LIMIT), self.language());
        if self.is_drawn {
            if !chart::TOOLS.contains(&tool.name) {
                let reason = format!("{}: charts are drawn by {}", chart::ARGUMENT, chart::TOOLS.join(", "));
                let properties = tool.input_schema.get("properties").and_then(Value::as_object);
                let takes = properties.into_iter().flatten().map(|(name, _)| name.clone()).collect();
                return Err(CallError::Arguments { tool: tool.name, reason, takes });
            }
            chart::complete(tool.name, &mut self.arguments);
        }
        let answer = tool.answer(context, Value::Object(self.arguments))?;
        let picture = self.is_drawn.then(|| chart::picture(tool.name, answer.json(), lang));
        let mut result = sized(answer, tool, own_limit, self.most)?;
        result.content.extend(picture);
        Ok(result)
    }
}

/// An answer of the size wished for.
fn sized(answer: ToolAnswer, tool: &Tool, own_limit: bool, wished: Option<usize>) -> Result<CallToolResult, CallError> {
    let most = match wished {
        Some(most) => most,
        None if own_limit => return Ok(result(briefly(answer.into_json()))),
        None => DEFAULT,
    };
    let limit = if own_limit { None } else { default_limit(tool) };
    let whole = briefly(answer.json().clone());
    match limit.filter(|_| size_of(&whole) > most) {
        None => Ok(fit(whole, most, &[])),
        Some(limit) => {
            let (shorter, lists) = fewer(&answer, &whole, limit, most)?;
            Ok(fit(shorter, most, &lists))
        }
    }
}

/// An answer as a model reads it.
fn briefly(mut answer: Value) -> Value {
    brief(&mut answer);
    answer
}

/// How many items the tool gives without a `limit`, if it has that argument.
fn default_limit(tool: &Tool) -> Option<usize> {
    let limit = tool.input_schema.get("properties")?.get(LIMIT)?.get("default")?.as_u64()?;
    usize::try_from(limit).ok()
}

/// The answer with as many items as there is room for beside the rest of it, whose other lists can be shortened. The tool
/// itself counts the items that are not listed. Also gives the lists that are limited.
fn fewer(whole: &ToolAnswer, answer: &Value, limit: usize, most: usize) -> Result<(Value, Vec<String>), CallError> {
    let one = briefly(whole.shortened(1)?);
    let count = |answer: &Value, name: &str| answer.get(name).and_then(Value::as_array).map_or(0, Vec::len);
    let names: Vec<String> = one.as_object().map_or_else(Vec::new, |fields| fields.keys().cloned().collect());
    let (limited, others): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| count(&one, name) < count(answer, name));
    let without_others = |mut answer: Value| {
        for name in &others {
            if let Some(Value::Array(list)) = answer.get_mut(name) {
                list.truncate(OTHERS_KEPT);
            }
        }
        size_of(&answer)
    };
    let room = most.saturating_sub(without_others(one.clone()) + ROOM);
    // The first item is in `one`; the next ones take as much as they do in the whole answer.
    let lists: Vec<&Vec<Value>> = limited.iter().filter_map(|name| answer.get(name)?.as_array()).collect();
    let longest = lists.iter().map(|list| list.len()).max().unwrap_or(1);
    let mut used = 0;
    let fitting = (1..longest).take_while(|&at| {
        used += lists.iter().filter_map(|list| list.get(at)).map(part).sum::<usize>();
        used <= room
    });
    let mut limit = limit.min(1 + fitting.count());
    let mut answer = one;
    // The tool may say more of those that it then counts.
    while limit > 1 {
        answer = briefly(whole.shortened(limit)?);
        if without_others(answer.clone()) + ROOM <= most {
            break;
        }
        limit -= 1.max(limit / 8);
    }
    Ok((answer, limited.into_iter().map(|name| format!("/{}", escaped(&name))).collect()))
}

/// An answer as a structure and as the same in text. Names of processes and containers may hold what acts on a terminal:
/// in the text that is escaped as JSON does it.
fn result(answer: Value) -> CallToolResult {
    let text = printable::json(&answer.to_string()).into_owned();
    let mut result = CallToolResult::structured(answer);
    result.content = vec![ContentBlock::text(text)];
    result
}

/// Bytes of an answer as it is sent: as a structure, and as text.
fn size_of(answer: &Value) -> usize {
    serde_json::to_string(&result(answer.clone())).map_or(usize::MAX, |text| text.len())
}

/// Bytes that a part of an answer takes in both forms; quotes are escaped in the second.
fn part(value: &Value) -> usize {
    let text = value.to_string();
    2 * text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count() + 2
}

/// Leaves out the ends of the longest lists until the answer has at most `most` bytes; of `limited` lists only if there is
/// no other, since the tool counts them.
fn fit(mut answer: Value, most: usize, limited: &[String]) -> CallToolResult {
    let mut lists: Vec<(String, usize)> = Vec::new();
    let mut texts_cut = false;
    // Each round removes something of what is left; the bound is for unforeseen cases.
    for _ in 0..1_000 {
        let size = size_of(&answer);
        if size <= most {
            break;
        }
        let excess = size - most + if lists.is_empty() { ROOM } else { 0 };
        match longest(&answer, "", limited).or_else(|| longest(&answer, "", &[])) {
            Some((_, path, total)) => {
                if !lists.iter().any(|(known, _)| *known == path) {
                    lists.push((path.clone(), total));
                }
                if let Some(list) = answer.pointer_mut(&path).and_then(Value::as_array_mut) {
                    shorten(list, excess);
                }
            }
            None if texts_cut => break,
            None => {
                cut_texts(&mut answer);
                texts_cut = true;
            }
        }
        say(&mut answer, &lists, texts_cut);
    }
    result(answer)
}

/// The list that takes the most bytes, and how many items it has; none of those that are `kept`.
fn longest(value: &Value, path: &str, kept: &[String]) -> Option<(usize, String, usize)> {
    if kept.iter().any(|kept| kept == path) {
        return None;
    }
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            let known = fields.iter().filter(|(name, _)| path.is_empty().then_some(name.as_str()) != Some(MORE));
            known.map(|(name, value)| (format!("{path}/{}", escaped(name)), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (format!("{path}/{at}"), value)).collect(),
        _ => return None,
    };
    let own = value.as_array().filter(|items| !items.is_empty());
    let own = own.map(|items| {
        // Sentences say what to think of the figures: they go last, unless they are most of the answer.
        let worth = if items.iter().all(Value::is_string) { part(value) / SENTENCES } else { part(value) };
        (worth, path.to_owned(), items.len())
    });
    below.into_iter().filter_map(|(path, value)| longest(value, &path, kept)).chain(own).max_by_key(|(size, ..)| *size)
}

/// A name as a step of a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Removes items until `excess` bytes are gone or half of the list is, so that several long lists share the loss. Of
/// steps in time the oldest go, of all else the last.
fn shorten(list: &mut Vec<Value>, excess: usize) {
    let keep = list.len() / 2;
    let in_time = rising_in_time(list);
    let mut removed = 0;
    while list.len() > keep && removed < excess {
        let item = if in_time { list.remove(0) } else { list.pop().unwrap_or_default() };
        removed += part(&item);
    }
}

/// Whether the items are steps in time, oldest first.
fn rising_in_time(list: &[Value]) -> bool {
    let starts: Option<Vec<&str>> = list.iter().map(|item| item.get("start")?.as_str()).collect();
    starts.is_some_and(|starts| starts.len() > 2 && starts.is_sorted())
}

/// Cuts long texts: the last resort, where no list is left.
fn cut_texts(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONG_TEXT => {
            text.truncate(text.floor_char_boundary(LONG_TEXT));
            text.push('…');
        }
        Value::Array(items) => items.iter_mut().for_each(cut_texts),
        Value::Object(fields) => fields.values_mut().for_each(cut_texts),
        _ => {}
    }
}

/// Writes what was left out: of each list how many items are shown, and of how many.
fn say(answer: &mut Value, lists: &[(String, usize)], texts_cut: bool) {
    let mut shown = Map::new();
    for (path, total) in lists {
        // A list within one that was shortened may itself be gone.
        if let Some(list) = answer.pointer(path).and_then(Value::as_array) {
            let name = path.trim_start_matches('/').replace('/', ".");
            shown.insert(name, json!({ "shown": list.len(), "total": total }));
        }
    }
    let mut more = json!({ "lists": shown, "ask_for_more_with": ARGUMENT });
    if let (true, Value::Object(fields)) = (texts_cut, &mut more) {
        fields.insert("texts_cut_at_bytes".to_owned(), json!(LONG_TEXT));
    }
    if let Value::Object(fields) = answer {
        fields.insert(MORE.to_owned(), more);
    }
}

#[cfg(test)]
mod tests;
