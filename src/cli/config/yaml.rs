//! A YAML document as a tree in which every key and value knows its line.
//!
//! Deserialising into typed structures would report the first problem only, and a duplicate or
//! unknown key without its line; hence the tree, built from the parser's events.

use granit_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// More nesting than any configuration needs; it bounds recursion over the tree.
const MAX_DEPTH: usize = 32;
/// More values than any configuration needs; it bounds what aliases of aliases can grow to.
const MAX_NODES: usize = 10_000;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// The line it begins at, from 1.
    pub(crate) line: usize,
    /// What it is.
    pub(crate) content: Content,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
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
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// The line of the key, from 1.
    pub(crate) line: usize,
    /// Its value.
    pub(crate) value: Node,
}

/// The first document of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// What it holds; `None` if there is nothing in it.
    pub(crate) root: Option<Node>,
    /// The line at which a further document begins, which is not read.
    pub(crate) further: Option<usize>,
}

/// Why a text is not a document that a configuration can be read from, and at which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong there.
    pub(crate) what: String,
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
    /// The entries, the sections to merge in, and the key that waits for its value.
    Section {
        entries: Vec<Entry>,
        merged: Vec<Entry>,
        waiting: Option<Waiting>,
    },
}

/// A key whose value has not been seen yet.
struct Waiting {
    key: String,
    line: usize,
    /// `<<`: the value's entries stand in the section itself, unless it has them already (YAML 1.1 merge key).
    merges: bool,
}

/// Builds the tree.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    ended: bool,
}

/// Reads the first document of `text`. What follows it need not even be YAML, as for Go Kepler.
pub(crate) fn parse(text: &str) -> Result<Document, Malformed> {
    let mut builder = Builder::default();
    let mut documents = 0;
    // Some editors begin a file with a byte order mark.
    for event in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = match event {
            Ok(event) => event,
            // The first document was whole: only a separator or the end of the file ends one.
            Err(error) if builder.ended => {
                return Ok(Document { root: builder.root, further: Some(error.marker().line()) });
            }
            Err(error) => return Err(Malformed::new(error.marker().line(), error.info())),
        };
        match event {
            Event::DocumentStart(..) if documents > 0 => {
                return Ok(Document { root: builder.root, further: Some(span.start.line()) });
            }
            Event::DocumentStart(..) => documents += 1,
            Event::DocumentEnd => builder.ended = true,
            event => builder.event(event, span.start.line())?,
        }
    }
    Ok(Document { root: builder.root, further: None })
}

impl Builder {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), Malformed> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if null { Content::Null } else { Content::Text(text.into_owned()) };
                let merges = style == ScalarStyle::Plain && content == Content::Text("<<".to_owned());
                self.add(Node { line, content }, anchor, 1, merges)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(line, anchor, Children::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let section = Children::Section { entries: Vec::new(), merged: Vec::new(), waiting: None };
                self.begin(line, anchor, section)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(Malformed::new(line, "an alias refers to itself"));
                };
                let (node, size) = (node.clone(), size(node));
                self.add(node, 0, size, false)
            }
            // Starts, ends, and what the parser was not asked to report.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: usize, anchor: usize, children: Children) -> Result<(), Malformed> {
        if let Some(Open { children: Children::Section { waiting: None, .. }, .. }) = self.open.last() {
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
            Children::Section { mut entries, merged, .. } => {
                for entry in merged {
                    if !entries.iter().any(|own| own.key == entry.key) {
                        entries.push(entry);
                    }
                }
                Content::Section(entries)
            }
        };
        self.add(Node { line, content }, anchor, 1, false)
    }

    /// Puts a finished node, of `size` nodes, where it belongs: into what is open, or at the root. `merges`
    /// says that it is a merge key, if it is a key at all.
    fn add(&mut self, node: Node, anchor: usize, size: usize, merges: bool) -> Result<(), Malformed> {
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
            Some(Children::Section { entries, merged, waiting }) => match (waiting.take(), node.content) {
                (Some(Waiting { merges: true, line, .. }), content) => merged.extend(merge(content, line)?),
                (Some(Waiting { key, line, .. }), content) => {
                    entries.push(Entry { key, line, value: Node { line: node.line, content } })
                }
                (None, Content::Text(key)) => *waiting = Some(Waiting { key, line: node.line, merges }),
                (None, _) => return Err(Malformed::new(node.line, "a key must be a text")),
            },
        }
        Ok(())
    }
}

