//! Text made safe for the formats that a report is written in.
//!
//! Never changes what people read: it only escapes, or replaces what a format cannot hold.

use std::fmt::{Display, Formatter, Result, Write as _};

/// Text for elements and attributes of XML and HTML; a character that XML does not allow becomes U+FFFD.
pub(super) struct Xml<'a>(pub(super) &'a str);

impl Display for Xml<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\t' | '\n' | '\r' => out.write_char(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.write_char('\u{fffd}'),
            _ => out.write_char(c),
        })
    }
}

/// The value of a label in OpenMetrics, without its quotes.
pub(super) struct Label<'a>(pub(super) &'a str);

impl Display for Label<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => out.write_str("\\\\"),
            '"' => out.write_str("\\\""),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_char(' '),
            _ => out.write_char(c),
        })
    }
}

/// A field of a row of comma-separated values (RFC 4180), quoted where it has to be.
pub(super) struct Field<'a>(pub(super) &'a str);

impl Display for Field<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        match self.0.contains(['"', ',', '\n', '\r']) {
            true => write!(out, "\"{}\"", self.0.replace('"', "\"\"")),
            false => out.write_str(self.0),
        }
    }
}

/// Letters and digits in lower case with single dashes between them, for names of files and measures.
pub(super) fn slug(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_format_reads_as_its_own_is_escaped() {
        assert_eq!(
            Xml("a<b & \"c\"\n\u{1b}[0m").to_string(),
            "a&lt;b &amp; &quot;c&quot; \u{fffd}[0m"
        );
        assert_eq!(Label("a\\b \"c\"\nd").to_string(), "a\\\\b \\\"c\\\"\\nd");
        assert_eq!(Field("a, \"b\"").to_string(), "\"a, \"\"b\"\"\"");
        assert_eq!(Field("plain").to_string(), "plain");
        assert_eq!(slug("frame, device: p99 / GB/s"), "frame-device-p99-gb-s");
    }
}
