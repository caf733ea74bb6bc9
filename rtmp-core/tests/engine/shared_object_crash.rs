//! A server that is killed while it stores shared objects loses nothing that it said was stored.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use parking_lot::Mutex;
use rtmp_core::{
    AcceptAll, ApplicationConfig, Client, ServerConfig, SharedObject, SharedObjectHandler, Status, Value,
};

use crate::support::{Served, serve_with};

/// Tells the child where to store; without it the child's test does nothing.
const DIRECTORY: &str = "RTMPKIT_TEST_SHARED_OBJECTS";

struct Quiet;

impl SharedObjectHandler<SharedObject> for Quiet {
    fn on_message(&self, _: &SharedObject, _: Option<&Client>, _: &str, _: &[Value]) {}
}

fn open(directory: &Path) -> (Served, SharedObject) {
    let mut config = ApplicationConfig::default();
    config.shared_objects.directory = Some(directory.to_owned());
    let served = serve_with(AcceptAll, 1, ServerConfig::default(), config);
    let instance = served.server.instance("live").unwrap();
    let object = instance.shared_object("count", true, Arc::new(Quiet)).unwrap();
    (served, object)
}

fn number(object: &SharedObject, slot: &str) -> u32 {
    let value = object.get(slot).and_then(|value| value.as_f64()).unwrap_or(0.0);
    format!("{value}").parse().unwrap()
}

/// Not a test of its own: what [`what_was_flushed_survives_a_kill`] starts, and kills.
#[test]
#[ignore = "the child of another test"]
fn child_that_counts_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let (_served, object) = open(Path::new(&directory));
    // Some flushes are always under way, so that the kill meets every stage of one.
    let (under_way, done) = sync_channel(8);
    let done = Arc::new(Mutex::new(done));
    for count in number(&object, "a") + 1.. {
        object.lock().unwrap();
        object.set("a", count).unwrap();
        object
            .set("filler", "x".repeat(usize::try_from(count % 7).unwrap() * 5000))
            .unwrap();
        object.set("b", count).unwrap();
        object.unlock().unwrap();
        under_way.send(()).unwrap();
        let done = Arc::clone(&done);
        let stored = move |result: Result<Value, Status>| {
            result.unwrap();
            writeln!(std::io::stdout(), "stored {count}").unwrap();
            done.lock().recv().unwrap();
        };
        object.flush(Some(Box::new(stored))).unwrap();
    }
}

#[test]
fn what_was_flushed_survives_a_kill() {
    let directory = std::env::temp_dir().join(format!("rtmpkit-crash-{}", std::process::id()));
    // Left by a run that was killed itself, if it is there.
    let _ = std::fs::remove_dir_all(&directory);
    let mut before = 0;
    for lines in [1, 2, 7, 20, 33, 50] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "shared_object_crash::child_that_counts_until_it_is_killed",
            ])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(DIRECTORY, &directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut stored = output.lines().filter_map(|line| {
            let line = line.ok()?;
            line.rsplit_once("stored ")?.1.parse::<u32>().ok()
        });
        let told = stored.by_ref().take(lines).last().expect("the child stores");
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said between the last line read and its end counts too.
        let told = stored.last().unwrap_or(told);

        let (served, object) = open(&directory);
        let (a, b) = (number(&object, "a"), number(&object, "b"));
        assert!(told > before, "the child went on where the one before ended");
        assert!(a >= told, "{told} was stored, {a} is there");
        assert_eq!(a, b, "one change is stored whole");
        before = a;
        drop(object);
        served.engine.close();
        served.engine.join(Some(crate::support::PATIENCE)).unwrap();
    }
    std::fs::remove_dir_all(&directory).unwrap();
}
