//! The path in a line of `/proc/PID/cgroup`.

/// A cgroup path, without what stands before and after the host's own path.
pub(in crate::workload) struct Path<'a> {
    text: &'a str,
}

impl<'a> Path<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut text = text.strip_suffix(" (deleted)").unwrap_or(text);
        while let Some(rest) = text.strip_prefix("/..").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            text = rest;
        }
        Path { text }
    }

    /// Each directory on the path: its name, and the path down to it.
    pub(in crate::workload) fn directories(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let text = self.text;
        let ends = text.match_indices('/').map(|(at, _)| at).skip(1).chain([text.len()]);
        ends.filter_map(move |end| {
            let path = text.get(..end)?;
            let (_, name) = path.rsplit_once('/')?;
            (!name.is_empty()).then_some((name, path))
        })
    }
}
