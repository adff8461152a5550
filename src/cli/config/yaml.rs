//! A YAML document as a tree in which every key and value knows its line.
//!
//! Deserialising into typed structures would report the first problem only, and a duplicate or
//! unknown key without its place; hence the tree, built from the parser's events.

use granit_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// More nesting than any configuration needs; it bounds recursion over the tree.
const MAX_DEPTH: usize = 32;
/// More values than any configuration needs; it bounds what aliases of aliases can grow to.
const MAX_NODES: usize = 10_000;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The line it begins at, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing: no text after the key, `~` or `null`.
    Null,
    /// A text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A section: keys in the order of the file, duplicates included.
    Section(Vec<Entry>),
}

/// A key of a section, with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: String,
    /// The line of the key, from 1.
    pub(super) line: usize,
    /// Its value.
    pub(super) value: Node,
}

/// Why a text is not a document that a configuration can be read from, and at which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The line, from 1.
    pub(super) line: usize,
    /// What is wrong there.
    pub(super) what: String,
}

impl Malformed {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Malformed { line, what: what.into() }
    }
}

/// A list or section whose end has not been seen yet.
struct Open {
    line: usize,
    anchor: usize,
    children: Children,
}

enum Children {
    List(Vec<Node>),
    /// The entries, and the key that waits for its value.
    Section(Vec<Entry>, Option<(String, usize)>),
}

/// Builds the tree.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

/// Reads the one document of `text`; `None` if there is nothing in it.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Malformed> {
    let mut builder = Builder::default();
    // Some editors begin a file with a byte order mark.
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = event.map_err(|error| Malformed::new(error.marker().line(), error.info()))?;
        builder.event(event, span.start.line())?;
    }
    Ok(builder.root)
}

impl Builder {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), Malformed> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(Malformed::new(line, "a second document begins here; a configuration is a single one"))
            }
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if null { Content::Null } else { Content::Text(text.into_owned()) };
                self.add(Node { line, content }, anchor, 1)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(line, anchor, Children::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(line, anchor, Children::Section(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Malformed::new(line, "an alias refers to itself"));
                };
                let (node, size) = (node.clone(), size(node));
                self.add(node, 0, size)
            }
            // Starts, ends, and what the parser was not asked to report.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, anchor: usize, children: Children) -> Result<(), Malformed> {
        if let Some(Open { children: Children::Section(_, None), .. }) = self.open.last() {
            return Err(Malformed::new(line, "a key must be a text, not a list or a section"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Malformed::new(line, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.open.push(Open { line, anchor, children });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Malformed> {
        let Some(Open { line, anchor, children }) = self.open.pop() else { return Ok(()) };
        let content = match children {
            Children::List(items) => Content::List(items),
            Children::Section(entries, _) => Content::Section(entries),
        };
        self.add(Node { line, content }, anchor, 1)
    }

    /// Puts a finished node, of `size` nodes, where it belongs: into what is open, or at the root.
    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Malformed> {
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > MAX_NODES {
            return Err(Malformed::new(node.line, format!("more than {MAX_NODES} values")));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.children) {
            None => self.root = Some(node),
            Some(Children::List(items)) => items.push(node),
            Some(Children::Section(entries, waiting)) => match (waiting.take(), node.content) {
                (Some((key, line)), content) => {
                    entries.push(Entry { key, line, value: Node { line: node.line, content } })
                }
                (None, Content::Text(key)) => *waiting = Some((key, node.line)),
                (None, _) => return Err(Malformed::new(node.line, "a key must be a text")),
            },
        }
        Ok(())
    }
}

/// How many nodes a tree has. Its depth is bounded by [`MAX_DEPTH`] for each alias in it.
fn size(node: &Node) -> usize {
    1 + match &node.content {
        Content::Null | Content::Text(_) => 0,
        Content::List(items) => items.iter().map(size).sum(),
        Content::Section(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_and_values_know_their_lines() {
        let root = parse("# comment\nlog:\n  level: debug\nweb:\n  listenAddresses:\n    - :28282\n").unwrap().unwrap();
        let Content::Section(entries) = root.content else { panic!("not a section") };
        assert_eq!(entries.iter().map(|e| (e.key.as_str(), e.line)).collect::<Vec<_>>(), [("log", 2), ("web", 4)]);
        let Content::Section(web) = &entries[1].value.content else { panic!("not a section") };
        let Content::List(addresses) = &web[0].value.content else { panic!("not a list") };
        assert_eq!(addresses[0], Node { line: 6, content: Content::Text(":28282".to_owned()) });
    }

    #[test]
    fn duplicates_are_kept_for_the_reader_to_see() {
        let root = parse("log: a\nlog: b\n").unwrap().unwrap();
        let Content::Section(entries) = root.content else { panic!("not a section") };
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn an_empty_value_is_null_and_a_quoted_one_is_text() {
        let root = parse("a:\nb: ''\nc: ~\nd: 'null'").unwrap().unwrap();
        let Content::Section(entries) = root.content else { panic!("not a section") };
        let contents: Vec<_> = entries.into_iter().map(|entry| entry.value.content).collect();
        let text = |text: &str| Content::Text(text.to_owned());
        assert_eq!(contents, [Content::Null, text(""), Content::Null, text("null")]);
    }

    #[test]
    fn aliases_are_followed_but_not_without_end() {
        assert!(parse("a: &x [1, 2]\nb: *x\n").unwrap().is_some());
        assert!(parse("a: &x [*x]\n").is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let previous = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
        }
        assert!(parse(&bomb).unwrap_err().what.contains("more than 10000 values"));
    }

    #[test]
    fn what_is_not_one_document_is_refused_with_its_line() {
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(parse("a: b\n---\nc: d\n").unwrap_err().line, 2);
        assert_eq!(parse("a: b\nc: ]\n").unwrap_err().line, 2);
        assert!(parse(&format!("{}{}", "[".repeat(40), "]".repeat(40))).unwrap_err().what.contains("nested deeper"));
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-c:&*\\-\\[\\]{}, \n\t'\"!|>#~]{0,60}") {
            let _outcome = parse(&text);
        }
    }
}
