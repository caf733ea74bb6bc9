//! NetStream commands of a connected client (RTMP 1.0 7.2.2).

use crate::amf::Value;
use crate::session::events::{PlayStart, PublishMode, ServerEvent};
use crate::session::server::ServerSession;
use crate::session::streams::{Gathered, Role, Stream};
use crate::wire::deviation::Deviation;
use crate::wire::message::command::Command;
use crate::wire::status::{Code, Status};
use crate::wire::url::Query;

/// Highest id a stream may have that the client never created.
const MAX_GUESSED_STREAM: u32 = 64;

/// `play` commands that may wait on one stream, each adding to the play list.
const MAX_ASKED: usize = 64;

/// What a `play` asks for.
struct Wish {
    name: Value,
    start: PlayStart,
    duration: Option<u64>,
    reset: bool,
    at_once: bool,
}

/// A stream name the session refuses to pass on.
#[derive(Debug)]
pub(super) struct BadName;

impl ServerSession {
    pub(super) fn publish(&mut self, stream_id: u32, command: &Command) {
        if command.arg(0).as_bool() == Some(false) {
            return self.close_stream(stream_id);
        }
        self.note_name(command.arg(0));
        let Some(id) = self.stream_for(stream_id) else {
            return self.send_failure(stream_id, Code::StreamFailed, "There is no such stream.");
        };
        self.leave(id);
        let Ok((name, query)) = self.stream_name(command.arg(0)) else {
            return self.send_failure(
                id,
                Code::PublishBadName,
                "The stream name is missing or malformed.",
            );
        };
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        stream.role = Role::PublishAsked;
        stream.name.clone_from(&name);
        let mode = PublishMode::from_name(command.arg(1).as_str().unwrap_or("live"));
        self.events.push_back(ServerEvent::Publish {
            stream_id: id,
            name,
            query,
            mode,
        });
    }

    pub(super) fn play(&mut self, stream_id: u32, command: &Command) {
        if command.arg(0).as_bool() == Some(false) {
            return self.close_stream(stream_id);
        }
        let (reset, at_once) = match command.arg(3) {
            Value::Boolean(reset) => (*reset, false),
            // 0 and 2 keep the play list, 1 and 3 clear it; 2 and 3 want everything at once.
            value => value.as_f64().map_or((true, false), |number| {
                (number == 1.0 || number == 3.0, number == 2.0 || number == 3.0)
            }),
        };
        let wish = Wish {
            name: command.arg(0).clone(),
            start: play_start(command.arg(1)),
            duration: duration(command.arg(2)),
            reset,
            at_once,
        };
        self.ask_play(stream_id, wish);
    }

    pub(super) fn play2(&mut self, stream_id: u32, command: &Command) {
        let Some(options) = command.arg(0).as_object().cloned() else {
            return self.send_failure(
                stream_id,
                Code::StreamInvalidArg,
                "play2 needs an options object.",
            );
        };
        let get = |key: &str| options.get(key).cloned().unwrap_or(Value::Undefined);
        let transition = get("transition");
        match transition.as_str().unwrap_or("reset") {
            "stop" => self.close_stream(stream_id),
            transition @ ("reset" | "append" | "appendAndWait" | "resume") => {
                // Flash Player sends the properties as they are: seconds.
                let offset = get("offset")
                    .as_f64()
                    .filter(|offset| *offset >= 0.0 && transition == "resume");
                let start = offset.map_or_else(|| get("start"), Value::from);
                let wish = Wish {
                    name: get("streamName"),
                    start: play_start(&millis_of(&start)),
                    duration: duration(&millis_of(&get("len"))),
                    reset: !transition.starts_with("append"),
                    at_once: false,
                };
                if transition == "appendAndWait" && !self.is_busy_playing(stream_id) {
                    return self.gather(stream_id, wish);
                }
                self.ask_play(stream_id, wish);
            }
            _ => {
                if let Some(stream_id) = self.playing(stream_id) {
                    self.events.push_back(ServerEvent::Play2 { stream_id, options });
                } else {
                    self.send_failure(stream_id, Code::PlayFailed, "Nothing is playing on this stream.");
                }
            }
        }
    }

