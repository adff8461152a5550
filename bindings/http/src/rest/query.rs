//! Query parameters: typed and strict, since a misspelt filter would be ignored otherwise.

use super::problem::{Kind, Problem};
use kepler_compliance::tools::registry::LONGEST_TEXT;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Reads `a=b&c=d`.
pub(super) fn read<Q: DeserializeOwned>(query: Option<&str>) -> Result<Q, Problem> {
    let too_long = |pair: &(Cow<'_, str>, Cow<'_, str>)| pair.0.len().max(pair.1.len()) > LONGEST_TEXT;
    if let Some((name, value)) = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).find(too_long) {
        let (name, length) = (kepler_guard::shortened(&name), value.len().max(name.len()));
        let reason = format!("{name}: {length} bytes are more than any name has ({LONGEST_TEXT})");
        return Err(Problem::new(Kind::BadParameter, reason).parameter(name));
    }
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.unwrap_or_default().as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        match path.as_str() {
            "." | "" => Problem::new(Kind::BadParameter, reason),
            // The message of an unknown one names it and the valid ones already.
            _ if reason.starts_with("unknown field") => Problem::new(Kind::BadParameter, reason).parameter(path),
            _ => Problem::new(Kind::BadParameter, format!("{path}: {reason}")).parameter(path),
        }
    })
}

/// A number of things that must lie in a range.
pub(super) fn within(name: &str, given: usize, most: usize) -> Result<usize, Problem> {
    if (1..=most).contains(&given) {
        return Ok(given);
    }
    Err(Problem::new(Kind::BadParameter, format!("{name} = {given}: give a number from 1 to {most}")).parameter(name))
}
