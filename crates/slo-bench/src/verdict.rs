//! What a check came to, and the exit code that it stands for.

use std::process::ExitCode;

use gpu_core::ErrorKind;
use serde::{Deserialize, Serialize};

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It was not tried.
    Skipped {
        /// Why not.
        reason: String,
    },
    /// What was seen is sound and too little to tell. Never counts as a pass.
    Inconclusive {
        /// What is missing.
        reason: String,
    },
    /// What was seen says nothing about what was asked, such as a run that never settled. Never counts as a pass.
    Invalid {
        /// Why not.
        reason: String,
    },
}

impl Verdict {
    /// A check that was not tried because of `reason`.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }

    /// A check that cannot be decided yet because of `reason`.
    pub fn inconclusive(reason: impl Into<String>) -> Self {
        Self::Inconclusive { reason: reason.into() }
    }

    /// A check whose evidence is void because of `reason`.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }

    /// Whether this stands in the way of an overall pass.
    pub fn is_bad(&self) -> bool {
        matches!(self, Self::Fail | Self::Inconclusive { .. } | Self::Invalid { .. })
    }

    /// Why it is neither a pass nor a failure.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Skipped { reason } | Self::Inconclusive { reason } | Self::Invalid { reason } => {
                Some(reason)
            }
            Self::Pass | Self::Fail => None,
        }
    }

    /// What several come to together: a failure wins, then an invalid one, then an inconclusive one, then a pass.
    /// All skipped, or none at all, is skipped.
    pub fn all<'a>(verdicts: impl IntoIterator<Item = &'a Self>) -> Self {
        let weight = |verdict: &Self| match verdict {
            Self::Skipped { .. } => 0,
            Self::Pass => 1,
            Self::Inconclusive { .. } => 2,
            Self::Invalid { .. } => 3,
            Self::Fail => 4,
        };
        let mut worst: Option<&Self> = None;
        for verdict in verdicts {
            if worst.is_none_or(|worst| weight(verdict) > weight(worst)) {
                worst = Some(verdict);
            }
        }
        worst.cloned().unwrap_or_else(|| Self::skipped("there was nothing to check"))
    }
}

impl Verdict {
    /// What the sections of a whole run come to: nothing bad passes, even if all of it was skipped, since there was
    /// nothing it could try.
    pub fn overall<'a>(verdicts: impl IntoIterator<Item = &'a Self>) -> Self {
        match Self::all(verdicts) {
            Self::Skipped { .. } => Self::Pass,
            verdict => verdict,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Skipped { .. } => "SKIPPED",
            Self::Inconclusive { .. } => "INCONCLUSIVE",
            Self::Invalid { .. } => "INVALID",
        })
    }
}

/// `true` passes.
impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Pass } else { Self::Fail }
    }
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything holds; what needs a missing device was skipped.
    Pass,
    /// 1: a check failed.
    Fail,
    /// 2: bad usage or bad input.
    Usage,
    /// 3: the environment: a GPU that is required and missing, no driver, no image, a folder that cannot be written.
    Environment,
    /// 4: nothing failed, but something could not be decided with what was seen.
    Inconclusive,
    /// 5: nothing failed, but what was seen of something is void.
    Invalid,
}

impl From<&Verdict> for Exit {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Pass | Verdict::Skipped { .. } => Self::Pass,
            Verdict::Fail => Self::Fail,
            Verdict::Inconclusive { .. } => Self::Inconclusive,
            Verdict::Invalid { .. } => Self::Invalid,
        }
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid => Self::Usage,
            ErrorKind::Unavailable => Self::Environment,
            ErrorKind::Exhausted | ErrorKind::Poisoned | ErrorKind::Transient => Self::Fail,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Usage => 2,
            Exit::Environment => 3,
            Exit::Inconclusive => 4,
            Exit::Invalid => 5,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_and_what_is_not_decided_is_no_pass() {
        let skipped = Verdict::skipped("no GPU");
        let open = Verdict::inconclusive("too few samples");
        let invalid = Verdict::invalid("the generator was late");
        assert_eq!(Verdict::all([&skipped, &Verdict::Pass]), Verdict::Pass);
        assert_eq!(Verdict::all([&Verdict::Pass, &open, &skipped]), open);
        assert_eq!(Verdict::all([&invalid, &open]), invalid);
        assert_eq!(Verdict::all([&invalid, &Verdict::Fail]), Verdict::Fail);
        assert_eq!(Verdict::all([&skipped]), skipped);
        assert!(invalid.is_bad() && open.is_bad() && !skipped.is_bad());
    }

    #[test]
    fn each_verdict_has_an_exit_code_of_its_own() {
        let exit = |verdict: &Verdict| format!("{:?}", ExitCode::from(Exit::from(verdict)));
        let code = |number: u8| format!("{:?}", ExitCode::from(number));
        assert_eq!(exit(&Verdict::Pass), code(0));
        assert_eq!(exit(&Verdict::skipped("no GPU")), code(0));
        assert_eq!(exit(&Verdict::Fail), code(1));
        assert_eq!(exit(&Verdict::inconclusive("few")), code(4));
        assert_eq!(exit(&Verdict::invalid("late")), code(5));
    }

    #[test]
    fn an_error_that_is_the_callers_ends_as_usage_and_a_missing_thing_as_environment() {
        assert_eq!(Exit::from(ErrorKind::Invalid), Exit::Usage);
        assert_eq!(Exit::from(ErrorKind::Unavailable), Exit::Environment);
        assert_eq!(Exit::from(ErrorKind::Poisoned), Exit::Fail);
    }
}
