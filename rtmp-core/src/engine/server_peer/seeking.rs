//! Seeking in recorded streams: where to go, once no other job is out, and what the client is told.

use crate::app::vod::{Outcome, Place, job};
use crate::engine::server_peer::ServerPeer;
use crate::engine::server_peer::recorded::{Phase, Wish};
use crate::wire::status::{Code, Status};

impl ServerPeer {
    /// The client seeks.
    pub(super) fn seek(&mut self, stream_id: u32, millis: u64) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            let status = Status::new(Code::SeekFailed).with_description("A live stream cannot be sought.");
            return self.session.send_status(stream_id, status);
        };
        recorded.wish = Some(Wish::To(millis));
        self.go(stream_id);
    }

    /// Goes where the client wishes, once no other job is out.
    pub(super) fn go(&mut self, stream_id: u32) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        if recorded.busy {
            return;
        }
        let Some(wish) = recorded.wish.take() else {
            return;
        };
        recorded.was_over = recorded.phase == Phase::Over || recorded.was_over && recorded.file.is_none();
        recorded.phase = Phase::Seeking(wish);
        recorded.next = None;
        (recorded.busy, recorded.wake) = (true, None);
        let place = match wish {
            Wish::To(time) | Wish::After(time) => Place::AtOrBefore(time),
        };
        let name = recorded.item.name.clone();
        let ticket = match recorded.file.take() {
            Some(file) => Some(self.run_job(stream_id, Some(file), move |file| match file {
                Some(file) => job::seek(file, place),
                None => Outcome::Busy(None),
            })),
            None => self.open_by(stream_id, &name, place, job::reopen_at),
        };
        if let (Some(recorded), Some(ticket)) = (self.recorded_mut(stream_id), ticket) {
            recorded.ticket = ticket;
        }
    }

    /// The file is at the place that was wished for: tells the client, if it was a seek of its own.
    pub(super) fn sought(&mut self, stream_id: u32, wish: Wish) {
        let takes_commands = self.takes_commands();
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        (recorded.phase, recorded.was_over) = (Phase::Playing, false);
        recorded.is_filled = false;
        match wish {
            Wish::To(time) => {
                recorded.player.restart(time, takes_commands);
                let name = recorded.item.name.clone();
                let samples = self.samples(&name);
                self.session.seek_notify(stream_id, time, samples);
            }
            Wish::After(time) => recorded.player.restart_after(time),
        }
    }

    /// The client seeks behind the end: it is told where that is, and goes on where it was.
    pub(super) fn beyond(&mut self, stream_id: u32, end_ms: u64) {
        let Some(recorded) = self.recorded_mut(stream_id) else {
            return;
        };
        let seeks = matches!(recorded.phase, Phase::Seeking(Wish::To(_)));
        if std::mem::take(&mut recorded.was_over) {
            (recorded.phase, recorded.file) = (Phase::Over, None);
        } else {
            recorded.phase = Phase::Playing;
            let back = recorded.player.last().map_or(Wish::To(0), Wish::After);
            recorded.wish.get_or_insert(back);
        }
        if !seeks {
            return;
        }
        let name = self.session.name_of(stream_id).unwrap_or_default().to_owned();
        #[allow(clippy::cast_precision_loss)] // Milliseconds of a file.
        let status = Status::new(Code::SeekInvalidTime)
            .with_description(Code::SeekInvalidTime.description_of(&name))
            .with("details", end_ms as f64 / 1000.0);
        self.session.send_status(stream_id, status);
    }
}