    /// Ends what the stream does; it stays usable.
    pub(super) fn close_stream(&mut self, stream_id: u32) {
        let id = if stream_id == 0 {
            self.streams.first()
        } else {
            Some(stream_id)
        };
        let Some(id) = id else { return };
        let playing = self.streams.get(id).filter(|stream| stream.role == Role::Playing);
        let stopped = playing.map(|stream| stream.name.clone());
        self.leave(id);
        if let Some(name) = stopped {
            self.send_named_status(id, Code::PlayStop, &name);
        }
    }

    pub(super) fn delete_stream(&mut self, stream_id: u32, which: &Value) {
        self.link
            .tally
            .note_if(stream_number(which).is_none(), Deviation::StreamNumber);
        if let Some(id) = self.deleted(stream_id, which) {
            self.leave(id);
            self.streams.remove(id);
        }
    }

    /// The stream a `deleteStream` means. GStreamer names the stream instead of giving its number.
    pub(super) fn deleted(&self, stream_id: u32, which: &Value) -> Option<u32> {
        stream_number(which).or_else(|| self.known(stream_id))
    }

    /// The stream of this name whose `publish` waits for the host.
    pub(super) fn pending_named(&self, name: &Value) -> Option<u32> {
        let (name, _) = self.stream_name(name).ok()?;
        let mut streams = self.streams.iter();
        streams
            .find(|stream| stream.role == Role::PublishAsked && stream.name == name)
            .map(|stream| stream.id)
    }

    pub(super) fn unpublish_named(&mut self, name: &str) {
        let ids: Vec<u32> = self
            .streams
            .iter()
            .filter(|stream| {
                matches!(stream.role, Role::Publishing | Role::PublishAsked) && stream.name == name
            })
            .map(|stream| stream.id)
            .collect();
        for id in ids {
            self.leave(id);
        }
    }

    pub(super) fn pause(&mut self, stream_id: u32, command: &Command) {
        if let Some(stream_id) = self.playing(stream_id) {
            self.events.push_back(ServerEvent::Pause {
                stream_id,
                pause: command.arg(0).as_bool(),
                millis: millis(command.arg(1)).unwrap_or(0),
            });
        }
    }

    pub(super) fn seek(&mut self, stream_id: u32, command: &Command) {
        match (self.playing(stream_id), millis(command.arg(0))) {
            (Some(stream_id), Some(millis)) => self.events.push_back(ServerEvent::Seek { stream_id, millis }),
            (Some(stream_id), None) => {
                self.send_failure(
                    stream_id,
                    Code::StreamInvalidArg,
                    "seek needs a time in milliseconds.",
                );
            }
            (None, _) => self.send_failure(stream_id, Code::SeekFailed, "Nothing is playing on this stream."),
        }
    }

    pub(super) fn receive_audio(&mut self, stream_id: u32, value: &Value) {
        let Some(stream_id) = self.known(stream_id) else {
            return;
        };
        let on = is_on(value);
        self.confirm_receive(stream_id, on);
        self.events.push_back(ServerEvent::ReceiveAudio { stream_id, on });
    }

    pub(super) fn receive_video(&mut self, stream_id: u32, value: &Value) {
        let Some(stream_id) = self.known(stream_id) else {
            return;
        };
        let on = is_on(value);
        self.confirm_receive(stream_id, on);
        self.events.push_back(ServerEvent::ReceiveVideo { stream_id, on });
    }

    /// Audio or video that begins again is announced like a jump in time (RTMP 1.0 7.2.2.4 and 7.2.2.5); its end is not.
    fn confirm_receive(&mut self, stream_id: u32, on: bool) {
        let playing = |stream: &&Stream| stream.role == Role::Playing;
        let Some(stream) = self.streams.get(stream_id).filter(playing) else {
            return;
        };
        if on {
            let name = stream.name.clone();
            self.send_named_status(stream_id, Code::SeekNotify, &name);
            self.send_named_status(stream_id, Code::PlayStart, &name);
        }
    }

    /// A stream's name and query. Names that no application could use are refused here.
    pub(super) fn stream_name(&self, value: &Value) -> Result<(String, Query), BadName> {
        let full = value.as_str().ok_or(BadName)?.trim_end_matches('\0');
        let (name, query) = full.split_once('?').unwrap_or((full, ""));
        let bad = name.is_empty()
            || name.len() > self.config.limits.max_name
            || query.len() > 4 * self.config.limits.max_name
            || full.chars().any(char::is_control);
        if bad {
            return Err(BadName);
        }
        Ok((name.to_owned(), query.into()))
    }

