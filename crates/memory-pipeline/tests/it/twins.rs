//! The programs that the documentation says do not compile, each beside one that does.
//!
//! A program may fail to compile for any reason, a renamed type among them. One that differs from it in a single line and does
//! compile, which the documentation's own tests see to, leaves that line as the only reason.

/// Every file whose documentation has such programs.
const FILES: [(&str, &str); 2] = [
    ("pool/lease.rs", include_str!("../../src/pool/lease.rs")),
    ("replay.rs", include_str!("../../src/replay.rs")),
];

/// A program of the documentation: what stands after its opening fence, and its lines, hidden ones included.
struct Program<'a> {
    fence: &'a str,
    lines: Vec<&'a str>,
}

fn programs(source: &str) -> Vec<Program<'_>> {
    let mut programs = Vec::new();
    let mut lines = source.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
    while let Some(line) = lines.next() {
        let Some(fence) = line.trim_start().strip_prefix("```") else { continue };
        let body = lines.by_ref().take_while(|line| line.trim() != "```");
        let lines = body.map(|line| line.strip_prefix(" # ").unwrap_or(line).trim()).collect();
        programs.push(Program { fence, lines });
    }
    programs
}

#[test]
fn a_program_that_must_not_compile_is_followed_by_one_that_does_and_differs_in_one_line() {
    let mut pairs = 0;
    for (file, source) in FILES {
        let programs = programs(source);
        for (index, refused) in programs.iter().enumerate() {
            if !refused.fence.starts_with("compile_fail") {
                continue;
            }
            let first = &refused.lines;
            let twin = programs.get(index + 1).expect("a twin follows");
            assert_eq!(twin.fence, "", "{file}: {first:#?}");
            assert_eq!(twin.lines.len(), first.len(), "{file}: {first:#?}");
            let lines = first.iter().zip(&twin.lines);
            let differing = lines.filter(|(refused, taken)| refused != taken).count();
            assert_eq!(differing, 1, "{file}: {first:#?}");
            pairs += 1;
        }
        let claims = source.matches("```compile_fail").count();
        let found = programs.iter().filter(|program| program.fence.starts_with("compile_fail"));
        assert_eq!(found.count(), claims, "{file}");
    }
    println!("{pairs} programs that must not compile, each with its twin");
    assert_eq!(pairs, 6);
}
