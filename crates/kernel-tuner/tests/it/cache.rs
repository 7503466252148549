//! Results that are kept, found again, and never lost.

use std::rc::Rc;
use std::thread;

use gpu_core::{ErrorKind, LaunchSpace};
use kernel_tuner::{DeviceLabel, Error, Exhaustive, ProfileCache, ProfileKey, Tuned};

use crate::scripted::{Behaviour, SPACE, Script, Scripted, tuner};

fn tuned() -> Tuned {
    let times = [(64, 30.0), (128, 20.0), (256, 8.0), (512, 10.0), (1024, 4.0)];
    let script = Script::new(times)
        .with(1024, Behaviour::LeavesOutputUntouched)
        .with(512, Behaviour::RefusedByContract)
        .with(64, Behaviour::FailsToLaunch(ErrorKind::Transient));
    let script = Rc::new(script);
    tuner(&script).tune(&mut Scripted::new(&script), &mut Exhaustive::new(5)).unwrap()
}

fn key(problem: &str) -> ProfileKey {
    ProfileKey::new(&tuned().device, "0123abcd", problem)
}

#[test]
fn what_is_saved_is_read_back_equal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuning.json");
    let cache = ProfileCache::open(&path).unwrap();
    assert!(cache.is_empty(), "no file is an empty cache");
    cache.insert(key("n=900"), tuned());
    cache.insert(key("n=1024"), tuned());
    cache.save(&path).unwrap();
    let again = ProfileCache::open(&path).unwrap();
    assert_eq!(again.len(), 2);
    assert_eq!(*again.find(&key("n=900")).unwrap(), tuned());
    assert!(again.find(&key("n=901")).is_none());
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "nothing but the file is left behind");
}

#[test]
fn a_result_holds_for_its_device_source_and_problem_only() {
    let cache = ProfileCache::new();
    cache.insert(key("n=900"), tuned());
    let label = tuned().device;
    let other = DeviceLabel { uuid: "00ff".to_owned(), ..label.clone() };
    assert!(cache.find(&ProfileKey::new(&label, "0123abcd", "n=900")).is_some());
    assert!(cache.find(&ProfileKey::new(&label, "0123abce", "n=900")).is_none());
    assert!(cache.find(&ProfileKey::new(&other, "0123abcd", "n=900")).is_none());
}

#[test]
fn a_kept_choice_is_found_in_its_space_and_not_in_another() {
    let choice = tuned().point;
    assert_eq!(choice.find_in(&SPACE).unwrap().value("threads"), Some(256));
    assert_eq!(choice.find_in(&LaunchSpace::new(&[])), None);
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuning.json");
    let cache = ProfileCache::new();
    cache.insert(key("n=900"), tuned());
    cache.save(&path).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let other_schema = whole.replacen("\"schema\": 1", "\"schema\": 2", 1);
    assert_ne!(other_schema, whole);
    for text in [&whole[..whole.len() / 2], "", "[]", &other_schema] {
        std::fs::write(&path, text).unwrap();
        let opened = ProfileCache::open(&path).unwrap_err();
        let saved = cache.save(&path).unwrap_err();
        for error in [opened, saved] {
            assert!(matches!(error, Error::CacheCorrupt { .. }));
            let message = error.to_string();
            assert!(message.contains(&path.display().to_string()), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
    assert_eq!(cache.len(), 1);
}

#[test]
fn saving_keeps_what_another_cache_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tuning.json");
    for problem in ["n=1", "n=2"] {
        let cache = ProfileCache::new();
        cache.insert(key(problem), tuned());
        cache.save(&path).unwrap();
    }
    let both = ProfileCache::open(&path).unwrap();
    assert_eq!(both.len(), 2);
    let text = std::fs::read_to_string(&path).unwrap();
    both.save(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "no result is kept twice");
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("tuning.json");
    let cache = ProfileCache::new();
    cache.insert(key("n=900"), tuned());
    let error = cache.save(&path).unwrap_err();
    assert!(matches!(error, Error::CacheFile { .. }));
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}

#[test]
fn many_threads_may_insert_and_find() {
    let (cache, result) = (ProfileCache::new(), tuned());
    let label = result.device.clone();
    thread::scope(|scope| {
        for thread in 0..8 {
            let (cache, result, label) = (&cache, &result, &label);
            scope.spawn(move || {
                for index in 0..100 {
                    let key = ProfileKey::new(label, "0123abcd", &format!("{thread}/{index}"));
                    cache.insert(key.clone(), result.clone());
                    assert!(cache.find(&key).is_some());
                }
            });
        }
    });
    assert_eq!(cache.len(), 800);
}