    fn note_name(&mut self, name: &Value) {
        let ends = name.as_str().is_some_and(|name| name.ends_with('\0'));
        self.link.tally.note_if(ends, Deviation::TrailingNul);
    }

    /// Asks the host about a `play`, behind what was gathered for the same list.
    fn ask_play(&mut self, stream_id: u32, wish: Wish) {
        let stream = self.known(stream_id).and_then(|id| self.streams.get_mut(id));
        let gathered = stream.map(|stream| std::mem::take(&mut stream.gathered));
        for Gathered {
            name,
            start,
            duration,
        } in gathered.into_iter().flatten().filter(|_| !wish.reset)
        {
            let before = Wish {
                name,
                start,
                duration,
                reset: false,
                at_once: false,
            };
            self.ask_one(stream_id, before);
        }
        self.ask_one(stream_id, wish);
    }

    /// Adds to a play list that does not play yet.
    fn gather(&mut self, stream_id: u32, wish: Wish) {
        let Some(id) = self.stream_for(stream_id) else {
            return self.send_failure(stream_id, Code::StreamFailed, "There is no such stream.");
        };
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        if stream.gathered.len() >= MAX_ASKED {
            return self.send_failure(id, Code::PlayFailed, "The play list is too long.");
        }
        stream.gathered.push(Gathered {
            name: wish.name,
            start: wish.start,
            duration: wish.duration,
        });
    }

    fn is_busy_playing(&self, stream_id: u32) -> bool {
        let stream = self.known(stream_id).and_then(|id| self.streams.get(id));
        stream.is_some_and(|stream| matches!(stream.role, Role::Playing | Role::PlayAsked))
    }

    fn ask_one(&mut self, stream_id: u32, wish: Wish) {
        let Wish {
            name,
            start,
            duration,
            reset,
            at_once,
        } = wish;
        self.note_name(&name);
        let Some(id) = self.stream_for(stream_id) else {
            return self.send_failure(stream_id, Code::StreamFailed, "There is no such stream.");
        };
        let role = self.streams.get(id).map(|stream| stream.role);
        let appends = !reset && matches!(role, Some(Role::Playing | Role::PlayAsked));
        if !appends {
            self.leave(id);
        }
        let Ok((name, query)) = self.stream_name(&name) else {
            let description = "The stream name is missing or malformed.";
            return self.send_failure(id, Code::PlayStreamNotFound, description);
        };
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        if stream.asked.len() >= MAX_ASKED {
            return self.send_failure(
                id,
                Code::PlayFailed,
                "Too many play commands wait on this stream.",
            );
        }
        if !appends {
            stream.role = Role::PlayAsked;
        }
        stream.asked.push_back((name.clone(), reset));
        self.events.push_back(ServerEvent::Play {
            stream_id: id,
            name,
            query,
            start,
            duration,
            reset,
            at_once,
        });
    }

    /// Stops whatever the stream does, telling the host and a publishing client.
    fn leave(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(id) else {
            return;
        };
        let (role, name) = (stream.role, std::mem::take(&mut stream.name));
        let holds_unpublish = stream.holds_unpublish;
        stream.reset();
        match role {
            Role::Idle => {}
            Role::PublishAsked => self.events.push_back(ServerEvent::Unpublish { stream_id: id }),
            Role::Publishing => {
                self.events.push_back(ServerEvent::Unpublish { stream_id: id });
                if !holds_unpublish {
                    self.send_named_status(id, Code::UnpublishSuccess, &name);
                }
            }
            Role::PlayAsked | Role::Playing | Role::Played => {
                self.events.push_back(ServerEvent::StopPlay { stream_id: id })
            }
        }
    }

