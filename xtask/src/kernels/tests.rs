//! The command on small source trees, with a stand-in for nvcc and, where it is here, with nvcc itself.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A workspace with one header and one kernel.
fn tree() -> (TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    fs::create_dir_all(root.join("kernels/include")).unwrap();
    fs::create_dir_all(root.join("kernels/src/vector")).unwrap();
    fs::write(root.join("kernels/include/index.cuh"), include_str!("../../fixtures/index.cuh"))
        .unwrap();
    let workspace = Workspace { target: root.join("target"), root };
    write(&workspace, "vector/twice.cu", include_str!("../../fixtures/twice.cu"));
    (folder, workspace)
}

fn write(workspace: &Workspace, name: &str, content: &str) {
    fs::write(workspace.root.join("kernels/src").join(name), content).unwrap();
}

fn stand_in() -> Args {
    let nvcc = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nvcc");
    Args { nvcc: Some(nvcc), ..Args::default() }
}

/// As `run`, without the question whether this machine has a C++ compiler.
fn compile(workspace: &Workspace) -> anyhow::Result<Manifest> {
    let sources = Sources::read(&workspace.root.join("kernels"))?;
    let nvcc = toolchain::find_or_install(&workspace.target, stand_in().nvcc.as_deref())?;
    refresh(workspace, &sources, &nvcc)
}

fn image(workspace: &Workspace, stem: &str) -> Vec<u8> {
    fs::read(workspace.images().join(format!("{stem}.fatbin"))).unwrap()
}

fn staleness(workspace: &Workspace) -> Vec<&'static str> {
    let sources = Sources::read(&workspace.root.join("kernels")).unwrap();
    let manifest = Manifest::load(&workspace.images());
    find_stale(&workspace.images(), &sources, manifest.as_ref(), Some("13.0.88"))
        .into_iter()
        .map(|(_, stale)| stale.reason())
        .collect()
}

#[test]
fn an_image_is_compiled_once_and_again_when_its_source_or_a_header_changes() {
    let (_folder, workspace) = tree();
    compile(&workspace).unwrap();
    let first = image(&workspace, "twice");
    compile(&workspace).unwrap();
    assert_eq!(image(&workspace, "twice"), first, "nothing changed");

    write(&workspace, "vector/twice.cu", "// another source");
    assert_eq!(staleness(&workspace), ["source or header changed"]);
    compile(&workspace).unwrap();
    let second = image(&workspace, "twice");
    assert_ne!(second, first);

    fs::write(workspace.root.join("kernels/include/index.cuh"), "// another header").unwrap();
    compile(&workspace).unwrap();
    assert_ne!(image(&workspace, "twice"), second);
    assert_eq!(staleness(&workspace), Vec::<&str>::new());
}

#[test]
fn an_image_of_another_compiler_flag_size_or_schema_is_stale() {
    let (_folder, workspace) = tree();
    let good = compile(&workspace).unwrap();
    let folder = workspace.images();
    let other = Manifest { nvcc: "13.0.48".into(), ..good.clone() };
    other.store(&folder).unwrap();
    assert_eq!(staleness(&workspace), ["compiled by another nvcc"]);
    let other = Manifest { flags: vec!["-O0".into()], ..good.clone() };
    other.store(&folder).unwrap();
    assert_eq!(staleness(&workspace), ["compiled with other flags"]);
    let other = Manifest { schema: 2, ..good.clone() };
    other.store(&folder).unwrap();
    assert_eq!(staleness(&workspace), ["manifest of another version"]);
    good.store(&folder).unwrap();
    let image = folder.join("twice.fatbin");
    let mut changed = fs::read(&image).unwrap();
    changed[0] ^= 1;
    fs::write(&image, changed).unwrap();
    assert_eq!(staleness(&workspace), ["image file missing or changed"]);
    fs::write(folder.join("manifest.json"), "{ half").unwrap();
    assert_eq!(staleness(&workspace), ["never compiled"]);
}

#[test]
fn the_check_names_the_command_that_repairs() {
    let (_folder, workspace) = tree();
    let args = Args { check: true, ..stand_in() };
    let error = run(&workspace, &args).unwrap_err();
    assert_eq!(error.to_string(), "1 kernel images are stale: run `cargo xtask kernels`");
    compile(&workspace).unwrap();
    run(&workspace, &args).unwrap();
}

#[test]
fn a_kernel_that_does_not_compile_leaves_the_others_and_no_image_of_its_own() {
    let (_folder, workspace) = tree();
    write(&workspace, "broken.cu", "// fine");
    compile(&workspace).unwrap();
    write(&workspace, "broken.cu", "// does not compile");
    let error = compile(&workspace).unwrap_err();
    assert_eq!(error.to_string(), "1 of 2 kernels do not compile");
    let manifest = Manifest::load(&workspace.images()).unwrap();
    assert_eq!(manifest.images.keys().collect::<Vec<_>>(), ["twice"]);
    assert!(!workspace.images().join("broken.fatbin").exists());
    assert_eq!(staleness(&workspace), ["never compiled"]);
}

