//! The layers: which crate of the workspace may depend on which. Arrows point down only.
//!
//! Never looks at crates from elsewhere; those are the matter of deny.toml.

use cargo_metadata::{DependencyKind, Metadata, Package};

use crate::workspace;

/// A crate and what it may depend on; a crate that is not here may not be in the workspace.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("gpu-core", &[]),
    ("fake-driver", &[]),
    ("fake-driver-client", &["fake-driver"]),
    ("kernels", &["gpu-core"]),
    ("resilience", &["gpu-core"]),
    ("kernel-tuner", &["gpu-core"]),
    ("memory-pipeline", &["gpu-core"]),
    ("slo-bench", &["gpu-core", "kernels", "resilience", "kernel-tuner", "memory-pipeline"]),
    (
        "benches",
        &["gpu-core", "kernels", "resilience", "kernel-tuner", "memory-pipeline", "slo-bench"],
    ),
    ("xtask", &[]),
];

/// What the tests and examples of a crate may depend on besides.
const ALLOWED_IN_TESTS: [(&str, &[&str]); 4] = [
    ("gpu-core", &["fake-driver-client"]),
    ("resilience", &["kernels"]),
    ("kernel-tuner", &["kernels"]),
    ("memory-pipeline", &["kernels", "fake-driver-client"]),
];

/// One edge between two crates of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    kind: DependencyKind,
}

/// Edges of the crates in the workspace to crates in folders of it.
fn edges(metadata: &Metadata) -> Vec<Edge> {
    let edge = |from: &Package, to: &cargo_metadata::Dependency| Edge {
        from: from.name.to_string(),
        to: to.name.clone(),
        kind: to.kind,
    };
    let packages = metadata.packages.iter();
    packages
        .flat_map(|package| {
            let inside = package.dependencies.iter().filter(|to| to.path.is_some());
            inside.map(move |to| edge(package, to))
        })
        .collect()
}

fn violations(crates: &[String], edges: &[Edge]) -> Vec<String> {
    let row = |table: &[(&'static str, &'static [&'static str])], name: &str| {
        table.iter().find(|row| row.0 == name).map(|row| row.1)
    };
    let allowed = |name: &str| row(&ALLOWED, name);
    let unknown = crates.iter().filter(|name| allowed(name).is_none());
    let mut found: Vec<String> =
        unknown.map(|name| format!("crate {name} has no row in the table of layers")).collect();
    for Edge { from, to, kind } in edges {
        let is_test = *kind == DependencyKind::Development
            && row(&ALLOWED_IN_TESTS, from).is_some_and(|tests| tests.contains(&to.as_str()));
        if !is_test && !allowed(from).is_some_and(|below| below.contains(&to.as_str())) {
            found.push(format!("{from} may not depend on {to} ({kind})"));
        }
    }
    found
}

#[test]
fn the_workspace_keeps_its_layers() {
    let metadata = workspace::metadata().unwrap();
    let crates: Vec<String> =
        metadata.packages.iter().map(|package| package.name.to_string()).collect();
    let edges = edges(&metadata);
    // An edge that certainly exists: without it the rest would be true of an empty list.
    let known =
        Edge { from: "slo-bench".into(), to: "gpu-core".into(), kind: DependencyKind::Normal };
    assert!(edges.contains(&known), "{edges:?}");
    assert_eq!(violations(&crates, &edges), Vec::<String>::new());
    for (name, _) in ALLOWED {
        assert!(crates.iter().any(|found| found == name), "the row of {name} is of no crate");
    }
}

#[test]
fn an_arrow_to_a_sibling_or_upwards_is_found() {
    let edge = |from: &str, to: &str, kind| Edge { from: from.into(), to: to.into(), kind };
    let bad = [
        edge("resilience", "kernel-tuner", DependencyKind::Normal),
        edge("gpu-core", "kernels", DependencyKind::Development),
        edge("xtask", "gpu-core", DependencyKind::Build),
        edge("memory-pipeline", "kernels", DependencyKind::Normal),
        edge("gpu-core", "fake-driver-client", DependencyKind::Normal),
    ];
    for edge in bad {
        assert_eq!(violations(&[], std::slice::from_ref(&edge)).len(), 1, "{edge:?}");
    }
    let good = [
        edge("memory-pipeline", "kernels", DependencyKind::Development),
        edge("gpu-core", "fake-driver-client", DependencyKind::Development),
        edge("slo-bench", "kernels", DependencyKind::Normal),
    ];
    assert_eq!(violations(&[], &good), Vec::<String>::new());
}

#[test]
fn a_crate_without_a_row_is_found() {
    assert_eq!(violations(&["telemetry".into()], &[]).len(), 1);
}
