//! Texts within HTML and SVG.

use kepler_core::printable;

/// A text as HTML shows it: no markup, nothing that acts or is not seen.
pub(super) fn escape(text: &str) -> String {
    let mut shown = String::new();
    for c in printable::line(text).chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            _ => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_name_is_text() {
        assert_eq!(
            escape("<img src=x onerror='a()'>\u{202e}\"&"),
            "&lt;img src=x onerror=&#39;a()&#39;&gt;\\u{202e}&quot;&amp;"
        );
    }
}
