use super::*;

fn frame(kind: MediaKind, time: u32) -> MediaMessage {
    let body: &[u8] = match kind {
        MediaKind::Audio => &[0xAF, 1, 0],
        MediaKind::Video if time.is_multiple_of(1_000) => &[0x17, 1, 0, 0, 0],
        _ => &[0x27, 1, 0, 0, 0],
    };
    MediaMessage::new(kind, time, body)
}

/// Pictures every 100 ms.
fn pictures(times: std::ops::Range<u32>) -> Batch {
    Batch {
        messages: times
            .step_by(100)
            .map(|time| frame(MediaKind::Video, time))
            .collect(),
        end: Some(End::Over),
    }
}

fn player(buffer: u32) -> Player {
    let mut player = Player::new(0, None, Pace::Buffer(buffer), false);
    player.start(Start {
        headers: Vec::new(),
        at: 0,
    });
    player.add(pictures(0..2_000));
    player
}

/// The times of what is sent at `now`, and what is to be done then.
fn sent(player: &mut Player, now: u64) -> (Vec<u32>, Step) {
    let mut times = Vec::new();
    loop {
        match player.step(now) {
            Step::Send(message) => times.push(message.timestamp),
            step => return (times, step),
        }
    }
}

#[test]
fn what_the_client_buffers_is_sent_at_once_and_the_rest_as_time_goes_by() {
    let mut player = player(500);
    let (times, step) = sent(&mut player, 10_000);
    assert_eq!(times, [0, 100, 200, 300, 400, 500]);
    assert!(matches!(step, Step::Wait(Some(10_100))), "{step:?}");
    assert!(sent(&mut player, 10_050).0.is_empty());
    assert_eq!(sent(&mut player, 10_100).0, [600]);
    // A worker that comes late catches up.
    assert_eq!(sent(&mut player, 10_450).0, [700, 800, 900]);
    assert_eq!(player.ahead(10_450), 450);
    assert!(matches!(sent(&mut player, 60_000).1, Step::Over));
}

#[test]
fn a_longer_buffer_is_filled_at_once() {
    let mut player = player(100);
    assert_eq!(sent(&mut player, 0).0, [0, 100]);
    player.set_pace(Pace::Buffer(400));
    assert_eq!(sent(&mut player, 0).0, [200, 300, 400]);
    player.set_pace(Pace::AtOnce);
    assert!(matches!(sent(&mut player, 0).1, Step::Over));
}

#[test]
fn time_stands_still_while_a_player_pauses() {
    let mut player = player(100);
    sent(&mut player, 0);
    player.pause(50);
    let (times, step) = sent(&mut player, 5_000);
    assert!(times.is_empty() && matches!(step, Step::Wait(None)));
    assert!(!player.unpause(None, 6_000));
    assert!(
        sent(&mut player, 6_030).0.is_empty(),
        "due at 100 before, at 6,050 now"
    );
    assert_eq!(sent(&mut player, 6_050).0, [200]);
}

#[test]
fn a_client_that_stands_behind_what_it_was_sent_needs_it_again() {
    let mut player = player(500);
    sent(&mut player, 0);
    player.pause(100);
    assert!(player.unpause(Some(100), 1_000));
    player.restart_after(100);
    player.add(pictures(0..2_000));
    assert_eq!(sent(&mut player, 1_000).0, [200, 300, 400, 500, 600, 700]);
    player.pause(1_000);
    assert!(!player.unpause(Some(700), 1_000), "it has everything");
}

#[test]
fn the_clock_starts_at_what_is_to_be_shown() {
    let mut player = Player::new(1_500, None, Pace::Buffer(200), true);
    player.start(Start {
        headers: Vec::new(),
        at: 1_000,
    });
    player.add(pictures(1_000..3_000));
    let (times, step) = sent(&mut player, 0);
    // Commands before the first picture and before the one that is shown.
    assert_eq!(
        times,
        [
            1_000, 1_000, 1_100, 1_200, 1_300, 1_400, 1_500, 1_500, 1_600, 1_700
        ]
    );
    assert!(matches!(step, Step::Wait(Some(100))), "{step:?}");
}

#[test]
fn seek_commands_have_the_head_of_their_codec() {
    let begin = |first| command(first, VideoCommand::StartSeek, 0).body;
    assert_eq!(begin(0x17)[..], [0x57, 0]);
    assert_eq!(begin(0x22)[..], [0x52, 0]);
    // Enhanced: no FourCC, the command alone.
    assert_eq!(begin(0x90)[..], [0xD1, 0]);
    assert_eq!(command(0x17, VideoCommand::EndSeek, 0).body[..], [0x57, 1]);
}

#[test]
fn the_next_of_a_list_waits_for_the_one_before() {
    let mut first = player(500);
    sent(&mut first, 0);
    let mut next = player(500);
    next.follow(first.ahead(100), 100);
    // 400 ms of the first are left, so that 100 ms fit the buffer.
    assert_eq!(sent(&mut next, 100).0, [0, 100]);
    assert_eq!(sent(&mut next, 200).0, [200]);
}