    /// The stream a `publish` or `play` on `stream_id` means. Hardware encoders guess ids, or use 0.
    fn stream_for(&mut self, stream_id: u32) -> Option<u32> {
        if self.streams.get(stream_id).is_some() {
            return Some(stream_id);
        }
        if !self.config.lenient_streams {
            return None;
        }
        self.link.tally.note(Deviation::StreamNotCreated);
        match stream_id {
            0 => self.streams.first().or_else(|| self.streams.create()),
            1..=MAX_GUESSED_STREAM => self.streams.add(stream_id).then_some(stream_id),
            _ => None,
        }
    }

    pub(super) fn known(&self, stream_id: u32) -> Option<u32> {
        let id = if stream_id == 0 {
            self.streams.first()?
        } else {
            stream_id
        };
        self.streams.get(id).map(|stream| stream.id)
    }

    fn playing(&self, stream_id: u32) -> Option<u32> {
        let id = self.known(stream_id)?;
        self.streams
            .get(id)
            .filter(|stream| matches!(stream.role, Role::Playing | Role::Played))
            .map(|stream| stream.id)
    }

    fn send_failure(&mut self, stream_id: u32, code: Code, description: &str) {
        let status = Status::new(code).with_description(description);
        self.send_info(stream_id, status.to_object());
    }
}

/// `start` of `play`: -2 or -2000 any, -1 or -1000 live, 0 and more a position; whatever else means any.
fn play_start(value: &Value) -> PlayStart {
    match value.as_f64() {
        Some(start) if start == -1.0 || start == -1000.0 => PlayStart::Live,
        Some(start) if start >= 0.0 => PlayStart::Recorded(clamp_millis(start)),
        _ => PlayStart::Any,
    }
}

/// Seconds as milliseconds; the negative numbers mean the same in both.
fn millis_of(seconds: &Value) -> Value {
    match seconds.as_f64() {
        Some(number) if number > 0.0 => Value::from(number * 1000.0),
        _ => seconds.clone(),
    }
}

/// `len` of `play`: 0 and more a duration, whatever else to the end.
fn duration(value: &Value) -> Option<u64> {
    value.as_f64().filter(|length| *length >= 0.0).map(clamp_millis)
}

/// A time of 0 or more; `None` for what is no number.
fn millis(value: &Value) -> Option<u64> {
    value
        .as_f64()
        .filter(|time| !time.is_nan())
        .map(|time| clamp_millis(time.max(0.0)))
}

/// Positions go on where 32-bit timestamps wrap: some 300,000 years at most. Not a number is 0.
pub(crate) fn clamp_millis(value: f64) -> u64 {
    const MOST: f64 = 1e16;
    value.clamp(0.0, MOST) as u64
}

fn stream_number(value: &Value) -> Option<u32> {
    let number = value.as_f64()?;
    (number >= 0.0 && number <= f64::from(u32::MAX)).then_some(number as u32)
}

/// `receiveVideoFPS` gives a number, 0 for off.
fn is_on(value: &Value) -> bool {
    value
        .as_bool()
        .unwrap_or_else(|| value.as_f64().is_none_or(|rate| rate > 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn play_start_reads_every_dialect() {
        for (number, expected) in [
            (-2.0, PlayStart::Any),
            (-2000.0, PlayStart::Any),
            (-1.0, PlayStart::Live),
            (-1000.0, PlayStart::Live),
            (0.0, PlayStart::Recorded(0)),
            (1500.0, PlayStart::Recorded(1500)),
            (-7.0, PlayStart::Any),
            (f64::NAN, PlayStart::Any),
            (-1e308, PlayStart::Any),
            (1e308, PlayStart::Recorded(10_000_000_000_000_000)),
        ] {
            assert_eq!(play_start(&Value::from(number)), expected, "{number}");
        }
        assert_eq!(play_start(&Value::Null), PlayStart::Any);
    }

    #[test]
    fn durations_and_times_are_clamped() {
        assert_eq!(duration(&Value::from(-1000.0)), None);
        assert_eq!(duration(&Value::from(0.0)), Some(0));
        assert_eq!(
            duration(&Value::from(f64::INFINITY)),
            Some(10_000_000_000_000_000)
        );
        assert_eq!(millis(&Value::from(-5.0)), Some(0));
        assert_eq!(millis(&Value::from(f64::NAN)), None);
        assert_eq!(stream_number(&Value::from(f64::NAN)), None);
        assert_eq!(stream_number(&Value::from("x")), None);
    }
}
