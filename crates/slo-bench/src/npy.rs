//! The header of an .npy file, versions 1 and 2: element type, order and shape.
//!
//! Layout: the NumPy format description (`numpy.lib.format`). Never reads or writes values.

use std::io::{self, Read};

pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// A header has some 100 bytes; anything far longer is not one.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// Bytes before the dictionary in version 1: magic, version and length.
const PREFIX: usize = 10;

/// What the values of a file are, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F64,
    I64,
}

impl Element {
    /// As NumPy writes it.
    pub(crate) fn descr(self) -> &'static str {
        match self {
            Self::F64 => "<f8",
            Self::I64 => "<i8",
        }
    }
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Element type, without its quotes.
    pub(crate) descr: String,
    /// Whether the first side runs fastest.
    pub(crate) is_fortran: bool,
    /// The shape as it is written.
    pub(crate) shape: String,
    /// Bytes before the first value.
    pub(crate) bytes: u64,
}

impl Header {
    /// The sides of the shape; `None` if it is not a tuple of counts.
    pub(crate) fn sides(&self) -> Option<Vec<u64>> {
        let inner = self.shape.strip_prefix('(')?.strip_suffix(')')?;
        let sides = inner.split(',').map(str::trim).filter(|side| !side.is_empty());
        sides.map(|side| side.parse().ok()).collect()
    }
}

/// Reads the header that follows the magic bytes; an error says what is wrong and what to do.
pub(crate) fn read(file: &mut impl Read) -> Result<Header, String> {
    let ended = |error: io::Error| format!("the .npy header cannot be read ({error})");
    let mut version = [0; 2];
    file.read_exact(&mut version).map_err(ended)?;
    let (prefix, len) = match version {
        [1, _] => {
            let mut len = [0; 2];
            file.read_exact(&mut len).map_err(ended)?;
            (10, u32::from(u16::from_le_bytes(len)))
        }
        [2, _] => {
            let mut len = [0; 4];
            file.read_exact(&mut len).map_err(ended)?;
            (12, u32::from_le_bytes(len))
        }
        [major, minor] => {
            return Err(format!(
                ".npy version {major}.{minor} is not read; save it as version 1.0"
            ));
        }
    };
    if len > HEADER_BYTES_MAX {
        return Err(format!("the .npy header claims {len} bytes; about 100 are usual"));
    }
    let mut text = vec![0; usize::try_from(len).expect("at most HEADER_BYTES_MAX")];
    file.read_exact(&mut text).map_err(ended)?;
    let text = std::str::from_utf8(&text).map_err(|_| "the .npy header is not text".to_owned())?;
    let find =
        |key: &str| value(text, key).ok_or_else(|| format!("the .npy header has no `{key}`"));
    Ok(Header {
        descr: find("descr")?.trim_matches(['\'', '"']).to_owned(),
        is_fortran: find("fortran_order")? != "False",
        shape: find("shape")?.to_owned(),
        bytes: prefix + u64::from(len),
    })
}

/// The value of `key` in a dictionary literal: a text, a word or a tuple, as it is written.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let after = ['\'', '"'].iter().find_map(|quote| {
        let quoted = format!("{quote}{key}{quote}");
        header.find(&quoted).map(|place| &header[place + quoted.len()..])
    })?;
    let rest = after.trim_start().strip_prefix(':')?.trim_start();
    let end = match rest.chars().next()? {
        '(' => rest.find(')')? + 1,
        quote @ ('\'' | '"') => rest[1..].find(quote)? + 2,
        _ => rest.find([',', '}'])?,
    };
    Some(rest[..end].trim_end())
}

/// The whole header of an array in C order, its length a multiple of 64 bytes as NumPy writes it.
pub(crate) fn header(element: Element, sides: &[u64]) -> Vec<u8> {
    let shape = match sides {
        [side] => format!("({side},)"),
        _ => {
            let sides: Vec<_> = sides.iter().map(u64::to_string).collect();
            format!("({})", sides.join(", "))
        }
    };
    let descr = element.descr();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let padded = (PREFIX + text.len() + 1).next_multiple_of(64);
    while PREFIX + text.len() + 1 < padded {
        text.push(' ');
    }
    text.push('\n');
    let len = u16::try_from(text.len()).expect("arrays here have a few sides");
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend(len.to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_the_bytes_that_numpy_writes() {
        // The first 128 bytes of `numpy.save` for `numpy.zeros((3, 900))`, and for three whole numbers.
        let cases: [(Element, &[u64], &str); 2] = [
            (
                Element::F64,
                &[3, 900],
                "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 900), }",
            ),
            (Element::I64, &[3], "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }"),
        ];
        for (element, sides, dictionary) in cases {
            let bytes = header(element, sides);
            assert_eq!(bytes.len(), 128);
            assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
            let text = std::str::from_utf8(&bytes[10..]).unwrap();
            assert_eq!(text, format!("{dictionary:117}\n"));
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        for (element, sides) in
            [(Element::F64, &[7, 900][..]), (Element::I64, &[3]), (Element::F64, &[2, 3, 4])]
        {
            let bytes = header(element, sides);
            let read = read(&mut &bytes[MAGIC.len()..]).unwrap();
            assert_eq!((read.descr.as_str(), read.is_fortran), (element.descr(), false));
            assert_eq!(read.sides().unwrap(), sides);
            assert_eq!(read.bytes, bytes.len() as u64);
        }
    }
}