#[test]
fn a_cut_ends_a_player_and_its_clock_goes_on_in_the_next() {
    let mut first = player(500);
    sent(&mut first, 0);
    first.cut_at(1_000);
    let mut next = Player::new(1_000, None, Pace::Buffer(0), false);
    next.add(pictures(1_000..3_000));
    assert_eq!(sent(&mut first, 500).0, [600, 700, 800, 900]);
    assert!(matches!(first.step(500), Step::Over));
    next.continue_from(&first);
    assert_eq!(sent(&mut next, 500).0, [1_000]);
    assert_eq!(sent(&mut next, 600).0, [1_100]);
}

#[test]
fn sound_and_pictures_can_be_left_out() {
    let mut player = player(0);
    player.set_pace(Pace::AtOnce);
    player.set_video(false);
    player.add(Batch {
        messages: vec![frame(MediaKind::Audio, 2_000)],
        end: None,
    });
    assert_eq!(sent(&mut player, 0).0, [2_000]);
    player.set_video(true);
    player.add(pictures(2_100..3_100));
    assert_eq!(sent(&mut player, 0).0, [3_000], "from a keyframe on");
}

#[test]
fn reading_ahead_is_bounded_in_time_and_bytes() {
    let mut player = Player::new(0, None, Pace::Buffer(0), false);
    assert!(player.wants_more());
    let large = MediaMessage::new(MediaKind::Video, 0, vec![0x17; LOW_BYTES]);
    player.add(Batch {
        messages: vec![large],
        end: None,
    });
    assert!(!player.wants_more());
    let mut player = Player::new(0, None, Pace::Buffer(0), false);
    player.add(Batch {
        end: None,
        ..pictures(0..2_100)
    });
    assert!(!player.wants_more());
}

#[test]
fn time_goes_on_where_timestamps_wrap() {
    const WRAP: u64 = 1 << 32;
    let mut player = Player::new(WRAP - 200, Some(500), Pace::Buffer(100), false);
    player.start(Start {
        headers: Vec::new(),
        at: WRAP - 200,
    });
    let timestamps = [0xFFFF_FF38, 0xFFFF_FF9C, 0, 100, 200, 300, 400];
    let messages = timestamps.map(|time| frame(MediaKind::Video, time)).to_vec();
    player.add(Batch { messages, end: None });
    assert!(player.wants_more());
    // 0 is taken for the time before it: nothing is lost by that.
    assert_eq!(sent(&mut player, 0).0, [0xFFFF_FF38, 0xFFFF_FF9C, 0]);
    assert!(sent(&mut player, 150).0.is_empty());
    assert_eq!(sent(&mut player, 200).0, [100]);
    assert_eq!((player.last(), player.ahead(200)), (Some(WRAP + 100), 100));
    player.pause(200);
    // Where the client stands, by its clock or counted on.
    assert_eq!([100, WRAP + 100].map(|at| player.place(at)), [WRAP + 100; 2]);
    assert_eq!(player.place(0xFFFF_FF9C), WRAP - 100);
    assert!(!player.unpause(Some(WRAP + 100), 1_000));
    assert_eq!(sent(&mut player, 1_000).0, [200]);
    let (rest, step) = sent(&mut player, 10_000);
    assert!(rest.is_empty() && matches!(step, Step::Over), "{rest:?}");
}

#[test]
fn headers_at_0_in_the_middle_wait_for_nothing() {
    let mut player = Player::new(3_000_000_000, None, Pace::AtOnce, false);
    player.start(Start {
        headers: Vec::new(),
        at: 3_000_000_000,
    });
    let messages = [3_000_000_000, 0, 3_000_000_100].map(|time| frame(MediaKind::Audio, time));
    player.add(Batch {
        messages: messages.to_vec(),
        end: None,
    });
    player.set_pace(Pace::Buffer(0));
    assert_eq!(sent(&mut player, 0).0, [3_000_000_000, 0]);
    assert_eq!(sent(&mut player, 100).0, [3_000_000_100]);
}

#[test]
fn hostile_times_neither_panic_nor_loop() {
    for (target, duration) in [
        (0_u32, None),
        (u32::MAX, Some(u64::MAX)),
        (5, Some(0)),
        (7, Some(1)),
    ] {
        let mut player = Player::new(target.into(), duration, Pace::Buffer(u32::MAX), true);
        let times = [u32::MAX, 0, 1 << 31, 7, u32::MAX];
        let messages = times.map(|time| frame(MediaKind::Video, time)).to_vec();
        player.add(Batch { messages, end: None });
        player.follow(u64::MAX, u64::MAX);
        for now in [0, u64::MAX] {
            sent(&mut player, now);
            player.pause(now);
            player.unpause(Some(u64::MAX), 0);
            player.ahead(now);
        }
        player.restart_after(u64::MAX);
    }
}
