//! Objects and the store: what is read, what is kept, and how much of it there may be.

use super::*;

#[test]
fn persistent_objects_bring_copies_up_to_date_also_after_a_restart() {
    let store = Arc::default();
    {
        let world = World::on(Arc::clone(&store), SharedObjectConfig::default());
        let mut a = world.client(1);
        a.send(&message("room", 0, true, vec![Event::Use]));
        for (version, event) in [
            (1, change("n", 1)),
            (2, change("m", 2)),
            (3, change("n", Value::Null)),
        ] {
            a.send(&message("room", version, true, vec![event]));
        }
        assert_eq!(
            heard(&a),
            [(1, vec![11, 8]), (2, vec![5]), (3, vec![5]), (4, vec![5])]
        );
        a.leave();
        assert!(world.objects.is_idle());
    }
    assert_eq!(store.objects.lock().len(), 1);
    let world = World::on(Arc::clone(&store), SharedObjectConfig::default());
    let versions = [
        (0, vec![11, 8, 4]),
        (4, vec![11]),
        (3, vec![11, 9]),
        (2, vec![11, 4, 9]),
        (9, vec![11, 8, 4]),
    ];
    for (version, events) in versions {
        let mut client = world.client(10 + u64::from(version));
        client.send(&message("room", version, true, vec![Event::Use]));
        assert_eq!(heard(&client), [(4, events)], "a copy of version {version}");
    }
}

#[test]
fn messages_wait_while_the_object_is_read_and_are_refused_when_it_cannot_be() {
    let world = World::new();
    *world.disk.later.lock() = Some(Vec::new());
    let (mut a, mut b) = (world.client(1), world.client(2));
    a.send(&message("room", 0, true, vec![Event::Use]));
    a.send(&message("room", 0, true, vec![change("n", 1)]));
    b.send(&message("room", 0, true, vec![Event::Use]));
    b.leave();
    assert!(a.messages().is_empty() && b.messages().is_empty());
    let jobs = world.disk.later.lock().take().unwrap();
    jobs.into_iter().for_each(|job| job());
    assert_eq!(heard(&a), [(1, vec![11, 8]), (2, vec![5])]);
    assert!(b.messages().is_empty(), "gone before its turn came");

    *world.store.broken.lock() = true;
    b.send(&message("other", 0, true, vec![Event::Use]));
    assert_eq!(status_code(&b), "SharedObject.ObjectCreationFailed");
    *world.store.broken.lock() = false;
    b.send(&message("other", 0, true, vec![Event::Use]));
    assert_eq!(heard(&b), [(1, vec![11, 8])]);
}

#[test]
fn new_persistent_objects_are_refused_at_the_bound_and_old_ones_open() {
    let config = SharedObjectConfig {
        max_stored: 2,
        max_per_client: 3,
        ..SharedObjectConfig::default()
    };
    let world = World::on(Arc::default(), config);
    let (mut a, mut b) = (world.client(1), world.client(2));
    let create = |name| message(name, 0, true, vec![Event::Use, change("n", 1)]);
    let using = |name| message(name, 0, true, vec![Event::Use]);
    a.send(&create("one"));
    a.leave();
    assert_eq!(world.store.objects.lock().len(), 1, "stored");
    a.messages();
    // In use, and not on disk: it counts until it is let go.
    a.send(&using("empty"));
    b.messages();
    for _ in 0..5 {
        b.send(&create("three"));
        assert_eq!(status_code(&b), "SharedObject.ObjectCreationFailed");
    }
    for name in ["four", "five", "six", "seven"] {
        b.send(&using(name));
        assert_eq!(status_code(&b), "SharedObject.ObjectCreationFailed");
    }
    assert!(matches!(
        world.objects.open_now("host", true),
        Err(Error::Full(_))
    ));
    assert!(world.objects.open_now("one", true).is_ok());
    assert!(world.objects.open_now("temporary", false).is_ok());
    // What was refused is forgotten: there is room for what the client may use.
    for name in ["one", "empty"] {
        b.send(&using(name));
        assert_eq!(heard(&b).len(), 1, "{name}");
    }
    world.objects.commit();
    a.leave();
    b.leave();
    assert!(world.objects.is_idle());
    a.messages();
    a.send(&create("three"));
    assert_eq!(heard(&a), [(2, vec![11, 8, 5])]);
    a.leave();
    assert_eq!(world.store.objects.lock().len(), 2);
    b.send(&using("four"));
    assert_eq!(status_code(&b), "SharedObject.ObjectCreationFailed");

    // Deleted while it is in use: it keeps its room.
    a.messages();
    a.send(&using("one"));
    world.objects.clear("/one", None).unwrap();
    assert_eq!(world.store.objects.lock().len(), 1);
    b.send(&using("four"));
    assert_eq!(status_code(&b), "SharedObject.ObjectCreationFailed");
    a.leave();
    b.messages();
    b.send(&using("four"));
    assert_eq!(heard(&b), [(1, vec![11, 8])]);
}

#[test]
fn what_could_not_be_stored_is_kept_and_stored_later() {
    let world = World::new();
    let mut a = world.client(1);
    a.send(&message("room", 0, true, vec![Event::Use, change("n", 1)]));
    *world.store.broken.lock() = true;
    a.leave();
    assert!(!world.objects.is_idle());
    *world.store.broken.lock() = false;
    world.objects.commit();
    assert!(world.objects.is_idle());
    assert_eq!(world.store.objects.lock().len(), 1);
}

#[test]
fn what_is_still_being_read_is_not_stored() {
    let store = Arc::default();
    {
        let world = World::on(Arc::clone(&store), SharedObjectConfig::default());
        let mut a = world.client(1);
        a.send(&message("room", 0, true, vec![Event::Use, change("n", 1)]));
        a.leave();
    }
    let stored = store.objects.lock().clone();
    assert_eq!(stored.len(), 1);
    let world = World::on(Arc::clone(&store), SharedObjectConfig::default());
    *world.disk.later.lock() = Some(Vec::new());
    let mut a = world.client(1);
    a.send(&message("room", 0, true, vec![Event::Use]));
    world.objects.commit_with_reply(None, None).unwrap();
    let jobs = world.disk.later.lock().take().unwrap();
    jobs.into_iter().rev().for_each(|job| job());
    assert_eq!(*store.objects.lock(), stored);
    assert_eq!(heard(&a), [(2, vec![11, 8, 4])]);
}
