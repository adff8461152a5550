//! From the newest snapshot to an exposition, at once or piece by piece.

use crate::encode::{Format, Samples, escape, protobuf};
use crate::families::{self, Family, Plan, RenderContext};
use crate::options::ExportOptions;
use kepler_core::snapshot::{Feed, Snapshot};
use std::fmt;
use std::sync::Arc;

/// Renders the newest snapshot of a [`Feed`]. Built once and shared.
///
/// ```
/// use kepler_core::snapshot::Feed;
/// use kepler_http::{ExportOptions, Exporter, Format};
///
/// let exporter = Exporter::new(Feed::default(), ExportOptions::default());
/// let mut text = Vec::new();
/// exporter.encode(Format::OpenMetrics, &mut text);
/// assert!(text.starts_with(b"# HELP kepler_build_info"));
/// assert!(text.ends_with(b"# EOF\n"));
/// ```
pub struct Exporter {
    feed: Feed,
    options: ExportOptions,
    /// `node_name="…"`, escaped.
    node_label: String,
    families: Vec<&'static Family>,
}

impl Exporter {
    /// Exports what `options` say of what `feed` holds.
    #[must_use]
    pub fn new(feed: Feed, options: ExportOptions) -> Self {
        let mut node_name = Vec::new();
        escape(&options.node_name, &mut node_name);
        // A hub is on a node as well, but speaks for none.
        let node_label = match options.hub {
            Some(_) => "hub=\"true\"".to_owned(),
            None => format!("node_name=\"{}\"", String::from_utf8_lossy(&node_name)),
        };
        Exporter { feed, node_label, families: families::chosen(&options).collect(), options }
    }

    /// Appends the whole exposition of the newest snapshot. Before the first one that is the build,
    /// the processors and what this program costs.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        let snapshot = self.feed.latest();
        let mut cursor = Cursor::new(self, snapshot.as_deref(), format);
        while cursor.write(self, snapshot.as_deref(), usize::MAX, out) {}
    }

    /// The same piece by piece.
    pub(crate) fn exposition(self: &Arc<Self>, format: Format) -> Exposition {
        let snapshot = self.feed.latest();
        let cursor = Cursor::new(self, snapshot.as_deref(), format);
        Exposition { exporter: Arc::clone(self), snapshot, cursor }
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    pub(crate) fn options(&self) -> &ExportOptions {
        &self.options
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("options", &self.options).finish_non_exhaustive()
    }
}

/// One exposition under way. It holds its snapshot, so that all pieces show the same moment.
pub(crate) struct Exposition {
    exporter: Arc<Exporter>,
    snapshot: Option<Arc<Snapshot>>,
    cursor: Cursor,
}

impl Exposition {
    /// Appends text until `out` is at least `size` bytes long, or the end; whether there is more.
    pub(crate) fn write(&mut self, size: usize, out: &mut Vec<u8>) -> bool {
        self.cursor.write(&self.exporter, self.snapshot.as_deref(), size, out)
    }
}

/// How far an exposition has come.
struct Cursor {
    format: Format,
    plan: Plan,
    family: usize,
    row: usize,
    header_due: bool,
}

impl Cursor {
    fn new(exporter: &Exporter, snapshot: Option<&Snapshot>, format: Format) -> Self {
        let plan = Plan::new(snapshot, &exporter.options);
        Cursor { format, plan, family: 0, row: 0, header_due: true }
    }

    fn write(&mut self, exporter: &Exporter, snapshot: Option<&Snapshot>, size: usize, out: &mut Vec<u8>) -> bool {
        let context =
            RenderContext { node_label: &exporter.node_label, options: &exporter.options, snapshot, plan: &self.plan };
        while let Some(family) = exporter.families.get(self.family) {
            let rows = family.rows(&context);
            if self.format == Format::Protobuf && self.header_due {
                if out.len() >= size {
                    return true;
                }
                let write = |row, out: &mut Vec<u8>| {
                    let (format, header, mut header_due) = (self.format, &family.header, false);
                    (family.write)(&context, row, &mut Samples { out, format, header, header_due: &mut header_due });
                };
                if !protobuf::begin(&family.header, rows, write, out) {
                    self.family += 1;
                    continue;
                }
                self.header_due = false;
            }
            let mut samples =
                Samples { out, format: self.format, header: &family.header, header_due: &mut self.header_due };
            while self.row < rows {
                if samples.out.len() >= size {
                    return true;
                }
                (family.write)(&context, self.row, &mut samples);
                self.row += 1;
            }
            (self.family, self.row, self.header_due) = (self.family + 1, 0, true);
        }
        if self.family == exporter.families.len() && self.format == Format::OpenMetrics {
            out.extend_from_slice(b"# EOF\n");
            self.family += 1;
        }
        false
    }
}