#[test]
fn the_image_of_a_removed_source_goes_with_it() {
    let (_folder, workspace) = tree();
    write(&workspace, "gone.cu", "// soon");
    compile(&workspace).unwrap();
    fs::remove_file(workspace.root.join("kernels/src/gone.cu")).unwrap();
    compile(&workspace).unwrap();
    assert!(!workspace.images().join("gone.fatbin").exists());
    assert!(workspace.images().join("twice.fatbin").exists());
}

#[test]
fn two_kernels_of_one_name_are_an_error_that_names_both_files() {
    let (_folder, workspace) = tree();
    write(&workspace, "twice.cu", "");
    let error = compile(&workspace).unwrap_err().to_string();
    assert!(error.contains("src/twice.cu") && error.contains("src/vector/twice.cu"), "{error}");
}

#[test]
fn an_include_that_the_hash_would_not_see_is_refused() {
    let (_folder, workspace) = tree();
    write(&workspace, "vector/twice.cu", "  #  include \"beside.cuh\"\n");
    let error = compile(&workspace).unwrap_err().to_string();
    assert!(error.contains("beside.cuh"), "{error}");
}

#[test]
fn a_tree_without_kernels_compiles_nothing() {
    let (_folder, workspace) = tree();
    fs::remove_file(workspace.root.join("kernels/src/vector/twice.cu")).unwrap();
    run(&workspace, &stand_in()).unwrap();
    assert!(!workspace.images().exists());
}

#[test]
fn fresh_images_from_elsewhere_need_no_compiler() {
    let (_folder, workspace) = tree();
    compile(&workspace).unwrap();
    let sources = Sources::read(&workspace.root.join("kernels")).unwrap();
    let found = |sources| fresh_without_compiler(&workspace, &Args::default(), sources).unwrap();
    if toolchain::search(&workspace.target, None).unwrap().found.is_some() {
        println!("this machine has an nvcc 13.0.x outside the target folder, which comes first");
        return;
    }
    assert!(found(&sources).is_some());
    write(&workspace, "vector/twice.cu", "// changed");
    assert!(found(&Sources::read(&workspace.root.join("kernels")).unwrap()).is_none());
}

#[test]
fn spills_fail_the_command_unless_they_are_allowed() {
    let (_folder, workspace) = tree();
    write(&workspace, "vector/twice.cu", "// spills");
    let manifest = compile(&workspace).unwrap();
    let error = report_spills(&manifest, &Args::default()).unwrap_err().to_string();
    assert!(error.contains("twice") && error.contains("--allow-spills"), "{error}");
    let args = Args { allow_spills: true, ..Args::default() };
    report_spills(&manifest, &args).unwrap();
}

#[test]
fn the_source_hash_is_the_documented_one() {
    let (_folder, workspace) = tree();
    fs::write(workspace.root.join("kernels/include/a.cuh"), "A").unwrap();
    fs::write(workspace.root.join("kernels/include/index.cuh"), "I").unwrap();
    write(&workspace, "vector/twice.cu", "T");
    let sources = Sources::read(&workspace.root.join("kernels")).unwrap();
    let expected = blake3::hash(b"a.cuh\nA\nindex.cuh\nI\ntwice.cu\nT\n").to_hex();
    assert_eq!(sources.kernels[0].hash, expected.as_str());
}

#[test]
fn the_real_compiler_reports_what_the_fixture_uses() {
    let here = Workspace::locate().unwrap();
    let (_folder, workspace) = tree();
    let (Some(nvcc), Some(_)) = (search(&here).unwrap().found, host_compiler()) else {
        println!("no nvcc 13.0.x with a C++ compiler here: the fixture is not compiled");
        return;
    };
    let sources = Sources::read(&workspace.root.join("kernels")).unwrap();
    let manifest = refresh(&workspace, &sources, &nvcc).unwrap();
    let kernel = &manifest.images["twice"].kernels[0];
    assert_eq!((kernel.name.as_str(), kernel.arch.as_str()), ("twice", "sm_90"));
    assert!(kernel.registers > 0 && !kernel.spills());
    assert!(manifest.images["twice"].bytes > 0);
    let image = image(&workspace, "twice");
    let named = |text: &[u8]| image.windows(text.len()).any(|window| window == text);
    assert!(named(b"kernels/src/vector/twice.cu"), "the line table is there, and can be read");
    let file = workspace.images().join("twice.fatbin");
    for place in [&workspace, &here] {
        traces::check(&file, &traces::folders(place)).unwrap();
    }
}