/// The entries that a merge key brings: of a section, or of each section in a list, the first ones win.
fn merge(content: Content, line: usize) -> Result<Vec<Entry>, Malformed> {
    let sections = match content {
        Content::Section(entries) => vec![entries],
        Content::List(items) => items
            .into_iter()
            .filter_map(|item| match item.content {
                Content::Section(entries) => Some(entries),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    if sections.is_empty() {
        return Err(Malformed::new(line, "`<<` merges sections, and its value is none"));
    }
    Ok(sections.into_iter().flatten().collect())
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
        let root =
            parse("# comment\nlog:\n  level: debug\nweb:\n  listenAddresses:\n    - :28282\n").unwrap().root.unwrap();
        let Content::Section(entries) = root.content else { panic!("not a section") };
        assert_eq!(entries.iter().map(|e| (e.key.as_str(), e.line)).collect::<Vec<_>>(), [("log", 2), ("web", 4)]);
        let Content::Section(web) = &entries[1].value.content else { panic!("not a section") };
        let Content::List(addresses) = &web[0].value.content else { panic!("not a list") };
        assert_eq!(addresses[0], Node { line: 6, content: Content::Text(":28282".to_owned()) });
    }

    #[test]
    fn duplicates_are_kept_for_the_reader_to_see() {
        let root = parse("log: a\nlog: b\n").unwrap().root.unwrap();
        let Content::Section(entries) = root.content else { panic!("not a section") };
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn an_empty_value_is_null_and_a_quoted_one_is_text() {
        let root = parse("a:\nb: ''\nc: ~\nd: 'null'").unwrap().root.unwrap();
        let Content::Section(entries) = root.content else { panic!("not a section") };
        let contents: Vec<_> = entries.into_iter().map(|entry| entry.value.content).collect();
        let text = |text: &str| Content::Text(text.to_owned());
        assert_eq!(contents, [Content::Null, text(""), Content::Null, text("null")]);
    }

    #[test]
    fn aliases_are_followed_but_not_without_end() {
        assert!(parse("a: &x [1, 2]\nb: *x\n").unwrap().root.is_some());
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
        assert_eq!(parse("").unwrap(), Document { root: None, further: None });
        assert_eq!(parse("a: b\nc: ]\n").unwrap_err().line, 2);
        assert!(parse(&format!("{}{}", "[".repeat(40), "]".repeat(40))).unwrap_err().what.contains("nested deeper"));
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn only_the_first_document_is_read_whatever_follows() {
        for text in ["a: b\n---\nc: d\n", "a: b\n---\n", "a: b\n...\n---\nc: ]\n", "---\na: b\n---\n]]\n"] {
            let document = parse(text).unwrap();
            let Content::Section(entries) = document.root.unwrap().content else { panic!("{text}") };
            assert_eq!(entries[0].key, "a");
            assert!(document.further.is_some(), "{text}");
        }
        assert_eq!(parse("---\na: b\n...\n").unwrap().further, None);
    }

    #[test]
    fn merge_keys_bring_entries_that_the_section_has_not_itself() {
        let text = "x: &x { a: 1, b: 2 }\ny: &y { b: 3, c: 4 }\nz:\n  <<: [*x, *y]\n  a: 0\nw: { <<: *x }\n";
        let Content::Section(entries) = parse(text).unwrap().root.unwrap().content else { panic!() };
        let values = |index: usize| {
            let Content::Section(entries) = &entries[index].value.content else { panic!() };
            let texts = entries.iter().map(|entry| match &entry.value.content {
                Content::Text(text) => format!("{}{text}", entry.key),
                _ => panic!(),
            });
            texts.collect::<Vec<_>>()
        };
        assert_eq!(values(2), ["a0", "b2", "c4"]);
        assert_eq!(values(3), ["a1", "b2"]);
        assert!(parse("a: &a [1]\nb: { <<: *a }\n").unwrap_err().what.contains("merges sections"));
        // Quoted, it is a key like others.
        let Content::Section(entries) = parse("'<<': 1\n").unwrap().root.unwrap().content else { panic!() };
        assert_eq!(entries[0].key, "<<");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-c:&*\\-\\[\\]{}, \n\t'\"!|>#~]{0,60}") {
            let _outcome = parse(&text);
        }
    }
}
