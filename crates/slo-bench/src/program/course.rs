//! The sections of a run, one after the other, and whether one that is bad is the last.
//!
//! Never drops a section: one that does not run stands in the report with the reason.

use slo_bench::cli::Session;
use slo_bench::{Section, Verdict};

/// The part of a command line that says what a bad section does to those after it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct CourseArgs {
    /// Stop after the first section that is bad; those after it stand in the report as skipped
    #[arg(long)]
    fail_fast: bool,
    /// Run every section whatever became of those before it, as without this option
    #[arg(long, overrides_with = "fail_fast")]
    keep_going: bool,
}

/// The sections so far.
#[derive(Debug)]
pub(super) struct Course<'a> {
    session: &'a Session<'a>,
    stops: bool,
    sections: Vec<Section>,
}

impl<'a> Course<'a> {
    pub(super) fn new(session: &'a Session<'a>, args: CourseArgs) -> Self {
        let stops = args.fail_fast && !args.keep_going;
        Self { session, stops, sections: Vec::new() }
    }

    /// Runs the next section, unless the course has ended. `work` sees those before it.
    pub(super) fn run(
        &mut self,
        name: &str,
        work: impl FnOnce(&[Section]) -> anyhow::Result<Section>,
    ) {
        let bad = self.sections.iter().find(|section| self.stops && section.verdict.is_bad());
        let section = match bad {
            Some(bad) => skipped(self.session, name, bad),
            None => self.session.section(name, || work(&self.sections)),
        };
        self.sections.push(section);
    }

    pub(super) fn sections(&self) -> &[Section] {
        &self.sections
    }

    pub(super) fn into_sections(self) -> Vec<Section> {
        self.sections
    }
}

/// A section that does not run after one that is bad.
fn skipped(session: &Session<'_>, name: &str, bad: &Section) -> Section {
    let mut section = Section::new(name);
    let reason = format!("--fail-fast: `{}` before it came to {}", bad.name, bad.verdict);
    section.check("it runs", Verdict::skipped(reason), "");
    let section = section.close("");
    session.terminal.section(&section);
    section
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use slo_bench::cli::{Output, OutputArgs, PlaceArgs, Terminal};

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        place: PlaceArgs,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        course: CourseArgs,
    }

    /// The sections of a course of three, the second of which comes to `verdict`.
    fn sections(flags: &[&str], verdict: &Verdict) -> Vec<Section> {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let common = ["course", "--device", "host", "--out", out.to_str().unwrap()];
        let args = Args::parse_from([&common[..], flags].concat());
        let terminal = Terminal::new(Output::Json);
        let session = Session::open(&args.place, &args.output, &[], &terminal).unwrap();
        let mut course = Course::new(&session, args.course);
        for (index, name) in ["one", "two", "three"].into_iter().enumerate() {
            course.run(name, |before| {
                assert_eq!(before.len(), index);
                let mut section = Section::new(name);
                let verdict = if name == "two" { verdict.clone() } else { Verdict::Pass };
                section.check("holds", verdict, "seen");
                Ok(section.close("done"))
            });
        }
        course.into_sections()
    }

    #[test]
    fn after_a_bad_section_the_others_run_unless_the_first_failure_is_to_be_the_last() {
        let ran = |flags: &[&str], verdict| {
            let sections = sections(flags, &verdict);
            sections.iter().map(|section| section.detail == "done").collect::<Vec<_>>()
        };
        for flags in [&[][..], &["--keep-going"], &["--fail-fast", "--keep-going"]] {
            assert_eq!(ran(flags, Verdict::Fail), [true, false, true], "{flags:?}");
        }
        for verdict in [Verdict::Fail, Verdict::inconclusive("few"), Verdict::invalid("late")] {
            assert_eq!(ran(&["--fail-fast"], verdict), [true, false, false]);
        }
        assert_eq!(ran(&["--keep-going", "--fail-fast"], Verdict::Fail), [true, false, false]);
        assert_eq!(ran(&["--fail-fast"], Verdict::Pass), [true; 3]);
        assert_eq!(ran(&["--fail-fast"], Verdict::skipped("no GPU")), [true, false, true]);
    }

    #[test]
    fn a_section_that_does_not_run_says_after_which_one() {
        let sections = sections(&["--fail-fast"], &Verdict::Fail);
        let reason = "--fail-fast: `two` before it came to FAIL";
        assert_eq!(sections[2].name, "three");
        assert_eq!(sections[2].verdict, Verdict::skipped(reason));
        assert_eq!((sections[2].detail.as_str(), sections[2].checks.len()), (reason, 1));
        assert_eq!(sections[2].checks[0].verdict, Verdict::skipped(reason));
    }
}
